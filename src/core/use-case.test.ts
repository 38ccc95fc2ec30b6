import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSlug, toSlug } from './use-case.ts';

describe('toSlug', () => {
  it.each([
    ['Food & Dining', 'food_dining'],
    ['  Quick  lookup! ', 'quick_lookup'],
    ['Übersetzung ins Deutsche', 'übersetzung_ins_deutsche'],
    ['天气', '天气'],
    ['GPT-4o questions', 'gpt_4o_questions'],
    ['!!!', 'use_case'],
    ['', 'use_case'],
  ])('makes of %j %j', (name, slug) => {
    expect(toSlug(name)).toBe(slug);
  });

  it.each(['history', 'Compare', 'refresh', 'diff'])("keeps off %j, a word of the API's paths", (name) => {
    expect(isSlug(name.toLowerCase())).toBe(false);
    expect(toSlug(name)).toBe(`${name.toLowerCase()}_use_case`);
  });

  it('numbers names that are taken', () => {
    expect(toSlug('Code', new Set(['code']))).toBe('code_2');
    expect(toSlug('Code', new Set(['code', 'code_2']))).toBe('code_3');
  });

  it('keeps numbered names as short as others', () => {
    const long = 'a'.repeat(60);
    expect(toSlug(long, new Set([long]))).toBe(`${'a'.repeat(58)}_2`);
  });

  it('always makes a slug, and the same of a slug', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (name) => {
        const slug = toSlug(name);
        expect(isSlug(slug)).toBe(true);
        expect(toSlug(slug)).toBe(slug);
      }),
    );
  });
});

describe('isSlug', () => {
  it.each([
    'Food',
    'food dining',
    'food-dining',
    '_food',
    'food_',
    'food__dining',
    '',
    'a'.repeat(61),
    'all',
  ])('refuses %j', (text) => {
    expect(isSlug(text)).toBe(false);
  });
});
