import type { FinishReason, ProviderTimings, TokenUsage } from '../../../core/usage-record.ts';
import { NO_TIMINGS, NO_TOKEN_USAGE } from '../../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer, ChatMessage, ChatRequest } from '../../chat.ts';
import { EMPTY_PART } from '../../chat.ts';
import { cutOff, malformed, reportedFailure } from '../../upstream-errors.ts';
import type { Fields } from '../fields.ts';
import { isFields, toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from '../fields.ts';
import { frame, SseReader } from '../framing.ts';
import { stringifyRequest } from '../json-body.ts';
import { adaptRequest } from './adapt-request.ts';
import type { OpenAiDialect } from './chat-provider-request.ts';
import { decodeToolCalls, ToolCallNumbers } from './chat-tool-calls.ts';

/** The body for an OpenAI-compatible server. Usage is always asked for; fields that we do not know stay. */
export function encodeOpenAiRequest(
  given: ChatRequest,
  modelName: string,
  isStream: boolean,
  dialect?: OpenAiDialect,
): string {
  const request = dialect === undefined ? given : adaptRequest(given, modelName, dialect);
  const { metadata, ...rest } = request;
  const messages = hasThoughts(request) ? request.messages.map(withoutThoughts) : request.messages;
  return stringifyRequest({
    ...rest,
    messages,
    model: modelName,
    // Our clients send it for tracking; OpenAI refuses it on requests that are not stored.
    ...(rest['store'] === true && metadata ? { metadata } : {}),
    ...(isStream ? { stream: true } : {}),
    // Mistral refuses the field and always tells the usage.
    ...(isStream && dialect?.isMistral !== true
      ? { stream_options: { ...request.stream_options, include_usage: true } }
      : {}),
  });
}

/** True when a turn carries signed thoughts of another protocol's model, which OpenAI's does not know. */
export function hasThoughts({ messages }: ChatRequest): boolean {
  return messages.some((message) => message.thinking_blocks !== undefined);
}

function withoutThoughts(message: ChatMessage): ChatMessage {
  const { thinking_blocks: _thoughts, ...rest } = message;
  return rest;
}

/**
 * @param keepsWire  the client speaks the protocol too and may have the bytes
 * @throws {TallyrankError} `upstream_malformed`, `upstream_failed` when the bytes hold an error
 */
export function decodeOpenAiAnswer(provider: string, bytes: Buffer, keepsWire: boolean): ChatAnswer {
  const body = tryParseFields(bytes.toString());
  if (body === null) throw malformed(provider, 'a body that is not a JSON object');
  if (body['error']) throw reportedFailure(provider, body['error']);
  const choices = body['choices'];
  const choice: unknown = Array.isArray(choices) ? choices[0] : null;
  const message = isFields(choice) ? messageOf(choice) : null;
  if (!isFields(choice) || message === null) throw malformed(provider, 'without a choice');
  refuseBrokenEnd(provider, choice);
  const responseId = toWord(body['id']);
  const toolCalls = decodeToolCalls(message, responseId);
  return {
    text: textOf(message['content']) || transcriptOf(message),
    reasoning: reasoningOf(message),
    refusal: toText(message['refusal']),
    toolCalls,
    thinkingBlocks: [],
    finishReason: decodeFinishReason(choice['finish_reason']) ?? (toolCalls.length > 0 ? 'tool_calls' : null),
    stopSequence: null,
    usage: decodeOpenAiUsage(body['usage']) ?? NO_TOKEN_USAGE,
    responseId,
    modelReported: toWord(body['model']),
    timings: decodeTimings(body) ?? NO_TIMINGS,
    wire: keepsWire ? bytes : null,
  };
}

/** A text completion has its text where a chat has a message. */
function messageOf(choice: Fields): Fields | null {
  if (isFields(choice['message'])) return choice['message'];
  return typeof choice['text'] === 'string' ? { content: choice['text'] } : null;
}

/** OpenAI's usage object; null when there is none. Cached and reasoning tokens lie inside the two sums. */
function decodeOpenAiUsage(value: unknown): TokenUsage | null {
  if (!isFields(value)) return null;
  const prompt = toFields(value['prompt_tokens_details']);
  const completion = toFields(value['completion_tokens_details']);
  const promptTokens = toCount(value['prompt_tokens']);
  const completionTokens = toCount(value['completion_tokens']);
  const total = toCount(value['total_tokens']);
  const isTold = promptTokens !== null && completionTokens !== null && total !== null;
  return {
    promptTokens,
    // xAI and Gemini count thoughts beside the completion: their total, and their bill, holds them all the same.
    completionTokens: isTold ? Math.max(completionTokens, total - promptTokens) : completionTokens,
    cachedTokens: toCount(prompt['cached_tokens']) ?? toCount(value['prompt_cache_hit_tokens']),
    cacheWriteTokens: toCount(prompt['cache_write_tokens']),
    reasoningTokens: toCount(completion['reasoning_tokens']),
    isEstimated: false,
  };
}

/** Reads the server-sent chunks of an OpenAI-compatible server; each is parsed once. */
export class OpenAiStreamReader {
  readonly #provider: string;
  readonly #keepsWire: boolean;
  readonly #frames: SseReader;
  readonly #toolCalls = new ToolCallNumbers();
  #hasBegun = false;
  #hasEnded = false;
  #hasReason = false;

  /** @param keepsWire  the client speaks the protocol too and may have the chunks as they are */
  constructor(provider: string, keepsWire: boolean) {
    this.#provider = provider;
    this.#keepsWire = keepsWire;
    this.#frames = new SseReader(provider);
  }

  /** @throws {TallyrankError} `upstream_malformed`, `upstream_failed` */
  push(bytes: Buffer): AnswerPart[] {
    return this.#decode(this.#frames.push(bytes));
  }

  /** @throws {TallyrankError} `upstream_cut` when the answer had not come to its end */
  end(): AnswerPart[] {
    const parts = this.#decode(this.#frames.end());
    if (!this.#hasBegun) throw malformed(this.#provider, 'nothing of its protocol');
    if (!this.#hasEnded) throw cutOff(this.#provider);
    if (this.#hasReason) return parts;
    // Some servers end without a reason, and clients wait for one.
    return [...parts, { ...EMPTY_PART, finishReason: this.#toolCalls.count > 0 ? 'tool_calls' : 'stop' }];
  }

  #decode(events: readonly string[]): AnswerPart[] {
    const parts: AnswerPart[] = [];
    for (const data of events) {
      if (data === '[DONE]') {
        this.#hasEnded = true;
        continue;
      }
      const chunk = tryParseFields(data);
      if (chunk === null) throw malformed(this.#provider, 'an event that is not a JSON object');
      if (chunk['error']) throw reportedFailure(this.#provider, chunk['error']);
      this.#hasBegun = true;
      const part = decodeChunk(this.#provider, chunk, this.#keepsWire ? data : null, this.#toolCalls);
      this.#hasReason ||= part.finishReason !== null;
      this.#hasEnded ||= this.#hasReason;
      parts.push(part);
    }
    return parts;
  }
}

function decodeChunk(
  provider: string,
  chunk: Fields,
  data: string | null,
  toolCalls: ToolCallNumbers,
): AnswerPart {
  const choices = toFieldsList(chunk['choices']);
  // Groq has a place of its own for it, beside OpenAI's or alone.
  const counted = chunk['usage'] ?? toFields(chunk['x_groq'])['usage'];
  const usage = decodeOpenAiUsage(counted);
  const responseId = toWord(chunk['id']);
  const base = {
    ...EMPTY_PART,
    usage,
    usageWire: usage === null ? null : toFields(counted),
    responseId,
    modelReported: toWord(chunk['model']),
    timings: decodeTimings(chunk),
  };
  // The record follows the first choice; further ones only pass by.
  const choice = choices.find((each) => (each['index'] ?? 0) === 0);
  if (choices.length === 0 && usage !== null) return base;
  // We write the usage chunk ourselves; a usage that rides on a choice would be counted twice by the client.
  const wire =
    data === null ? null : frame(usage === null ? data : JSON.stringify({ ...chunk, usage: null }));
  if (choice === undefined) return { ...base, wire };
  refuseBrokenEnd(provider, choice);
  const delta = toFields(choice['delta']);
  return {
    ...base,
    text: textOf(delta['content'] ?? choice['text']) || transcriptOf(delta),
    reasoning: reasoningOf(delta),
    refusal: toText(delta['refusal']),
    toolCalls: delta['tool_calls']
      ? toFieldsList(delta['tool_calls']).map((call) => toolCalls.decode(call, responseId))
      : [],
    finishReason: decodeFinishReason(choice['finish_reason']),
    wire,
  };
}

/** A content that is a text, or parts of which some are texts (Mistral's way). */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return toFieldsList(content)
    .map((part) => toText(part['text']))
    .join('');
}

/** What a spoken answer says, which has no content. */
function transcriptOf({ audio }: Fields): string {
  return isFields(audio) ? toText(audio['transcript']) : '';
}

/** Thoughts, where servers put them: two names for a text, parts of the content (Mistral), a list of details. */
function reasoningOf(message: Fields): string {
  const text = toText(message['reasoning_content']) || toText(message['reasoning']);
  if (text !== '') return text;
  const { content, reasoning_details: details } = message;
  if (Array.isArray(content)) {
    return toFieldsList(content)
      .map((part) => textOf(part['thinking']))
      .join('');
  }
  return details ? textOf(details) : '';
}

const MS_PER_SECOND = 1_000;

/**
 * Times that some servers add: Groq to `usage` and Cerebras as `time_info` in seconds, llama.cpp as `timings`
 * in milliseconds; null where there are none.
 */
function decodeTimings(body: Fields): ProviderTimings | null {
  const seconds = body['time_info'] ?? body['usage'];
  if (isFields(seconds)) {
    const queue = toCount(seconds['queue_time']);
    const completion = toCount(seconds['completion_time']);
    if (queue !== null || completion !== null) {
      const inMs = (value: number | null): number | null => (value === null ? null : value * MS_PER_SECOND);
      return { loadMs: null, queueMs: inMs(queue), generationMs: inMs(completion) };
    }
  }
  const written = isFields(body['timings']) ? toCount(body['timings']['predicted_ms']) : null;
  return written === null ? null : { ...NO_TIMINGS, generationMs: written };
}

/** Ends that are no end of an answer: the provider's own failures, by the name that it gives them. */
const BROKEN_ENDS: ReadonlySet<unknown> = new Set([
  'error',
  'insufficient_system_resource',
  'abort',
  'cancelled',
  'time_limit',
]);

/** @throws {TallyrankError} when a choice ends by a failure of the provider's */
function refuseBrokenEnd(provider: string, choice: Fields): void {
  if (choice['error']) throw reportedFailure(provider, choice['error']);
  const reason = choice['finish_reason'];
  if (BROKEN_ENDS.has(reason)) throw reportedFailure(provider, { code: reason });
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  max_tokens: 'length',
  token_limit: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  safety: 'content_filter',
  recitation: 'content_filter',
  blocklist: 'content_filter',
  prohibited_content: 'content_filter',
  spii: 'content_filter',
  refusal: 'refusal',
};

function decodeFinishReason(reason: unknown): FinishReason | null {
  // Some servers have '' in every chunk but the last.
  if (typeof reason !== 'string' || reason === '') return null;
  // A word that we do not know still says that the answer has ended.
  return FINISH_REASONS[reason.toLowerCase()] ?? (reason.includes('length') ? 'length' : 'stop');
}
