import { describe, expect, it } from 'vitest';
import { sequenceInterval } from './confidence-sequence.ts';
import { binaryMoments } from './posterior.ts';
import { createRandom } from './random.ts';
import { errorOfNth, errorPerClaim, liesAbove, tieGroups } from './tie-groups.ts';

interface Model {
  readonly name: string;
  readonly interval: readonly [number, number];
}

const model = (name: string, low: number, high: number): Model => ({ name, interval: [low, high] });
const namesOf = (models: readonly Model[]): string[] =>
  tieGroups(models, liesAbove).map((group) => group.models.map((range) => range.model.name).join(' '));

describe('tieGroups', () => {
  it('parts models whose order is established and ties the others', () => {
    expect(namesOf([model('a', 90, 95), model('b', 80, 85), model('c', 78, 84), model('d', 10, 20)])).toEqual(
      ['a', 'b c', 'd'],
    );
  });

  it('keeps a chain of neighbours together and says what is known of their ranks', () => {
    const [group, ...others] = tieGroups(
      [model('a', 70, 80), model('b', 60, 72), model('c', 50, 62)],
      liesAbove,
    );
    expect(others).toEqual([]);
    expect(group?.models.map(({ rankBest, rankWorst }) => [rankBest, rankWorst])).toEqual([
      [1, 2],
      [1, 3],
      [2, 3],
    ]);
  });

  it('parts no group by a claim that goes against the order of the list', () => {
    expect(namesOf([model('low', 10, 20), model('high', 30, 40)])).toEqual(['low high']);
  });

  it('makes no group of nothing and one of one', () => {
    expect(tieGroups([], liesAbove)).toEqual([]);
    expect(namesOf([model('a', 0, 1)])).toEqual(['a']);
  });

  it('parts equal models seldom, at all looks and over all pairs together', () => {
    const random = createRandom(9);
    const modelCount = 6;
    const error = errorPerClaim({ totalError: 0.05, modelCount, claim: 'intervals' });
    let wrongCount = 0;
    for (let path = 0; path < 200; path++) {
      const successes = new Array<number>(modelCount).fill(0);
      let count = 0;
      const isWrong = [25, 50, 100, 200, 400, 800].some((look) => {
        for (; count < look; count++)
          successes.forEach((seen, at) => {
            successes[at] = seen + (random.next() < 0.85 ? 1 : 0);
          });
        const models = successes
          .map((seen) => ({
            interval: sequenceInterval(binaryMoments(seen, count - seen), { kind: 'binary', error }),
          }))
          .sort((one, other) => other.interval[0] - one.interval[0]);
        return tieGroups(models, liesAbove).length > 1;
      });
      if (isWrong) wrongCount++;
    }
    expect(wrongCount / 200).toBeLessThan(0.05);
  });
});

describe('errorPerClaim', () => {
  it('shares the error among what can be wrong', () => {
    const shared = { totalError: 0.05, modelCount: 5 };
    expect(errorPerClaim({ ...shared, claim: 'order' })).toBeCloseTo(0.05 / 20, 12);
    expect(errorPerClaim({ ...shared, claim: 'best' })).toBeCloseTo(0.05 / 4, 12);
    expect(errorPerClaim({ ...shared, claim: 'intervals', familyCount: 3 })).toBeCloseTo(0.05 / 15, 12);
    expect(errorPerClaim({ ...shared, modelCount: 1, claim: 'order' })).toBe(0.05);
  });

  it('refuses errors and counts that mean nothing', () => {
    expect(() => errorPerClaim({ totalError: 1, modelCount: 2, claim: 'best' })).toThrow(RangeError);
    expect(() => errorPerClaim({ totalError: 0.1, modelCount: 0, claim: 'best' })).toThrow(RangeError);
  });
});

describe('errorOfNth', () => {
  it('adds up to the total over a series without end', () => {
    let sum = 0;
    for (let nth = 1; nth <= 10_000; nth++) sum += errorOfNth(0.05, nth);
    expect(sum).toBeLessThan(0.05);
    expect(sum).toBeCloseTo(0.05, 4);
    expect(() => errorOfNth(0.05, 0)).toThrow(RangeError);
  });
});
