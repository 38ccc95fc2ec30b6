import { describe, expect, it } from 'vitest';
import { asymptoticSequence } from './asymptotic-sequence.ts';
import { createRandom } from './random.ts';

const LOOKS = Array.from({ length: 40 }, (_, at) => Math.round(100 * 50 ** (at / 39)));

describe('asymptoticSequence', () => {
  it('is the published half-width for one mean', () => {
    const count = 400;
    const variance = 2.5;
    const error = 0.05;
    const rest = asymptoticSequence([{ coefficient: 1, mean: 3, variance, count }], {
      error,
      tunedCount: 400,
    });
    const tuned = 2 * Math.log(1 / error) + Math.log(1 + 2 * Math.log(1 / error));
    const rhoSquared = tuned / (variance * 400);
    const scale = count * variance * rhoSquared + 1;
    const halfWidth = Math.sqrt((scale / (count ** 2 * rhoSquared)) * Math.log(scale / error ** 2));
    expect(rest?.value).toBe(3);
    expect(rest?.high).toBeCloseTo(3 + halfWidth, 12);
    expect(rest?.low).toBeCloseTo(3 - halfWidth, 12);
  });

  it('holds the mean of skewed values, and the difference of two, at all looks together', () => {
    const random = createRandom(1);
    const draw = (): number => Math.exp(0.6 * random.normal());
    const truth = Math.exp(0.18);
    let missCount = 0;
    let differenceMissCount = 0;
    for (let path = 0; path < 500; path++) {
      const [one, other] = [new Sample(draw), new Sample(draw)];
      let isMissed = false;
      let isDifferent = false;
      for (const look of LOOKS) {
        const seen = asymptoticSequence([one.upTo(look, 1)]);
        const difference = asymptoticSequence([one.upTo(look, 1), other.upTo(look, -1)]);
        isMissed ||= seen === null || truth < seen.low || truth > seen.high;
        isDifferent ||= difference === null || difference.low > 0 || difference.high < 0;
      }
      if (isMissed) missCount++;
      if (isDifferent) differenceMissCount++;
    }
    expect(missCount / 500).toBeLessThan(0.06);
    expect(differenceMissCount / 500).toBeLessThan(0.03);
  });

  it('is wider for a difference than for a mean, narrower than for both apart', () => {
    const term = { coefficient: 1, mean: 0, variance: 1, count: 500 };
    const one = asymptoticSequence([term])?.high ?? 0;
    const half = asymptoticSequence([term], { error: 0.025 })?.high ?? 0;
    const difference = asymptoticSequence([term, { ...term, coefficient: -1 }])?.high ?? 0;
    expect(difference).toBeGreaterThan(one);
    expect(difference).toBeLessThan(2 * half);
  });

  it('weighs by coefficients', () => {
    const term = { coefficient: 30, mean: 0.5, variance: 0.04, count: 200 };
    const score = asymptoticSequence([term]);
    const part = asymptoticSequence([{ ...term, coefficient: 1 }]);
    expect(score?.value).toBe(15);
    expect((score?.high ?? 0) - 15).toBeCloseTo(30 * ((part?.high ?? 0) - 0.5), 10);
  });

  it('says nothing while there are too few to trust it', () => {
    expect(asymptoticSequence([])).toBeNull();
    expect(asymptoticSequence([{ coefficient: 1, mean: 0, variance: 1, count: 99 }])).toBeNull();
    expect(asymptoticSequence([{ coefficient: 1, mean: 0, variance: 1, count: Number.NaN }])).toBeNull();
  });

  it('refuses an error outside (0, 1)', () => {
    expect(() => asymptoticSequence([], { error: 0 })).toThrow(RangeError);
  });
});

class Sample {
  readonly #draw: () => number;
  #count = 0;
  #sum = 0;
  #squareSum = 0;

  constructor(draw: () => number) {
    this.#draw = draw;
  }

  upTo(count: number, coefficient: number): Parameters<typeof asymptoticSequence>[0][number] {
    for (; this.#count < count; this.#count++) {
      const value = this.#draw();
      this.#sum += value;
      this.#squareSum += value * value;
    }
    const mean = this.#sum / count;
    return { coefficient, mean, variance: this.#squareSum / count - mean * mean, count };
  }
}
