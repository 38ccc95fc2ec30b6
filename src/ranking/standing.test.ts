import { describe, expect, it } from 'vitest';
import { CURVES, POLICIES } from '../core/policy.ts';
import type { Moments } from '../stats/posterior.ts';
import { createRandom, type Random } from '../stats/random.ts';
import { isEstablishedAbove, type SeenParts, scoreSequences } from './standing.ts';

const { weights } = POLICIES.auto;

interface Truth {
  readonly successRate: number;
  readonly ratedShare: number;
  readonly meanCostUsd: number;
}

/** Counts up what a model does; costs follow latencies, ratings follow outcomes. */
class Model {
  readonly #truth: Truth;
  readonly #success = { count: 0, sum: 0, squareSum: 0 };
  readonly #speed = { count: 0, sum: 0, squareSum: 0 };
  readonly #quality = { count: 0, sum: 0, squareSum: 0 };
  readonly #cost = { count: 0, sum: 0, squareSum: 0 };

  constructor(truth: Truth) {
    this.#truth = truth;
  }

  add(random: Random): void {
    const isGood = random.next() < this.#truth.successRate;
    const pace = Math.exp(0.6 * random.normal());
    put(this.#success, isGood ? 1 : 0);
    if (isGood) put(this.#speed, 1 / (1 + (1_500 * pace) / CURVES.speedHalfMs));
    put(this.#cost, this.#truth.meanCostUsd * pace);
    if (random.next() < this.#truth.ratedShare) put(this.#quality, isGood ? 1 : 0);
  }

  seen(modelId: string): SeenParts {
    const { count, sum, squareSum } = this.#cost;
    const meanUsd = sum / count;
    return {
      modelId,
      success: { ...this.#success },
      speed: { ...this.#speed },
      quality: { ...this.#quality },
      cost:
        count === 0
          ? null
          : { count, meanUsd, varianceUsd: Math.max(0, squareSum / count - meanUsd ** 2), curves: CURVES },
    };
  }
}

function put(moments: { -readonly [Field in keyof Moments]: Moments[Field] }, value: number): void {
  moments.count++;
  moments.sum += value;
  moments.squareSum += value * value;
}

/** Requests of each model at which any order is established, by looks that grow by a quarter; null up to 3,000. */
function firstOrder(truths: readonly Truth[], random: Random): { count: number; above: number } | null {
  const models = truths.map((truth) => new Model(truth));
  let sent = 0;
  for (let look = 20; look <= 3_000; look = Math.ceil(look * 1.25)) {
    for (; sent < look; sent++) for (const model of models) model.add(random);
    const sequences = [
      ...scoreSequences(
        models.map((model, at) => model.seen(`model-${at}`)),
        weights,
      ).values(),
    ];
    for (const [above, one] of sequences.entries()) {
      const isAbove = sequences.some(
        (other) => one !== other && isEstablishedAbove(one, other, { modelCount: models.length }),
      );
      if (isAbove) return { count: look, above };
    }
  }
  return null;
}

describe('isEstablishedAbove', () => {
  it('calls an order among equal models in fewer than one in twenty histories', () => {
    const random = createRandom(41);
    let wrong = 0;
    for (const truth of [
      { successRate: 0.9, ratedShare: 0.2, meanCostUsd: 0.003 },
      { successRate: 0.99, ratedShare: 0.05, meanCostUsd: 0.003 },
    ]) {
      for (let path = 0; path < 30; path++) {
        if (firstOrder([truth, truth, truth, truth], random) !== null) wrong++;
      }
    }
    expect(wrong).toBeLessThan(3);
  });

  it('finds which of two models is the better one within a thousand requests of each', () => {
    const random = createRandom(42);
    const better = { successRate: 0.95, ratedShare: 0.2, meanCostUsd: 0.003 };
    for (let path = 0; path < 10; path++) {
      const found = firstOrder([{ ...better, successRate: 0.8 }, better], random);
      expect(found?.above).toBe(1);
      expect(found?.count).toBeLessThan(1_000);
    }
  });

  it('says nothing of a model that was hardly seen', () => {
    const few = new Model({ successRate: 1, ratedShare: 1, meanCostUsd: 0 });
    const many = new Model({ successRate: 0, ratedShare: 1, meanCostUsd: 0.1 });
    const random = createRandom(43);
    for (let request = 0; request < 3; request++) few.add(random);
    for (let request = 0; request < 2_000; request++) many.add(random);
    const sequences = scoreSequences([few.seen('few'), many.seen('many')], weights);
    const [one, other] = [sequences.get('few'), sequences.get('many')];
    if (one === undefined || other === undefined) throw new Error('both are priced');
    expect(isEstablishedAbove(one, other, { modelCount: 2 })).toBe(false);
  });

  it('has no sequence without a price', () => {
    const unseen = new Model({ successRate: 1, ratedShare: 0, meanCostUsd: 0 });
    expect(scoreSequences([unseen.seen('unpriced')], weights).size).toBe(0);
  });
});
