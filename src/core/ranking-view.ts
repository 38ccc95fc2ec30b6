import { errorFunction } from 'simple-statistics';
import type { Policy, ScoreWeights } from './policy.ts';
import type { RankedModel, ScorePart } from './snapshot.ts';

/** Half a 95 % interval of a normal distribution, in standard deviations. */
const Z_95 = 1.959964;
const SCORE_MAX = 100;
/**
 * Observations that what success and quality have from elsewhere is worth, and which errs in both alike: who does worse
 * here than expected is rated worse as well. Smaller, and scores of few requests have too narrow intervals; larger, and
 * those with hardly any ratings too wide ones.
 */
const COMMON_WORTH = 20;

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
  /** True when every candidate passed its tests; false when one serves because nobody did. */
  readonly isProven: boolean;
  /** What is unusual, in words: nobody passed, nobody rates; null in the usual case. */
  readonly note: string | null;
}

/**
 * The weighted sum of the parts, times 100; null where no price is known.
 *
 * The interval recovers each part's spread from its own limits and adds the squares (MOVER: Zou and Donner
 * 2008, Statistics in Medicine 27, 1693-1702), so skewed parts give a skewed interval. Parts are taken as
 * independent but for success and quality: who rates an answer that failed rates it low.
 */
export function scoreOf(parts: ScoreParts, weights: ScoreWeights): Score | null {
  const { cost } = parts;
  if (cost === null) return null;
  let score = 0;
  let below = 0;
  let above = 0;
  const { success, quality } = parts;
  const together = 2 * correlationOf(success, quality) * weights.success * weights.quality;
  below += together * (success.value - success.low) * (quality.value - quality.low);
  above += together * (success.high - success.value) * (quality.high - quality.value);
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
 * The greatest correlation that the errors of two means of the same requests can have (Cauchy and Schwarz): all of the
 * fewer are among the others.
 */
function correlationOf(one: ScorePart, other: ScorePart): number {
  const fewer = Math.min(one.sampleCount, other.sampleCount);
  const more = Math.max(one.sampleCount, other.sampleCount);
  return Math.sqrt((fewer + COMMON_WORTH) / (more + COMMON_WORTH));
}

/**
 * The same models by the weights and margins of `policy`: the one place where candidates are made.
 *
 * A model is a candidate when no warning withholds it, its price is known, it has enough evidence, it lies under the policy's ceilings of
 * latency and cost, and it is not worse than the best of those by more than the margin, in success and in quality, with the policy's certainty. Where people
 * hardly rate answers, quality cannot be proven and is guarded instead (see {@link isRated}). When nobody
 * passes both tests, the model whose smaller probability is greatest is the candidate, and `note` says so.
 */
export function viewRanking(models: readonly RankedModel[], policy: Policy): RankingView {
  const able = models.filter((model) => exclusionOf(model, policy) === null);
  const isAble = new Set(able);
  const rated = isRated(models, policy);
  const references = referencesOf(able);
  const judged: RankedModel[] = [];
  let nearest: RankedModel | null = null;
  let nearestProbability = -1;
  for (const model of models) {
    if (references === null || !isAble.has(model)) {
      judged.push(withVerdict(model, policy, exclusionOf(model, policy)));
      continue;
    }
    const success = compareParts(model, references.success, 'success', policy);
    const quality = rated
      ? compareParts(model, references.quality, 'quality', policy)
      : guardQuality(model, references, policy);
    const worse = success.probability < quality.probability ? success : quality;
    if (worse.probability > nearestProbability) {
      nearest = model;
      nearestProbability = worse.probability;
    }
    judged.push(withVerdict(model, policy, worse.probability >= policy.certainty ? null : worse.reason));
  }
  const guarded = references === null || rated ? null : guardNote(models, policy);
  const withheld = withheldNote(models);
  if (nearest === null || nearestProbability >= policy.certainty) {
    return { models: judged.sort(byScore), isProven: true, note: joined(withheld, guarded) };
  }
  const { modelId } = nearest;
  return {
    models: judged
      .map((model) => (model.modelId === modelId ? withVerdict(model, policy, null) : model))
      .sort(byScore),
    isProven: false,
    note: joined(
      withheld,
      `No model is shown to be within the margins in both success and quality; ${modelId} comes nearest ` +
        `(probability ${nearestProbability.toFixed(2)}, ${policy.certainty} wanted).`,
    ),
  };
}

function joined(...notes: readonly (string | null)[]): string | null {
  const said = notes.filter((note) => note !== null);
  return said.length === 0 ? null : said.join(' ');
}

/** What the ranking says of models whose place is not to be trusted, whatever it is. */
function withheldNote(models: readonly RankedModel[]): string | null {
  const notes = models.flatMap(({ modelId, warnings }) => {
    const warning = warnings.find(({ isWithholding }) => isWithholding);
    return warning === undefined ? [] : [`${modelId} is withheld from auto: ${warning.message}.`];
  });
  return notes.length === 0 ? null : notes.join(' ');
}

/**
 * True where people rate answers often enough that quality can be asked to be proven. Where they do not, no
 * model could ever be shown to be as good as another, and the dearest would keep its place for want of
 * ratings: there a model is a candidate unless the signs speak against it.
 */
export function isRated(models: readonly RankedModel[], policy: Policy): boolean {
  return models.reduce((total, model) => total + model.ratingCount, 0) >= policy.evidenceMin;
}

/** Whether `model` passes the test of `part` against `reference`, where answers are rated. */
export function isNotWorse(
  model: RankedModel,
  reference: RankedModel,
  part: 'success' | 'quality',
  policy: Policy,
): boolean {
  return compareParts(model, reference, part, policy).probability >= policy.certainty;
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

interface References {
  readonly success: RankedModel;
  readonly quality: RankedModel;
  /** The model whose users asked again least; null without sessions. */
  readonly leastAsked: RankedModel | null;
  /** Re-ask rate of all able models together. */
  readonly reAskRate: number;
}

/** A test's probability of being within the margin, and what is said of a model that fails it. */
interface Comparison {
  readonly probability: number;
  readonly reason: string;
}

/** Sessions that the common re-ask rate is worth for each model: a handful of re-asks is no verdict. */
const RE_ASK_WEIGHT = 20;

function referencesOf(able: readonly RankedModel[]): References | null {
  const success = greatest(able, (model) => model.success.value);
  const quality = greatest(able, (model) => model.quality.value);
  if (success === null || quality === null) return null;
  const inSession = able.filter((model) => model.sessionCount > 0);
  const sessionCount = inSession.reduce((total, model) => total + model.sessionCount, 0);
  const reAskCount = inSession.reduce(
    (total, model) => total + (model.reAskRate ?? 0) * model.sessionCount,
    0,
  );
  const reAskRate = sessionCount === 0 ? 0 : reAskCount / sessionCount;
  const leastAsked = greatest(inSession, (model) => -smoothedReAskRate(model, reAskRate));
  return { success, quality, leastAsked, reAskRate };
}

function compareParts(
  model: RankedModel,
  reference: RankedModel,
  part: 'success' | 'quality',
  policy: Policy,
): Comparison {
  const margin = part === 'success' ? policy.successMargin : policy.qualityMargin;
  const deficit = reference[part].value - model[part].value;
  const probability = model === reference ? 1 : notWorseProbability(model[part], reference[part], margin);
  const reason =
    deficit > margin
      ? `${part} ${deficit.toFixed(2)} below ${reference.modelId} (needs within ${margin})`
      : `${part} not yet shown to be within ${margin} of ${reference.modelId} ` +
        `(probability ${probability.toFixed(2)}, needs ${policy.certainty})`;
  return { probability, reason };
}

/** Where hardly anybody rates: passed unless the best estimates, of quality or of re-asks, speak against it. */
function guardQuality(model: RankedModel, references: References, policy: Policy): Comparison {
  const margin = policy.qualityMargin;
  const { quality, leastAsked, reAskRate } = references;
  const deficit = quality.quality.value - model.quality.value;
  // What is only assumed of a model's quality is no sign against it.
  if (deficit > margin && !model.quality.isAssumed) {
    return {
      probability: 0,
      reason: `quality ${deficit.toFixed(2)} below ${quality.modelId} (needs within ${margin})`,
    };
  }
  if (leastAsked === null || model.sessionCount === 0) return { probability: 1, reason: '' };
  const excess = smoothedReAskRate(model, reAskRate) - smoothedReAskRate(leastAsked, reAskRate);
  if (excess <= margin) return { probability: 1, reason: '' };
  return {
    probability: 0,
    reason: `asked again ${excess.toFixed(2)} more often than ${leastAsked.modelId} (needs within ${margin})`,
  };
}

function smoothedReAskRate(model: RankedModel, commonRate: number): number {
  const reAskCount = (model.reAskRate ?? 0) * model.sessionCount;
  return (reAskCount + RE_ASK_WEIGHT * commonRate) / (model.sessionCount + RE_ASK_WEIGHT);
}

function guardNote(models: readonly RankedModel[], policy: Policy): string {
  const ratingCount = models.reduce((total, model) => total + model.ratingCount, 0);
  return (
    `Only ${ratingCount} of ${policy.evidenceMin} ratings here: quality is guarded by re-asks, ` +
    'not proven by people. POST /api/feedback adds ratings.'
  );
}

/** Why a model cannot be compared at all; null when it can. */
function exclusionOf(model: RankedModel, policy: Policy): string | null {
  const { latencyP95Ms, costMeanUsd } = model;
  const { latencyMaxMs, costMaxUsd } = policy;
  const withholding = model.warnings.find((warning) => warning.isWithholding);
  if (withholding !== undefined) return `withheld: ${withholding.message}`;
  if (model.cost === null) return 'no price known';
  if (evidenceOf(model) < policy.evidenceMin) {
    return `${Math.floor(evidenceOf(model))} of ${policy.evidenceMin} requests needed`;
  }
  if (latencyMaxMs !== null && latencyP95Ms !== null && latencyP95Ms > latencyMaxMs) {
    return `95 % of its answers take up to ${seconds(latencyP95Ms)} (ceiling ${seconds(latencyMaxMs)})`;
  }
  if (costMaxUsd !== null && costMeanUsd !== null && costMeanUsd > costMaxUsd) {
    return `costs $${costMeanUsd.toPrecision(2)} a request (ceiling $${costMaxUsd})`;
  }
  return null;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
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
