import { describe, expect, it } from 'vitest';
import { abTestOf } from '../../tests/kit/ab-tests.ts';
import { registryOf, rowOf, snapshotOf } from '../../tests/kit/routing-models.ts';
import type { AbTest } from '../core/ab-test.ts';
import { ModelCatalog, plainModel } from '../core/model-catalog.ts';
import { createRandom } from '../stats/random.ts';
import { AbTests } from './ab-tests.ts';
import { Exploration } from './exploration.ts';
import type { RoutingMessage } from './message.ts';
import { RoutingEngine, type RoutingEngineOptions } from './routing-engine.ts';
import { SnapshotHolder } from './snapshot-holder.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12);
const SEED = 11;
const ROUNDS = 6_000;
const COSTS = { 'x:best': 0.001, 'x:close': 0.001, 'x:cheap': 0, 'x:new': 0.002 };
const ROWS = [
  rowOf('x:best', { quality: 0.9, spread: 0.04, costUsd: 0.001 }),
  rowOf('x:close', { quality: 0.89, spread: 0.04, costUsd: 0.001 }),
  rowOf('x:cheap', { quality: 0.87, spread: 0.04 }),
];

const abTest = (given: Partial<AbTest> = {}): AbTest =>
  abTestOf({ startsAtMs: NOW_MS - 1_000, createdAtMs: NOW_MS - 1_000, ...given });

function open(
  tests: readonly AbTest[],
  options: RoutingEngineOptions & { readonly away?: ReadonlySet<string> } = {},
) {
  const abTests = new AbTests();
  abTests.replace(tests);
  const clock = { nowMs: NOW_MS };
  const router = new RoutingEngine(registryOf(COSTS, options.away), {
    snapshots: new SnapshotHolder(snapshotOf(ROWS)),
    exploration: new Exploration(0),
    random: createRandom(SEED),
    clock: () => clock.nowMs,
    abTests,
    ...options,
  });
  return { router, abTests, clock };
}

const COFFEE = { content: 'coffee?' };
const ofUser = (user: number): RoutingMessage => ({ ...COFFEE, userId: `user-${user}` });

/** Logged propensities must be the frequencies, and add up to 1. */
async function expectFrequencies(
  router: RoutingEngine,
  message: (round: number) => RoutingMessage,
): Promise<ReadonlyMap<string, { count: number; propensity: number }>> {
  const seen = new Map<string, { count: number; propensity: number }>();
  for (let round = 0; round < ROUNDS; round++) {
    const { modelIds, propensity, candidates } = await router.route(message(round));
    const modelId = modelIds[0] ?? '';
    const known = seen.get(modelId);
    if (known !== undefined) expect(propensity).toBeCloseTo(known.propensity, 12);
    const row = candidates.find((candidate) => candidate.modelId === modelId);
    expect(row?.probability).toBeCloseTo(propensity, 5);
    seen.set(modelId, { count: (known?.count ?? 0) + 1, propensity });
  }
  for (const [modelId, { count, propensity }] of seen) {
    const deviation = Math.sqrt((propensity * (1 - propensity)) / ROUNDS);
    expect(Math.abs(count / ROUNDS - propensity), `${modelId}, seed ${SEED}`).toBeLessThanOrEqual(
      4 * deviation,
    );
  }
  expect([...seen.values()].reduce((sum, { propensity }) => sum + propensity, 0)).toBeCloseTo(1, 9);
  return seen;
}

describe('an A/B test', () => {
  it('gives a user the same arm each time, in another gateway and after a restart as well', async () => {
    const [one, other] = [open([abTest()]).router, open([abTest()], { random: createRandom(99) }).router];
    const arms = new Set<string | undefined>();
    for (let user = 0; user < 40; user++) {
      const first = await one.route(ofUser(user));
      for (const router of [one, other])
        expect((await router.route(ofUser(user))).abTest).toEqual(first.abTest);
      arms.add(first.abTest?.arm);
    }
    expect(arms).toEqual(new Set(['now', 'new']));
  });

  it('says in the decision which arm it was, and keeps the fallbacks', async () => {
    const { router } = open([abTest()]);
    let decision = await router.route(ofUser(0));
    for (let user = 1; decision.abTest?.arm !== 'new'; user++) decision = await router.route(ofUser(user));
    expect(decision).toMatchObject({
      cause: 'ab_test',
      policy: 'auto',
      abTest: { name: 'new-model', arm: 'new' },
      propensity: 0.5,
      isExploration: false,
      reason: 'Arm "new" of the A/B test "new-model": x:new.',
    });
    expect(decision.modelIds).toEqual(['x:new', 'x:best', 'x:close', 'x:cheap']);
  });

  it('draws a new lot for each test: who is in one arm is not in the same arm of the next', async () => {
    const [one, other] = [open([abTest()]).router, open([abTest({ startsAtMs: NOW_MS - 500 })]).router];
    let sameCount = 0;
    for (let user = 0; user < 1_000; user++) {
      const arms = await Promise.all(
        [one, other].map(async (each) => (await each.route(ofUser(user))).abTest?.arm),
      );
      if (arms[0] === arms[1]) sameCount++;
    }
    expect(sameCount).toBeGreaterThan(430);
    expect(sameCount).toBeLessThan(570);
  });

  it('takes the session where the user is not known, and draws each request where neither is', async () => {
    const { router } = open([abTest()]);
    const first = await router.route({ ...COFFEE, sessionId: 's1' });
    for (let turn = 0; turn < 5; turn++) {
      expect((await router.route({ ...COFFEE, sessionId: 's1' })).abTest).toEqual(first.abTest);
    }
    const arms = new Set<string | undefined>();
    for (let round = 0; round < 60; round++) arms.add((await router.route(COFFEE)).abTest?.arm);
    expect(arms).toEqual(new Set(['now', 'new']));
  });

  it('keeps the arm when an explanation is asked for, and leaves out what it would have to draw', async () => {
    const { router } = open([abTest()]);
    for (let user = 0; user < 10; user++) {
      expect((await router.explain(ofUser(user))).abTest).toEqual((await router.route(ofUser(user))).abTest);
    }
    expect(await router.explain(COFFEE)).toMatchObject({ cause: 'ranking', propensity: 1 });
  });
});

describe('propensities of an A/B test are the frequencies', () => {
  const half = (arms: AbTest['arms'], given: Partial<AbTest> = {}): AbTest =>
    abTest({ arms, share: 0.4, ...given });

  it('over users, inside and outside of the test, with exploration in an arm and in the rest', async () => {
    const exploration = new Exploration({ share: 0.3, budgetUsdPerDay: null });
    const test = half([
      { name: 'now', model: null, policy: 'auto', weight: 0.5 },
      { name: 'new', model: 'x:new', policy: null, weight: 0.3 },
      { name: 'cheap', model: null, policy: 'auto:cheap', weight: 0.2 },
    ]);
    const seen = await expectFrequencies(open([test], { exploration }).router, ofUser);
    expect(seen.size).toBe(4);
    expect(seen.get('x:new')?.propensity).toBeGreaterThan(0.4 * 0.3);
  });

  it('where two arms and the rest lead to the same model', async () => {
    const test = half([
      { name: 'a', model: 'x:best', policy: null, weight: 0.25 },
      { name: 'b', model: null, policy: 'auto', weight: 0.25 },
      { name: 'c', model: 'x:new', policy: null, weight: 0.5 },
    ]);
    const seen = await expectFrequencies(open([test]).router, ofUser);
    expect(seen.get('x:best')?.propensity).toBeCloseTo(0.6 + 0.2, 12);
    expect(seen.get('x:new')?.propensity).toBeCloseTo(0.2, 12);
  });

  it('drawn by request, on day zero, with no ranking at all', async () => {
    const { router } = open([abTest({ share: 0.5, stickyBy: 'request' })], {
      snapshots: new SnapshotHolder(snapshotOf([])),
    });
    const seen = await expectFrequencies(router, () => COFFEE);
    expect(seen.get('x:new')?.propensity).toBeCloseTo(0.25, 12);
  });

  it('on the first request of each session, and 1 after it', async () => {
    const exploration = new Exploration({ share: 0.3, budgetUsdPerDay: null });
    const { router } = open([abTest({ share: 0.5, stickyBy: 'session' })], { exploration });
    await expectFrequencies(router, (round) => ({ ...COFFEE, sessionId: `s${round}` }));
    const causes = new Set<string>();
    for (let round = 0; round < 200; round++) {
      const later = await router.route({ ...COFFEE, sessionId: `s${ROUNDS - 1 - round}` });
      expect(later.propensity).toBe(1);
      causes.add(later.cause);
    }
    expect([...causes].sort()).toEqual(['ab_test', 'session']);
  });

  it('drawn by request in the midst of a session, given the model that it has', async () => {
    const { router } = open([abTest({ share: 0.5, stickyBy: 'request' })]);
    await expectFrequencies(router, () => ({ ...COFFEE, sessionId: 's1' }));
  });
});

describe('outside of an A/B test', () => {
  const noOne = async (router: RoutingEngine, message: RoutingMessage): Promise<void> => {
    for (let user = 0; user < 20; user++) {
      const { cause, abTest: arm } = await router.route({ ...message, userId: `user-${user}` });
      expect([cause === 'ab_test', arm]).toEqual([false, undefined]);
    }
  };

  it('are named models, other presets, and who wants nothing left to chance', async () => {
    const { router } = open([abTest()]);
    await noOne(router, { ...COFFEE, model: 'x:new' });
    await noOne(router, { ...COFFEE, model: 'auto:cheap' });
    await noOne(router, { ...COFFEE, explore: false });
  });

  it('are requests that a rule of code or of the operator decides', async () => {
    const ruled = open([abTest()], {
      rules: [{ name: 'code', priority: 100, predicate: () => true, action: () => 'x:cheap' }],
    });
    await noOne(ruled.router, COFFEE);
    ruled.router.removeRule('code');
    expect((await ruled.router.route(ofUser(1))).cause).toBe('ab_test');
  });

  it('are other use cases and other times', async () => {
    await noOne(open([abTest({ useCases: ['translation'] })]).router, COFFEE);
    await noOne(open([abTest({ startsAtMs: NOW_MS + 1 })]).router, COFFEE);
    await noOne(open([abTest({ endsAtMs: NOW_MS })]).router, COFFEE);
    await noOne(open([abTest({ stoppedAtMs: NOW_MS - 1 })]).router, COFFEE);
    const { router, clock } = open([abTest({ useCases: ['coffee'], endsAtMs: NOW_MS + 10 })]);
    expect((await router.route(ofUser(1))).cause).toBe('ab_test');
    clock.nowMs += 10;
    await noOne(router, COFFEE);
  });

  it('are, for all arms, requests that one arm cannot serve', async () => {
    const models = Object.keys(COSTS).map((id) => plainModel(id, { hasImages: id !== 'x:new' }));
    const { router } = open([abTest()]);
    const blind = new RoutingEngine(
      { ...registryOf(COSTS), catalog: new ModelCatalog(models) },
      { snapshots: new SnapshotHolder(snapshotOf(ROWS)), abTests: abTestsOf(abTest()), clock: () => NOW_MS },
    );
    await noOne(blind, { ...COFFEE, needs: { needsTools: false, needsImages: true, promptTokens: null } });
    await noOne(open([abTest({ arms: armsWith('x:gone') })]).router, COFFEE);
    expect((await router.route(ofUser(1))).cause).toBe('ab_test');
  });

  it('an arm stays what it is while its provider is away: it is measured with its failures', async () => {
    const { router } = open([abTest()], { away: new Set(['x:new']) });
    const arms = new Map<string, string | undefined>();
    for (let user = 0; user < 40; user++) {
      const { modelIds, abTest: arm } = await router.route(ofUser(user));
      arms.set(arm?.arm ?? '', modelIds[0]);
    }
    expect(arms).toEqual(
      new Map([
        ['now', 'x:best'],
        ['new', 'x:new'],
      ]),
    );
  });

  it('is what a test that began later would have had: the first by start, then by name, owns a request', async () => {
    const later = abTest({ name: 'a-later', startsAtMs: NOW_MS - 500 });
    const { router, abTests } = open([later, abTest()]);
    expect((await router.route(ofUser(1))).abTest?.name).toBe('new-model');
    abTests.replace([later, abTest({ stoppedAtMs: NOW_MS - 1 })]);
    expect((await router.route(ofUser(1))).abTest?.name).toBe('a-later');
    abTests.replace([abTest({ name: 'b' }), abTest({ name: 'a' })]);
    expect((await router.route(ofUser(1))).abTest?.name).toBe('a');
  });
});

function armsWith(model: string): AbTest['arms'] {
  return abTest().arms.map((arm) => (arm.model === null ? arm : { ...arm, model }));
}

function abTestsOf(test: AbTest): AbTests {
  const tests = new AbTests();
  tests.replace([test]);
  return tests;
}
