import { TallyrankError } from './errors.ts';

/** How much each part of a score counts. They add up to 1. */
export interface ScoreWeights {
  readonly success: number;
  readonly speed: number;
  readonly cost: number;
  readonly quality: number;
}

export type PolicyName = 'auto' | 'auto:cheap' | 'auto:fast' | 'auto:best';

/**
 * How `auto` chooses, in two steps: who is a candidate (margins, certainty, evidence), and which candidate is
 * best (weights). Both steps of every preset come from the one table below.
 */
export interface Policy {
  readonly name: PolicyName;
  readonly weights: ScoreWeights;
  /** A candidate's success may lie this far below the best model's, 0..1. */
  readonly successMargin: number;
  /** The same for quality. */
  readonly qualityMargin: number;
  /** Posterior probability, 0..1, with which a deficit must lie within its margin. */
  readonly certainty: number;
  /** Requests that count for or against a model, in the use case, before it is more than explored. */
  readonly evidenceMin: number;
}

export type PolicyTable = Readonly<Record<PolicyName, Policy>>;

/**
 * Posterior probability of being not worse. Lower, and a model that merely has not failed yet is chosen; higher,
 * and a cheaper model that is equally good waits for thousands of requests.
 */
const CERTAINTY = 0.9;
/**
 * Fewer, and a lucky handful of requests makes a candidate; more, and a use case of twenty requests a week is
 * never routed by its own evidence.
 */
const EVIDENCE_MIN = 20;

/** The presets. docs/ranking.md shows this table; a test compares the two. */
export const POLICIES: PolicyTable = {
  auto: {
    name: 'auto',
    weights: { success: 0.4, speed: 0.3, cost: 0.2, quality: 0.1 },
    successMargin: 0.05,
    qualityMargin: 0.05,
    certainty: CERTAINTY,
    evidenceMin: EVIDENCE_MIN,
  },
  'auto:cheap': {
    name: 'auto:cheap',
    weights: { success: 0.3, speed: 0.1, cost: 0.5, quality: 0.1 },
    successMargin: 0.1,
    qualityMargin: 0.1,
    certainty: CERTAINTY,
    evidenceMin: EVIDENCE_MIN,
  },
  'auto:fast': {
    name: 'auto:fast',
    weights: { success: 0.3, speed: 0.5, cost: 0.1, quality: 0.1 },
    successMargin: 0.1,
    qualityMargin: 0.1,
    certainty: CERTAINTY,
    evidenceMin: EVIDENCE_MIN,
  },
  'auto:best': {
    name: 'auto:best',
    weights: { success: 0.4, speed: 0.05, cost: 0.05, quality: 0.5 },
    successMargin: 0.02,
    qualityMargin: 0.02,
    certainty: CERTAINTY,
    evidenceMin: EVIDENCE_MIN,
  },
};

/** True for a model name that asks us to choose: "auto", "auto:cheap" and whatever else begins so. */
export function isAutoName(name: string): boolean {
  return name === 'auto' || name.startsWith('auto:');
}

/**
 * The preset of a name: "auto:cheap", or "cheap" alone where a policy is asked for.
 *
 * @throws {TallyrankError} `bad_request` with the presets there are
 */
export function policyOf(name: string, policies: PolicyTable = POLICIES): Policy {
  const full = isAutoName(name) ? name : `auto:${name}`;
  if (Object.hasOwn(policies, full)) return policies[full as PolicyName];
  const known = Object.keys(policies).join(', ');
  throw new TallyrankError('bad_request', `"${name.slice(0, 40)}" is not a policy; there are ${known}.`, {
    param: 'model',
  });
}
