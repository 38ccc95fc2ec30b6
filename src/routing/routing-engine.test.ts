import { describe, expect, it } from 'vitest';
import { rankedModel } from '../../tests/kit/ranked-model.ts';
import type { CatalogModel, RequiredAbilities } from '../core/model-catalog.ts';
import { ModelCatalog, plainModel } from '../core/model-catalog.ts';
import type { RankedModel, ScorePart, Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { createRandom } from '../stats/random.ts';
import { Exploration } from './exploration.ts';
import { RoutingEngine, type RoutingEngineOptions } from './routing-engine.ts';
import { SnapshotHolder } from './snapshot-holder.ts';

const NEEDS: RequiredAbilities = { needsTools: false, needsImages: false, promptTokens: null };

/** As plain as can be; Ollama's run here. */
const catalogModel = (modelId: string, given: Partial<CatalogModel> = {}): CatalogModel =>
  plainModel(modelId, { isLocal: modelId.startsWith('ollama:'), ...given });

const MODELS = [
  catalogModel('openai:gpt-4o', { hasImages: true, contextTokens: 128_000 }),
  catalogModel('ollama:mistral:7b', { parameterBillions: 7, contextTokens: 8_192 }),
  catalogModel('ollama:llama3:70b', { parameterBillions: 70 }),
  catalogModel('anthropic:claude-haiku'),
  catalogModel('odd:unpriced'),
  catalogModel('openai:embedder', { isChat: false }),
];

const COSTS: Readonly<Record<string, number>> = {
  'openai:gpt-4o': 0.004,
  'ollama:mistral:7b': 0,
  'ollama:llama3:70b': 0,
  'anthropic:claude-haiku': 0.001,
};

const ABLE_COUNT = 4;

function registry(models: readonly CatalogModel[] = MODELS, away: ReadonlySet<string> = new Set()) {
  return {
    catalog: new ModelCatalog(models),
    isPriced: (modelId: string) => modelId in COSTS,
    typicalCostUsd: (modelId: string) => COSTS[modelId] ?? null,
    health: (modelId: string) => !away.has(modelId),
  };
}

function part(value: number, sampleCount = 500): ScorePart {
  return { value, low: value - 0.01, high: value + 0.01, sampleCount, isAssumed: false };
}

function ranked(
  modelId: string,
  success: number,
  cost: number,
  given: Partial<RankedModel> = {},
): RankedModel {
  const parts = { success: part(success), speed: part(0.8), cost: part(cost), quality: part(0.8) };
  return rankedModel(modelId, parts, { hasEnoughEvidence: true, ...given });
}

/** Food is ranked; of all else only the overall ranking knows anything. */
function rankedSnapshot(): Snapshot {
  const food = [
    ranked('openai:gpt-4o', 0.96, 0.3),
    ranked('ollama:mistral:7b', 0.94, 0.99),
    ranked('ollama:llama3:70b', 0.7, 0.99),
  ];
  const overall = [ranked('openai:gpt-4o', 0.97, 0.3), ranked('ollama:mistral:7b', 0.8, 0.99)];
  return {
    ...starterSnapshot(),
    version: '20261123T130000123Z-ab12',
    rankings: new Map([['food_dining', { useCase: 'food_dining', requestCount: 1_500, models: food }]]),
    overall: { useCase: '*', requestCount: 3_000, models: overall },
    classifier: {
      classify: (text) => ({ useCase: text.includes('coffee') ? 'food_dining' : 'other', confidence: 0.9 }),
    },
  };
}

function engine(options: RoutingEngineOptions = {}, of = registry()): RoutingEngine {
  return new RoutingEngine(of, {
    snapshots: new SnapshotHolder(rankedSnapshot()),
    exploration: new Exploration(0),
    ...options,
  });
}

const COFFEE = { content: 'When does the coffee shop open?' };

describe('the data-driven rule', () => {
  it('takes the best candidate of the use case and falls back along the ranking, then the priors', async () => {
    const decision = await engine().route(COFFEE);
    expect(decision).toMatchObject({
      cause: 'ranking',
      ruleName: 'data-driven-routing',
      policy: 'auto',
      useCase: 'food_dining',
      useCaseConfidence: 0.9,
      propensity: 1,
      isExploration: false,
      runId: 'starter',
      snapshotVersion: '20261123T130000123Z-ab12',
    });
    expect(decision.modelIds).toEqual([
      'ollama:mistral:7b',
      'openai:gpt-4o',
      'ollama:llama3:70b',
      'anthropic:claude-haiku',
    ]);
    expect(decision.candidates.find(({ modelId }) => modelId === 'ollama:llama3:70b')?.reason).toMatch(
      /^success 0\.26 below openai:gpt-4o/,
    );
  });

  it('uses the ranking over all use cases where the use case has none', async () => {
    const decision = await engine().route({ content: 'Translate this' });
    expect(decision).toMatchObject({ cause: 'ranking', useCase: 'other' });
    expect(decision.modelIds[0]).toBe('openai:gpt-4o');
    expect(decision.reason).toContain('over all use cases');
  });

  it('applies the presets of the one table', async () => {
    expect((await engine().route({ ...COFFEE, model: 'auto:best' })).modelIds[0]).toBe('openai:gpt-4o');
    expect((await engine().route({ ...COFFEE, policy: 'cheap' })).policy).toBe('auto:cheap');
    await expect(engine().route({ ...COFFEE, model: 'auto:free' })).rejects.toMatchObject({
      code: 'bad_request',
    });
  });

  it('leaves out models that cannot do what the request needs, before it looks for the best', async () => {
    const images = await engine().route({ ...COFFEE, needs: { ...NEEDS, needsImages: true } });
    expect(images.modelIds).toEqual(['openai:gpt-4o']);
    const long = await engine().route({ ...COFFEE, needs: { ...NEEDS, promptTokens: 50_000 } });
    expect(long.modelIds[0]).toBe('openai:gpt-4o');
    expect(long.modelIds).not.toContain('ollama:mistral:7b');
    expect(long.candidates.find(({ modelId }) => modelId === 'ollama:mistral:7b')).toMatchObject({
      isCandidate: false,
      reason: 'lacks an ability that the request needs',
    });
  });

  it('passes over a model whose provider is away, and says so', async () => {
    const decision = await engine({}, registry(MODELS, new Set(['ollama:mistral:7b']))).route(COFFEE);
    expect(decision.modelIds[0]).toBe('openai:gpt-4o');
    expect(decision.reason).toContain('ollama:mistral:7b is away');
  });

  it('follows a new snapshot at once', async () => {
    const holder = new SnapshotHolder(starterSnapshot());
    const router = engine({ snapshots: holder });
    expect((await router.route(COFFEE)).cause).toBe('prior');
    holder.replace(rankedSnapshot());
    expect((await router.route(COFFEE)).cause).toBe('ranking');
  });
});

describe('day zero', () => {
  const empty = { snapshots: new SnapshotHolder(starterSnapshot()) };

  it('takes the order of the priors: local, then cheap, then big', async () => {
    const decision = await engine(empty).route(COFFEE);
    expect(decision).toMatchObject({ cause: 'prior', ruleName: null, snapshotVersion: null });
    expect(decision.modelIds).toEqual([
      'ollama:llama3:70b',
      'ollama:mistral:7b',
      'anthropic:claude-haiku',
      'openai:gpt-4o',
    ]);
    expect(decision.candidates[0]).toMatchObject({ isCandidate: false, reason: 'no requests yet' });
  });

  it('takes the configured default model, by any of its names', async () => {
    const decision = await engine({ ...empty, defaultModel: 'gpt-4o' }).route(COFFEE);
    expect(decision.cause).toBe('default');
    expect(decision.modelIds[0]).toBe('openai:gpt-4o');
  });

  it('never picks a default model without a known price', async () => {
    const decision = await engine({ ...empty, defaultModel: 'odd:unpriced' }).route(COFFEE);
    expect(decision.cause).toBe('prior');
    expect(decision.modelIds).not.toContain('odd:unpriced');
  });

  it('explores too, with its propensity', async () => {
    const exploration = new Exploration({ method: 'uniform', share: 1 });
    const router = engine({ ...empty, exploration, random: createRandom(3) });
    const decisions = await Promise.all(Array.from({ length: 40 }, () => router.route(COFFEE)));
    expect(new Set(decisions.map(({ modelIds }) => modelIds[0])).size).toBe(ABLE_COUNT);
    expect(decisions.every(({ propensity }) => Math.abs(propensity - 1 / ABLE_COUNT) < 1e-12)).toBe(true);
  });

  it('says what is wrong when no model may serve', async () => {
    const unpriced = engine(empty, registry([catalogModel('odd:unpriced')]));
    await expect(unpriced.route(COFFEE)).rejects.toMatchObject({ code: 'no_candidate' });
    await expect(unpriced.route(COFFEE)).rejects.toThrow(/known price/);
    await expect(engine(empty, registry([])).route(COFFEE)).rejects.toThrow(/No provider offers a model/);
  });

  it('needs nothing but a registry', async () => {
    expect((await new RoutingEngine(registry()).route(COFFEE)).modelIds).toHaveLength(ABLE_COUNT);
  });
});

describe('an explicit model', () => {
  it('is respected by name, without fallback, exploration or rule', async () => {
    const router = engine({ exploration: new Exploration(1) });
    router.addRule(
      'everything',
      1_000,
      () => true,
      () => 'ollama:mistral:7b',
    );
    const decision = await router.route({ ...COFFEE, model: 'gpt-4o' });
    expect(decision).toMatchObject({
      cause: 'explicit',
      policy: null,
      propensity: 1,
      isExploration: false,
      modelIds: ['openai:gpt-4o'],
      useCase: 'food_dining',
    });
  });

  it('may be a mention in the last user turn, when it is the name of a model', async () => {
    const messages = [
      { role: 'user', content: '@gpt-4o hello' },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'and now, @claude-haiku: coffee?' },
    ];
    expect((await engine().route({ content: messages })).modelIds).toEqual(['anthropic:claude-haiku']);
    expect((await engine().route({ content: 'ask @mistral:7b.' })).modelIds).toEqual(['ollama:mistral:7b']);
  });

  it('is not made of other @words, mail addresses, or mentions that the caller says are text', async () => {
    for (const content of ['coffee for @anna', 'coffee to me@gpt-4o', 'coffee @param x']) {
      expect((await engine().route({ content })).cause).toBe('ranking');
    }
    const said = { content: '@gpt-4o coffee', routing: { explicit: false } };
    expect((await engine().route(said)).cause).toBe('ranking');
  });

  it('is refused with the known names when nobody has it', async () => {
    await expect(engine().route({ ...COFFEE, model: 'gpt-9' })).rejects.toMatchObject({
      code: 'unknown_model',
    });
    const named = { ...COFFEE, routing: { explicit: true, model: 'gpt-9' } };
    await expect(engine().route(named)).rejects.toMatchObject({ code: 'unknown_model' });
  });
});

describe('rules', () => {
  it('above 95 win over the data-driven rule and have their own fallback only', async () => {
    const router = engine();
    router.addRule(
      'private',
      100,
      async ({ userId }) => userId === 'anna',
      async () => ['llama3:70b', 'ollama:mistral:7b'],
    );
    expect(await router.route({ ...COFFEE, userId: 'anna' })).toMatchObject({
      cause: 'rule',
      ruleName: 'private',
      propensity: 1,
      modelIds: ['ollama:llama3:70b', 'ollama:mistral:7b'],
    });
    expect((await router.route({ ...COFFEE, userId: 'ben' })).cause).toBe('ranking');
  });

  it('below 95 serve what the data-driven rule has no answer for', async () => {
    const router = engine({ snapshots: new SnapshotHolder(starterSnapshot()) });
    router.addRule(
      'low',
      10,
      () => true,
      () => 'openai:gpt-4o',
    );
    expect(await router.route(COFFEE)).toMatchObject({ cause: 'rule', ruleName: 'low' });
    const known = engine();
    known.addRule(
      'low',
      10,
      () => true,
      () => 'openai:gpt-4o',
    );
    expect((await known.route(COFFEE)).cause).toBe('ranking');
  });

  it('pass by null, by an unknown model, or by throwing, which is counted', async () => {
    const router = engine();
    router.addRule(
      'null',
      103,
      () => true,
      () => null,
    );
    router.addRule(
      'unknown',
      102,
      () => true,
      () => ['nobody:knows'],
    );
    router.addRule(
      'broken',
      101,
      () => {
        throw new Error('broken');
      },
      () => 'openai:gpt-4o',
    );
    expect((await router.route(COFFEE)).cause).toBe('ranking');
    expect(router.ruleFailureCount).toBe(1);
  });

  it('see what the original promises them: content, and whether a model was named', async () => {
    const router = engine();
    const seen: unknown[] = [];
    router.addRule(
      'data-driven-routing',
      95,
      (message) => message.routing.explicit === false,
      async (message) => {
        seen.push(message.content, message.useCase);
        return ['ollama:llama3:70b'];
      },
    );
    expect(router.rules()).toMatchObject([{ name: 'data-driven-routing', priority: 95 }]);
    expect((await router.route(COFFEE)).modelIds).toEqual(['ollama:llama3:70b']);
    expect(seen).toEqual([COFFEE.content, 'food_dining']);
  });

  it('can be taken out, the data-driven one too: then the priors decide', async () => {
    const router = engine();
    expect(router.removeRule('data-driven-routing')).toBe(true);
    expect(router.removeRule('data-driven-routing')).toBe(false);
    expect((await router.route(COFFEE)).cause).toBe('prior');
  });

  it('are asked by priority, and in the order of their coming among equals', () => {
    const router = engine();
    for (const [name, priority] of [
      ['b', 95],
      ['a', 100],
      ['c', 95],
    ] as const) {
      router.addRule(
        name,
        priority,
        () => false,
        () => null,
      );
    }
    expect(router.rules().map(({ name }) => name)).toEqual(['a', 'data-driven-routing', 'b', 'c']);
    expect(() =>
      router.addRule(
        'd',
        Number.NaN,
        () => true,
        () => null,
      ),
    ).toThrow(RangeError);
  });
});

describe('exploration', () => {
  it('keeps the rest of the order as fallback', async () => {
    const exploration = new Exploration({ method: 'uniform', share: 1 });
    const router = engine({ exploration, random: { next: () => 0.99 } });
    const { modelIds } = await router.route(COFFEE);
    expect(modelIds).toEqual([
      'anthropic:claude-haiku',
      'ollama:mistral:7b',
      'openai:gpt-4o',
      'ollama:llama3:70b',
    ]);
  });

  it('can be changed while requests run, within 0..1', async () => {
    const exploration = new Exploration(1);
    const router = engine({ exploration, random: { next: () => 0.99 } });
    expect((await router.route(COFFEE)).isExploration).toBe(true);
    exploration.change({ share: 0 });
    expect((await router.route(COFFEE)).propensity).toBe(1);
    expect(() => exploration.change({ share: 1.5 })).toThrow(RangeError);
  });
});

describe('explain', () => {
  it('shows the choice, its grounds and the exploration share, and draws nothing', async () => {
    let drawCount = 0;
    const router = engine({
      exploration: new Exploration({ method: 'uniform', share: 0.2 }),
      random: { next: () => ++drawCount && 0 },
    });
    const explanation = await router.explain(COFFEE);
    expect(drawCount).toBe(0);
    expect(explanation).toMatchObject({ cause: 'ranking', rankedBy: 'food_dining' });
    expect(explanation.explorationShare).toBeCloseTo((0.2 * (ABLE_COUNT - 1)) / ABLE_COUNT, 12);
    expect(explanation.propensity).toBeCloseTo(0.8 + 0.2 / ABLE_COUNT, 12);
    expect(explanation.rankedModels.map(({ modelId }) => modelId)).toEqual([
      'ollama:mistral:7b',
      'ollama:llama3:70b',
      'openai:gpt-4o',
    ]);
  });

  it('has nothing to show of rankings for an explicit model', async () => {
    const explanation = await engine().explain({ ...COFFEE, model: 'gpt-4o' });
    expect(explanation).toMatchObject({
      cause: 'explicit',
      rankedBy: null,
      rankedModels: [],
      explorationShare: 0,
    });
  });
});
