import type { Decision } from '../core/decision.ts';
import type { TallyrankError } from '../core/errors.ts';

/** Longest sentence in a header. Servers in between refuse headers of some kilobytes in sum. */
const REASON_LENGTH_MAX = 240;

const VISIBLE_ASCII = /^[\x21-\x7e]*$/;

export interface AnswerFacts {
  readonly requestId: string;
  readonly decision: Decision;
  /** The model that answered, or the last that was tried. */
  readonly modelId: string;
  readonly attemptCount: number;
}

/** What an answer says of itself, for each answer of a chat, good or bad. */
export function headersOfAnswer(facts: AnswerFacts): Record<string, string> {
  const { requestId, decision } = facts;
  return {
    'x-request-id': requestId,
    'x-tallyrank-request-id': requestId,
    'x-tallyrank-use-case': toHeaderWord(decision.useCase),
    'x-tallyrank-model': toHeaderWord(facts.modelId),
    'x-tallyrank-rule': toHeaderWord(decision.ruleName ?? ''),
    'x-tallyrank-cause': decision.cause,
    'x-tallyrank-reason': toHeaderText(decision.reason),
    'x-tallyrank-ranking-version': toHeaderWord(decision.snapshotVersion ?? ''),
    'x-tallyrank-propensity': String(Number(decision.propensity.toFixed(6))),
    'x-tallyrank-attempts': String(facts.attemptCount),
  };
}

/** `retry-after` in whole seconds, and in milliseconds for clients that know it. */
export function headersOfError(error: TallyrankError): Record<string, string> {
  if (error.retryAfterMs === null) return {};
  const retryAfterMs = Math.ceil(error.retryAfterMs);
  return { 'retry-after': String(Math.ceil(retryAfterMs / 1000)), 'retry-after-ms': String(retryAfterMs) };
}

/** Dollars without an exponent; '' for unknown. */
export function toCostText(costUsd: number | null): string {
  if (costUsd === null) return '';
  return costUsd === 0 ? '0' : costUsd.toFixed(10).replace(/\.?0+$/, '');
}

/** Names of use cases and models may be of any script: percent-encoded where a header cannot hold them. */
export function toHeaderWord(word: string): string {
  return VISIBLE_ASCII.test(word) ? word : encodeURIComponent(word);
}

function toHeaderText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, REASON_LENGTH_MAX);
}
