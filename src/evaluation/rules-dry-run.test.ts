import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ruleOf } from '../../tests/kit/routing-rules.ts';
import { openScratchStore, type ScratchStore, uuidAt } from '../../tests/kit/scratch-store.ts';
import type { Decision } from '../core/decision.ts';
import { TallyrankError } from '../core/errors.ts';
import { PolicyBook } from '../core/policy.ts';
import type { RoutingEffect, RoutingRule } from '../core/routing-rules.ts';
import { NO_TOKEN_USAGE, type UsageRecord } from '../core/usage-record.ts';
import { ModelRanker } from '../ranking/model-ranker.ts';
import { type DryRunQuestion, dryRunRules } from './rules-dry-run.ts';

/* A log that is known to the cent: requests to "dear" cost 10 cents and to "cheap" 1 cent, all alike. */

const START_MS = Date.UTC(2026, 9, 5, 10);
const WINDOW = { from: new Date(START_MS), to: new Date(START_MS + 3_600_000), label: 'the hour' };
const COST_USD: Readonly<Record<string, number>> = { 'p:dear': 0.1, 'p:cheap': 0.01 };

let store: ScratchStore;
let logged = 0;
beforeEach(async () => {
  store = await openScratchStore();
  logged = 0;
});
afterEach(() => store.dispose());

interface Given extends Partial<UsageRecord> {
  readonly decision?: Partial<Decision>;
}

/** Requests with their decisions, by `auto` between the two models. */
async function log(count: number, modelId: string, { decision, ...given }: Given = {}): Promise<void> {
  const rows = Array.from({ length: count }, (): Partial<UsageRecord> => {
    const startedAtMs = START_MS + logged++;
    return {
      startedAtMs,
      requestId: uuidAt(startedAtMs),
      promptHash: `hash-${logged}`,
      modelId,
      costUsd: COST_USD[modelId] ?? null,
      usage: { ...NO_TOKEN_USAGE, promptTokens: 10, completionTokens: 5 },
      ...given,
    };
  });
  const records = await store.insertRequests(rows);
  const modelIds = [modelId, ...['p:dear', 'p:cheap'].filter((id) => id !== modelId)];
  await store.insertDecisions(
    records.map(({ requestId, startedAtMs }) => ({ requestId, startedAtMs, modelIds, ...decision })),
  );
}

const dryRun = (rules: readonly RoutingRule[], given: Partial<DryRunQuestion> = {}) =>
  dryRunRules(
    {
      db: store.db,
      prices: { typicalCostUsd: (modelId) => COST_USD[modelId] ?? (modelId.startsWith('home:') ? 0 : null) },
      policies: new PolicyBook(),
      defaultModel: null,
      catalog: null,
      isLocal: (modelId) => modelId.startsWith('home:'),
    },
    { rules, window: WINDOW, ...given },
  );

const CHEAP: RoutingEffect = { models: ['p:cheap'] };

describe('a dry run', () => {
  it('counts what would have changed, and says what that would have cost', async () => {
    await log(30, 'p:dear', { tags: ['batch'] });
    await log(20, 'p:dear');
    await log(15, 'p:cheap', { tags: ['batch'] });
    const answer = await dryRun([ruleOf(CHEAP, { tag: 'batch' })]);
    expect(answer).toMatchObject({ decisionCount: 65, sampleCount: 65 });
    // 30 requests at 10 cents against 30 at 1 cent, and all costs alike.
    expect(answer.message).toBe('would have changed 30 of 65 decisions, -$2.70 (±0.00)');
    expect(answer.together.money?.differenceUsd).toBeCloseTo(-2.7, 9);
    expect(answer.together.money).toMatchObject({ sampleCount: 30 });
    expect(answer.together.moves).toEqual([
      { useCase: 'food_dining', fromModelId: 'p:dear', toModelId: 'p:cheap', decisionCount: 30 },
    ]);
    expect(answer.alone).toMatchObject([{ name: 'the rule', heldCount: 45, changedCount: 30 }]);
  });

  it('tries each rule alone and all of them together, in their order', async () => {
    await log(10, 'p:dear', { userId: 'ann', tags: ['batch'] });
    await log(4, 'p:dear', { userId: 'ben', tags: ['batch'] });
    await log(12, 'p:cheap');
    const rules = [
      ruleOf(CHEAP, { tag: 'batch' }, { name: 'batch is cheap', priority: 100 }),
      ruleOf({ models: ['p:dear'] }, { userId: 'ann' }, { name: 'ann keeps hers', priority: 110 }),
      ruleOf({ models: ['p:dear'] }, {}, { name: 'all dear', priority: 120, isEnabled: false }),
    ];
    const answer = await dryRun(rules);
    expect(answer.together).toMatchObject({ changedCount: 4 });
    expect(answer.together.money?.differenceUsd).toBeCloseTo(-0.36, 9);
    expect(answer.alone.map(({ name, isEnabled, changedCount }) => [name, isEnabled, changedCount])).toEqual([
      ['batch is cheap', true, 14],
      ['ann keeps hers', true, 0],
      ['all dear', false, 12],
    ]);
    expect(answer.alone[2]?.message).toMatch(/^would have changed 12 of 26 decisions, \+\$1\.08 \(±/);
  });

  it('cannot say what a text would have done that was not kept, nor a header', async () => {
    await log(3, 'p:dear', { prompt: '', promptLength: 40 });
    await log(2, 'p:dear', { prompt: 'I want a REFUND' });
    await log(4, 'p:dear', { prompt: 'Hello' });
    await log(12, 'p:cheap', { prompt: 'Hello' });
    const byText = await dryRun([ruleOf(CHEAP, { regex: 'refund' })]);
    expect(byText.together).toMatchObject({ changedCount: 2, undecidedCount: 3 });
    expect(byText.together.notes.join()).toContain('Of 3 nobody can say whether a rule holds');
    const byHeader = await dryRun([ruleOf(CHEAP, { regex: 'hello', header: { name: 'x-app' } })]);
    expect(byHeader.together).toMatchObject({ changedCount: 0, undecidedCount: 19 });
  });

  it('moves a decision only where its model is kept out or another preset chooses otherwise', async () => {
    await log(6, 'p:dear');
    await log(12, 'p:cheap');
    await log(2, 'p:dear', { decision: { cause: 'exploration', isExploration: true, propensity: 0.1 } });
    const denied = await dryRun([ruleOf({ deny: ['dear'] })]);
    expect(denied.together).toMatchObject({ changedCount: 8, refusedCount: 0 });
    // Without rankings the preset takes the cheaper one first; what chance took it would have taken again.
    const preset = await dryRun([ruleOf({ policy: 'auto:cheap' })]);
    expect(preset.together.changedCount).toBe(6);
    expect(preset.notes.join()).toContain('There are no rankings yet');
    expect((await dryRun([ruleOf({ explore: false })])).together.changedCount).toBe(2);
    expect((await dryRun([ruleOf({ policy: 'auto' })])).together.changedCount).toBe(0);
    const low = ruleOf(CHEAP, {}, { priority: 50 });
    expect((await dryRun([low])).together.changedCount).toBe(0);
  });

  it('says where nobody would be left', async () => {
    await log(6, 'p:dear');
    await log(12, 'p:cheap', { decision: { modelIds: ['p:cheap', 'home:small', 'p:dear'] } });
    const { together } = await dryRun([ruleOf({ localOnly: true })]);
    expect(together).toMatchObject({ changedCount: 18, refusedCount: 6 });
    expect(together.notes.join()).toContain('6 would have been refused');
    // What stays at home costs nothing, and of its success nobody knows.
    expect(together.money?.differenceUsd).toBeCloseTo(-0.12, 9);
    expect(together.success).toBeNull();
    expect(together.notes.join()).toContain('How 12 would have ended on home:small is not known');
  });

  it('has no figures for a model that nobody paid yet, and says so', async () => {
    await log(6, 'p:dear');
    const answer = await dryRun([ruleOf({ models: ['p:brand-new'] })]);
    expect(answer.message).toBe('would have changed 6 of 6 decisions, cost unknown');
    expect(answer.together.notes.join()).toContain('What 6 would have cost on p:brand-new is not known');
    expect(answer.together).toMatchObject({ money: null, success: null });
  });

  it('leaves what other rules chose, unless it names models itself', async () => {
    await log(5, 'p:dear', { decision: { cause: 'rule', ruleName: 'of old' } });
    await log(12, 'p:cheap');
    const preset = await dryRun([ruleOf({ policy: 'auto:cheap' })]);
    expect(preset.together.changedCount).toBe(0);
    expect(preset.notes.join()).toContain('5 decisions of rules that are not in this list count as they are');
    expect((await dryRun([ruleOf(CHEAP)])).together.changedCount).toBe(5);
  });

  it('leaves out of the money what has no price, and counts failures for success', async () => {
    await log(4, 'p:dear', { costUsd: null });
    await log(4, 'p:dear', { failure: new TallyrankError('upstream_failed', 'down') });
    await log(12, 'p:cheap');
    const { together } = await dryRun([ruleOf(CHEAP)]);
    expect(together.changedCount).toBe(8);
    expect(together.money).toMatchObject({ sampleCount: 4 });
    expect(together.notes.join()).toContain('4 changed decisions have no known cost');
  });

  it('reads one of so many where there are too many, and scales up within its interval', async () => {
    await log(400, 'p:dear');
    await log(20, 'p:cheap');
    const answer = await dryRun([ruleOf(CHEAP)], { decisionsMax: 105 });
    expect(answer.decisionCount).toBe(420);
    expect(answer.sampleCount).toBeLessThan(160);
    expect(answer.notes.join()).toContain('One of 4 decisions was read');
    expect(answer.together.changedCount % 4).toBe(0);
    const [low, high] = answer.together.money?.interval ?? [0, 0];
    expect(low).toBeLessThan(-36);
    expect(high).toBeGreaterThan(-36);
  });

  it('chooses by the rankings of now where a preset does, and says what they expect', async () => {
    await log(60, 'p:dear', { latencyMs: 500 });
    await log(60, 'p:cheap', { latencyMs: 2_000 });
    const failure = new TallyrankError('upstream_failed', 'down');
    await log(3, 'p:dear', { failure, latencyMs: null });
    const clock = (): number => START_MS + 3_600_000;
    await using ranker = new ModelRanker({ db: store.db, clock });
    await ranker.refreshAll();
    const answer = await dryRun([ruleOf({ policy: 'cheap' }, { policy: 'auto', useCase: 'food_dining' })]);
    expect(answer.rankingVersion).not.toBeNull();
    expect(answer.together).toMatchObject({ changedCount: 63 });
    expect(answer.together.moves).toMatchObject([{ fromModelId: 'p:dear', toModelId: 'p:cheap' }]);
    const { success } = answer.together;
    expect(success).toMatchObject({ sampleCount: 63, actualRate: 60 / 63 });
    expect(success?.interval[0]).toBeLessThan(success?.difference ?? 0);
    expect(success?.interval[1]).toBeGreaterThan(success?.difference ?? 0);
    // Decisions that a rule of the same kind shaped already stay, and it still holds for them.
    await log(4, 'p:cheap', { decision: { policy: 'auto:cheap', ruleName: 'the rule' } });
    const again = await dryRun([ruleOf({ policy: 'cheap' }, { policy: 'auto' })]);
    expect(again.together.changedCount).toBe(63);
    expect(again.alone[0]?.heldCount).toBe(127);
  });

  it('leaves what an A/B test drew', async () => {
    await log(3, 'p:dear', { decision: { cause: 'ab_test', propensity: 0.5 } });
    await log(12, 'p:cheap');
    expect((await dryRun([ruleOf({ policy: 'auto:cheap' })])).together.changedCount).toBe(0);
    expect((await dryRun([ruleOf({ deny: ['p:dear'] })])).together.changedCount).toBe(3);
  });

  it('answers on an empty log', async () => {
    const answer = await dryRun([ruleOf(CHEAP, { regex: 'x' })]);
    expect(answer.message).toBe('would have changed 0 of 0 decisions');
    expect(answer.together).toMatchObject({ changedCount: 0, success: null });
    expect((await dryRun([])).alone).toEqual([]);
  });
});
