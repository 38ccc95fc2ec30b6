import { bareModelName, billionsOfText, familyOfName } from '../core/model-name-facts.ts';
import { addMoments, type Moments, NO_MOMENTS, type Prior, shrunkMean } from '../stats/posterior.ts';
import type { EvidenceBook } from './evidence.ts';

/** A model as far as its name, its price and its own observations tell. */
export interface ComparedModel {
  readonly modelId: string;
  /** Dollars per million tokens as they were paid; null or 0 when unknown or free. */
  readonly usdPerMtok: number | null;
  readonly observed: Moments;
}

interface Features {
  readonly family: string | null;
  readonly tokens: ReadonlySet<string>;
  /** Natural logarithm of billions of parameters, or of those that hosting at this price would have. */
  readonly scale: number;
}

/** Words of names that tell nothing of a model, and the "b" of sizes. */
const FILLERS = /^(instruct|inst|chat|it|hf|latest|exp|preview|meta|v|b)$/;
/** Dates of snapshots: 2024-08-06, 20241022, 0613. */
const DATES = /\d{4}-?\d{2}-?\d{2}|-\d{4}(?![\d.])/g;
/** Stands in where neither size nor price is known. */
const USUAL_BILLIONS = 30;
/** What hosts ask for a million tokens per billion parameters of an open model (8B at $0.06, 70B at $0.5). */
const USD_PER_MTOK_AND_BILLION = 0.0075;

/**
 * How much less alike models of two families are, in squared lengths of the kernel; likewise names without a common
 * word, and a factor of e^3 = 20 in size. Half or twice as much changes little.
 */
const FAMILY_DISTANCE = 1;
const NAME_DISTANCE = 1;
const SCALE_LENGTH = 3;
/** Share of the variance between models that is nobody's but the model's own. None, and a twin's record is taken for its own. */
const OWN_SHARE = 0.25;
/** Models that the assumed variance between models is worth. Few: two lucky models look like a law; many: none is learnt. */
const VARIANCE_MODELS = 10;
/** Models with most observations that others are compared with: the matrix takes the cube of their number. */
const COMPARED_MAX = 60;
/** Observations that a prior is worth. Fewer, and a handful of votes makes wild rankings; more, and a bad newcomer is found out late. */
const WEIGHT_MIN = 2;
const WEIGHT_MAX = 20;
const MEAN_MIN = 0.01;
const MEAN_MAX = 0.995;

/** The models of a book, priced by what was paid for their requests: dollars of a mean request by its mean tokens. */
export function comparedModels(
  book: EvidenceBook,
  observedOf: (modelId: string) => Moments,
): readonly ComparedModel[] {
  const bills = new Map<
    string,
    { costUsd: number; pricedCount: number; tokens: number; tokenCount: number }
  >();
  for (const models of book.values()) {
    for (const seen of models.values()) {
      const bill = bills.get(seen.modelId) ?? { costUsd: 0, pricedCount: 0, tokens: 0, tokenCount: 0 };
      bills.set(seen.modelId, {
        costUsd: bill.costUsd + seen.costSumUsd,
        pricedCount: bill.pricedCount + seen.pricedCount,
        tokens: bill.tokens + seen.promptTokenSum + seen.completionTokenSum,
        tokenCount: bill.tokenCount + seen.tokenCount,
      });
    }
  }
  return [...bills].map(([modelId, { costUsd, pricedCount, tokens, tokenCount }]) => ({
    modelId,
    usdPerMtok:
      pricedCount > 0 && tokens > 0 ? (1e6 * (costUsd / pricedCount)) / (tokens / tokenCount) : null,
    observed: observedOf(modelId),
  }));
}

/**
 * What to expect of each model before its own observations, from models that are like it in family, name, and size
 * or price: its mean, and how many observations this is worth, by how sure it is. `assumed` where none was observed.
 *
 * A Gaussian process over models (kriging: Krige 1951; Rasmussen and Williams 2006, Gaussian Processes for Machine
 * Learning, 2.2) about the mean of all, with a squared exponential kernel and each model's sampling variance as noise.
 * A model's own observations are left out by the identities of 5.4.2 there, but for their share in the mean of all.
 * Measured on models left out: 0.89 of the squared error of the mean of all with six other models, 0.80 with twelve,
 * 0.71 with 10 to 50 (quality; mean of the tasks of ZeroEval, RouterBench and AlpacaEval; bench/ranking/priors.ts).
 *
 * @param assumed  mean of any model, and the weight that says how far models lie from it
 */
export function modelPriors(models: readonly ComparedModel[], assumed: Prior): ReadonlyMap<string, Prior> {
  const known = models
    .filter((model) => model.observed.count > 0)
    .sort((one, other) => other.observed.count - one.observed.count)
    .slice(0, COMPARED_MAX);
  const assumedVariance = (assumed.mean * (1 - assumed.mean)) / (assumed.weight + 1);
  const features = known.map(featuresOf);
  const level = shrunkMean(known.map(({ observed }) => observed).reduce(addMoments, NO_MOMENTS), assumed);
  const values = known.map(({ observed }) => observed.sum / observed.count - level);
  const noises = samplingVariances(known, { mean: level, weight: assumed.weight });
  const variance = varianceBetween(values, noises, assumedVariance);
  const covariance = (one: Features, other: Features): number =>
    variance * (1 - OWN_SHARE) * likeness(one, other);
  const inverse = inverted(
    features.map((one, row) =>
      features.map((other, column) =>
        row === column ? variance + (noises[row] ?? 0) : covariance(one, other),
      ),
    ),
  );
  const weights = inverse.map((row) => dot(row, values));
  const priors = new Map<string, Prior>();
  for (const [at, model] of known.entries()) {
    const precision = inverse[at]?.[at] ?? 1;
    const mean = level + (values[at] ?? 0) - (weights[at] ?? 0) / precision;
    priors.set(model.modelId, priorOf(mean, 1 / precision - (noises[at] ?? 0), assumed));
  }
  for (const model of models) {
    if (priors.has(model.modelId)) continue;
    const own = featuresOf(model);
    const shared = features.map((other) => covariance(own, other));
    const explained = inverse.reduce((sum, row, at) => sum + (shared[at] ?? 0) * dot(row, shared), 0);
    priors.set(model.modelId, priorOf(level + dot(shared, weights), variance - explained, assumed));
  }
  return priors;
}

function priorOf(mean: number, variance: number, assumed: Prior): Prior {
  const within = Math.min(MEAN_MAX, Math.max(MEAN_MIN, mean));
  // By the spread of any model's mean: one near 0 or 1 would make a coin of what is merely sure.
  const weight = (assumed.mean * (1 - assumed.mean)) / Math.max(variance, Number.EPSILON) - 1;
  return { mean: within, weight: Math.min(WEIGHT_MAX, Math.max(WEIGHT_MIN, weight)) };
}

/**
 * Variance of each model's observed mean about its true one. From a mean that leans on all models, so that three
 * failures of three are no certainty.
 */
function samplingVariances(known: readonly ComparedModel[], all: Prior): readonly number[] {
  return known.map(({ observed }) => {
    const mean = shrunkMean(observed, all);
    return (mean * (1 - mean)) / observed.count;
  });
}

/** Variance of true means between models: what is left of the spread without sampling, leaning on `assumed`. */
function varianceBetween(values: readonly number[], noises: readonly number[], assumed: number): number {
  const reliabilities = noises.map((noise) => assumed / (assumed + noise));
  const weight = reliabilities.reduce((total, one) => total + one, 0);
  const mean = weight === 0 ? 0 : dot(reliabilities, values) / weight;
  const spread = values.map((value, at) => (value - mean) ** 2 - (noises[at] ?? 0));
  const measured = VARIANCE_MODELS * assumed + dot(reliabilities, spread);
  // One mean is fitted.
  const seen = Math.max(0, weight - 1);
  return Math.max(measured / (VARIANCE_MODELS + seen), assumed / 10);
}

function featuresOf({ modelId, usdPerMtok }: ComparedModel): Features {
  const name = bareModelName(modelId.slice(modelId.indexOf(':') + 1)).toLowerCase();
  const words = name.replaceAll(DATES, '').match(/[a-z]+|\d+(?:\.\d+)?/g) ?? [];
  const billions = billionsOfText(name) ?? (usdPerMtok === null ? 0 : usdPerMtok / USD_PER_MTOK_AND_BILLION);
  return {
    family: familyOfName(name) ?? words[0] ?? null,
    tokens: new Set(words.filter((word) => !FILLERS.test(word))),
    scale: Math.log(billions > 0 ? billions : USUAL_BILLIONS),
  };
}

/** 1 for models of equal features, falling towards 0; a product of kernels, so that its matrix has an inverse. */
function likeness(one: Features, other: Features): number {
  const isSameFamily = one.family !== null && one.family === other.family;
  const distance =
    (isSameFamily ? 0 : FAMILY_DISTANCE) +
    NAME_DISTANCE * (1 - overlap(one.tokens, other.tokens)) +
    ((one.scale - other.scale) / SCALE_LENGTH) ** 2;
  return Math.exp(-distance / 2);
}

/** Words in both names by words in either (Jaccard 1912). */
function overlap(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  let common = 0;
  for (const word of one) if (other.has(word)) common++;
  const all = one.size + other.size - common;
  return all === 0 ? 0 : common / all;
}

function dot(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
}

/** Inverse of a symmetric positive definite matrix, by Gauss and Jordan; its diagonal serves as pivots. */
function inverted(matrix: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const size = matrix.length;
  const rows = matrix.map((row, at) =>
    Float64Array.from({ length: 2 * size }, (_, column) =>
      column < size ? (row[column] ?? 0) : column === size + at ? 1 : 0,
    ),
  );
  for (const [at, pivotRow] of rows.entries()) {
    const pivot = pivotRow[at] ?? 1;
    for (let column = at; column < 2 * size; column++) pivotRow[column] = (pivotRow[column] ?? 0) / pivot;
    for (const row of rows) {
      const factor = row === pivotRow ? 0 : (row[at] ?? 0);
      if (factor === 0) continue;
      for (let column = at; column < 2 * size; column++)
        row[column] = (row[column] ?? 0) - factor * (pivotRow[column] ?? 0);
    }
  }
  return rows.map((row) => [...row.subarray(size)]);
}
