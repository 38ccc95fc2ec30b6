import type { FinishReason, TokenUsage } from '../../core/usage-record.ts';
import { NO_TIMINGS } from '../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer, ChatMessage, ChatRequest, ToolCall } from '../chat.ts';
import { EMPTY_PART } from '../chat.ts';
import { cutOff, malformed, reportedFailure } from '../upstream-errors.ts';
import type { Fields } from './fields.ts';
import { sumKnown, toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from './fields.ts';
import { SseReader } from './framing.ts';
import { stringifyRequest } from './openai.ts';
import { imageOfPart, isImagePart, refuseManyChoices, refusePart, textOfMessage } from './parts.ts';

/** Anthropic demands a limit; this one cuts no ordinary answer and every model of theirs allows it. */
export const ANTHROPIC_TOKENS_DEFAULT = 4_096;

/**
 * The body for Anthropic's `/v1/messages`.
 *
 * @throws {TallyrankError} `bad_request` for parts that Anthropic cannot carry
 */
export function encodeAnthropicRequest(
  request: ChatRequest,
  modelName: string,
  provider: string,
  isStream: boolean,
): string {
  refuseManyChoices(request, provider);
  const system = encodeSystem(request);
  const stops = typeof request.stop === 'string' ? [request.stop] : request.stop;
  return stringifyRequest({
    model: modelName,
    max_tokens: request.max_completion_tokens ?? request.max_tokens ?? ANTHROPIC_TOKENS_DEFAULT,
    messages: encodeMessages(request.messages, provider),
    ...(system === '' ? {} : { system }),
    ...(isStream ? { stream: true } : {}),
    // OpenAI's scale goes to 2, Anthropic's to 1.
    ...(typeof request.temperature === 'number' ? { temperature: Math.min(request.temperature, 1) } : {}),
    ...(typeof request.top_p === 'number' ? { top_p: request.top_p } : {}),
    ...(stops && stops.length > 0 ? { stop_sequences: stops } : {}),
    ...(request.user ? { metadata: { user_id: request.user } } : {}),
    ...encodeTools(request),
    ...(request['thinking'] === undefined ? {} : { thinking: request['thinking'] }),
  });
}

/** @throws {TallyrankError} `upstream_malformed`, `upstream_failed` */
export function decodeAnthropicAnswer(provider: string, bytes: Buffer): ChatAnswer {
  const body = tryParseFields(bytes.toString());
  if (body === null) throw malformed(provider, 'a body that is not a JSON object');
  if (body['type'] === 'error') throw reportedFailure(provider, body['error']);
  if (!Array.isArray(body['content'])) throw malformed(provider, 'without content');
  let text = '';
  let reasoning = '';
  const toolCalls: ToolCall[] = [];
  for (const block of toFieldsList(body['content'])) {
    if (block['type'] === 'text') text += toText(block['text']);
    else if (block['type'] === 'thinking') reasoning += toText(block['thinking']);
    else if (block['type'] === 'tool_use') {
      const given = JSON.stringify(block['input'] ?? {});
      toolCalls.push({ id: toText(block['id']), name: toText(block['name']), arguments: given });
    }
  }
  return {
    text,
    reasoning,
    refusal: '',
    toolCalls,
    finishReason: decodeStopReason(body['stop_reason']),
    usage: decodeUsage(toFields(body['usage'])),
    responseId: toWord(body['id']),
    modelReported: toWord(body['model']),
    timings: NO_TIMINGS,
    wire: null,
  };
}

/** Reads the events of a streamed answer. Usage comes in two halves that are put together here. */
export class AnthropicStreamReader {
  readonly #provider: string;
  readonly #frames: SseReader;
  /** Index of a content block to the index of its tool call. */
  readonly #toolCalls = new Map<number, number>();
  #usage: Fields = {};
  #hasBegun = false;
  #hasEnded = false;

  constructor(provider: string) {
    this.#provider = provider;
    this.#frames = new SseReader(provider);
  }

  /** @throws {TallyrankError} `upstream_malformed`, `upstream_failed` */
  push(bytes: Buffer): AnswerPart[] {
    return this.#decodeAll(this.#frames.push(bytes));
  }

  /** @throws {TallyrankError} `upstream_cut` when neither stop reason nor end had come */
  end(): AnswerPart[] {
    const parts = this.#decodeAll(this.#frames.end());
    if (!this.#hasBegun) throw malformed(this.#provider, 'nothing of its protocol');
    if (!this.#hasEnded) throw cutOff(this.#provider);
    return parts;
  }

  #decodeAll(events: readonly string[]): AnswerPart[] {
    const parts: AnswerPart[] = [];
    for (const data of events) {
      const event = tryParseFields(data);
      if (event === null) throw malformed(this.#provider, 'an event that is not a JSON object');
      this.#hasBegun = true;
      const part = this.#decode(event);
      if (part !== null) parts.push(part);
    }
    return parts;
  }

  #decode(event: Fields): AnswerPart | null {
    switch (event['type']) {
      case 'message_start': {
        const message = toFields(event['message']);
        this.#usage = { ...this.#usage, ...toFields(message['usage']) };
        return { ...EMPTY_PART, responseId: toWord(message['id']), modelReported: toWord(message['model']) };
      }
      case 'content_block_start':
        return this.#startBlock(toCount(event['index']) ?? 0, toFields(event['content_block']));
      case 'content_block_delta':
        return this.#decodeDelta(toCount(event['index']) ?? 0, toFields(event['delta']));
      case 'message_delta': {
        this.#usage = { ...this.#usage, ...toFields(event['usage']) };
        const finishReason = decodeStopReason(toFields(event['delta'])['stop_reason']);
        if (finishReason !== null) this.#hasEnded = true;
        return { ...EMPTY_PART, finishReason, usage: decodeUsage(this.#usage) };
      }
      case 'message_stop':
        this.#hasEnded = true;
        return null;
      case 'error':
        throw reportedFailure(this.#provider, event['error']);
      default:
        return null;
    }
  }

  #startBlock(index: number, block: Fields): AnswerPart | null {
    if (block['type'] === 'text' && toText(block['text']) !== '') {
      return { ...EMPTY_PART, text: toText(block['text']) };
    }
    if (block['type'] !== 'tool_use') return null;
    const callIndex = this.#toolCalls.size;
    this.#toolCalls.set(index, callIndex);
    const call = { index: callIndex, id: toWord(block['id']), name: toWord(block['name']), arguments: '' };
    return { ...EMPTY_PART, toolCalls: [call] };
  }

  #decodeDelta(index: number, delta: Fields): AnswerPart | null {
    switch (delta['type']) {
      case 'text_delta':
        return { ...EMPTY_PART, text: toText(delta['text']) };
      case 'thinking_delta':
        return { ...EMPTY_PART, reasoning: toText(delta['thinking']) };
      case 'input_json_delta': {
        const callIndex = this.#toolCalls.get(index);
        const piece = toText(delta['partial_json']);
        if (callIndex === undefined || piece === '') return null;
        return { ...EMPTY_PART, toolCalls: [{ index: callIndex, id: null, name: null, arguments: piece }] };
      }
      default:
        return null;
    }
  }
}

/** Instructions stand beside the conversation; a demanded JSON form is put into words there. */
function encodeSystem(request: ChatRequest): string {
  const texts = request.messages.filter(isInstruction).map(textOfMessage);
  const format = request.response_format;
  if (format?.type === 'json_object') texts.push('Answer with one JSON object and nothing else.');
  if (format?.type === 'json_schema') {
    const schema = stringifyRequest(format.json_schema?.schema ?? {});
    texts.push(`Answer with one JSON document and nothing else. It must follow this JSON schema:\n${schema}`);
  }
  return texts.filter((text) => text !== '').join('\n\n');
}

function isInstruction(message: ChatMessage): boolean {
  return message.role === 'system' || message.role === 'developer';
}

function encodeMessages(messages: readonly ChatMessage[], provider: string): Fields[] {
  const encoded: { role: string; content: unknown[] }[] = [];
  for (const message of messages) {
    if (isInstruction(message)) continue;
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const content = encodeContent(message, provider);
    if (content.length === 0) continue;
    const last = encoded.at(-1);
    // The results of several tool calls must stand in the one message that follows them.
    if (last?.role === role) last.content.push(...content);
    else encoded.push({ role, content });
  }
  return encoded;
}

function encodeContent(message: ChatMessage, provider: string): unknown[] {
  if (message.role === 'tool') {
    const text = textOfMessage(message);
    return [{ type: 'tool_result', tool_use_id: toText(message.tool_call_id), content: text }];
  }
  const blocks: unknown[] = [];
  if (typeof message.content === 'string') {
    if (message.content !== '') blocks.push({ type: 'text', text: message.content });
  } else {
    for (const part of toFieldsList(message.content)) blocks.push(encodePart(part, provider));
  }
  for (const call of toFieldsList(message.tool_calls)) {
    const called = toFields(call['function']);
    blocks.push({
      type: 'tool_use',
      id: toText(call['id']),
      name: toText(called['name']),
      input: tryParseFields(toText(called['arguments'])) ?? {},
    });
  }
  return blocks;
}

function encodePart(part: Fields, provider: string): unknown {
  if (part['type'] === 'text') {
    const cacheControl = part['cache_control'];
    return {
      type: 'text',
      text: toText(part['text']),
      ...(cacheControl ? { cache_control: cacheControl } : {}),
    };
  }
  if (part['type'] === 'refusal') return { type: 'text', text: toText(part['refusal']) };
  if (!isImagePart(part)) refusePart(part, provider);
  const image = imageOfPart(part);
  return image.base64 === null
    ? { type: 'image', source: { type: 'url', url: image.url } }
    : { type: 'image', source: { type: 'base64', media_type: image.mediaType, data: image.base64 } };
}

function encodeTools(request: ChatRequest): Fields {
  if (!request.tools || request.tools.length === 0) return {};
  const tools = request.tools.map((tool) => ({
    name: tool.function?.name,
    ...(tool.function?.description === undefined ? {} : { description: tool.function.description }),
    input_schema: tool.function?.parameters ?? { type: 'object', properties: {} },
  }));
  const choice = encodeToolChoice(request);
  return choice === null ? { tools } : { tools, tool_choice: choice };
}

function encodeToolChoice(request: ChatRequest): Fields | null {
  const isSerial = request.parallel_tool_calls === false ? { disable_parallel_tool_use: true } : {};
  const choice = request.tool_choice;
  if (choice === 'none') return { type: 'none' };
  if (choice === 'required') return { type: 'any', ...isSerial };
  const name = toWord(toFields(toFields(choice)['function'])['name']);
  if (name !== null) return { type: 'tool', name, ...isSerial };
  return request.parallel_tool_calls === false ? { type: 'auto', ...isSerial } : null;
}

const STOP_REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'refusal',
};

function decodeStopReason(reason: unknown): FinishReason | null {
  return typeof reason === 'string' ? (STOP_REASONS[reason] ?? 'stop') : null;
}

/** Anthropic counts cached and cache-written tokens beside `input_tokens`; ours include them. */
function decodeUsage(usage: Fields): TokenUsage {
  const cachedTokens = toCount(usage['cache_read_input_tokens']);
  const cacheWriteTokens = toCount(usage['cache_creation_input_tokens']);
  const inputTokens = toCount(usage['input_tokens']);
  return {
    promptTokens: inputTokens === null ? null : sumKnown([inputTokens, cachedTokens, cacheWriteTokens]),
    completionTokens: toCount(usage['output_tokens']),
    cachedTokens,
    cacheWriteTokens,
    reasoningTokens: null,
    isEstimated: false,
  };
}
