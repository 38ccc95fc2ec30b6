import { describe, expect, it } from 'vitest';
import { centre, characterVectors } from './character-vectors.ts';
import { createRandom } from './random.ts';

function cosine(data: Float32Array, dims: number, a: number, b: number): number {
  let sum = 0;
  for (let i = 0; i < dims; i++) sum += (data[a * dims + i] as number) * (data[b * dims + i] as number);
  return sum;
}

describe('characterVectors', () => {
  it('puts texts with like spelling together, in any script', () => {
    const texts = [
      'restart the qx-7734 gateway',
      'the qx-7734 gateway is down',
      'gateways of the qx-7734 kind',
      '東京の天気を教えて',
      '大阪の天気を教えて',
      '今日の天気を教えて下さい',
    ];
    const { data, dims } = characterVectors(texts, { dims: 3, random: createRandom(1) });
    expect(cosine(data, dims, 0, 1)).toBeGreaterThan(cosine(data, dims, 0, 3) + 0.3);
    expect(cosine(data, dims, 3, 4)).toBeGreaterThan(cosine(data, dims, 1, 4) + 0.3);
  });

  it('copes with texts that have nothing to read', () => {
    const { data } = characterVectors(['', '!!!', '?'], { dims: 2, random: createRandom(1) });
    expect([...data].every((value) => value === 0)).toBe(true);
  });
});

describe('centre', () => {
  it('moves the mean row to zero', () => {
    const data = Float32Array.of(1, 2, 3, 6);
    centre(data, 2, 2);
    expect([...data]).toEqual([-1, -2, 1, 2]);
  });
});
