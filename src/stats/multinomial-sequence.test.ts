import { describe, expect, it } from 'vitest';
import { multinomialPValue } from './multinomial-sequence.ts';
import { createRandom } from './random.ts';

const SEED = 3;

/** Looks every twenty counts until the p-value is at or below `error`; null when it never is. */
function firstAlarm(
  seed: number,
  share: number,
  options: { error: number; countMax: number },
): number | null {
  const random = createRandom(seed);
  const counts: [number, number] = [0, 0];
  for (let count = 1; count <= options.countMax; count++) {
    counts[random.next() < share ? 0 : 1]++;
    if (count % 20 === 0 && multinomialPValue(counts, [0.5, 0.5]) <= options.error) return count;
  }
  return null;
}

describe('the p-value of a split', () => {
  it('says nothing without counts and where they are as they should be', () => {
    expect(multinomialPValue([0, 0], [0.5, 0.5])).toBeCloseTo(1, 9);
    expect(multinomialPValue([500, 500], [0.5, 0.5])).toBe(1);
    expect(multinomialPValue([100, 200, 700], [0.1, 0.2, 0.7])).toBe(1);
  });

  it('is the ratio of the mixture to the likelihood of the expected shares', () => {
    // B(53, 50) / B(50, 50) / 0.5^3 = 50 * 51 * 52 / (100 * 101 * 102) * 8
    expect(multinomialPValue([3, 0], [0.5, 0.5])).toBeCloseTo((100 * 101 * 102) / (50 * 51 * 52 * 8), 9);
  });

  it(`is below 0.05 at any of 250 looks in at most 5 % of true splits, seed ${SEED}`, () => {
    let alarmCount = 0;
    for (let run = 0; run < 400; run++) {
      if (firstAlarm(SEED + run, 0.5, { error: 0.05, countMax: 5_000 }) !== null) alarmCount++;
    }
    expect(alarmCount).toBeGreaterThan(0);
    expect(alarmCount / 400).toBeLessThanOrEqual(0.05);
  });

  it('finds a split of 55 to 45 within some thousand units', () => {
    for (let run = 0; run < 20; run++) {
      expect(firstAlarm(SEED + run, 0.55, { error: 0.001, countMax: 8_000 })).not.toBeNull();
    }
  });

  it('refuses what are no counts and no shares', () => {
    expect(() => multinomialPValue([1], [0.5, 0.5])).toThrow(RangeError);
    expect(() => multinomialPValue([1, -1], [0.5, 0.5])).toThrow(RangeError);
    expect(() => multinomialPValue([1, 1], [1, 0])).toThrow(RangeError);
  });
});
