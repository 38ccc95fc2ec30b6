import { describe, expect, it } from 'vitest';
import { classTfIdf } from './tf-idf.ts';

describe('classTfIdf', () => {
  it('puts the words of one class before the words of all', () => {
    const [food, code] = classTfIdf([
      new Map([
        ['make', 10],
        ['pizza', 6],
      ]),
      new Map([
        ['make', 10],
        ['python', 5],
      ]),
    ]);
    expect(food?.[0]?.term).toBe('pizza');
    expect(code?.[0]?.term).toBe('python');
  });

  it('gives every class its list, also an empty one', () => {
    expect(classTfIdf([new Map(), new Map([['a', 1]])]).map((terms) => terms.length)).toEqual([0, 1]);
    expect(classTfIdf([])).toEqual([]);
  });
});
