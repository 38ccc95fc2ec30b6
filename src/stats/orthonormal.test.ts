import { describe, expect, it } from 'vitest';
import { orthonormalise } from './orthonormal.ts';
import { createRandom } from './random.ts';

function products(rows: Float32Array, rowCount: number, dims: number): number[] {
  const sums = new Array<number>(dims * dims).fill(0);
  for (let row = 0; row < rowCount; row++) {
    for (let i = 0; i < dims * dims; i++) {
      const a = rows[row * dims + Math.floor(i / dims)] as number;
      sums[i] = (sums[i] as number) + a * (rows[row * dims + (i % dims)] as number);
    }
  }
  return sums;
}

describe('orthonormalise', () => {
  it('makes unit columns at right angles', () => {
    const random = createRandom(3);
    const rows = Float32Array.from({ length: 51 * 4 }, () => random.normal());
    orthonormalise(rows, 51, 4);
    products(rows, 51, 4).forEach((sum, at) => {
      expect(sum).toBeCloseTo(Math.floor(at / 4) === at % 4 ? 1 : 0, 5);
    });
  });

  it('turns a column that depends on others into zero', () => {
    const rows = Float32Array.from([1, 2, 0, 0, 1, 2, 3, 6]);
    orthonormalise(rows, 4, 2);
    expect(products(rows, 4, 2)[0]).toBeCloseTo(1, 5);
    expect(products(rows, 4, 2)[3]).toBeCloseTo(0, 5);
  });
});
