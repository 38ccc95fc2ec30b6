import { describe, expect, it } from 'vitest';
import { betaQuantile } from './beta.ts';
import {
  binaryMoments,
  commonDispersion,
  dispersion,
  NO_MOMENTS,
  posteriorInterval,
  posteriorOf,
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

  it('counts what hardly varies for more than coins, against the same prior', () => {
    const seen = { count: 10, sum: 9, squareSum: 8.101 };
    const prior = { mean: 0.5, weight: 20 };
    const coin = posteriorOf(seen, prior, 1);
    const steady = posteriorOf(seen, prior, 0.1);
    expect(coin.mean).toBeCloseTo((20 * 0.5 + 9) / 30, 12);
    expect(steady.mean).toBeCloseTo((2 * 0.5 + 9) / 12, 12);
    expect(steady.variance).toBeLessThan(coin.variance / 3);
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

describe('commonDispersion', () => {
  it('is that within the groups, however far apart their means lie', () => {
    const near = (mean: number): { count: number; sum: number; squareSum: number } => ({
      count: 500,
      sum: 500 * mean,
      squareSum: 500 * (mean * mean + 0.0001),
    });
    expect(commonDispersion([near(0.2), near(0.8)], 0.3)).toBeLessThan(0.01);
    expect(commonDispersion([], 0.3)).toBe(0.3);
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
