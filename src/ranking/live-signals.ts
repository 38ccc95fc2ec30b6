import type { Signal, SignalKind } from '../core/signal.ts';
import type { Mark, MarkEvidence, ModelEvidence } from './evidence.ts';
import { noEvidence } from './evidence.ts';

/** What is known of a request beside its row: what its people said and showed. */
export interface Signs {
  readonly hasSession: boolean;
  readonly isAbandoned: boolean;
  readonly isReAsked: boolean;
  readonly isFollowedUp: boolean;
  /** Quality 0..1 that somebody gave; null: nobody did. */
  readonly feedback: number | null;
  /** The same from an import; feedback wins. */
  readonly importedScore: number | null;
}

/** The same signs after one more signal, which replaces an earlier one of its kind. */
export function withSignal(signs: Signs, { kind, value }: Pick<Signal, 'kind' | 'value'>): Signs {
  const changes: Partial<Record<SignalKind, Partial<Signs>>> = {
    feedback: { feedback: value },
    imported_score: { importedScore: value },
    follow_up: { isFollowedUp: true },
    re_ask: { isReAsked: true },
    correction: { isReAsked: true },
    abandonment: { isAbandoned: true },
  };
  return { ...signs, ...changes[kind] };
}

/** What signs add to the evidence of their model: the same counts that the store makes of signals. */
export function evidenceOfSigns(modelId: string, signs: Signs, factor: 1 | -1): ModelEvidence {
  const nothing = noEvidence(modelId);
  const mark = markOf(signs);
  const explicit = signs.feedback ?? signs.importedScore;
  const counted: MarkEvidence = {
    ...nothing.marks[mark],
    silentCount: explicit === null && mark !== 'unseen' ? factor : 0,
    feedbackCount: explicit === null ? 0 : factor,
    feedbackSum: factor * (explicit ?? 0),
    feedbackSquareSum: factor * (explicit ?? 0) ** 2,
  };
  return {
    ...nothing,
    followUpCount: signs.isFollowedUp ? factor : 0,
    reAskCount: signs.isReAsked ? factor : 0,
    marks: { ...nothing.marks, [mark]: counted },
  };
}

function markOf({ isAbandoned, isReAsked, hasSession }: Signs): Mark {
  if (isAbandoned) return 'abandoned';
  if (isReAsked) return 'reAsked';
  return hasSession ? 'untroubled' : 'unseen';
}
