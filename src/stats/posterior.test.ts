import { describe, expect, it } from 'vitest';
import { betaQuantile } from './beta.ts';
import {
  binaryMoments,
  dispersion,
  memberPrior,
  NO_MOMENTS,
  posteriorInterval,
  posteriorOf,
  subtractMoments,
} from './posterior.ts';
import { createRandom } from './random.ts';

describe('posteriorOf', () => {
  it('is the Beta posterior for coins', () => {
    const posterior = posteriorOf(binaryMoments(90, 10), { mean: 0.5, weight: 10 });
    // Beta(95, 15)
    expect(posterior.mean).toBeCloseTo(95 / 110, 12);
    expect(posterior.variance).toBeCloseTo((95 * 15) / (110 * 110 * 111), 12);
    const [low, high] = posteriorInterval(posterior);
    expect(low).toBeCloseTo(betaQuantile(0.025, 95, 15), 6);
    expect(high).toBeCloseTo(betaQuantile(0.975, 95, 15), 6);
  });

  it('returns the prior before any observation, as wide as the prior is weak', () => {
    const strong = posteriorOf(NO_MOMENTS, { mean: 0.9, weight: 100 });
    const weak = posteriorOf(NO_MOMENTS, { mean: 0.9, weight: 5 });
    expect(strong.mean).toBe(0.9);
    expect(weak.variance).toBeGreaterThan(10 * strong.variance);
  });

  it('has intervals of means that hold the truth about as often as they say', () => {
    const random = createRandom(7);
    let held = 0;
    const rounds = 2_000;
    for (let round = 0; round < rounds; round++) {
      const truth = random.beta(18, 2);
      const successes = Array.from({ length: 40 }, () => random.next() < truth).filter(Boolean).length;
      const posterior = posteriorOf(binaryMoments(successes, 40 - successes), { mean: 0.9, weight: 20 });
      const [low, high] = posteriorInterval(posterior);
      if (truth >= low && truth <= high) held++;
    }
    expect(held / rounds).toBeGreaterThan(0.93);
    expect(held / rounds).toBeLessThan(0.97);
  });
});

describe('dispersion', () => {
  it('is 1 for coins and small for values that hardly differ', () => {
    expect(dispersion(binaryMoments(60, 40), 1)).toBeCloseTo(1, 12);
    const values = Array.from({ length: 1_000 }, (_, at) => 0.8 + 0.02 * (at % 2));
    const seen = {
      count: values.length,
      sum: values.reduce((sum, value) => sum + value, 0),
      squareSum: values.reduce((sum, value) => sum + value * value, 0),
    };
    expect(dispersion(seen, 0.3)).toBeLessThan(0.01);
  });

  it('takes what is assumed while nothing varies', () => {
    expect(dispersion(NO_MOMENTS, 0.3)).toBe(0.3);
    expect(dispersion(binaryMoments(50, 0), 1)).toBe(1);
  });
});

describe('memberPrior', () => {
  it('takes the mean of the group and binds less when the group was hardly seen', () => {
    const known = memberPrior(binaryMoments(9_500, 500), { mean: 0.9, weight: 10 }, 20);
    const unknown = memberPrior(NO_MOMENTS, { mean: 0.9, weight: 10 }, 20);
    expect(known.mean).toBeCloseTo(0.95, 3);
    expect(known.weight).toBeCloseTo(20, 0);
    expect(unknown.mean).toBe(0.9);
    expect(unknown.weight).toBeLessThan(10);
  });
});

describe('subtractMoments', () => {
  it('never goes below zero, whatever rounding left', () => {
    const none = subtractMoments(binaryMoments(3, 0), {
      count: 3.0000001,
      sum: 3.0000001,
      squareSum: 3.0000001,
    });
    expect(none).toEqual(NO_MOMENTS);
  });
});
