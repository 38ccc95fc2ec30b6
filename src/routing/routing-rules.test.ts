import { describe, expect, it } from 'vitest';
import { registryOf, rowOf, snapshotOf } from '../../tests/kit/routing-models.ts';
import { ruleOf } from '../../tests/kit/routing-rules.ts';
import { ModelCatalog, plainModel } from '../core/model-catalog.ts';
import type { RoutingConditions, RoutingEffect, RoutingRule } from '../core/routing-rules.ts';
import { createRandom } from '../stats/random.ts';
import { Exploration } from './exploration.ts';
import type { RoutingMessage } from './message.ts';
import { RoutingEngine, type RoutingEngineOptions } from './routing-engine.ts';
import { unknownModelWarnings } from './routing-rules.ts';
import { SnapshotHolder } from './snapshot-holder.ts';

/* Rules of the operator, as the engine follows them. a is best, c is not worse and dearer, b is cheap and a little worse. */

const COSTS = { 'x:a': 0.01, 'x:b': 0.001, 'home:c': 0.02 };
const ROWS = [
  rowOf('x:a', { quality: 0.9, spread: 0.01, costUsd: 0.01 }),
  rowOf('x:b', { quality: 0.86, spread: 0.01, costUsd: 0.001 }),
  rowOf('home:c', { quality: 0.88, spread: 0.01, costUsd: 0.02 }),
];

function engine(routingRules: readonly RoutingRule[], options: RoutingEngineOptions = {}): RoutingEngine {
  const registry = {
    ...registryOf(COSTS),
    catalog: new ModelCatalog(
      Object.keys(COSTS).map((modelId) => plainModel(modelId, { isLocal: modelId.startsWith('home:') })),
    ),
  };
  return new RoutingEngine(registry, {
    snapshots: new SnapshotHolder(snapshotOf(ROWS)),
    exploration: new Exploration(0),
    routingRules,
    ...options,
  });
}

const COFFEE: RoutingMessage = { content: 'When does the coffee shop open?' };
const first = async (router: RoutingEngine, message: RoutingMessage = COFFEE) =>
  (await router.route(message)).modelIds[0];

describe('a routing rule', () => {
  it('names the models that answer, and no others, with certainty', async () => {
    const router = engine([ruleOf({ models: ['b', 'x:a', 'x:gone'] })], { exploration: { share: 1 } });
    expect(await router.route(COFFEE)).toMatchObject({
      cause: 'rule',
      ruleName: 'the rule',
      modelIds: ['x:b', 'x:a'],
      propensity: 1,
      isExploration: false,
    });
  });

  it('leaves the request to the next one where none of its models is there', async () => {
    const rules = [
      ruleOf({ models: ['x:gone'] }),
      ruleOf({ models: ['x:b'] }, {}, { name: 'next', priority: 99 }),
    ];
    expect(await engine(rules).route(COFFEE)).toMatchObject({ ruleName: 'next', modelIds: ['x:b'] });
    expect(unknownModelWarnings(rules, new ModelCatalog([plainModel('x:b')]))).toEqual([
      'Rule "the rule": no provider offers "x:gone" now.',
    ]);
  });

  it('changes the preset that chooses, and says so', async () => {
    const plain = await engine([]).route(COFFEE);
    expect(plain).toMatchObject({ policy: 'auto', modelIds: ['x:a', 'home:c', 'x:b'] });
    const decision = await engine([ruleOf({ policy: 'cheap' })]).route(COFFEE);
    expect(decision).toMatchObject({ cause: 'ranking', policy: 'auto:cheap', ruleName: 'the rule' });
    expect(decision.reason).toMatch(/ Shaped by the rule "the rule" \(cheap\)\.$/);
  });

  it.each<[string, RoutingEffect, string]>([
    ['denied', { deny: ['a'] }, 'home:c'],
    ['not among those allowed', { allow: ['x:b', 'x:gone'] }, 'x:b'],
    ['not local', { localOnly: true }, 'home:c'],
  ])('keeps out a model that is %s, and says so beside it', async (_what, effect, expected) => {
    const decision = await engine([ruleOf(effect)]).route(COFFEE);
    expect(decision).toMatchObject({ cause: 'ranking', ruleName: 'the rule', propensity: 1 });
    expect(decision.modelIds[0]).toBe(expected);
    expect(decision.modelIds).not.toContain('x:a');
    expect(decision.candidates.find(({ modelId }) => modelId === 'x:a')).toMatchObject({
      isCandidate: false,
      reason: 'kept out by the rule "the rule"',
    });
  });

  it('adds up with others: restrictions hold for the models that a later rule names', async () => {
    const rules = [
      ruleOf({ deny: ['x:b'] }, {}, { name: 'no b', priority: 200 }),
      ruleOf({ models: ['x:b', 'home:c'] }),
    ];
    expect(await engine(rules).route(COFFEE)).toMatchObject({ ruleName: 'the rule', modelIds: ['home:c'] });
    const both = [rules[0] as RoutingRule, ruleOf({ allow: ['x:b', 'x:a'] })];
    expect((await engine(both).route(COFFEE)).modelIds).toEqual(['x:a']);
  });

  it('that leaves nobody answers with its name', async () => {
    const router = engine([ruleOf({ allow: ['x:gone'] })]);
    await expect(router.route(COFFEE)).rejects.toMatchObject({
      code: 'no_candidate',
      message: expect.stringContaining('"the rule"'),
    });
    // The needs leave nobody, and no rule is to blame.
    const needs = { needsTools: false, needsImages: false, promptTokens: 10 };
    const small = new RoutingEngine(
      { ...registryOf(COSTS), catalog: new ModelCatalog([plainModel('x:a', { contextTokens: 5 })]) },
      { routingRules: [ruleOf({ allow: ['x:a'] })] },
    );
    await expect(small.route({ ...COFFEE, needs })).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('below the rankings serves only what they have no answer for', async () => {
    const low = ruleOf({ models: ['x:b'] }, {}, { priority: 50 });
    expect(await first(engine([low]))).toBe('x:a');
    const unranked = { snapshots: new SnapshotHolder(snapshotOf([])) };
    expect(await first(engine([low], unranked))).toBe('x:b');
    const barring = ruleOf({ deny: ['home:c'] }, {}, { priority: 50 });
    expect(await first(engine([], unranked))).toBe('home:c');
    expect(await first(engine([barring], unranked))).toBe('x:b');
  });

  it('has no say where the caller names a model, nor where it is off', async () => {
    const denied = ruleOf({ deny: ['x:a'] });
    expect(await engine([denied]).route({ ...COFFEE, model: 'x:a' })).toMatchObject({ cause: 'explicit' });
    const off = { ...denied, isEnabled: false };
    expect(await first(engine([off]))).toBe('x:a');
    expect(engine([off]).rules()).toHaveLength(1);
  });

  it('forbids chance', async () => {
    const options = {
      exploration: new Exploration({ method: 'uniform', share: 1 }),
      random: createRandom(1),
    };
    expect((await engine([], options).route(COFFEE)).propensity).toBeLessThan(1);
    expect(await engine([ruleOf({ explore: false })], options).route(COFFEE)).toMatchObject({
      propensity: 1,
      isExploration: false,
      cause: 'ranking',
      modelIds: ['x:a', 'home:c', 'x:b'],
    });
  });

  it('leaves what chance may take, with propensities of what is left', async () => {
    const options = {
      exploration: new Exploration({ method: 'uniform', share: 1 }),
      random: createRandom(7),
    };
    const router = engine([ruleOf({ deny: ['x:a'] })], options);
    const seen = new Map<string, { count: number; propensity: number }>();
    for (let at = 0; at < 2_000; at++) {
      const { modelIds, propensity } = await router.route(COFFEE);
      const modelId = modelIds[0] ?? '';
      seen.set(modelId, { count: (seen.get(modelId)?.count ?? 0) + 1, propensity });
    }
    expect([...seen.keys()].sort()).toEqual(['home:c', 'x:b']);
    for (const { count, propensity } of seen.values())
      expect(Math.abs(count / 2_000 - propensity)).toBeLessThan(0.05);
  });

  it('takes a session from the model that it keeps out', async () => {
    const router = engine([]);
    const message = { ...COFFEE, sessionId: 's1' };
    expect(await first(router, message)).toBe('x:a');
    router.setRoutingRules([ruleOf({ deny: ['x:a'] })]);
    expect(await first(router, message)).toBe('home:c');
  });
});

describe('a condition', () => {
  it.each<[string, RoutingConditions, Partial<RoutingMessage>, boolean]>([
    ['the use case', { useCase: 'coffee' }, {}, true],
    ['one use case of a list', { useCase: ['tea', 'coffee'] }, {}, true],
    ['another use case', { useCase: ['tea'] }, {}, false],
    ['the preset asked for', { policy: 'cheap' }, { model: 'auto:cheap' }, true],
    ['plain auto', { policy: 'auto' }, { model: 'auto:cheap' }, false],
    [
      'one header of several',
      { header: { name: 'X-App', value: 'crm' } },
      { headers: { 'x-app': ['web', 'crm'] } },
      true,
    ],
    ['a header that is not there', { header: { name: 'X-App' } }, {}, false],
    [
      'a pattern in Russian, in any case',
      { regex: 'кофейн' },
      { content: 'Когда открывается КОФЕЙНЯ?' },
      true,
    ],
    ['a pattern in Chinese', { regex: '退款|退货' }, { content: '我想退款' }, true],
    [
      'the end of a huge prompt',
      { regex: 'refund' },
      { content: `${'pasted '.repeat(300_000)} refund` },
      true,
    ],
    [
      'the middle of a huge prompt',
      { regex: 'refund' },
      { content: `${'x '.repeat(9_000)}refund${' y'.repeat(9_000)}` },
      false,
    ],
    ['two conditions, one of which fails', { regex: 'coffee', tag: 'batch' }, { tags: ['night'] }, false],
  ])('on %s holds or not', async (_what, when, message, holds) => {
    const router = engine([ruleOf({ models: ['x:b'] }, when)]);
    expect(await first(router, { ...COFFEE, ...message })).toBe(holds ? 'x:b' : 'x:a');
    expect(router.rules()[0]?.hitCount).toBe(holds ? 1 : 0);
  });

  it('on tokens needs somebody to have counted them', async () => {
    const router = engine([ruleOf({ models: ['x:b'] }, { promptTokensMin: 100, promptTokensMax: 200 })]);
    const at = (promptTokens: number | null): RoutingMessage => ({
      ...COFFEE,
      needs: { needsTools: false, needsImages: false, promptTokens },
    });
    for (const [tokens, expected] of [
      [99, 'x:a'],
      [100, 'x:b'],
      [200, 'x:b'],
      [201, 'x:a'],
      [null, 'x:a'],
    ] as const) {
      expect(await first(router, at(tokens)), String(tokens)).toBe(expected);
    }
  });
});

describe('the list of rules', () => {
  it('is replaced whole, beside rules of code, in the order in which they are asked', async () => {
    const router = engine([ruleOf({ models: ['x:b'] })]);
    router.addRule(
      'coded',
      97,
      () => false,
      () => null,
    );
    await router.explain(COFFEE);
    expect(router.rules()).toEqual([
      { name: 'the rule', priority: 100, kind: 'declared', hitCount: 0 },
      { name: 'coded', priority: 97, kind: 'code', hitCount: null },
      { name: 'data-driven-routing', priority: 95, kind: 'built-in', hitCount: null },
    ]);
    router.setRoutingRules([
      ruleOf({ explore: false }, {}, { name: 'late', priority: 1 }),
      ruleOf({ explore: false }, {}, { name: 'coded', priority: 96 }),
    ]);
    expect(router.rules().map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'coded code',
      'coded declared',
      'data-driven-routing built-in',
      'late declared',
    ]);
    expect(router.removeRule('coded')).toBe(true);
    expect(router.removeRule('late')).toBe(false);
    expect(() => router.setRoutingRules([ruleOf({ models: ['x:b'] }, { regex: '(a+)+$' })])).toThrow(
      RangeError,
    );
    expect(router.rules()).toHaveLength(3);
  });
});
