import { describe, expect, it } from 'vitest';
import { computeThemes } from './themes.ts';

const member = (
  slug: string,
  keywords: readonly string[],
  centroid: readonly number[],
  sampleCount = 10,
) => ({
  slug,
  name: slug.toUpperCase(),
  keywords,
  centroid: Float32Array.from(centroid),
  sampleCount,
});

describe('computeThemes', () => {
  const members = [
    member('python', ['python function', 'loop'], [1, 0.1, 0]),
    member('sql', ['sql query', 'function'], [1, -0.1, 0.05], 30),
    member('lasagna', ['recipe', 'oven'], [0, 1, 0.1]),
    member('sushi', ['fish', 'rice'], [0.05, 1, 0], 20),
  ];

  it('groups use cases whose centres lie together', () => {
    const themes = computeThemes(members);
    expect(themes.get('python')).toBe(themes.get('sql'));
    expect(themes.get('lasagna')).toBe(themes.get('sushi'));
    expect(new Set(themes.values()).size).toBe(2);
  });

  it('names a theme by a term its use cases share, else by its largest ones', () => {
    const themes = computeThemes(members);
    expect(themes.get('python')).toBe('Function');
    expect(themes.get('lasagna')).toBe('SUSHI, LASAGNA');
  });

  it('makes none of a handful, and leaves out what has no centre', () => {
    expect(computeThemes(members.slice(0, 3)).size).toBe(0);
    expect(computeThemes([...members, member('other', [], [0, 0, 0])]).has('other')).toBe(false);
  });

  it('keeps apart what is not alike', () => {
    const axes = [0, 1, 2, 3, 4].map((at) =>
      member(
        `case${at}`,
        [],
        Array.from({ length: 5 }, (_, n) => (n === at ? 1 : 0)),
      ),
    );
    expect(new Set(computeThemes(axes).values()).size).toBe(5);
  });
});
