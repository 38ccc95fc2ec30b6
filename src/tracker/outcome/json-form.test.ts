import { describe, expect, it } from 'vitest';
import { breachOfSchema, tryParseJson } from './json-form.ts';

describe('breachOfSchema', () => {
  it.each<[string, unknown, unknown, string | null]>([
    ['no schema', 1, null, null],
    ['true and false', 1, false, ''],
    ['a type', 'x', { type: 'number' }, ''],
    ['one of several types', null, { type: ['string', 'null'] }, null],
    ['an integer that is a fraction', 1.5, { type: 'integer' }, ''],
    ['an integer', 2, { type: 'integer' }, null],
    ['a list for an object', [], { type: 'object' }, ''],
    ['a value that is not listed', 'c', { enum: ['a', 'b'] }, ''],
    ['a listed object', { a: 1 }, { enum: [{ a: 1 }] }, null],
    ['a constant', 2, { const: 1 }, ''],
    ['a missing property', {}, { required: ['a'] }, '/a'],
    ['a required name that objects inherit', {}, { required: ['toString'] }, '/toString'],
    [
      'a deep property',
      { a: { b: 'x' } },
      { properties: { a: { properties: { b: { type: 'number' } } } } },
      '/a/b',
    ],
    ['an unknown property', { x: 1 }, { additionalProperties: false }, ''],
    [
      'an unknown property under a pattern',
      { x: 1 },
      { additionalProperties: false, patternProperties: {} },
      null,
    ],
    ['an item', [1, 'x'], { items: { type: 'number' } }, '/1'],
    ['a tuple', [1, 'x'], { prefixItems: [{ type: 'string' }] }, '/0'],
    ['none of several', 1, { anyOf: [{ type: 'string' }, { type: 'null' }] }, ''],
    ['one of several', null, { anyOf: [{ type: 'string' }, { type: 'null' }] }, null],
    ['all of several', 1, { allOf: [{ type: 'number' }, { minimum: 2 }] }, ''],
    ['a range', 5, { minimum: 1, maximum: 4 }, ''],
    ['too few items', [], { minItems: 1 }, ''],
    [
      'a reference',
      { a: 1 },
      { properties: { a: { $ref: '#/$defs/t' } }, $defs: { t: { type: 'string' } } },
      '/a',
    ],
    ['a reference to nothing', 1, { $ref: '#/$defs/none' }, null],
    ['a reference elsewhere', 1, { $ref: 'https://example.org/x' }, null],
    ['a word that is passed over', 'x', { pattern: '^(a+)+$', format: 'date' }, null],
  ])('judges %s', (_what, document, schema, breach) => {
    expect(breachOfSchema(document, schema)).toBe(breach);
  });

  it('follows a schema that contains itself, to its breach', () => {
    const tree = { type: 'object', properties: { children: { type: 'array', items: { $ref: '#' } } } };
    expect(breachOfSchema({ children: [{ children: [] }, { children: [3] }] }, tree)).toBe(
      '/children/1/children/0',
    );
  });

  it('gives up on a schema that turns in a circle, and on one that is too much', () => {
    expect(breachOfSchema(1, { $ref: '#' })).toBeNull();
    const doubling = { anyOf: [{ $ref: '#' }, { $ref: '#' }] };
    expect(breachOfSchema(1, doubling)).toBeNull();
    const long = Array.from({ length: 50_000 }, (_, at) => (at === 49_999 ? 'x' : 1));
    expect(breachOfSchema(long, { items: { type: 'number' } })).toBeNull();
  });
});

describe('tryParseJson', () => {
  it('tells null from nothing', () => {
    expect(tryParseJson('null')).toBeNull();
    expect(tryParseJson('nul')).toBeUndefined();
  });
});
