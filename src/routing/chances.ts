import { errorFunction } from 'simple-statistics';
import { probabilitiesOfBest } from '../stats/probability-best.ts';
import type { Arm } from './arms.ts';

/**
 * How exploration shares out its requests.
 * - `thompson`: each model as often as it is probably the best (Thompson 1933, Biometrika 25)
 * - `best-arm`: the two that are probably the best, until one is (top-two Thompson sampling: Russo 2020, Operations
 *   Research 68, 1625-1647); then nothing
 * - `uniform`: all able models alike, always
 */
export type ExplorationMethod = 'thompson' | 'best-arm' | 'uniform';

/** The arms of one decision and what exploration is set to. */
export interface ChanceTask {
  /** Those that may be drawn now, with the one that is taken without exploration first. */
  readonly arms: readonly Arm[];
  readonly method: ExplorationMethod;
  /** Greatest share 0..1 of requests that chance gives to another model than the first. */
  readonly share: number;
  /** Requests here after which a model is no newcomer. */
  readonly newModelRequests: number;
  /** The orders of the ranking leave the first model no other place. */
  readonly isFirstEstablished: boolean;
}

/** With what probability each model is chosen. */
export interface Chances {
  /** In the order of the arms; they add up to 1, to rounding. */
  readonly probabilities: readonly number[];
  /** On trial: newcomers with a share of their own. */
  readonly trialIds: readonly string[];
  /** Withheld, and asked now and then all the same. */
  readonly withheldIds: readonly string[];
  /** Points of the score that a better choice than the first could be expected to gain. */
  readonly gainPoints: number;
  /** Probability 0..1 that the first is the best; null where the method does not ask. */
  readonly probabilityFirst: number | null;
  /** Why nothing is explored but newcomers; null while something is. */
  readonly settledBecause: string | null;
}

/**
 * Newcomers on trial at once in one use case. More, and with a hundred models on offer none of them ever gets enough
 * requests to be judged by; fewer, and a bad one keeps the others waiting.
 */
const TRIALS_MAX = 3;
/** Part of the share that newcomers have for themselves while there are any. */
const TRIAL_PART = 0.5;
/** Part of the share that goes to withheld models. Larger, and people are sent to what is known to cheat. */
const WITHHELD_PART = 0.05;
/** What the arms beyond this have in common is that nobody would miss them; each costs time to weigh. */
const ARMS_MAX = 12;
/** Points of the score: a difference that nobody notices is not worth a request. */
const GAIN_MIN = 0.2;
const STOP_PROBABILITY = 0.95;
/** Share of the better of the two in top-two sampling; one half is never far from the best (Russo 2020). */
const LEADER_PART = 0.5;

/** @returns the chances of each arm; the first arm has all that no other has */
export function chancesOf(task: ChanceTask): Chances {
  const { arms, method, share } = task;
  const [first] = arms;
  if (first === undefined) throw new RangeError('there must be an arm to choose');
  if (method === 'uniform') {
    const each = share / arms.length;
    const probabilities = arms.map((_, at) => (at === 0 ? 1 - share + each : each));
    return {
      probabilities,
      trialIds: [],
      withheldIds: [],
      gainPoints: gainOf(arms),
      probabilityFirst: null,
      settledBecause: null,
    };
  }
  const withheld = arms.slice(1).filter(({ isWithheld }) => isWithheld === true);
  const open = arms.filter((arm) => !withheld.includes(arm));
  const trials = trialsOf(open, task.newModelRequests);
  const weighed = weighedArms(open, trials);
  const gainPoints = gainOf(weighed);
  const reserved = [
    { group: trials, share: trials.length === 0 ? 0 : share * TRIAL_PART },
    { group: withheld, share: withheld.length === 0 ? 0 : share * WITHHELD_PART },
  ];
  const reservedShare = reserved.reduce((sum, one) => sum + one.share, 0);
  const learnt = learn(weighed, { ...task, gainPoints });
  // Of what is not reserved, so much may go elsewhere that all together stays within the share.
  const scale =
    (1 - reservedShare) * capOf(learnt.probabilities, (share - reservedShare) / (1 - reservedShare));
  const chances = new Map(
    weighed.map(({ modelId }, at) => [modelId, scale * (learnt.probabilities[at] ?? 0)]),
  );
  for (const { group, share: own } of reserved) {
    for (const { modelId } of group) chances.set(modelId, (chances.get(modelId) ?? 0) + own / group.length);
  }
  chances.delete(first.modelId);
  const others = [...chances.values()].reduce((sum, chance) => sum + chance, 0);
  const probabilities = arms.map(({ modelId }, at) => (at === 0 ? 1 - others : (chances.get(modelId) ?? 0)));
  return {
    probabilities,
    trialIds: trials.map(({ modelId }) => modelId),
    withheldIds: withheld.map(({ modelId }) => modelId),
    gainPoints,
    probabilityFirst: learnt.probabilityFirst,
    settledBecause: learnt.settledBecause,
  };
}

/** Newcomers, those nearest to the end of their trial first, so that trials end. */
function trialsOf(arms: readonly Arm[], newModelRequests: number): readonly Arm[] {
  return arms
    .slice(1)
    .filter(({ sampleCount }) => sampleCount < newModelRequests)
    .sort((one, other) => other.sampleCount - one.sampleCount)
    .slice(0, TRIALS_MAX);
}

/** The arms that are weighed against each other: those with a record here, then by mean; of the untried, those on trial. */
function weighedArms(arms: readonly Arm[], trials: readonly Arm[]): readonly Arm[] {
  const [first, ...others] = arms;
  if (first === undefined) return [];
  const known = others
    .filter((arm) => arm.sampleCount > 0 || trials.includes(arm))
    .sort((one, other) => other.mean + other.deviation - (one.mean + one.deviation));
  return [first, ...known.slice(0, ARMS_MAX - 1)];
}

interface Learnt {
  readonly probabilities: readonly number[];
  readonly probabilityFirst: number | null;
  readonly settledBecause: string | null;
}

function learn(
  arms: readonly Arm[],
  {
    method,
    isFirstEstablished,
    gainPoints,
  }: Pick<ChanceTask, 'method' | 'isFirstEstablished'> & { readonly gainPoints: number },
): Learnt {
  const settled = (settledBecause: string, probabilityFirst: number | null): Learnt => ({
    probabilities: arms.map((_, at) => (at === 0 ? 1 : 0)),
    probabilityFirst,
    settledBecause,
  });
  if (arms.length === 1) return settled('there is no other model to try', 1);
  if (method === 'thompson') {
    if (gainPoints < GAIN_MIN) {
      return settled(`a better choice could gain ${gainPoints.toFixed(2)} points (needs ${GAIN_MIN})`, null);
    }
    const probabilities = probabilitiesOf(arms);
    return { probabilities, probabilityFirst: probabilities[0] ?? 0, settledBecause: null };
  }
  if (isFirstEstablished) return settled('its first place is established', null);
  const probabilities = probabilitiesOf(arms);
  const probabilityFirst = probabilities[0] ?? 0;
  if (probabilityFirst >= STOP_PROBABILITY) {
    return settled(
      `it is the best with probability ${probabilityFirst.toFixed(3)} (stops at ${STOP_PROBABILITY})`,
      probabilityFirst,
    );
  }
  return { probabilities: topTwo(probabilities), probabilityFirst, settledBecause: null };
}

/**
 * Probability that each arm is the best choice: that its score is the greatest, by {@link probabilitiesOfBest}, times
 * that it is not worse than the margins allow, scaled to add up to 1. The two are taken as independent.
 */
function probabilitiesOf(arms: readonly Arm[]): readonly number[] {
  const greatest = probabilitiesOfBest(
    arms.map(({ mean, deviation }) => ({ mean, variance: deviation ** 2 })),
  );
  const chosen = arms.map(({ notWorse }, at) => notWorse * (greatest[at] ?? 0));
  const total = chosen.reduce((sum, value) => sum + value, 0);
  return total > 0 ? chosen.map((value) => value / total) : arms.map((_, at) => (at === 0 ? 1 : 0));
}

/**
 * Probability of each arm under top-two sampling: half of the time one drawn by its probability of being best, else
 * another drawn so from the rest. p_i (b + (1 - b) sum over j not i of p_j / (1 - p_j)).
 */
function topTwo(probabilities: readonly number[]): readonly number[] {
  const odds = probabilities.map((probability) => probability / Math.max(1 - probability, 1e-12));
  const total = odds.reduce((sum, value) => sum + value, 0);
  return probabilities.map(
    (probability, at) => probability * (LEADER_PART + (1 - LEADER_PART) * (total - (odds[at] ?? 0))),
  );
}

/** What the others' probabilities are multiplied by so that they stay within the share. */
function capOf(probabilities: readonly number[], share: number): number {
  const others = probabilities.slice(1).reduce((sum, value) => sum + value, 0);
  return others > share ? share / others : 1;
}

/**
 * Points that the best choice is expected to lie above the first: at most the sum over the others of
 * E[(S_i - S_1)+] times the probability that the margins allow them.
 */
function gainOf(arms: readonly Arm[]): number {
  const [first, ...others] = arms;
  if (first === undefined) return 0;
  return others.reduce((sum, arm) => {
    const deviation = Math.hypot(arm.deviation, first.deviation);
    const z = (arm.mean - first.mean) / deviation;
    const density = Math.exp(-(z * z) / 2) / Math.sqrt(2 * Math.PI);
    const below = (1 + errorFunction(z / Math.SQRT2)) / 2;
    return sum + arm.notWorse * deviation * (density + z * below);
  }, 0);
}
