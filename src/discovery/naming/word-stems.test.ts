import { describe, expect, it } from 'vitest';
import { WordStems } from './word-stems.ts';

describe('WordStems', () => {
  it('gives forms of one word one stem and leaves other scripts and codes alone', () => {
    const stems = new WordStems();
    expect(stems.ofTerm('closest stations')).toBe(stems.ofTerm('closest station'));
    expect(stems.of('transferring')).toBe(stems.of('transfers'));
    expect(stems.of('401k')).toBe('401k');
    expect(stems.of('日本語')).toBe('日本語');
  });
});
