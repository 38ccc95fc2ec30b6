import type { ScoreWeights } from '../../src/core/policy.ts';
import { bookOfRows, type EvidenceBook, noEvidence } from '../../src/ranking/evidence.ts';
import { latencyBin } from '../../src/ranking/latency-bins.ts';
import { costValue, speedValue } from '../../src/ranking/score.ts';
import type { Random } from '../../src/stats/random.ts';
import type { Outcome, OutcomeSet } from './data.ts';

/** The parts of a score as they truly are in a cell. */
export interface Truth {
  readonly success: number;
  readonly speed: number;
  readonly cost: number;
  readonly quality: number;
}

/** Share of the requests whose user says how well the answer served. */
const RATED_SHARE = 0.2;
/** Share of the raters who give a star more, and of those who give one less, than the outcome is worth. */
const STAR_NOISE = 0.1;

/** What is true of a cell: means over its prompts, of what a request draws from them. */
export function truthOf(outcomes: readonly Outcome[]): Truth {
  let success = 0;
  let speed = 0;
  let cost = 0;
  let quality = 0;
  for (const { score, latencyMs, costUsd } of outcomes) {
    success += score;
    speed += score * speedValue(latencyMs);
    cost += costUsd;
    const stars = starsOf(score);
    quality +=
      (1 - 2 * STAR_NOISE) * stars + STAR_NOISE * (Math.max(0, stars - 0.25) + Math.min(1, stars + 0.25));
  }
  const count = outcomes.length;
  return {
    success: success / count,
    speed: success === 0 ? 0 : speed / success,
    cost: costValue(cost / count),
    quality: quality / count,
  };
}

export function truthsOf(set: OutcomeSet): readonly (readonly Truth[])[] {
  return set.outcomes.map((models) => models.map(truthOf));
}

export function trueScore(truth: Truth, weights: ScoreWeights): number {
  return (
    100 *
    (weights.success * truth.success +
      weights.speed * truth.speed +
      weights.cost * truth.cost +
      weights.quality * truth.quality)
  );
}

/** The nearest of 1 to 5 stars, as 0..1. */
function starsOf(score: number): number {
  return Math.round(4 * score) / 4;
}

/** Sums of one cell over one stretch of time; counted up as requests come in. */
export class Tally {
  successCount = 0;
  failureCount = 0;
  latencySumMs = 0;
  latencyBins = new Map<number, number>();
  costSumUsd = 0;
  costSquareSum = 0;
  ratingCount = 0;
  ratingSum = 0;
  ratingSquareSum = 0;

  /** A request: it draws a prompt, ends well with probability `score`, and may be rated by its score. */
  addRequest(outcomes: readonly Outcome[], random: Random): Outcome | null {
    const outcome = outcomes[random.int(outcomes.length)];
    if (outcome === undefined) return null;
    const { score, latencyMs, costUsd } = outcome;
    if (random.next() < score) {
      this.successCount++;
      this.latencySumMs += latencyMs;
      const bin = latencyBin(latencyMs);
      this.latencyBins.set(bin, (this.latencyBins.get(bin) ?? 0) + 1);
    } else this.failureCount++;
    this.costSumUsd += costUsd;
    this.costSquareSum += costUsd ** 2;
    if (random.next() < RATED_SHARE) this.#rate(score, random);
    return outcome;
  }

  #rate(score: number, random: Random): void {
    const mood = random.next();
    const noise = mood < STAR_NOISE ? -0.25 : mood < 2 * STAR_NOISE ? 0.25 : 0;
    const rating = Math.min(1, Math.max(0, starsOf(score) + noise));
    this.ratingCount++;
    this.ratingSum += rating;
    this.ratingSquareSum += rating ** 2;
  }
}

/** Tallies of a cell, one a day from day 0; most worlds have one day. */
export type Days = readonly Tally[];

/**
 * The evidence book of a world, made by the product from rows as the store gives them.
 *
 * @param cells  by use case, then by model
 * @param halfLifeDays  null: all counts alike. Ages are of whole days here; the store weighs whole hours
 */
export function bookOf(
  set: OutcomeSet,
  cells: readonly (readonly Days[])[],
  halfLifeDays: number | null = null,
): EvidenceBook {
  const rows = cells.flatMap((models, useCase) =>
    models.flatMap((days, model) => {
      const names = { useCase: set.useCases[useCase] ?? '', modelId: set.modelIds[model] ?? '' };
      const whole = sumOf(days, () => 1);
      if (whole.requestCount === 0) return [];
      const weight = (age: number): number =>
        halfLifeDays === null ? 1 : 2 ** (-(age + 0.5) / halfLifeDays);
      const aged = sumOf(days, (day) => weight(days.length - 1 - day));
      const squares = sumOf(days, (day) => weight(days.length - 1 - day) ** 2);
      return [{ names, whole, aged, weightScale: aged.requestCount / squares.requestCount }];
    }),
  );
  return bookOfRows(
    rows.map(({ names, whole, aged, weightScale }) => ({
      ...names,
      ...whole,
      sessionCount: 0,
      latencyCount: whole.successCount,
      waitBins: whole.latencyBins,
      timing: noEvidence(names.modelId).timing,
      pricedCount: whole.requestCount,
      tokenCount: 0,
      promptTokenSum: 0,
      completionTokenSum: 0,
      weighted: { ...aged, sessionCount: 0, pricedCount: aged.requestCount },
      weightScale,
    })),
    rows.map(({ names, whole, aged }) => ({
      ...names,
      mark: 'unseen',
      silentCount: whole.requestCount - whole.feedbackCount,
      feedbackCount: whole.feedbackCount,
      feedbackSum: whole.feedbackSum,
      feedbackSquareSum: whole.feedbackSquareSum,
      followUpCount: 0,
      reAskCount: 0,
      sessionCount: 0,
      weighted: { ...aged, silentCount: aged.requestCount - aged.feedbackCount, sessionCount: 0 },
    })),
  );
}

interface Sums {
  requestCount: number;
  successCount: number;
  failureCount: number;
  latencySumMs: number;
  latencyBins: Map<number, number>;
  costSumUsd: number;
  costSquareSum: number;
  feedbackCount: number;
  feedbackSum: number;
  feedbackSquareSum: number;
}

function sumOf(days: Days, weightOf: (day: number) => number): Sums {
  const sums: Sums = {
    requestCount: 0,
    successCount: 0,
    failureCount: 0,
    latencySumMs: 0,
    latencyBins: new Map(),
    costSumUsd: 0,
    costSquareSum: 0,
    feedbackCount: 0,
    feedbackSum: 0,
    feedbackSquareSum: 0,
  };
  days.forEach((tally, day) => {
    const weight = weightOf(day);
    sums.requestCount += weight * (tally.successCount + tally.failureCount);
    sums.successCount += weight * tally.successCount;
    sums.failureCount += weight * tally.failureCount;
    sums.latencySumMs += weight * tally.latencySumMs;
    for (const [bin, count] of tally.latencyBins)
      sums.latencyBins.set(bin, (sums.latencyBins.get(bin) ?? 0) + weight * count);
    sums.costSumUsd += weight * tally.costSumUsd;
    sums.costSquareSum += weight * tally.costSquareSum;
    sums.feedbackCount += weight * tally.ratingCount;
    sums.feedbackSum += weight * tally.ratingSum;
    sums.feedbackSquareSum += weight * tally.ratingSquareSum;
  });
  return sums;
}

/** Draws a use case: the k-th most asked has the share 1 / k of the first (Zipf), in an order of its own per path. */
export class Traffic {
  readonly #order: number[];
  readonly #limits: number[] = [];

  constructor(useCaseCount: number, random: Random) {
    this.#order = Array.from({ length: useCaseCount }, (_, at) => at);
    random.shuffle(this.#order);
    let total = 0;
    for (let rank = 1; rank <= useCaseCount; rank++) {
      total += 1 / rank;
      this.#limits.push(total);
    }
  }

  draw(random: Random): number {
    const at = random.next() * (this.#limits.at(-1) ?? 0);
    const rank = this.#limits.findIndex((limit) => at < limit);
    return this.#order[Math.max(0, rank)] ?? 0;
  }
}

/** Kendall's tau-b (1945) of estimated against true values. */
export function kendallTau(estimated: readonly number[], truth: readonly number[]): number | null {
  let balance = 0;
  let estimatedPairs = 0;
  let truePairs = 0;
  for (let one = 0; one < truth.length; one++) {
    for (let other = one + 1; other < truth.length; other++) {
      const seen = Math.sign((estimated[one] ?? 0) - (estimated[other] ?? 0));
      const real = Math.sign((truth[one] ?? 0) - (truth[other] ?? 0));
      balance += seen * real;
      estimatedPairs += Math.abs(seen);
      truePairs += Math.abs(real);
    }
  }
  return truePairs === 0 ? null : estimatedPairs === 0 ? 0 : balance / Math.sqrt(estimatedPairs * truePairs);
}
