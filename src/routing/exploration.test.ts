import { describe, expect, it } from 'vitest';
import { registryOf, rowOf, snapshotOf } from '../../tests/kit/routing-models.ts';
import type { Decision } from '../core/decision.ts';
import type { RankedModel } from '../core/snapshot.ts';
import { createRandom } from '../stats/random.ts';
import type { ExplorationMethod } from './chances.ts';
import { Exploration } from './exploration.ts';
import type { RoutingMessage } from './message.ts';
import { RoutingEngine, type RoutingEngineOptions } from './routing-engine.ts';
import { SnapshotHolder } from './snapshot-holder.ts';

const SEED = 20261123;
const ROUNDS = 8_000;
const NOON_MS = Date.UTC(2026, 10, 23, 12);
const DAY_MS = 86_400_000;
const COFFEE: RoutingMessage = { content: 'When does the coffee shop open?' };

/** `best` leads, `close` may be better, `dear` as well and costs more, `bad` fails often, `new` nobody has tried. */
const COSTS = { 'x:best': 0, 'x:close': 0, 'x:dear': 0.01, 'x:bad': 0, 'x:new': 0, 'x:unpriced': null };
const ROWS: readonly RankedModel[] = [
  rowOf('x:best', { quality: 0.82, spread: 0.2 }),
  rowOf('x:close', { quality: 0.8, spread: 0.2 }),
  rowOf('x:dear', { quality: 0.8, spread: 0.2, costUsd: 0.01 }),
  rowOf('x:bad', { quality: 0.8, spread: 0.04, success: 0.4 }),
];

function engine(
  exploration: Exploration,
  {
    away,
    rows = ROWS,
    ...options
  }: RoutingEngineOptions & { away?: ReadonlySet<string>; rows?: readonly RankedModel[] } = {},
): RoutingEngine {
  return new RoutingEngine(registryOf(COSTS, away), {
    snapshots: new SnapshotHolder(snapshotOf(rows)),
    exploration,
    random: createRandom(SEED),
    clock: () => NOON_MS,
    ...options,
  });
}

/** Routes again and again; what is logged must be the frequency, in each state that the budget was in. */
async function frequencies(
  router: RoutingEngine,
  {
    message = () => COFFEE,
    rounds = ROUNDS,
  }: { message?: (round: number) => RoutingMessage; rounds?: number } = {},
): Promise<ReadonlyMap<string, { count: number; propensity: number }>> {
  const seen = new Map<string, { count: number; propensity: number }>();
  for (let round = 0; round < rounds; round++) {
    const { modelIds, propensity } = await router.route(message(round));
    const modelId = modelIds[0] ?? '';
    const known = seen.get(modelId);
    if (known !== undefined) expect(propensity).toBe(known.propensity);
    seen.set(modelId, { count: (known?.count ?? 0) + 1, propensity });
  }
  for (const [modelId, { count, propensity }] of seen) {
    const deviation = Math.sqrt((propensity * (1 - propensity)) / rounds);
    expect(Math.abs(count / rounds - propensity), `${modelId}, seed ${SEED}`).toBeLessThanOrEqual(
      4 * deviation,
    );
  }
  const total = [...seen.values()].reduce((sum, { propensity }) => sum + propensity, 0);
  expect(total).toBeCloseTo(1, 9);
  return seen;
}

const METHODS: readonly ExplorationMethod[] = ['thompson', 'best-arm', 'uniform'];

describe('propensities are the frequencies', () => {
  it.each(METHODS)('with %s, at any share', async (method) => {
    for (const share of [0.1, 0.6]) {
      const seen = await frequencies(engine(new Exploration({ method, share, budgetUsdPerDay: null })));
      expect(seen.has('x:unpriced')).toBe(false);
      expect(seen.has('x:bad')).toBe(method === 'uniform');
      expect([...seen.keys()]).toEqual(expect.arrayContaining(['x:best', 'x:close', 'x:dear', 'x:new']));
    }
  });

  it.each(METHODS)('with %s and an exhausted budget: only what costs no more is explored', async (method) => {
    const seen = await frequencies(engine(new Exploration({ method, share: 0.3, budgetUsdPerDay: 0 })));
    expect(seen.has('x:dear')).toBe(false);
    expect(seen.has('x:close')).toBe(true);
  });

  it.each(METHODS)('with %s and a provider that is away', async (method) => {
    const away = new Set(['x:best']);
    const seen = await frequencies(
      engine(new Exploration({ method, share: 0.3, budgetUsdPerDay: null }), { away }),
    );
    expect(seen.has('x:best')).toBe(false);
    expect(seen.get('x:close')?.propensity).toBeGreaterThan(0.5);
  });

  it.each(METHODS)('with %s on the first request of each session, and 1 after it', async (method) => {
    const router = engine(new Exploration({ method, share: 0.3, budgetUsdPerDay: null }));
    const first = await frequencies(router, { message: (round) => ({ ...COFFEE, sessionId: `s${round}` }) });
    expect(first.size).toBeGreaterThan(2);
    for (let round = 0; round < 200; round++) {
      const later = await router.route({ ...COFFEE, sessionId: `s${ROUNDS - 1 - round}` });
      expect([later.propensity, later.isExploration]).toEqual([1, false]);
    }
  });

  it('state by state, while the budget runs out', async () => {
    const exploration = new Exploration({ share: 0.5, budgetUsdPerDay: 0.3 });
    const router = engine(exploration);
    const states = new Map<number, Map<string, number>>();
    for (let round = 0; round < ROUNDS; round++) {
      const isOpen = exploration.spending(NOON_MS).spentUsd <= 0.29;
      const { modelIds, propensity } = await router.route(COFFEE);
      const own = states.get(isOpen ? 1 : 0) ?? new Map<string, number>();
      states.set(isOpen ? 1 : 0, own.set(modelIds[0] ?? '', propensity));
    }
    expect(states.get(1)?.has('x:dear')).toBe(true);
    expect(states.get(0)?.has('x:dear')).toBe(false);
    for (const own of states.values()) {
      expect([...own.values()].reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9);
    }
    expect(exploration.spending(NOON_MS).spentUsd).toBeLessThanOrEqual(0.3 + 1e-9);
  });

  it('on day zero', async () => {
    await frequencies(engine(new Exploration({ share: 0.4, budgetUsdPerDay: null }), { rows: [] }));
  });
});

describe('what is explored', () => {
  const of = async (router: RoutingEngine, message = COFFEE): Promise<Decision> => router.route(message);

  it('is nothing where the request, a rule or the settings forbid it', async () => {
    const never = { next: () => 0.999999 };
    const always = new Exploration({ share: 1, budgetUsdPerDay: null });
    expect((await of(engine(always, { random: never }))).isExploration).toBe(true);
    const asked = await of(engine(always, { random: never }), { ...COFFEE, explore: false });
    expect([asked.propensity, asked.isExploration, asked.cause]).toEqual([1, false, 'ranking']);
    const ruled = engine(always, { random: never });
    ruled.addRule(
      'careful',
      100,
      ({ userId }) => userId === 'anna',
      () => null,
      { explore: false },
    );
    expect((await of(ruled, { ...COFFEE, userId: 'anna' })).propensity).toBe(1);
    expect((await of(ruled, { ...COFFEE, userId: 'ben' })).isExploration).toBe(true);
    const excluded = new Exploration({ share: 1, excludedUseCases: ['coffee'] });
    expect((await of(engine(excluded, { random: never }))).propensity).toBe(1);
  });

  it('says why, how often, and what would have been chosen next', async () => {
    const router = engine(new Exploration({ share: 1, budgetUsdPerDay: null }), {
      random: { next: () => 0.999999 },
    });
    const decision = await of(router);
    expect(decision.cause).toBe('exploration');
    expect(decision.modelIds[1]).toBe('x:best');
    expect(decision.reason).toMatch(/^Exploration \(.+\): x:\w+ takes \d+\.\d % of such requests\.$/);
  });

  it('asks a model that a warning withholds now and then only', async () => {
    const warning = {
      kind: 'constant_answer',
      message: 'one answer for 40 prompts',
      value: 1,
      interval: null,
      sampleCount: 40,
      isWithholding: true,
    } as const;
    const rows = [
      ...ROWS,
      rowOf('x:new', { quality: 0.9, spread: 0.2, requestCount: 5, warnings: [warning] }),
    ];
    const router = engine(new Exploration({ share: 1, budgetUsdPerDay: null }), { rows });
    const [coffee] = [...router.explorations()];
    const row = coffee?.table?.rows.find(({ modelId }) => modelId === 'x:new');
    expect(row?.probability).toBeCloseTo(0.05, 9);
    expect(row?.reason).toContain('withheld');
  });

  it('ends by best-arm when the ranking has established the first place', async () => {
    const rows = [
      rowOf('x:best', { quality: 0.82, spread: 0.2, rankWorst: 1 }),
      rowOf('x:close', { quality: 0.8, spread: 0.2 }),
    ];
    const registry = registryOf({ 'x:best': 0, 'x:close': 0 });
    const router = new RoutingEngine(registry, {
      snapshots: new SnapshotHolder(snapshotOf(rows)),
      exploration: new Exploration({ method: 'best-arm', share: 1 }),
    });
    expect((await of(router)).propensity).toBe(1);
    expect([...router.explorations()][0]?.table?.chances.settledBecause).toContain('established');
  });

  it('takes a new model in on the day that it appears, and lets go of it when its trial is over', () => {
    const shareOf = (requestCount: number): number => {
      const rows = [
        rowOf('x:best', { quality: 0.9, spread: 0.01 }),
        ...(requestCount > 0 ? [rowOf('x:new', { quality: 0.6, spread: 0.03, requestCount })] : []),
      ];
      const router = new RoutingEngine(registryOf({ 'x:best': 0, 'x:new': 0 }), {
        snapshots: new SnapshotHolder(snapshotOf(rows)),
        exploration: new Exploration(0.1),
      });
      return (
        [...router.explorations()][0]?.table?.rows.find(({ modelId }) => modelId === 'x:new')?.probability ??
        0
      );
    };
    expect(shareOf(0)).toBeGreaterThanOrEqual(0.05);
    expect(shareOf(10)).toBeCloseTo(0, 9);
    expect(shareOf(20)).toBe(0);
  });
});

describe('the budget', () => {
  const dear = { modelId: 'x:dear', costUsd: 0.03 };

  async function untilDear(router: RoutingEngine): Promise<Decision> {
    for (;;) {
      const decision = await router.route(COFFEE);
      if (decision.modelIds[0] === 'x:dear') return decision;
    }
  }

  it('is charged with what is expected, then with what it cost beyond the model not taken', async () => {
    const exploration = new Exploration({ share: 0.5, budgetUsdPerDay: 10 });
    const rows = [rowOf('x:best', { quality: 0.82, spread: 0.2, costUsd: 0.004 }), ...ROWS.slice(1)];
    const router = engine(exploration, { rows });
    const decision = await untilDear(router);
    expect(exploration.spending(NOON_MS).spentUsd).toBeCloseTo(0.006, 12);
    // Three times as long as usual, for the model not taken too: 0.03 (1 - 0.004 / 0.01).
    exploration.settle(decision, dear);
    expect(exploration.spending(NOON_MS).spentUsd).toBeCloseTo(0.018, 12);
    exploration.settle(decision, dear);
    expect(exploration.spending(NOON_MS).spentUsd).toBeCloseTo(0.018, 12);
  });

  it('keeps what was expected where the cost is unknown or a fallback answered', async () => {
    for (const ended of [
      { modelId: 'x:dear', costUsd: null },
      { modelId: 'x:best', costUsd: 0 },
    ]) {
      const exploration = new Exploration({ share: 0.5, budgetUsdPerDay: 10 });
      exploration.settle(await untilDear(engine(exploration)), ended);
      expect(exploration.spending(NOON_MS).spentUsd).toBeCloseTo(0.01, 12);
    }
  });

  it('begins anew at midnight UTC, and ignores what of the day before ends then', async () => {
    const exploration = new Exploration({ share: 0.5, budgetUsdPerDay: 0.01 });
    const clock = { nowMs: NOON_MS };
    const router = engine(exploration, { clock: () => clock.nowMs });
    const decision = await untilDear(router);
    expect((await frequencies(router, { rounds: 2_000 })).has('x:dear')).toBe(false);
    clock.nowMs = NOON_MS + DAY_MS / 2 - 1;
    expect(exploration.spending(clock.nowMs).spentUsd).toBeGreaterThan(0);
    clock.nowMs++;
    expect(exploration.spending(clock.nowMs)).toEqual({ decisionCount: 0, exploredCount: 0, spentUsd: 0 });
    exploration.settle(decision, dear);
    expect(exploration.spending(clock.nowMs).spentUsd).toBe(0);
    expect((await untilDear(router)).isExploration).toBe(true);
  });

  it('counts what the log says of other gateways and of before the start', async () => {
    const exploration = new Exploration({ share: 0.5, budgetUsdPerDay: 1 });
    exploration.learnSpent({ exploredCount: 70, spentUsd: 0.999 }, NOON_MS);
    expect(exploration.spending(NOON_MS)).toMatchObject({ exploredCount: 70, spentUsd: 0.999 });
    expect((await frequencies(engine(exploration), { rounds: 2_000 })).has('x:dear')).toBe(false);
  });

  it('counts decisions and explored ones per use case', async () => {
    const exploration = new Exploration({ share: 0.5, budgetUsdPerDay: 0 });
    const router = engine(exploration);
    let exploredCount = 0;
    for (let round = 0; round < 50; round++)
      exploredCount += Number((await router.route(COFFEE)).isExploration);
    expect(exploration.spendingIn('coffee', NOON_MS)).toEqual({
      decisionCount: 50,
      exploredCount,
      spentUsd: 0,
    });
    expect(exploration.spendingIn('tea', NOON_MS).decisionCount).toBe(0);
  });
});

describe('shadows', () => {
  async function untilShadow(router: RoutingEngine, modelId: string): Promise<Decision> {
    for (;;) {
      const decision = await router.route(COFFEE);
      if (decision.shadowModelId === modelId) return decision;
    }
  }

  it('leave every caller with the best, as often as another would have been drawn in its place', async () => {
    const router = engine(new Exploration({ share: 0.4, budgetUsdPerDay: null, shadow: true }));
    const [{ table } = { table: null }] = [...router.explorations()];
    const counts = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const decision = await router.route(COFFEE);
      expect(decision).toMatchObject({ cause: 'ranking', propensity: 1, isExploration: false });
      expect(decision.modelIds[0]).toBe('x:best');
      const { shadowModelId } = decision;
      if (shadowModelId !== null) counts.set(shadowModelId, (counts.get(shadowModelId) ?? 0) + 1);
    }
    expect(counts.has('x:new')).toBe(true);
    for (const { modelId, probability } of table?.rows.slice(1) ?? []) {
      const deviation = Math.sqrt((probability * (1 - probability)) / ROUNDS);
      const off = Math.abs((counts.get(modelId) ?? 0) / ROUNDS - probability);
      expect(off, `${modelId}, seed ${SEED}`).toBeLessThanOrEqual(4 * deviation);
    }
    expect((await router.explain(COFFEE)).explorationShare).toBe(0);
  });

  it('are charged with all that they cost, when they and not their requests have ended', async () => {
    const exploration = new Exploration({ share: 0.5, budgetUsdPerDay: 10, shadow: true });
    const rows = [rowOf('x:best', { quality: 0.82, spread: 0.2, costUsd: 0.004 }), ...ROWS.slice(1)];
    const router = engine(exploration, { rows });
    const spentUsd = (): number => exploration.spending(NOON_MS).spentUsd;
    let beforeUsd = 0;
    const untilDear = async (): Promise<Decision> => {
      for (;;) {
        beforeUsd = spentUsd();
        const decision = await router.route(COFFEE);
        if (decision.shadowModelId === 'x:dear') return decision;
      }
    };
    const decision = await untilDear();
    expect(spentUsd() - beforeUsd).toBeCloseTo(0.01, 12);
    exploration.settle(decision, { modelId: 'x:best', costUsd: 0.004, source: 'gateway' });
    expect(spentUsd() - beforeUsd).toBeCloseTo(0.01, 12);
    exploration.settle(decision, { modelId: 'x:dear', costUsd: 0.03, source: 'shadow' });
    expect(spentUsd() - beforeUsd).toBeCloseTo(0.03, 12);
    const dropped = await untilDear();
    exploration.release(dropped);
    expect(spentUsd() - beforeUsd).toBeCloseTo(0, 12);
  });

  it('end with the budget, but for models that cost nothing', async () => {
    const exploration = new Exploration({ share: 0.5, budgetUsdPerDay: 0.02, shadow: true });
    const router = engine(exploration);
    await untilShadow(router, 'x:dear');
    await untilShadow(router, 'x:dear');
    for (let round = 0; round < 2_000; round++)
      expect((await router.route(COFFEE)).shadowModelId).not.toBe('x:dear');
    expect(exploration.spending(NOON_MS).spentUsd).toBeCloseTo(0.02, 12);
  });

  it('are none where the request, its session or a rule forbids exploration', async () => {
    const exploration = new Exploration({ share: 1, method: 'uniform', shadow: true, budgetUsdPerDay: null });
    const router = engine(exploration);
    const shadowOf = async (message: object): Promise<string | null> =>
      (await router.route({ ...COFFEE, ...message })).shadowModelId;
    await router.route({ ...COFFEE, sessionId: 's' });
    for (let round = 0; round < 20; round++) {
      expect(await shadowOf({ explore: false })).toBeNull();
      expect(await shadowOf({ sessionId: 's' })).toBeNull();
      expect(await shadowOf({ model: 'x:close' })).toBeNull();
    }
    router.addRule(
      'quiet',
      99,
      () => true,
      () => null,
      { explore: false },
    );
    for (let round = 0; round < 20; round++) expect(await shadowOf({})).toBeNull();
    router.removeRule('quiet');
    await untilShadow(router, 'x:close');
  });
});

describe('settings', () => {
  it('change one by one, within their ranges, and at once', async () => {
    const exploration = new Exploration({ share: 0.2, method: 'uniform' });
    exploration.change({ budgetUsdPerDay: null });
    expect(exploration.settings).toEqual({
      method: 'uniform',
      share: 0.2,
      budgetUsdPerDay: null,
      newModelRequests: 20,
      shadow: false,
      excludedUseCases: [],
    });
    for (const wrong of [
      { share: 1.1 },
      { share: Number.NaN },
      { budgetUsdPerDay: -1 },
      { newModelRequests: -1 },
    ]) {
      expect(() => exploration.change(wrong)).toThrow(RangeError);
    }
    expect(exploration.settings.share).toBe(0.2);
  });
});
