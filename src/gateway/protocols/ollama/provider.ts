import { TallyrankError } from '../../../core/errors.ts';
import type { FinishReason, ProviderTimings, TokenUsage } from '../../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer, ChatMessage, ChatRequest, ChatTool, ToolCall } from '../../chat.ts';
import { EMPTY_PART } from '../../chat.ts';
import { cutOff, malformed, reportedFailure } from '../../upstream-errors.ts';
import type { Fields } from '../fields.ts';
import { isFields, toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from '../fields.ts';
import { LineReader } from '../framing.ts';
import { stringifyRequest } from '../json-body.ts';
import {
  allowedTools,
  imageOfPart,
  isImagePart,
  refuseManyChoices,
  refusePart,
  textOfMessage,
  textOfToolResult,
} from '../parts.ts';

const NS_PER_MS = 1e6;

/**
 * The body for Ollama's `/api/chat`. Ollama's own fields (`options`, `keep_alive`, `think`, `format`) may stand
 * in the request and win over what is derived.
 *
 * @throws {TallyrankError} `bad_request` for parts that Ollama cannot carry
 */
export function encodeOllamaRequest(
  request: ChatRequest,
  modelName: string,
  provider: string,
  isStream: boolean,
): string {
  refuseManyChoices(request, provider);
  const toolNames = namesOfToolCalls(request.messages);
  const format = encodeFormat(request);
  return stringifyRequest({
    model: modelName,
    messages: request.messages.map((message) => encodeMessage(message, provider, toolNames)),
    stream: isStream,
    options: { ...encodeOptions(request), ...toFields(request['options']) },
    ...(request.tools && request.tool_choice !== 'none'
      ? { tools: allowedTools(request).map((tool) => encodeTool(tool, provider)) }
      : {}),
    ...(format === null ? {} : { format }),
    ...(request['keep_alive'] === undefined ? {} : { keep_alive: request['keep_alive'] }),
    ...encodeThink(request, modelName),
  });
}

/**
 * The answer of `/api/chat` or `/api/generate`.
 *
 * @param callId     makes ids for tool calls, which Ollama leaves out
 * @param keepsWire  the client speaks the protocol too and may have the bytes
 * @throws {TallyrankError} `upstream_malformed`, `upstream_failed`
 */
export function decodeOllamaAnswer(
  provider: string,
  bytes: Buffer,
  callId: string,
  keepsWire = false,
): ChatAnswer {
  const body = tryParseFields(bytes.toString());
  if (body === null) throw malformed(provider, 'a body that is not a JSON object');
  if (body['error'] !== undefined) throw reportedFailure(provider, body['error']);
  const message = messageOf(body);
  if (message === null) throw malformed(provider, 'without a message');
  const toolCalls = toFieldsList(message['tool_calls']).map((call, at) => decodeToolCall(call, callId, at));
  return {
    text: toText(message['content']),
    reasoning: toText(message['thinking']),
    refusal: '',
    toolCalls,
    thinkingBlocks: [],
    stopSequence: null,
    finishReason: decodeDoneReason(body['done_reason'], toolCalls.length > 0),
    usage: decodeUsage(body),
    responseId: null,
    modelReported: toWord(body['model']),
    timings: decodeTimings(body),
    wire: keepsWire ? bytes : null,
  };
}

/** What `/api/chat` says in a message, `/api/generate` says beside it. */
function messageOf(body: Fields): Fields | null {
  if (isFields(body['message'])) return body['message'];
  const { response, thinking } = body;
  return typeof response === 'string' ? { content: response, thinking } : null;
}

/** Reads the lines of a streamed answer. */
export class OllamaStreamReader {
  readonly #provider: string;
  readonly #callId: string;
  readonly #keepsWire: boolean;
  readonly #frames: LineReader;
  #toolCallCount = 0;
  #hasBegun = false;
  #hasEnded = false;

  /** @param keepsWire  the client speaks the protocol too and may have the lines as they are */
  constructor(provider: string, callId: string, keepsWire = false) {
    this.#provider = provider;
    this.#keepsWire = keepsWire;
    this.#frames = new LineReader(provider);
    this.#callId = callId;
  }

  /** @throws {TallyrankError} `upstream_malformed`, `upstream_failed` */
  push(bytes: Buffer): AnswerPart[] {
    return this.#frames.push(bytes).map((line) => this.#decode(line));
  }

  /** @throws {TallyrankError} `upstream_cut` when the line with `done` is missing */
  end(): AnswerPart[] {
    const parts = this.#frames.end().map((line) => this.#decode(line));
    if (!this.#hasBegun) throw malformed(this.#provider, 'nothing of its protocol');
    if (!this.#hasEnded) throw cutOff(this.#provider);
    return parts;
  }

  #decode(line: string): AnswerPart {
    const body = tryParseFields(line);
    if (body === null) throw malformed(this.#provider, 'a line that is not a JSON object');
    if (body['error'] !== undefined) throw reportedFailure(this.#provider, body['error']);
    this.#hasBegun = true;
    const message = messageOf(body) ?? {};
    const toolCalls = toFieldsList(message['tool_calls']).map((call) => {
      const index = this.#toolCallCount++;
      return { index, ...decodeToolCall(call, this.#callId, index) };
    });
    const isDone = body['done'] === true;
    if (isDone) this.#hasEnded = true;
    return {
      ...EMPTY_PART,
      text: toText(message['content']),
      reasoning: toText(message['thinking']),
      toolCalls,
      finishReason: isDone ? decodeDoneReason(body['done_reason'], this.#toolCallCount > 0) : null,
      usage: isDone ? decodeUsage(body) : null,
      modelReported: toWord(body['model']),
      timings: isDone ? decodeTimings(body) : null,
      wire: this.#keepsWire ? `${line}\n` : null,
    };
  }
}

/** Whoever wants no thoughts gets none; a model that cannot think would refuse to be asked for some. */
/** How deep to think is told to gpt-oss alone: Ollama refuses it for all others. */
function encodeThink(request: ChatRequest, modelName: string): Fields {
  if (request['think'] !== undefined) return { think: request['think'] };
  const effort = toText(request['reasoning_effort']);
  if (effort === 'none' || toFields(request['thinking'])['type'] === 'disabled') return { think: false };
  const isLevel = effort === 'low' || effort === 'medium' || effort === 'high';
  return isLevel && modelName.includes('gpt-oss') ? { think: effort } : {};
}

function encodeTool(tool: ChatTool, provider: string): Fields {
  if (!isFields(tool.function)) refusePart(tool as Fields, provider);
  return { type: 'function', function: tool.function };
}

function encodeMessage(
  message: ChatMessage,
  provider: string,
  toolNames: ReadonlyMap<string, string>,
): Fields {
  const images: string[] = [];
  for (const part of Array.isArray(message.content) ? toFieldsList(message.content) : []) {
    if (part['type'] === 'text' || part['type'] === 'refusal') continue;
    if (!isImagePart(part)) refusePart(part, provider);
    const image = imageOfPart(part);
    if (image.base64 === null) {
      throw new TallyrankError(
        'bad_request',
        `The provider ${provider} does not fetch images; send them as data URLs (data:image/png;base64,…).`,
        { param: 'messages' },
      );
    }
    images.push(image.base64);
  }
  const toolCalls = toFieldsList(message.tool_calls);
  const toolName = toolNames.get(toText(message.tool_call_id));
  return {
    role: message.role === 'developer' ? 'system' : message.role,
    content: message.role === 'tool' ? textOfToolResult(message) : textOfMessage(message),
    ...(typeof message.reasoning_content === 'string' ? { thinking: message.reasoning_content } : {}),
    ...(images.length === 0 ? {} : { images }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(encodeToolCall) }),
    ...(message.role === 'tool' && toolName !== undefined ? { tool_name: toolName } : {}),
  };
}

function encodeToolCall(call: Fields): Fields {
  const called = toFields(call['function']);
  return {
    function: {
      name: toText(called['name']),
      arguments: tryParseFields(toText(called['arguments'])) ?? {},
    },
  };
}

/** Ollama's tool messages name the tool; OpenAI's give the id of the call. */
function namesOfToolCalls(messages: readonly ChatMessage[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const message of messages) {
    if (message.tool_calls === undefined) continue;
    for (const call of toFieldsList(message.tool_calls)) {
      names.set(toText(call['id']), toText(toFields(call['function'])['name']));
    }
  }
  return names;
}

function encodeFormat(request: ChatRequest): unknown {
  const own = request['format'];
  if (own === 'json' || isFields(own)) return own;
  const format = request.response_format;
  if (format?.type === 'json_object') return 'json';
  return format?.type === 'json_schema' ? (format.json_schema?.schema ?? 'json') : null;
}

function encodeOptions(request: ChatRequest): Fields {
  const given: Record<string, unknown> = {
    temperature: request.temperature,
    top_p: request.top_p,
    top_k: request['top_k'],
    seed: request.seed,
    presence_penalty: request.presence_penalty,
    frequency_penalty: request.frequency_penalty,
    num_predict: request.max_completion_tokens ?? request.max_tokens,
    stop: typeof request.stop === 'string' ? [request.stop] : request.stop,
  };
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined && value !== null),
  );
}

function decodeToolCall(call: Fields, callId: string, at: number): ToolCall {
  const called = toFields(call['function']);
  const given = called['arguments'];
  return {
    id: toWord(call['id']) ?? `call_${callId}_${at}`,
    name: toText(called['name']),
    arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {}),
  };
}

function decodeDoneReason(reason: unknown, hasToolCalls: boolean): FinishReason {
  if (reason === 'length') return 'length';
  return hasToolCalls ? 'tool_calls' : 'stop';
}

/** `prompt_eval_count` is left out when the whole prompt was cached: then the count is unknown. */
function decodeUsage(body: Fields): TokenUsage {
  return {
    promptTokens: toCount(body['prompt_eval_count']),
    completionTokens: toCount(body['eval_count']),
    cachedTokens: null,
    cacheWriteTokens: null,
    reasoningTokens: null,
    isEstimated: false,
  };
}

/** What is left of the whole when loading, reading and writing are taken off was spent waiting for a free slot. */
function decodeTimings(body: Fields): ProviderTimings {
  const total = toCount(body['total_duration']);
  const load = toCount(body['load_duration']);
  const read = toCount(body['prompt_eval_duration']);
  const write = toCount(body['eval_duration']);
  const isWhole = total !== null && load !== null && read !== null && write !== null;
  const inMs = (ns: number | null): number | null => (ns === null ? null : ns / NS_PER_MS);
  return {
    loadMs: inMs(load),
    queueMs: isWhole ? inMs(Math.max(0, total - load - read - write)) : null,
    generationMs: inMs(write),
  };
}
