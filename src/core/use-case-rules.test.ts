import { describe, expect, it } from 'vitest';
import type { RequestConditions } from './request-conditions.ts';
import { faultsOfRule, UseCaseRules } from './use-case-rules.ts';

const ruleOf = (when: RequestConditions, useCase = 'refunds') => ({ name: 'the rule', useCase, when });
const matches = (when: RequestConditions, subject: object): boolean =>
  new UseCaseRules([ruleOf(when)]).match({ prompt: '', ...subject }) !== null;

describe('UseCaseRules', () => {
  it('gives the use case of the first rule that holds, with certainty', () => {
    const rules = new UseCaseRules([
      { name: 'money', useCase: 'refunds', when: { regex: 'refund|chargeback' } },
      { name: 'support room', useCase: 'support', when: { roomId: 'support' } },
    ]);
    expect(rules.match({ prompt: 'I want a Refund', roomId: 'support' })).toEqual({
      useCase: 'refunds',
      confidence: 1,
      ruleName: 'money',
    });
    expect(rules.match({ prompt: 'hello', roomId: 'support' })?.useCase).toBe('support');
    expect(rules.match({ prompt: 'hello', roomId: 'sales' })).toBeNull();
    expect(new UseCaseRules().match({ prompt: 'hello' })).toBeNull();
  });

  it.each<[string, RequestConditions, object, boolean]>([
    ['a key', { keyId: 'k1' }, { keyId: 'k1' }, true],
    ['another key', { keyId: 'k1' }, { keyId: null }, false],
    ['a user', { userId: 'ann' }, { userId: 'ann' }, true],
    ['a tag among others', { tag: 'batch' }, { tags: ['night', 'batch'] }, true],
    ['no tags', { tag: 'batch' }, {}, false],
    [
      'a header by its value',
      { header: { name: 'X-App', value: 'crm' } },
      { headers: { 'x-app': 'crm' } },
      true,
    ],
    ['another value', { header: { name: 'X-App', value: 'crm' } }, { headers: { 'x-app': 'shop' } }, false],
    ['a header that is there', { header: { name: 'x-app' } }, { headers: { 'x-app': ['a', 'b'] } }, true],
    ['no header', { header: { name: 'x-app' } }, {}, false],
    ['all patterns of a list', { regex: ['cancel', 'order'] }, { prompt: 'order to cancel' }, true],
    ['one pattern of a list', { regex: ['cancel', 'order'] }, { prompt: 'cancel it' }, false],
    ['all conditions', { regex: 'a', roomId: 'r' }, { prompt: 'a', roomId: 'r' }, true],
    ['one of two conditions', { regex: 'a', roomId: 'r' }, { prompt: 'a' }, false],
  ])('looks at %s', (_what, when, subject, isMatch) => {
    expect(matches(when, subject)).toBe(isMatch);
  });

  it('reads head and tail of a pasted prompt', () => {
    const pasted = 'x '.repeat(50_000);
    expect(matches({ regex: 'refund' }, { prompt: `${pasted}refund` })).toBe(true);
    expect(matches({ regex: 'refund' }, { prompt: `refund ${pasted}` })).toBe(true);
    expect(matches({ regex: 'refund' }, { prompt: `${pasted}refund ${pasted}` })).toBe(false);
  });
});

describe('faultsOfRule', () => {
  it('says what is wrong, and refuses to be compiled', () => {
    expect(faultsOfRule(ruleOf({ regex: 'a' }))).toEqual([]);
    expect(faultsOfRule(ruleOf({}, 'Not A Slug'))).toEqual([
      expect.stringContaining('must be a slug'),
      expect.stringContaining('at least one condition'),
    ]);
    expect(faultsOfRule(ruleOf({ regex: ['ok', '(a+)+'] }))).toEqual([
      expect.stringContaining('exponential time'),
    ]);
    expect(() => new UseCaseRules([ruleOf({ regex: '(a+)+' })])).toThrow(/the rule.*exponential/);
  });
});
