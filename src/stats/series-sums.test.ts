import { describe, expect, it } from 'vitest';
import type { Moments } from './posterior.ts';
import { createRandom } from './random.ts';
import { addAnalyses, SeriesSums, variancesOf } from './series-sums.ts';

const STEPS_PER_DAY = 4;

function stepsOf(
  dayCount: number,
  valuesPerStep: number,
  deviations: { day: number; value: number },
): Moments[] {
  const random = createRandom(17);
  return Array.from({ length: dayCount }, () => {
    const level = 3 + deviations.day * random.normal();
    return Array.from({ length: STEPS_PER_DAY }, () => {
      const values = Array.from({ length: valuesPerStep }, () => level + deviations.value * random.normal());
      return {
        count: values.length,
        sum: values.reduce((total, value) => total + value, 0),
        squareSum: values.reduce((total, value) => total + value * value, 0),
      };
    });
  }).flat();
}

describe('SeriesSums', () => {
  it('gives back the sums of any stretch', () => {
    const steps = stepsOf(3, 2, { day: 1, value: 1 });
    const sums = new SeriesSums(steps, STEPS_PER_DAY);
    const expected = steps.slice(2, 9).reduce((total, { sum }) => total + sum, 0);
    expect(sums.between(2, 9).count).toBe(14);
    expect(sums.between(2, 9).sum).toBeCloseTo(expected, 9);
    expect(sums.stepCount).toBe(12);
  });

  it('tells what differs between days from what differs within them', () => {
    const sums = new SeriesSums(stepsOf(400, 5, { day: 0.5, value: 2 }), STEPS_PER_DAY);
    const { within, between } = variancesOf(sums.dayAnalysis(0, sums.stepCount));
    expect(within).toBeGreaterThan(3.8);
    expect(within).toBeLessThan(4.2);
    expect(between).toBeGreaterThan(0.18);
    expect(between).toBeLessThan(0.33);
  });

  it('finds next to nothing between days that are alike', () => {
    const sums = new SeriesSums(stepsOf(400, 5, { day: 0, value: 2 }), STEPS_PER_DAY);
    expect(variancesOf(sums.dayAnalysis(0, sums.stepCount)).between).toBeLessThan(0.04);
  });

  it('counts whole days only', () => {
    const sums = new SeriesSums(stepsOf(5, 3, { day: 1, value: 1 }), STEPS_PER_DAY);
    expect(sums.dayAnalysis(1, 19).spareBlockCount).toBe(2);
    expect(sums.dayAnalysis(1, 3).spareBlockCount).toBe(0);
    expect(sums.stepAnalysis(1, 3).spareBlockCount).toBe(1);
  });

  it('does not count a difference between two stretches as scatter', () => {
    const steps = stepsOf(20, 5, { day: 0, value: 1 });
    const shifted = steps.map(({ count, sum, squareSum }, at) =>
      at < 40
        ? { count, sum, squareSum }
        : { count, sum: sum + 9 * count, squareSum: squareSum + 18 * sum + 81 * count },
    );
    const sums = new SeriesSums(shifted, STEPS_PER_DAY);
    const apart = addAnalyses(sums.dayAnalysis(0, 40), sums.dayAnalysis(40, 80));
    expect(variancesOf(apart).between).toBeLessThan(0.2);
    expect(variancesOf(sums.dayAnalysis(0, 80)).between).toBeGreaterThan(10);
  });

  it('sees how alike neighbouring days are, across a gap and from any start', () => {
    const random = createRandom(23);
    let level = 0;
    const steps = Array.from({ length: 600 }, (_, day) => {
      level = 0.6 * level + 0.8 * random.normal();
      return day % 50 === 7
        ? { count: 0, sum: 0, squareSum: 0 }
        : { count: 1, sum: 40 + level, squareSum: (40 + level) ** 2 };
    });
    const sums = new SeriesSums(steps, 1);
    const all = variancesOf(sums.dayAnalysis(0, 600)).correlation;
    expect(all).toBeGreaterThan(0.5);
    expect(all).toBeLessThan(0.7);
    expect(variancesOf(sums.dayAnalysis(100, 500)).correlation).toBeGreaterThan(0.4);
    const independent = new SeriesSums(stepsOf(400, 5, { day: 1, value: 1 }), STEPS_PER_DAY);
    expect(variancesOf(independent.dayAnalysis(0, 1_600)).correlation).toBeLessThan(0.15);
  });

  it('calls all scatter within where blocks hold one value each', () => {
    const sums = new SeriesSums(stepsOf(60, 1, { day: 0, value: 2 }), 1);
    const { within, between } = variancesOf(sums.dayAnalysis(0, 60));
    expect(within).toBeGreaterThan(2.5);
    expect(between).toBe(0);
    expect(variancesOf(sums.dayAnalysis(0, 0))).toEqual({
      within: 0,
      between: 0,
      blockMean: 0,
      correlation: 0,
    });
  });
});
