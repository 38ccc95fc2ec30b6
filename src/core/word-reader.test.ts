import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOf, WordReader } from './word-reader.ts';

const WORD = /[\p{L}\p{N}]+(?:\+\+|#|&\p{L})?/gu;
const signs = fc.constantFrom('a', 'b', 'z', '7', '+', '++', '#', '&', ' ', "'", '.', '\n', 'c++', 'r&d');

describe('WordReader', () => {
  it('finds the words that a pattern finds, in ASCII by its quick way', () => {
    const reader = new WordReader(400);
    fc.assert(
      fc.property(fc.array(signs, { maxLength: 60 }), fc.boolean(), (parts, isAscii) => {
        const text = parts.join('');
        const words = text.match(WORD) ?? [];
        expect(reader.read(text, isAscii)).toBe(words.length);
        expect([...reader.hashes.subarray(0, reader.count)]).toEqual(words.map(hashOf));
        expect(reader.hasAt(0, { words, hashes: words.map(hashOf) })).toBe(true);
        expect(reader.hasAt(1, { words, hashes: words.map(hashOf) })).toBe(false);
      }),
    );
  });

  it('tells words of one hash apart', () => {
    // 31 * "a" + "B" = 31 * "b" + "#".
    expect(hashOf('aB')).toBe(hashOf('b#'));
    const reader = new WordReader(10);
    reader.read('aB', true);
    expect(reader.hasAt(0, { words: ['b#'], hashes: [hashOf('b#')] })).toBe(false);
  });

  it('reads other scripts, and no more words than it was made for', () => {
    const reader = new WordReader(2);
    expect(reader.read('über den Wolken', false)).toBe(2);
    expect(reader.hasAt(0, { words: ['über', 'den'], hashes: ['über', 'den'].map(hashOf) })).toBe(true);
    expect(reader.read('one two three', true)).toBe(2);
  });
});
