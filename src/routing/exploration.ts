/** Draws from [0, 1); `Random` of the statistics fits. */
export interface UniformSource {
  next(): number;
}

/** What exploration is set to; an operator may change it while requests run. */
export interface ExplorationSettings {
  /** Share 0..1 of the data-driven decisions that take a random able model. */
  readonly share: number;
}

/**
 * A tenth of the traffic: at 1 % a new model waits weeks for its twenty requests, at 50 % half of the requests
 * pay for knowledge.
 */
const EXPLORATION_SHARE_DEFAULT = 0.1;

/** The settings as one value that can be replaced. */
export class Exploration implements ExplorationSettings {
  #share: number;

  constructor(share: number = EXPLORATION_SHARE_DEFAULT) {
    this.#share = checkedShare(share);
  }

  get share(): number {
    return this.#share;
  }

  /** @throws {RangeError} unless 0 <= share <= 1 */
  setShare(share: number): void {
    this.#share = checkedShare(share);
  }
}

/** A draw between the best model and the others. */
export interface Draw {
  readonly modelId: string;
  /** Probability with which this very model came out, over both branches. */
  readonly propensity: number;
  /** True when the exploring branch was taken, even where it drew the best model itself. */
  readonly isExploration: boolean;
}

/**
 * Epsilon-greedy: with probability `share` a model drawn uniformly from `modelIds`, else the best.
 * Propensity of m is (1 - share) [m = best] + share / K, exactly.
 *
 * @param modelIds  all models that may be drawn, `bestId` among them; K of them
 */
export function drawModel(
  bestId: string,
  modelIds: readonly string[],
  share: number,
  random: UniformSource,
): Draw {
  const uniform = random.next();
  if (uniform >= share)
    return { modelId: bestId, propensity: bestPropensity(modelIds.length, share), isExploration: false };
  // Given that it lies below the share, uniform / share is uniform again: one draw serves both questions.
  const drawn = modelIds[Math.min(modelIds.length - 1, Math.floor((uniform / share) * modelIds.length))];
  const modelId = drawn ?? bestId;
  const propensity = modelId === bestId ? bestPropensity(modelIds.length, share) : share / modelIds.length;
  return { modelId, propensity, isExploration: true };
}

/** Propensity of the best of `count` models. */
export function bestPropensity(count: number, share: number): number {
  return 1 - share + share / count;
}

function checkedShare(share: number): number {
  if (!(share >= 0 && share <= 1))
    throw new RangeError(`the exploration share must lie in 0..1, not ${share}`);
  return share;
}
