import type { ErrorCode } from '../core/errors.ts';
import { ERROR_KINDS } from '../core/errors.ts';
import type { FinishReason, ProviderTimings, RequestFailure, RequestOutcome } from '../core/usage-record.ts';
import { NO_TIMINGS, NO_TOKEN_USAGE } from '../core/usage-record.ts';
import { judgeAnswer, NO_DEMANDS } from './outcome/judge-answer.ts';
import { codeOfConnectionError, codeOfProviderError } from './outcome/provider-errors.ts';

/** The parts of an outcome that an answer can tell by itself. */
export type ResponseFacts = Pick<
  RequestOutcome,
  'response' | 'usage' | 'finishReason' | 'modelReported' | 'responseId' | keyof ProviderTimings
>;

type Fields = Readonly<Record<string, unknown>>;

const NO_FACTS: ResponseFacts = {
  response: null,
  usage: NO_TOKEN_USAGE,
  finishReason: null,
  modelReported: null,
  responseId: null,
  ...NO_TIMINGS,
};

/**
 * Reads an answer as people have it in hand: a string, an OpenAI, Anthropic or Ollama answer as its SDK
 * returns it, or `{ text, promptTokens, completionTokens, … }`. What it does not say stays unknown.
 */
export function factsOfResponse(response: unknown): ResponseFacts {
  if (typeof response === 'string') return { ...NO_FACTS, response };
  if (!isFields(response)) return NO_FACTS;
  if (Array.isArray(response['choices'])) return openaiFacts(response, response['choices']);
  if (Array.isArray(response['output'])) return responsesFacts(response, response['output']);
  if (Array.isArray(response['content'])) return anthropicFacts(response, response['content']);
  if ('prompt_eval_count' in response || 'eval_count' in response || 'done' in response) {
    return ollamaFacts(response);
  }
  return plainFacts(response);
}

/**
 * Whose fault an error was, for callers that make their own calls: as the gateway judges it, by the status, the
 * provider's own words and the name of a broken connection (docs/errors.md). An abort is the caller leaving; what
 * says nothing of itself is the provider's. Keys are cut from the message.
 */
export function failureOfError(error: unknown): RequestFailure {
  const raw = error instanceof Error ? error.message : typeof error === 'string' ? error : 'unknown error';
  const message = raw.replace(/\b(sk|pk|key|Bearer)[-_ ][\w-]{6,}/gi, '$1-…').slice(0, 500);
  const code = codeOfError(isFields(error) ? error : {});
  return { fault: ERROR_KINDS[code].fault, code, message };
}

/** The names under which SDKs throw an abort and a timeout of theirs. */
const ABORTS: ReadonlySet<unknown> = new Set(['AbortError', 'APIUserAbortError']);
const TIMEOUTS: ReadonlySet<unknown> = new Set(['TimeoutError', 'APIConnectionTimeoutError']);

/** Stainless' SDKs (openai, @anthropic-ai/sdk) give `status`, the AI SDK `statusCode`, ollama `status_code`. */
function codeOfError(error: Fields): ErrorCode {
  const names = [error['name'], (error['constructor'] as { name?: unknown } | undefined)?.name];
  if (names.some((name) => ABORTS.has(name))) return 'caller_cancelled';
  if (names.some((name) => TIMEOUTS.has(name))) return 'upstream_timeout';
  const status = number(error['status']) ?? number(error['statusCode']) ?? number(error['status_code']);
  const body = fieldsOf(error['error']);
  const words = [error, fieldsOf(body['error']), body]
    .flatMap((each) => [each['code'], each['type']])
    .filter((word) => typeof word === 'string');
  if (status !== null) return codeOfProviderError(status, words);
  const cause = fieldsOf(error['cause']);
  const connection = [error['code'], cause['code'], fieldsOf(cause['cause'])['code']]
    .map((name) => (typeof name === 'string' ? codeOfConnectionError(name) : null))
    .find((code) => code !== null);
  if (connection !== undefined) return connection;
  const reported = codeOfProviderError(null, words);
  return reported === 'upstream_failed' ? 'reported_error' : reported;
}

/**
 * Why a past request failed, by what was kept of it; null when it did not. An error with a status is judged as
 * above. A text that is missing or empty says nothing: many exports leave texts out.
 */
export function failureOfReport(report: {
  readonly error: string | null;
  readonly statusCode: number | null;
  readonly response: string | null;
}): RequestFailure | null {
  const { error, statusCode, response } = report;
  if (error === null) return response ? failureOfFacts({ ...NO_FACTS, response }) : null;
  const isHttp = statusCode !== null && statusCode >= 400;
  const code = isHttp ? codeOfProviderError(statusCode, []) : 'reported_error';
  return { fault: ERROR_KINDS[code].fault, code, message: error.slice(0, 500) };
}

/** Why an answer that came is of no use, and whose fault that is; null when it is of use. */
export function failureOfFacts(facts: ResponseFacts): RequestFailure | null {
  // A caller that logs no text has not said that there was none, nor what a tool call held.
  const isKnown = facts.response !== null && facts.finishReason !== 'tool_calls';
  const judged = {
    text: facts.response ?? '',
    refusal: '',
    toolCalls: isKnown ? [] : [UNKNOWN_CALL],
    finishReason: facts.finishReason,
    usage: facts.usage,
  };
  return judgeAnswer(judged, NO_DEMANDS);
}

const UNKNOWN_CALL = { name: '', arguments: '' };

function openaiFacts(response: Fields, choices: readonly unknown[]): ResponseFacts {
  const choice: Fields = isFields(choices[0]) ? choices[0] : {};
  const message: Fields = isFields(choice['message']) ? choice['message'] : {};
  const usage = fieldsOf(response['usage']);
  const promptDetails = fieldsOf(usage['prompt_tokens_details']);
  const details = fieldsOf(usage['completion_tokens_details']);
  const promptTokens = number(usage['prompt_tokens']);
  const completionTokens = number(usage['completion_tokens']);
  const total = number(usage['total_tokens']);
  const isTold = promptTokens !== null && completionTokens !== null && total !== null;
  const calls = message['tool_calls'] ?? (message['function_call'] ? [message['function_call']] : null);
  const called = Array.isArray(calls) ? JSON.stringify(calls) : null;
  const refusal = text(message['refusal']) ?? '';
  return {
    response: text(message['content']) ?? text(choice['text']) ?? called ?? (refusal === '' ? null : refusal),
    usage: {
      promptTokens,
      // xAI and Gemini count thoughts beside the completion: their total, and their bill, holds them all the same.
      completionTokens: isTold ? Math.max(completionTokens, total - promptTokens) : completionTokens,
      cachedTokens: number(promptDetails['cached_tokens']) ?? number(usage['prompt_cache_hit_tokens']),
      cacheWriteTokens: number(promptDetails['cache_write_tokens']),
      reasoningTokens: number(details['reasoning_tokens']),
      isEstimated: false,
    },
    finishReason: refusal === '' ? finishReason(choice['finish_reason']) : 'refusal',
    modelReported: text(response['model']),
    responseId: text(response['id']),
    ...NO_TIMINGS,
  };
}

/** Items of OpenAI's Responses that wait for the caller. */
const CALLS =
  /^(function|custom_tool|tool_search|computer|shell|local_shell|apply_patch)_call$|^mcp_approval_request$/;

/** An answer of OpenAI's Responses. */
function responsesFacts(response: Fields, output: readonly unknown[]): ResponseFacts {
  const usage = fieldsOf(response['usage']);
  const input = fieldsOf(usage['input_tokens_details']);
  const items = output.filter(isFields);
  const parts = items
    .flatMap((item) => (Array.isArray(item['content']) ? item['content'] : []))
    .filter(isFields);
  const said = parts.filter((part) => part['type'] === 'output_text').map((part) => text(part['text']) ?? '');
  const refusal = parts.map((part) => text(part['refusal']) ?? '').join('');
  const called = items.filter((item) => CALLS.test(text(item['type']) ?? ''));
  const reason = fieldsOf(response['incomplete_details'])['reason'];
  const end = refusal !== '' ? 'refusal' : called.length > 0 ? 'tool_calls' : 'stop';
  return {
    response: said.join('') || (called.length > 0 ? JSON.stringify(called) : refusal),
    usage: {
      promptTokens: number(usage['input_tokens']),
      completionTokens: number(usage['output_tokens']),
      cachedTokens: number(input['cached_tokens']),
      cacheWriteTokens: number(input['cache_write_tokens']),
      reasoningTokens: number(fieldsOf(usage['output_tokens_details'])['reasoning_tokens']),
      isEstimated: false,
    },
    finishReason: reason === 'max_output_tokens' ? 'length' : (finishReason(reason) ?? end),
    modelReported: text(response['model']),
    responseId: text(response['id']),
    ...NO_TIMINGS,
  };
}

function anthropicFacts(response: Fields, content: readonly unknown[]): ResponseFacts {
  const usage = fieldsOf(response['usage']);
  const cached = number(usage['cache_read_input_tokens']);
  const written = number(usage['cache_creation_input_tokens']);
  const fresh = number(usage['input_tokens']);
  const parts = content.filter(isFields);
  const said = parts.filter((part) => part['type'] === 'text').map((part) => text(part['text']) ?? '');
  const called = parts.filter((part) => part['type'] === 'tool_use');
  return {
    response: said.length > 0 ? said.join('') : called.length > 0 ? JSON.stringify(called) : '',
    usage: {
      // Anthropic counts cached tokens beside input_tokens; ours includes them.
      promptTokens: fresh === null ? null : fresh + (cached ?? 0) + (written ?? 0),
      completionTokens: number(usage['output_tokens']),
      cachedTokens: cached,
      cacheWriteTokens: written,
      reasoningTokens: number(fieldsOf(usage['output_tokens_details'])['thinking_tokens']),
      isEstimated: false,
    },
    finishReason: finishReason(response['stop_reason']),
    modelReported: text(response['model']),
    responseId: text(response['id']),
    ...NO_TIMINGS,
  };
}

function ollamaFacts(response: Fields): ResponseFacts {
  const message: Fields = isFields(response['message']) ? response['message'] : {};
  const inMs = (field: string): number | null => {
    const ns = number(response[field]);
    return ns === null ? null : ns / 1e6;
  };
  return {
    response: text(message['content']) ?? text(response['response']),
    usage: {
      ...NO_TOKEN_USAGE,
      promptTokens: number(response['prompt_eval_count']),
      completionTokens: number(response['eval_count']),
    },
    finishReason: finishReason(response['done_reason']),
    modelReported: text(response['model']),
    responseId: null,
    loadMs: inMs('load_duration'),
    queueMs: null,
    generationMs: inMs('eval_duration'),
  };
}

function plainFacts(response: Fields): ResponseFacts {
  return {
    response: text(response['text']) ?? text(response['response']) ?? text(response['content']),
    usage: {
      promptTokens: number(response['promptTokens']) ?? number(response['prompt_tokens']),
      completionTokens: number(response['completionTokens']) ?? number(response['completion_tokens']),
      cachedTokens: number(response['cachedTokens']) ?? number(response['cached_tokens']),
      cacheWriteTokens: number(response['cacheWriteTokens']) ?? number(response['cache_write_tokens']),
      reasoningTokens: number(response['reasoningTokens']) ?? number(response['reasoning_tokens']),
      isEstimated: response['isEstimated'] === true,
    },
    finishReason: finishReason(response['finishReason'] ?? response['finish_reason']),
    modelReported: text(response['model']),
    responseId: text(response['responseId']) ?? text(response['id']),
    loadMs: number(response['loadMs']),
    queueMs: number(response['queueMs']),
    generationMs: number(response['generationMs']),
  };
}

/** The three protocols' words for the end of an answer, in the words of the OpenAI protocol. */
const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  end_turn: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  max_tokens: 'length',
  tool_calls: 'tool_calls',
  tool_use: 'tool_calls',
  'tool-calls': 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  'content-filter': 'content_filter',
  refusal: 'refusal',
};

function finishReason(word: unknown): FinishReason | null {
  return typeof word === 'string' ? (FINISH_REASONS[word] ?? null) : null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}
