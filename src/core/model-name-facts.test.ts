import { describe, expect, it } from 'vitest';
import { billionsOfText, familyOfName } from './model-name-facts.ts';

describe('familyOfName', () => {
  it.each([
    ['mistral:7b', 'mistral'],
    ['mixtral-8x7b', 'mistral'],
    ['meta-llama/llama-3.3-70b-instruct', 'llama'],
    ['Meta-Llama-3-8B-Instruct', 'llama'],
    ['gpt-oss:20b', 'gpt-oss'],
    ['gpt-4o-mini', 'gpt'],
    ['gpt4_1106_preview', 'gpt'],
    ['o1-mini', 'gpt'],
    ['gptq-experiment', null],
    ['my-finetune', null],
    ['', null],
  ])('reads %s', (name, family) => {
    expect(familyOfName(name)).toBe(family);
  });
});

describe('billionsOfText', () => {
  it('takes sizes as providers write them', () => {
    expect([
      billionsOfText('8.0B'),
      billionsOfText('999.89M'),
      billionsOfText('mixtral-8x7b'),
      billionsOfText('gpt-4o'),
      billionsOfText(''),
    ]).toEqual([8, 0.99989, 56, null, null]);
  });
});
