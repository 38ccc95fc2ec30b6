import { errorFunction } from 'simple-statistics';
import type { Policy, ScoreWeights } from './policy.ts';
import type { RankedModel, ScorePart } from './snapshot.ts';

/** Half a 95 % interval of a normal distribution, in standard deviations. */
const Z_95 = 1.959964;
const SCORE_MAX = 100;

/** The four parts that a score is made of; cost is null where no price is known. */
export interface ScoreParts {
  readonly success: ScorePart;
  readonly speed: ScorePart;
  readonly cost: ScorePart | null;
  readonly quality: ScorePart;
}

/** A score 0..100 with its 95 % interval. */
export interface Score {
  readonly score: number;
  readonly low: number;
  readonly high: number;
}

/** A ranking seen by one policy: its models scored, judged and sorted, and what is unusual about it. */
export interface RankingView {
  /** Candidates and others, highest score first; models without a score last. */
  readonly models: readonly RankedModel[];
  /** Why the candidate is one although it passed no test; null in the usual case. */
  readonly note: string | null;
}

/**
 * The weighted sum of the parts, times 100; null where no price is known.
 *
 * The interval recovers each part's spread from its own limits and adds the squares (MOVER: Zou and Donner
 * 2008, Statistics in Medicine 27, 1693-1702), so skewed parts give a skewed interval. Parts are taken as
 * independent.
 */
export function scoreOf(parts: ScoreParts, weights: ScoreWeights): Score | null {
  const { cost } = parts;
  if (cost === null) return null;
  let score = 0;
  let below = 0;
  let above = 0;
  const add = (part: ScorePart, weight: number): void => {
    score += weight * part.value;
    below += (weight * (part.value - part.low)) ** 2;
    above += (weight * (part.high - part.value)) ** 2;
  };
  add(parts.success, weights.success);
  add(parts.speed, weights.speed);
  add(cost, weights.cost);
  add(parts.quality, weights.quality);
  return {
    score: SCORE_MAX * score,
    low: Math.max(0, SCORE_MAX * (score - Math.sqrt(below))),
    high: Math.min(SCORE_MAX, SCORE_MAX * (score + Math.sqrt(above))),
  };
}

/**
 * The same models by the weights and margins of `policy`: the one place where candidates are made.
 *
 * A model is a candidate when its price is known, it has enough evidence, and it is not worse than the best
 * of those by more than the margin, in success and in quality, with the policy's certainty. When nobody
 * passes both tests, the model whose smaller probability is greatest is the candidate, and `note` says so.
 */
export function viewRanking(models: readonly RankedModel[], policy: Policy): RankingView {
  const able = models.filter((model) => model.cost !== null && evidenceOf(model) >= policy.evidenceMin);
  const successBest = greatest(able, (model) => model.success.value);
  const qualityBest = greatest(able, (model) => model.quality.value);
  const isAble = new Set(able);
  const judged: RankedModel[] = [];
  let nearest: RankedModel | null = null;
  let nearestProbability = -1;
  for (const model of models) {
    if (successBest === null || qualityBest === null || !isAble.has(model)) {
      judged.push(withVerdict(model, policy, exclusionOf(model, policy)));
      continue;
    }
    const success = compareTo(model, successBest, 'success', policy.successMargin);
    const quality = compareTo(model, qualityBest, 'quality', policy.qualityMargin);
    const worse = success.probability < quality.probability ? success : quality;
    if (worse.probability > nearestProbability) {
      nearest = model;
      nearestProbability = worse.probability;
    }
    judged.push(
      withVerdict(model, policy, worse.probability >= policy.certainty ? null : reasonOf(worse, policy)),
    );
  }
  if (nearest === null || nearestProbability >= policy.certainty) {
    return { models: judged.sort(byScore), note: null };
  }
  const { modelId } = nearest;
  return {
    models: judged
      .map((model) => (model.modelId === modelId ? withVerdict(model, policy, null) : model))
      .sort(byScore),
    note:
      `No model is shown to be within the margins in both success and quality; ${modelId} comes nearest ` +
      `(probability ${nearestProbability.toFixed(2)}, ${policy.certainty} wanted).`,
  };
}

/** Highest score first, models without one last, equal scores by name so that the order is always the same. */
function byScore(one: RankedModel, other: RankedModel): number {
  if (one.score !== other.score) {
    if (one.score === null) return 1;
    if (other.score === null) return -1;
    return other.score - one.score;
  }
  return one.modelId < other.modelId ? -1 : one.modelId > other.modelId ? 1 : 0;
}

/**
 * Probability that `model` is below `reference` by no more than `margin`, in one part.
 *
 * Normal approximation of the difference of two independent posteriors; the deviations are those of the
 * sides that matter (the reference's upper, the model's lower), recovered from the 95 % limits.
 */
export function notWorseProbability(model: ScorePart, reference: ScorePart, margin: number): number {
  const up = (reference.high - reference.value) / Z_95;
  const down = (model.value - model.low) / Z_95;
  const deviation = Math.sqrt(up * up + down * down);
  const room = margin - (reference.value - model.value);
  if (deviation === 0) return room >= 0 ? 1 : 0;
  return (1 + errorFunction(room / (deviation * Math.SQRT2))) / 2;
}

interface Comparison {
  readonly part: 'success' | 'quality';
  readonly reference: RankedModel;
  readonly deficit: number;
  readonly margin: number;
  readonly probability: number;
}

function compareTo(
  model: RankedModel,
  reference: RankedModel,
  part: 'success' | 'quality',
  margin: number,
): Comparison {
  const deficit = reference[part].value - model[part].value;
  const probability = model === reference ? 1 : notWorseProbability(model[part], reference[part], margin);
  return { part, reference, deficit, margin, probability };
}

function reasonOf(worse: Comparison, policy: Policy): string {
  const { part, reference, deficit, margin, probability } = worse;
  if (deficit > margin) {
    return `${part} ${deficit.toFixed(2)} below ${reference.modelId} (needs within ${margin})`;
  }
  return (
    `${part} not yet shown to be within ${margin} of ${reference.modelId} ` +
    `(probability ${probability.toFixed(2)}, needs ${policy.certainty})`
  );
}

function exclusionOf(model: RankedModel, policy: Policy): string {
  if (model.cost === null) return 'no price known';
  return `${Math.floor(evidenceOf(model))} of ${policy.evidenceMin} requests needed`;
}

function withVerdict(model: RankedModel, policy: Policy, reason: string | null): RankedModel {
  const score = scoreOf(model, policy.weights);
  return {
    ...model,
    score: score?.score ?? null,
    scoreLow: score?.low ?? null,
    scoreHigh: score?.high ?? null,
    hasEnoughEvidence: evidenceOf(model) >= policy.evidenceMin,
    isCandidate: reason === null,
    notCandidateReason: reason,
  };
}

/** Requests here that count for or against the model. */
function evidenceOf(model: RankedModel): number {
  return model.success.sampleCount;
}

function greatest(models: readonly RankedModel[], of: (model: RankedModel) => number): RankedModel | null {
  let best: RankedModel | null = null;
  for (const model of models) {
    if (best === null || of(model) > of(best)) best = model;
  }
  return best;
}
