import { describe, expect, it } from 'vitest';
import { assignMaximum } from './assignment.ts';
import { createRandom } from './random.ts';

function sumOf(values: readonly (readonly number[])[], columns: readonly number[]): number {
  return columns.reduce((sum, column, row) => sum + (column < 0 ? 0 : (values[row]?.[column] ?? 0)), 0);
}

/** The best value by trying every pairing. */
function bestValue(values: readonly (readonly number[])[], row = 0, taken = new Set<number>()): number {
  if (row === values.length) return 0;
  let best = bestValue(values, row + 1, taken);
  values[row]?.forEach((value, column) => {
    if (taken.has(column)) return;
    best = Math.max(best, value + bestValue(values, row + 1, new Set([...taken, column])));
  });
  return best;
}

describe('assignMaximum', () => {
  it('prefers the larger sum to the larger pair', () => {
    expect(
      assignMaximum([
        [10, 9],
        [9, 1],
      ]),
    ).toEqual([1, 0]);
  });

  it('finds what trying every pairing finds, for any shape', () => {
    const random = createRandom(5);
    for (let round = 0; round < 300; round++) {
      const rowCount = 1 + random.int(5);
      const columnCount = 1 + random.int(5);
      const values = Array.from({ length: rowCount }, () =>
        Array.from({ length: columnCount }, () => (random.next() < 0.4 ? 0 : random.int(20))),
      );
      const columns = assignMaximum(values);
      const used = columns.filter((column) => column >= 0);
      expect(new Set(used).size).toBe(used.length);
      expect(sumOf(values, columns), JSON.stringify(values)).toBe(bestValue(values));
    }
  });

  it('leaves a row alone that is worth nothing anywhere', () => {
    expect(
      assignMaximum([
        [0, 0],
        [0, 3],
      ]),
    ).toEqual([-1, 1]);
    expect(assignMaximum([[], []])).toEqual([-1, -1]);
    expect(assignMaximum([])).toEqual([]);
  });
});
