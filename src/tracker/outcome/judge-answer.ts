import type { ErrorCode, Fault } from '../../core/errors.ts';
import type { FinishReason, RequestFailure, TokenUsage } from '../../core/usage-record.ts';
import { breachOfSchema, tryParseJson } from './json-form.ts';
import { refusalLanguageOf } from './refusal-text.ts';

/** An answer that came to its end, as far as its use is judged by it. */
export interface JudgedAnswer {
  readonly text: string;
  /** The provider's own field for a refusal; '' when there is none. */
  readonly refusal: string;
  readonly toolCalls: readonly { readonly name: string; readonly arguments: string }[];
  readonly finishReason: FinishReason | null;
  readonly usage: TokenUsage;
}

/** What the request asked of its answer beyond words. */
export interface AnswerDemands {
  /** JSON is demanded; with `schema` null any object or list will do. */
  readonly json: { readonly schema: unknown } | null;
  /** A tool call is demanded; with `name` null any of the offered tools will do. */
  readonly toolCall: { readonly name: string | null } | null;
  /** Names of the tools that may be called; null: not known. */
  readonly offeredTools: readonly string[] | null;
  /** The most tokens that the answer might have, and whose limit that was. */
  readonly limit: { readonly tokens: number; readonly setBy: 'caller' | 'policy' } | null;
  /** What was sent: its tokens by a low estimate, and the context length that the caller set. */
  readonly prompt: { readonly tokens: number; readonly contextTokens: number | null } | null;
}

export const NO_DEMANDS: AnswerDemands = {
  json: null,
  toolCall: null,
  offeredTools: null,
  limit: null,
  prompt: null,
};

/**
 * Why an answer that came to its end is of no use, and whose fault that is; null when it is of use. The caller
 * gets such an answer as it is, only the record says so. docs/errors.md has the rules.
 *
 * @param isCut  true when `answer` is only the kept beginning of a longer one: its form is then not judged
 */
export function judgeAnswer(
  answer: JudgedAnswer,
  demands: AnswerDemands,
  isCut = false,
): RequestFailure | null {
  const { finishReason, toolCalls, text } = answer;
  if (finishReason === 'content_filter') {
    return failure('policy', 'refused_answer', 'A content filter stopped the answer.');
  }
  if (finishReason === 'refusal' || answer.refusal !== '') {
    return failure('model', 'refused_answer', 'The model refused to answer.');
  }
  const cut = judgeContext(answer, demands);
  if (cut !== null) return cut;
  if (finishReason === 'length') return judgeTruncation(answer, demands);
  if (toolCalls.length === 0) {
    if (text.trim() === '') return failure('model', 'empty_answer', 'The answer was empty.');
    const language = refusalLanguageOf(text);
    if (language !== null) {
      return failure('model', 'refused_answer', `The answer declines in words (${language}).`);
    }
  }
  return isCut ? null : (judgeToolCalls(answer, demands) ?? judgeJson(answer, demands));
}

/**
 * Smallest context length that servers are run with; shorter prompts are never cut.
 */
const CONTEXT_TOKENS_MIN = 2_048;

/** A server that cuts keeps exactly its context, but for a few tokens of its template. */
const CONTEXT_NEARNESS = 0.97;

/** By how much the estimate must exceed what was read: four characters a token is wrong by half at most. */
const ESTIMATE_EXCESS = 2;

/**
 * A server that drops what does not fit into its context and says nothing (Ollama, LM Studio) counts about as
 * many prompt tokens as its context holds, far fewer than were sent. Context lengths are powers of two, unless
 * the caller named one.
 */
function judgeContext({ usage }: JudgedAnswer, { prompt }: AnswerDemands): RequestFailure | null {
  const readTokens = usage.isEstimated ? null : usage.promptTokens;
  if (prompt === null || readTokens === null || prompt.tokens < readTokens * ESTIMATE_EXCESS) return null;
  const named = prompt.contextTokens;
  const contextTokens = named ?? 2 ** Math.ceil(Math.log2(Math.max(1, readTokens)));
  if (named === null && contextTokens < CONTEXT_TOKENS_MIN) return null;
  if (readTokens > contextTokens || readTokens < contextTokens * CONTEXT_NEARNESS) return null;
  return failure(
    named === null ? 'provider' : 'caller',
    'context_cut',
    `The server read ${readTokens} tokens of a prompt of some ${prompt.tokens}: its context is too short.`,
  );
}

/** Below this share of the limit, something else than the limit cut the answer: the model's own maximum. */
const LIMIT_REACHED_SHARE = 0.9;

/**
 * Whose limit cut the answer? Who set one that was reached takes the blame, and the model for everything else:
 * its own maximum, its context, or a loop in which no limit would have been enough. An answer without a word
 * was all thought, which some providers do not count.
 */
function judgeTruncation(answer: JudgedAnswer, { limit }: AnswerDemands): RequestFailure {
  const { completionTokens, isEstimated } = answer.usage;
  const text = answer.text.trim();
  const hasReached =
    limit !== null &&
    (completionTokens === null ||
      isEstimated ||
      text === '' ||
      completionTokens >= limit.tokens * LIMIT_REACHED_SHARE);
  if (!hasReached) return failure('model', 'truncated_answer', 'The answer was cut off at its token limit.');
  if (isRepeating(text)) {
    return failure('model', 'truncated_answer', 'The answer repeated itself up to its token limit.');
  }
  const whose = limit.setBy === 'caller' ? "the caller's limit" : 'our default limit';
  return failure(
    limit.setBy,
    'truncated_answer',
    `The answer was cut off at ${whose} of ${limit.tokens} tokens.`,
  );
}

/** Characters at the end in which a loop must show, and the longest turn of it. */
const LOOP_LENGTH = 600;
const LOOP_TURN_MAX = 150;

/** True when the end of a text says the same over and over. */
function isRepeating(text: string): boolean {
  const end = text.slice(-LOOP_LENGTH);
  if (end.length < LOOP_LENGTH) return false;
  for (let turn = 1; turn <= LOOP_TURN_MAX; turn++) {
    if (end.startsWith(end.slice(turn))) return true;
  }
  return false;
}

function judgeToolCalls({ toolCalls }: JudgedAnswer, demands: AnswerDemands): RequestFailure | null {
  const { toolCall, offeredTools } = demands;
  if (toolCall !== null && toolCalls.length === 0) {
    return failure('model', 'invalid_answer', 'A tool call was demanded and there is none.');
  }
  for (const call of toolCalls) {
    if (offeredTools !== null && !offeredTools.includes(call.name)) {
      return failure('model', 'invalid_answer', 'A tool was called that was not offered.');
    }
    if (call.arguments !== '' && tryParseJson(call.arguments) === undefined) {
      return failure('model', 'invalid_answer', 'The arguments of a tool call are not JSON.');
    }
  }
  const named = toolCall?.name ?? null;
  if (named !== null && !toolCalls.some((call) => call.name === named)) {
    return failure('model', 'invalid_answer', 'Another tool was called than the one demanded.');
  }
  return null;
}

function judgeJson({ toolCalls, text }: JudgedAnswer, { json }: AnswerDemands): RequestFailure | null {
  if (json === null || toolCalls.length > 0) return null;
  const document = tryParseJson(text);
  if (document === undefined) {
    return failure('model', 'invalid_answer', 'JSON was demanded and the answer is not JSON.');
  }
  if (json.schema === null) {
    return typeof document === 'object' && document !== null
      ? null
      : failure('model', 'invalid_answer', 'A JSON object was demanded and the answer is a bare value.');
  }
  const breach = breachOfSchema(document, json.schema);
  if (breach === null) return null;
  const where = breach === '' ? 'as a whole' : `at ${breach.slice(0, 100)}`;
  return failure('model', 'invalid_answer', `The answer breaks the demanded JSON schema ${where}.`);
}

function failure(fault: Fault, code: ErrorCode, message: string): RequestFailure {
  return { fault, code, message };
}
