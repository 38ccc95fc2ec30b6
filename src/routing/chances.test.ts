import { describe, expect, it } from 'vitest';
import type { Arm } from './arms.ts';
import { type ChanceTask, chancesOf } from './chances.ts';

function arm(modelId: string, mean: number, deviation: number, given: Partial<Arm> = {}): Arm {
  return {
    modelId,
    mean,
    deviation,
    notWorse: 1,
    sampleCount: 100,
    hasEnoughEvidence: true,
    costUsd: 0,
    barredBecause: null,
    ...given,
  };
}

function chances(arms: readonly Arm[], given: Partial<ChanceTask> = {}): ReturnType<typeof chancesOf> {
  return chancesOf({
    arms,
    method: 'thompson',
    share: 1,
    newModelRequests: 20,
    isFirstEstablished: false,
    ...given,
  });
}

const OPEN = [arm('a', 70, 3), arm('b', 69, 3), arm('c', 66, 3)];
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

describe('chancesOf', () => {
  it.each(['thompson', 'best-arm', 'uniform'] as const)(
    'adds up to 1 and stays within the share: %s',
    (method) => {
      for (const share of [0, 0.05, 0.3, 1]) {
        const { probabilities } = chances([...OPEN, arm('new', 60, 20, { sampleCount: 0 })], {
          method,
          share,
        });
        expect(sumOf(probabilities)).toBeCloseTo(1, 12);
        expect(sumOf(probabilities.slice(1))).toBeLessThanOrEqual(share + 1e-12);
        expect(Math.min(...probabilities)).toBeGreaterThanOrEqual(0);
      }
    },
  );

  it('gives a model the probability that its score is the best, where the share allows it', () => {
    const { probabilities } = chances([arm('a', 70, 3), arm('b', 70, 3)]);
    expect(probabilities[1]).toBeCloseTo(0.5, 6);
    // (70 - 66) / sqrt(18) = 0.9428 deviations: P = 0.1729
    expect(chances([arm('a', 70, 3), arm('b', 66, 3)]).probabilities[1]).toBeCloseTo(0.1729, 3);
  });

  it('keeps the proportions of the others where it does not', () => {
    const free = chances(OPEN).probabilities;
    const capped = chances(OPEN, { share: 0.1 }).probabilities;
    expect(sumOf(capped.slice(1))).toBeCloseTo(0.1, 12);
    expect((capped[1] ?? 0) / (capped[2] ?? 1)).toBeCloseTo((free[1] ?? 0) / (free[2] ?? 1), 9);
  });

  it('tries a model less, the less likely it is to be within the margins', () => {
    const doubtful = [arm('a', 70, 3), arm('b', 70, 3, { notWorse: 0.25 })];
    expect(chances(doubtful).probabilities[1]).toBeCloseTo(0.2, 6);
  });

  it('has nothing to explore where a better choice could gain next to nothing', () => {
    const close = chances([arm('a', 70, 0.3), arm('b', 69.9, 0.3)]);
    expect(close.probabilities).toEqual([1, 0]);
    expect(close.settledBecause).toMatch(/could gain 0\.\d\d points/);
    const decided = chances([arm('a', 80, 2), arm('b', 60, 2)]);
    expect(decided.probabilities).toEqual([1, 0]);
  });

  it('asks the two best in turn by top-two sampling, and stops when the best is known', () => {
    // p = (1/2, 1/2): whoever leads, the other is second, so each is asked half of the time.
    const even = chances([arm('a', 70, 3), arm('b', 70, 3)], { method: 'best-arm' });
    expect(even.probabilities[1]).toBeCloseTo(0.5, 6);
    // p = (0.8271, 0.1729): 0.1729 (1/2 + 1/2 0.8271 / 0.1729) = 1/2 again, as it must be of two.
    const uneven = chances([arm('a', 70, 3), arm('b', 66, 3)], { method: 'best-arm' });
    expect(uneven.probabilities[1]).toBeCloseTo(0.5, 6);
    const known = chances([arm('a', 70, 3), arm('b', 62, 3)], { method: 'best-arm' });
    expect(known.probabilities).toEqual([1, 0]);
    expect(known.settledBecause).toContain('best with probability 0.97');
    const established = chances(OPEN, { method: 'best-arm', isFirstEstablished: true });
    expect(established.settledBecause).toContain('established');
  });

  it('gives newcomers half of the share, three at a time, those nearest to the end of their trial first', () => {
    const newcomers = [0, 3, 12, 7, 0].map((sampleCount, at) => arm(`new${at}`, 10, 1, { sampleCount }));
    const { probabilities, trialIds } = chances([...OPEN, ...newcomers], { share: 0.12 });
    expect(trialIds).toEqual(['new2', 'new3', 'new1']);
    expect(probabilities[3]).toBe(0);
    expect(probabilities[5]).toBeCloseTo(0.02, 9);
    expect(sumOf(probabilities.slice(1))).toBeCloseTo(0.12, 9);
  });

  it('lets a trial go on where everything else is settled', () => {
    const { probabilities, settledBecause } = chances(
      [arm('a', 80, 1), arm('b', 60, 1), arm('new', 50, 1, { sampleCount: 5 })],
      { share: 0.1 },
    );
    expect(settledBecause).not.toBeNull();
    expect(probabilities[2]).toBeCloseTo(0.05, 12);
    expect(probabilities[1]).toBe(0);
  });

  it('is defined for one model, and for many', () => {
    expect(chances([arm('a', 70, 3)]).probabilities).toEqual([1]);
    expect(chances([arm('a', 70, 3)], { method: 'uniform' }).probabilities).toEqual([1]);
    const many = Array.from({ length: 300 }, (_, at) => arm(`m${at}`, 50, 20, { sampleCount: 0 }));
    const { probabilities, trialIds } = chances(many, { share: 0.1 });
    expect(trialIds).toHaveLength(3);
    expect(probabilities.filter((value) => value > 0)).toHaveLength(4);
    expect(() => chances([])).toThrow(RangeError);
  });
});
