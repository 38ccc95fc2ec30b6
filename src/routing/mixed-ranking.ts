import type { PossibleUseCase } from '../core/classifier.ts';
import type { RankedModel, ScorePart, Snapshot } from '../core/snapshot.ts';

/** Probabilities are told apart in eighths: finer ones change no choice, and would make a plan of every prompt. */
const STEPS = 8;

/**
 * The use cases that a prompt may be, in eighths; null where one of them is all of it. What is left of the
 * probability goes to `rest`: the record over all use cases, or over the prompts that fit none.
 */
export function quantisedMix(
  mix: readonly PossibleUseCase[] | undefined,
  rest: string,
): readonly PossibleUseCase[] | null {
  if (mix === undefined) return null;
  const parts = mix
    .map(({ useCase, probability }) => ({ useCase, probability: Math.round(probability * STEPS) / STEPS }))
    .filter(({ probability }) => probability > 0);
  const left = 1 - parts.reduce((sum, { probability }) => sum + probability, 0);
  if (left > 1e-9) parts.push({ useCase: rest, probability: left });
  return parts.length < 2 ? null : parts;
}

/**
 * What is expected of each model on a prompt that may be any of `mix`: part by part the mean over the use cases, by
 * their probabilities. Uncertainties add up as those of independent use cases do. A model that was never asked in one
 * of them stands there on its record over all.
 */
export function mixedModels(snapshot: Snapshot, mix: readonly PossibleUseCase[]): RankedModel[] {
  const overall = new Map(snapshot.overall.models.map((model) => [model.modelId, model]));
  return [...overall.values()].map((whole) => {
    const shares = mix.map(({ useCase, probability }) => {
      const here = snapshot.rankings.get(useCase)?.models.find(({ modelId }) => modelId === whole.modelId);
      const isOverall = useCase === snapshot.overall.useCase;
      return { model: here ?? (isOverall ? whole : unseen(whole)), probability };
    });
    return mixModel(whole, shares);
  });
}

interface Share {
  readonly model: RankedModel;
  readonly probability: number;
}

/** A record from elsewhere, without a request here. */
function unseen(whole: RankedModel): RankedModel {
  const assumed = (part: ScorePart): ScorePart => ({ ...part, sampleCount: 0, isAssumed: true });
  return {
    ...whole,
    success: assumed(whole.success),
    speed: assumed(whole.speed),
    cost: whole.cost && assumed(whole.cost),
    quality: assumed(whole.quality),
    requestCount: 0,
    sessionCount: 0,
    ratingCount: 0,
  };
}

function mixModel(whole: RankedModel, shares: readonly Share[]): RankedModel {
  const mean = (of: (model: RankedModel) => number): number =>
    shares.reduce((sum, { model, probability }) => sum + probability * of(model), 0);
  const known = (of: (model: RankedModel) => number | null): number | null => {
    const some = shares.filter(({ model }) => of(model) !== null);
    const weight = some.reduce((sum, { probability }) => sum + probability, 0);
    if (weight === 0) return null;
    return some.reduce((sum, { model, probability }) => sum + probability * (of(model) ?? 0), 0) / weight;
  };
  const cost = shares.every(({ model }) => model.cost !== null)
    ? mixPart(shares, (model) => model.cost as ScorePart)
    : null;
  return {
    ...whole,
    success: mixPart(shares, (model) => model.success),
    speed: mixPart(shares, (model) => model.speed),
    cost,
    quality: mixPart(shares, (model) => model.quality),
    requestCount: Math.round(mean((model) => model.requestCount)),
    successRate: known((model) => model.successRate),
    latencyMeanMs: known((model) => model.latencyMeanMs),
    latencyP95Ms: known((model) => model.latencyP95Ms),
    costMeanUsd: known((model) => model.costMeanUsd),
    followUpRate: known((model) => model.followUpRate),
    reAskRate: known((model) => model.reAskRate),
    sessionCount: Math.round(mean((model) => model.sessionCount)),
    ratingCount: mean((model) => model.ratingCount),
    // What speaks against a model in one of them speaks against it here.
    warnings: shares.flatMap(({ model }) => model.warnings),
  };
}

function mixPart(shares: readonly Share[], of: (model: RankedModel) => ScorePart): ScorePart {
  let [value, below, above, sampleCount] = [0, 0, 0, 0];
  let isAssumed = true;
  for (const { model, probability } of shares) {
    const part = of(model);
    value += probability * part.value;
    below += (probability * (part.value - part.low)) ** 2;
    above += (probability * (part.high - part.value)) ** 2;
    sampleCount += probability * part.sampleCount;
    if (!part.isAssumed) isAssumed = false;
  }
  return {
    value,
    low: Math.max(0, value - Math.sqrt(below)),
    high: Math.min(1, value + Math.sqrt(above)),
    sampleCount,
    isAssumed,
  };
}
