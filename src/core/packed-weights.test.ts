import { describe, expect, it } from 'vitest';
import { NO_ROW, PackedWeights } from './packed-weights.ts';

describe('PackedWeights', () => {
  // A fixed sequence: the point is every value of a byte, every number of classes and sums beyond a lane.
  function weightsOf(length: number, seed: number): Int8Array {
    let state = seed;
    return Int8Array.from({ length }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (state >>> 16) & 0xff;
    });
  }

  function plainSums(weights: Int8Array, classCount: number, rows: readonly number[]): number[] {
    return Array.from({ length: classCount }, (_, k) =>
      rows.reduce((sum, row) => sum + (weights[row * classCount + k] ?? 0), 0),
    );
  }

  it.each([1, 2, 3, 4, 5, 8, 20, 41])('sums what the plain loop sums, %i classes', (classCount) => {
    const rowCount = 300;
    const weights = weightsOf(rowCount * classCount, classCount);
    const packed = new PackedWeights(weights, classCount);
    const rowOfFeature = Uint16Array.from({ length: 400 }, (_, feature) =>
      feature < rowCount ? feature : NO_ROW,
    );
    for (const count of [0, 1, 256, 257, 258, 514, 1_350]) {
      const features = Uint32Array.from({ length: 1_500 }, (_, at) => (at * 37) % 400);
      const rows = [...features.subarray(0, count)].filter((feature) => feature < rowCount);
      expect([...packed.sum(features, count, rowOfFeature)].slice(0, classCount)).toEqual(
        plainSums(weights, classCount, rows),
      );
    }
  });

  it.each([-128, -1, 0, 127])('holds as many of the weight %i as there are', (weight) => {
    const packed = new PackedWeights(
      Int8Array.from({ length: 5 }, () => weight),
      5,
    );
    const sums = packed.sum(new Uint32Array(3_000), 3_000, Uint16Array.of(0));
    expect([...sums].slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 3_000 * weight));
  });

  it('is empty without classes', () => {
    expect(
      new PackedWeights(new Int8Array(0), 0).sum(Uint32Array.of(0), 1, Uint16Array.of(NO_ROW)),
    ).toHaveLength(0);
  });
});
