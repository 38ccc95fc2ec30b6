import type { FinishReason, RequestFailure, RequestOutcome } from '../core/usage-record.ts';
import { NO_TOKEN_USAGE } from '../core/usage-record.ts';

/** The parts of an outcome that an answer can tell by itself. */
export type ResponseFacts = Pick<
  RequestOutcome,
  'response' | 'usage' | 'finishReason' | 'modelReported' | 'responseId' | 'loadMs'
>;

type Fields = Readonly<Record<string, unknown>>;

const NO_FACTS: ResponseFacts = {
  response: null,
  usage: NO_TOKEN_USAGE,
  finishReason: null,
  modelReported: null,
  responseId: null,
  loadMs: null,
};

/**
 * Reads an answer as people have it in hand: a string, an OpenAI, Anthropic or Ollama answer as its SDK
 * returns it, or `{ text, promptTokens, completionTokens, … }`. What it does not say stays unknown.
 */
export function factsOfResponse(response: unknown): ResponseFacts {
  if (typeof response === 'string') return { ...NO_FACTS, response };
  if (!isFields(response)) return NO_FACTS;
  if (Array.isArray(response['choices'])) return openaiFacts(response, response['choices']);
  if (Array.isArray(response['content'])) return anthropicFacts(response, response['content']);
  if ('prompt_eval_count' in response || 'eval_count' in response || 'done' in response) {
    return ollamaFacts(response);
  }
  return plainFacts(response);
}

/**
 * Whose fault an error was, for callers that log their own calls. Status 4xx but 408 and 429 is the
 * caller's; an abort is the caller leaving; all else is the provider's. Keys are cut from the message.
 */
export function failureOfError(error: unknown): RequestFailure {
  const fields: Fields = isFields(error) ? error : {};
  const raw = error instanceof Error ? error.message : typeof error === 'string' ? error : 'unknown error';
  const message = raw.replace(/\b(sk|pk|key|Bearer)[-_ ][\w-]{6,}/gi, '$1-…').slice(0, 500);
  if (fields['name'] === 'AbortError') return { fault: 'caller', code: 'caller_cancelled', message };
  const status = number(fields['status']) ?? number(fields['statusCode']);
  const isCallers = status !== null && status >= 400 && status < 500 && status !== 408 && status !== 429;
  return isCallers
    ? { fault: 'caller', code: 'upstream_rejected', message }
    : { fault: 'provider', code: 'reported_error', message };
}

/** An answer that came but is of no use is a failure of the model. */
export function failureOfFacts(facts: ResponseFacts): RequestFailure | null {
  if (facts.finishReason === 'length') {
    return {
      fault: 'model',
      code: 'truncated_answer',
      message: 'The answer was cut off at its token limit.',
    };
  }
  if (facts.finishReason === 'content_filter' || facts.finishReason === 'refusal') {
    return { fault: 'model', code: 'refused_answer', message: 'The model refused to answer.' };
  }
  if (facts.response !== null && facts.response.trim() === '' && facts.finishReason !== 'tool_calls') {
    return { fault: 'model', code: 'empty_answer', message: 'The answer was empty.' };
  }
  return null;
}

function openaiFacts(response: Fields, choices: readonly unknown[]): ResponseFacts {
  const choice: Fields = isFields(choices[0]) ? choices[0] : {};
  const message: Fields = isFields(choice['message']) ? choice['message'] : {};
  const usage: Fields = isFields(response['usage']) ? response['usage'] : {};
  const promptDetails: Fields = isFields(usage['prompt_tokens_details'])
    ? usage['prompt_tokens_details']
    : {};
  const details: Fields = isFields(usage['completion_tokens_details'])
    ? usage['completion_tokens_details']
    : {};
  const called = Array.isArray(message['tool_calls']) ? JSON.stringify(message['tool_calls']) : null;
  return {
    response: text(message['content']) ?? text(choice['text']) ?? called,
    usage: {
      promptTokens: number(usage['prompt_tokens']),
      completionTokens: number(usage['completion_tokens']),
      cachedTokens: number(promptDetails['cached_tokens']),
      cacheWriteTokens: null,
      reasoningTokens: number(details['reasoning_tokens']),
      isEstimated: false,
    },
    finishReason: finishReason(choice['finish_reason']),
    modelReported: text(response['model']),
    responseId: text(response['id']),
    loadMs: null,
  };
}

function anthropicFacts(response: Fields, content: readonly unknown[]): ResponseFacts {
  const usage: Fields = isFields(response['usage']) ? response['usage'] : {};
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
      reasoningTokens: null,
      isEstimated: false,
    },
    finishReason: finishReason(response['stop_reason']),
    modelReported: text(response['model']),
    responseId: text(response['id']),
    loadMs: null,
  };
}

function ollamaFacts(response: Fields): ResponseFacts {
  const message: Fields = isFields(response['message']) ? response['message'] : {};
  const loadNs = number(response['load_duration']);
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
    loadMs: loadNs === null ? null : loadNs / 1e6,
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
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  refusal: 'refusal',
};

function finishReason(word: unknown): FinishReason | null {
  return typeof word === 'string' ? (FINISH_REASONS[word] ?? null) : null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}
