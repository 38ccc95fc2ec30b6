import { describe, expect, it } from 'vitest';
import { faultsOfRoutingRule, faultsOfRoutingRules, type RoutingRule } from './routing-rules.ts';

const faults = (given: Partial<RoutingRule>): string[] =>
  faultsOfRoutingRule({ name: 'r', priority: 100, when: {}, do: { localOnly: true }, ...given });

describe('a routing rule', () => {
  it('may hold for every request, and forbid chance alone', () => {
    expect(faults({})).toEqual([]);
    expect(faults({ do: { explore: false } })).toEqual([]);
    expect(faults({ do: { policy: 'cheap', explore: false }, when: { policy: 'auto' } })).toEqual([]);
  });

  it.each<[string, Partial<RoutingRule>, string]>([
    ['does nothing', { do: {} }, 'do must hold one of models, policy'],
    [
      'does two things',
      { do: { policy: 'auto:cheap', deny: ['p:a'] } },
      'do holds one thing, not policy and deny',
    ],
    ['asks for an unknown preset', { do: { policy: 'auto:nice' } }, 'do.policy: "auto:nice" is not a policy'],
    [
      'looks for an unknown preset',
      { when: { policy: 'nice' } },
      'when.policy: "auto:nice"'.replace('auto:', ''),
    ],
    ['has a catastrophic pattern', { when: { regex: '(a+)+$' } }, 'regex "(a+)+$"'],
    ['has a pattern that is none', { when: { regex: ['refund', '('] } }, 'regex "("'],
    [
      'has an empty range',
      { when: { promptTokensMin: 9, promptTokensMax: 8 } },
      'promptTokensMin lies above',
    ],
    ['takes the name of the rankings', { name: 'data-driven-routing' }, 'is the name of the rule that ships'],
  ])('is refused with a sentence where it %s', (_what, given, sentence) => {
    expect(faults(given).join('\n')).toContain(sentence);
  });

  it('has a name of its own', () => {
    expect(faultsOfRoutingRules([{ name: 'a' }, { name: 'b' }, { name: 'a' }, { name: 'a' }])).toEqual([
      'two rules are named "a"; counts and decisions name them',
    ]);
  });
});
