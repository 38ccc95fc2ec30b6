import type { TallyrankError } from '../../../core/errors.ts';
import type { TokenUsage } from '../../../core/usage-record.ts';
import type { ChatAnswer } from '../../chat.ts';
import { UpstreamRejection } from '../../upstream-errors.ts';
import type { Fields } from '../fields.ts';
import { tryParseFields } from '../fields.ts';
import type { AnswerHead } from '../inbound.ts';
import { encodeStopReason, THREAD, toToolId, UNSIGNED } from './wire-words.ts';

/** An answer as the body of `/v1/messages`. */
export function encodeMessage(head: AnswerHead, answer: ChatAnswer): string {
  return JSON.stringify({
    id: head.id,
    type: 'message',
    role: 'assistant',
    model: head.model,
    content: encodeContent(answer),
    stop_reason: encodeStopReason(answer.finishReason, answer.stopSequence),
    stop_sequence: answer.stopSequence,
    usage: encodeUsage(answer.usage),
  });
}

function encodeContent(answer: ChatAnswer): Fields[] {
  const content: Fields[] = [...answer.thinkingBlocks];
  if (content.length === 0 && answer.reasoning !== '') {
    content.push({ type: 'thinking', thinking: answer.reasoning, signature: UNSIGNED });
  }
  const text = answer.text + answer.refusal;
  if (text !== '') content.push({ type: 'text', text });
  for (const call of answer.toolCalls) {
    content.push({
      type: 'tool_use',
      id: toToolId(call.id),
      name: call.name,
      input: inputOf(call.arguments),
    });
  }
  return content;
}

/** Anthropic's clients get an object in any case; text that is no JSON object is not lost in it. */
function inputOf(text: string): Fields {
  return tryParseFields(text) ?? (text.trim() === '' ? {} : { invalid_json: text });
}

/**
 * Ours counts cached and cache-written tokens inside the prompt, Anthropic beside it. The protocol has no word
 * for unknown sums, and its clients add them up: they are 0 here and null in the record.
 */
export function encodeUsage(usage: TokenUsage): Fields {
  const { promptTokens, completionTokens, cachedTokens, cacheWriteTokens } = usage;
  const freshTokens = Math.max(0, (promptTokens ?? 0) - (cachedTokens ?? 0));
  // OpenRouter counts some tokens as written and as read: they were one of the two.
  const writtenTokens = Math.min(cacheWriteTokens ?? 0, freshTokens);
  return {
    input_tokens: freshTokens - writtenTokens,
    cache_creation_input_tokens: cacheWriteTokens === null ? null : writtenTokens,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens ?? 0,
  };
}

/** Words that Anthropic's clients know. */
const ERROR_TYPES: ReadonlySet<string> = new Set([
  'invalid_request_error',
  'authentication_error',
  'billing_error',
  'permission_error',
  'not_found_error',
  'request_too_large',
  'rate_limit_error',
  'timeout_error',
  'api_error',
  'overloaded_error',
]);

const TYPES_OF_STATUS: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** What SDKs decide by: told that a request cannot have a thread, they send the conversation without one. */
function detailsOf({ param }: TallyrankError, rejection: UpstreamRejection | null): Fields {
  if (param === THREAD)
    return { details: { error_code: 'thread_unsupported_request', unsupported: [THREAD] } };
  return rejection?.details == null ? {} : { details: rejection.details };
}

/** Anthropic's error body, with our code beside its type. A refusal of the provider's keeps its own words. */
export function encodeError(error: TallyrankError, requestId: string | null): string {
  const { cause, statusCode } = error;
  const rejection = cause instanceof UpstreamRejection ? cause : null;
  const own = rejection?.type ?? error.type;
  const type =
    TYPES_OF_STATUS[statusCode] ??
    (ERROR_TYPES.has(own) ? own : statusCode < 500 ? 'invalid_request_error' : 'api_error');
  return JSON.stringify({
    type: 'error',
    error: {
      type,
      message: rejection?.message ?? error.message,
      code: error.code,
      ...detailsOf(error, rejection),
    },
    request_id: requestId,
  });
}
