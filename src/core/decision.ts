import type { AbAssignment } from './ab-test.ts';
import { storedMoment } from './usage-record.ts';

/** Why a model was chosen; a closed set, in headers, log and metrics. */
export type DecisionCause =
  /** The caller named the model. */
  | 'explicit'
  /** A rule of the operator chose. */
  | 'rule'
  /** The best candidate of the ranking. */
  | 'ranking'
  /** Traffic that buys knowledge. */
  | 'exploration'
  /** An A/B test drew an arm. */
  | 'ab_test'
  /**
   * The session goes on with the model that it has, though another's score is a little better or chance might have taken
   * another; or it changes over where chance might have: what a session under way gets is never drawn.
   */
  | 'session'
  /** No model has enough evidence in this use case: the configured default model. */
  | 'default'
  /** No evidence and no default: the order of the priors (local, price, size). */
  | 'prior';

export interface CandidateScore {
  readonly modelId: string;
  readonly score: number | null;
  readonly isCandidate: boolean;
  /** Why it is not a candidate; null when it is. */
  readonly reason: string | null;
}

/** A candidate of one decision. */
export interface CandidateChance extends CandidateScore {
  /** Probability 0..1 with which it was to be chosen, to six digits; null where nothing was left to chance. */
  readonly probability: number | null;
}

/** One routing decision with all that an off-policy estimate needs later. */
export interface Decision {
  readonly cause: DecisionCause;
  readonly ruleName: string | null;
  /** The preset that chose, asked for or a rule's: auto, auto:cheap, auto:fast, auto:best; null for an explicit model. */
  readonly policy: string | null;
  readonly useCase: string;
  readonly useCaseConfidence: number | null;
  /** The hand-written rule that gave the use case; null: the classifier gave it. */
  readonly useCaseRule: string | null;
  /** Chosen model first, then the order of fallback. Never empty. */
  readonly modelIds: readonly string[];
  readonly candidates: readonly CandidateChance[];
  /** Probability with which this policy chose `modelIds[0]` here. 1 where nothing was left to chance. */
  readonly propensity: number;
  /** True when chance chose another model than would have been chosen without exploration. */
  readonly isExploration: boolean;
  /** The arm that an A/B test gave the request; left out where it is in none. */
  readonly abTest?: AbAssignment | undefined;
  /** Model that chance chose to answer the same request once more, seen by nobody; null: none. */
  readonly shadowModelId: string | null;
  /** The discovery run whose classifier gave the use case. */
  readonly runId: string;
  /** Version of the snapshot that was read; null before any was published. */
  readonly snapshotVersion: string | null;
  /** One sentence for people. */
  readonly reason: string;
}

/**
 * A row of `decisions` as the store takes it.
 *
 * @param candidates  their JSON, for callers that have it already: many decisions share one list
 */
export function encodeDecision(
  requestId: string,
  startedAtMs: number,
  decision: Decision,
  candidates = JSON.stringify(decision.candidates),
): string {
  return JSON.stringify({
    request_id: requestId,
    started_at: storedMoment(startedAtMs),
    cause: decision.cause,
    rule_name: decision.ruleName,
    policy: decision.policy,
    use_case: decision.useCase,
    use_case_confidence: decision.useCaseConfidence,
    model_id: decision.modelIds[0],
    fallback_model_ids: decision.modelIds.slice(1),
    candidates,
    propensity: decision.propensity,
    is_exploration: decision.isExploration,
    ab_test: decision.abTest?.name ?? '',
    ab_arm: decision.abTest?.arm ?? '',
    snapshot_version: decision.snapshotVersion,
    reason: decision.reason,
  });
}
