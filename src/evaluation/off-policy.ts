import type { PolicyBook } from '../core/policy.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type {
  OffPolicyEstimate,
  OffPolicyEstimates,
  RewardRange,
  WeightedReward,
  WeightFigures,
} from '../stats/off-policy.ts';
import { estimateOffPolicy, weightFigures } from '../stats/off-policy.ts';
import type { DecisionGroup, LoggedDecision } from '../store/queries/logged-decisions.ts';
import { rankedIn, type TargetPolicy } from './off-policy-target.ts';

/** What is estimated of a policy: shares 0..1, dollars and milliseconds per request. */
export type RewardName = 'success' | 'quality' | 'costUsd' | 'latencyMs';

/** One reward under the target, against what was logged. */
export interface RewardEvaluation {
  /** Decisions of which it is known; the estimates are of these. */
  readonly sampleCount: number;
  /** What they are worth as if the target itself had taken them. */
  readonly effectiveCount: number;
  /** null where nothing is known of it. */
  readonly logged: Pick<OffPolicyEstimate, 'value' | 'interval'> | null;
  /** null where overlap is too poor; {@link refusal} says so. */
  readonly snips: OffPolicyEstimate | null;
  readonly doublyRobust: OffPolicyEstimate | null;
  readonly refusal: string | null;
}

/** How much of the log speaks of the target. */
export interface Overlap extends WeightFigures {
  /** Share of the decisions in which the target's choice had no chance, or was never taken in the use case. */
  readonly uncoveredShare: number;
  /** Where that is so, most decisions first; model null: the target has none there. */
  readonly uncovered: readonly {
    readonly useCase: string;
    readonly modelId: string | null;
    readonly decisionCount: number;
  }[];
}

/** What the target chooses, by use case, most decisions first. */
export interface TargetChoice {
  readonly useCase: string;
  readonly modelId: string | null;
  readonly decisionCount: number;
  /** Of them, those in which the same was chosen when they were taken. */
  readonly matchedCount: number;
}

export interface OffPolicyResult {
  readonly sampleCount: number;
  /** Whose decisions the intervals take for dependent on each other. */
  readonly clusteredBy: 'user' | 'session' | 'request';
  readonly overlap: Overlap;
  /** Why there are no estimates; null where there are. */
  readonly refusal: string | null;
  readonly rewards: Readonly<Record<RewardName, RewardEvaluation>>;
  readonly choices: readonly TargetChoice[];
}

/** What a model of rewards expects of a model in a use case; null where it knows nothing. */
export type DirectModel = (reward: RewardName, useCase: string, modelId: string) => number | null;

/** When there is no estimate. */
export interface OverlapLimits {
  /** Decisions that a target must be worth at least. */
  readonly effectiveMin: number;
  /** Share of the decisions that the log may say nothing of. */
  readonly uncoveredMax: number;
  /** Distance of the mean weight from what it should be. */
  readonly weightDistanceMax: number;
}

/**
 * Matched decisions that a target must be worth. With fewer, the interval of a share is wider than 0.28, and no decision
 * can rest on it; many more, and a policy that differs from the one in use could not be looked at within weeks.
 */
const EFFECTIVE_MIN = 50;
/**
 * Share of the decisions about whose choice the log says nothing. An estimate can be off by this share of the difference
 * between what is known and what is not; smaller, and one rare use case would refuse everything.
 */
const UNCOVERED_MAX = 0.05;
/** Standard errors and distance from 1 of the mean weight: beyond both, the logged probabilities are not those of the draws. */
const WEIGHT_MEAN_ERRORS_MAX = 3;
const WEIGHT_DISTANCE_MAX = 0.05;
const LIMITS: OverlapLimits = {
  effectiveMin: EFFECTIVE_MIN,
  uncoveredMax: UNCOVERED_MAX,
  weightDistanceMax: WEIGHT_DISTANCE_MAX,
};
/** Fewer users or sessions give no variance to rely on; then the next finer grain is taken. */
const CLUSTERS_MIN = 30;
const SHOWN_MAX = 50;

const RANGES: Readonly<Record<RewardName, RewardRange>> = {
  success: 'share',
  quality: 'share',
  costUsd: 'amount',
  latencyMs: 'amount',
};

/** Evaluates a deterministic policy on logged decisions. Pure; seconds for a hundred thousand decisions. */
export function evaluateOffPolicy(
  groups: readonly DecisionGroup[],
  target: TargetPolicy,
  expect: DirectModel,
  limits: OverlapLimits = LIMITS,
): OffPolicyResult {
  const chosen = groups.map((group) => ({ ...group, targetId: target(group.useCase, group.ableIds) }));
  const sampleCount = groups.reduce((sum, { decisions }) => sum + decisions.length, 0);
  const clusteredBy = clusterGrain(groups);
  const overlap = overlapOf(chosen, sampleCount);
  const refusal = refusalOf(overlap, sampleCount, limits);
  const rewardOf = (name: RewardName): RewardEvaluation =>
    evaluateReward(name, rowsOf(chosen, name, clusteredBy, expect), refusal, limits);
  return {
    sampleCount,
    clusteredBy,
    overlap,
    refusal,
    rewards: {
      success: rewardOf('success'),
      quality: rewardOf('quality'),
      costUsd: rewardOf('costUsd'),
      latencyMs: rewardOf('latencyMs'),
    },
    choices: choicesOf(chosen),
  };
}

/** The rankings' posterior means. Cost is read back from its curve; latency is the plain mean, which its curve does not tell. */
export function rankedDirectModel(snapshot: Snapshot, policies: PolicyBook): DirectModel {
  return (reward, useCase, modelId) => {
    const model = rankedIn(snapshot, useCase, modelId);
    if (model === null) return null;
    if (reward === 'success' || reward === 'quality') return model[reward].value;
    if (reward === 'latencyMs') {
      return (
        model.latencyMeanMs ??
        rankedIn({ ...snapshot, rankings: new Map() }, useCase, modelId)?.latencyMeanMs ??
        null
      );
    }
    if (model.cost === null || model.cost.value <= 0) return model.costMeanUsd;
    return policies.curvesOf(useCase).costHalfUsd * (1 / model.cost.value - 1);
  };
}

interface ChosenGroup extends DecisionGroup {
  readonly targetId: string | null;
}

function isMatched({ targetId, modelId }: ChosenGroup): boolean {
  return targetId === modelId;
}

function cellOf({ useCase, targetId }: Pick<ChosenGroup, 'useCase' | 'targetId'>): string {
  return `${useCase}\n${targetId ?? ''}`;
}

function overlapOf(groups: readonly ChosenGroup[], sampleCount: number): Overlap {
  const weights = new Float64Array(sampleCount);
  const explored = new Set(groups.map(({ useCase, modelId }) => cellOf({ useCase, targetId: modelId })));
  const uncovered = new Map<string, { useCase: string; modelId: string | null; decisionCount: number }>();
  let at = 0;
  for (const group of groups) {
    const { useCase, targetId, decisions } = group;
    const isReachable = targetId !== null && explored.has(cellOf(group));
    let missedCount = 0;
    for (const { propensity } of decisions) {
      if (isMatched(group)) weights[at] = 1 / propensity;
      else if (!isReachable || propensity >= 1) missedCount++;
      at++;
    }
    if (missedCount === 0) continue;
    const known = uncovered.get(cellOf(group)) ?? { useCase, modelId: targetId, decisionCount: 0 };
    known.decisionCount += missedCount;
    uncovered.set(cellOf(group), known);
  }
  const rows = byCount([...uncovered.values()]);
  const missed = rows.reduce((sum, { decisionCount }) => sum + decisionCount, 0);
  const figures =
    sampleCount === 0
      ? { effectiveCount: 0, matchedCount: 0, weightMax: 0, weightMean: 0, weightMeanError: 0 }
      : weightFigures(weights);
  return {
    ...figures,
    uncoveredShare: sampleCount === 0 ? 1 : missed / sampleCount,
    uncovered: rows.slice(0, SHOWN_MAX),
  };
}

function refusalOf(
  overlap: Overlap,
  sampleCount: number,
  { effectiveMin, uncoveredMax, weightDistanceMax }: OverlapLimits,
): string | null {
  if (sampleCount === 0) {
    return 'No decision of auto is in this window: send requests with the model "auto", or give a longer --timeframe.';
  }
  const { uncoveredShare, uncovered, effectiveCount, weightMean, weightMeanError } = overlap;
  if (uncoveredShare > uncoveredMax) {
    const [first] = uncovered;
    const where =
      first === undefined ? '' : `, most of all ${first.modelId ?? 'no model'} for "${first.useCase}"`;
    return (
      `In ${percent(uncoveredShare)} of the decisions the log says nothing of what this policy would choose${where} ` +
      `(at most ${percent(uncoveredMax)} may be so). Raise the exploration share (PUT /api/exploration), and look only ` +
      'at the time since then.'
    );
  }
  if (effectiveCount < effectiveMin) {
    return (
      `The ${sampleCount} decisions are worth ${effectiveCount.toFixed(0)} of this policy's own (${effectiveMin} needed): ` +
      'what it would choose was rarely tried. Raise the exploration share (PUT /api/exploration), give a longer ' +
      '--timeframe, or wait.'
    );
  }
  const distance = Math.abs(weightMean - (1 - uncoveredShare));
  if (distance > Math.max(weightDistanceMax, WEIGHT_MEAN_ERRORS_MAX * weightMeanError)) {
    return (
      `The weights' mean is ${weightMean.toFixed(2)} and should be near ${(1 - uncoveredShare).toFixed(2)}: the logged ` +
      'probabilities are not those with which the models were chosen, so no estimate can be trusted.'
    );
  }
  return null;
}

function evaluateReward(
  name: RewardName,
  rows: readonly WeightedReward[],
  refusal: string | null,
  { effectiveMin }: OverlapLimits,
): RewardEvaluation {
  const sampleCount = rows.length;
  const estimates = sampleCount === 0 ? null : estimateOffPolicy(rows, RANGES[name]);
  const { effectiveCount } = weightFigures(Float64Array.from(rows, ({ weight }) => weight));
  const own = refusal ?? rewardRefusal(name, { sampleCount, effectiveCount, estimates }, effectiveMin);
  const shown: OffPolicyEstimates | null = own === null ? estimates : null;
  return {
    sampleCount,
    effectiveCount,
    logged: (estimates ?? loggedOnly(rows, RANGES[name]))?.logged ?? null,
    snips: shown?.snips ?? null,
    doublyRobust: shown?.doublyRobust ?? null,
    refusal: own,
  };
}

function rewardRefusal(
  name: RewardName,
  {
    sampleCount,
    effectiveCount,
    estimates,
  }: Pick<RewardEvaluation, 'sampleCount' | 'effectiveCount'> & {
    readonly estimates: OffPolicyEstimates | null;
  },
  effectiveMin: number,
): string | null {
  if (sampleCount === 0) return UNKNOWN[name];
  if (estimates === null || effectiveCount < effectiveMin) {
    return (
      `The ${sampleCount} decisions of which it is known are worth ${effectiveCount.toFixed(0)} of this policy's own ` +
      `(${effectiveMin} needed).`
    );
  }
  const hasWidth = [estimates.snips, estimates.doublyRobust].every(({ differenceInterval }) =>
    Number.isFinite(differenceInterval[0]),
  );
  return hasWidth ? null : 'One user or session makes up nearly all that is known of it.';
}

const UNKNOWN: Readonly<Record<RewardName, string>> = {
  success: 'No decision of the window has an outcome that counts.',
  quality: 'Nobody rated an answer: POST /api/feedback adds ratings.',
  costUsd: 'No price of the models in use is known.',
  latencyMs: 'No latency was logged.',
};

/** What was logged can be said where nothing else can: the log is its own target. */
function loggedOnly(rows: readonly WeightedReward[], range: RewardRange): OffPolicyEstimates | null {
  return rows.length === 0
    ? null
    : estimateOffPolicy(
        rows.map((row) => ({ ...row, weight: 1 })),
        range,
      );
}

function rowsOf(
  groups: readonly ChosenGroup[],
  name: RewardName,
  grain: OffPolicyResult['clusteredBy'],
  expect: DirectModel,
): WeightedReward[] {
  const known: { reward: number; weight: number; expected: number | null; cluster: number }[] = [];
  let at = 0;
  for (const group of groups) {
    const { useCase, targetId, decisions } = group;
    const expected = targetId === null ? null : expect(name, useCase, targetId);
    for (const decision of decisions) {
      const reward = decision[name];
      at++;
      if (reward === null) continue;
      const weight = isMatched(group) ? 1 / decision.propensity : 0;
      // Numbers below 0 cannot be keys, so a request of its own never meets a user or session.
      known.push({ reward, weight, expected, cluster: keyOf(decision, grain) || -at });
    }
  }
  const mean = known.reduce((sum, { reward }) => sum + reward, 0) / Math.max(1, known.length);
  return known.map((row) => ({ ...row, expected: row.expected ?? mean }));
}

/** Users depend least on each other, then sessions. */
function clusterGrain(groups: readonly DecisionGroup[]): OffPolicyResult['clusteredBy'] {
  for (const grain of ['user', 'session'] as const) {
    const keys = new Set<number>();
    for (const { decisions } of groups) for (const decision of decisions) keys.add(keyOf(decision, grain));
    keys.delete(0);
    if (keys.size >= CLUSTERS_MIN) return grain;
  }
  return 'request';
}

/** Who says nothing of the user may still say the session; 0: neither is known. */
function keyOf({ userKey, sessionKey }: LoggedDecision, grain: OffPolicyResult['clusteredBy']): number {
  if (grain === 'request') return 0;
  return grain === 'user' ? userKey || sessionKey : sessionKey;
}

function choicesOf(groups: readonly ChosenGroup[]): TargetChoice[] {
  const cells = new Map<
    string,
    { useCase: string; modelId: string | null; decisionCount: number; matchedCount: number }
  >();
  for (const group of groups) {
    const { useCase, targetId, decisions } = group;
    const cell = cells.get(cellOf(group)) ?? {
      useCase,
      modelId: targetId,
      decisionCount: 0,
      matchedCount: 0,
    };
    cell.decisionCount += decisions.length;
    if (isMatched(group)) cell.matchedCount += decisions.length;
    cells.set(cellOf(group), cell);
  }
  return byCount([...cells.values()]).slice(0, SHOWN_MAX);
}

function byCount<Row extends { readonly decisionCount: number }>(rows: readonly Row[]): Row[] {
  return [...rows].sort((one, other) => other.decisionCount - one.decisionCount);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
