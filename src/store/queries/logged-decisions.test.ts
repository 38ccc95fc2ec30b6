import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, uuidAt } from '../../../tests/kit/scratch-store.ts';
import type { Decision } from '../../core/decision.ts';
import { TallyrankError } from '../../core/errors.ts';
import { encodeSignal, type SignalKind } from '../../core/signal.ts';
import type { UsageRecord } from '../../core/usage-record.ts';
import { readLoggedDecisions } from './logged-decisions.ts';

const START_MS = Date.UTC(2026, 9, 5, 10);
const SCOPE = {
  runId: 'starter',
  from: new Date(START_MS),
  to: new Date(START_MS + 3_600_000),
};

let store: ScratchStore;
beforeEach(async () => {
  store = await openScratchStore();
});
afterEach(() => store.dispose());

const row = (at: number, given: Partial<UsageRecord> = {}): Partial<UsageRecord> => ({
  startedAtMs: START_MS + at,
  requestId: uuidAt(START_MS + at),
  promptHash: `hash-${at}`,
  modelId: 'p:a',
  ...given,
});

async function decide(record: UsageRecord | undefined, given: Partial<Decision> = {}): Promise<void> {
  if (record === undefined) throw new Error('no such row');
  const { requestId, startedAtMs } = record;
  await store.insertDecisions([
    { requestId, startedAtMs, modelIds: ['p:a', 'p:b'], propensity: 0.95, ...given },
  ]);
}

async function rate(requestId: string | undefined, kind: SignalKind, value: number): Promise<void> {
  const line = encodeSignal({
    requestId: requestId ?? '',
    kind,
    value,
    comment: null,
    source: 'api',
    atMs: START_MS,
  });
  await store.db.insertLines('signals', Buffer.from(line), `${requestId}-${kind}`);
}

describe('readLoggedDecisions', () => {
  it('counts what an A/B test drew among the decisions of auto', async () => {
    const [drawn] = await store.insertRequests([row(1)]);
    await decide(drawn, { cause: 'ab_test', abTest: { name: 'test', arm: 'new' }, propensity: 0.5 });
    const { groups, autoCount } = await readLoggedDecisions(store.db, SCOPE);
    expect([autoCount, groups[0]?.decisions[0]?.propensity]).toEqual([1, 0.5]);
  });

  it('has the choice, its probability and what came of it', async () => {
    const [good, bad, unpriced] = await store.insertRequests([
      row(1, { userId: 'ann', sessionId: 's1', latencyMs: 700, costUsd: 0.002 }),
      row(2, { failure: new TallyrankError('upstream_failed', 'down'), latencyMs: 90, userId: 'ann' }),
      row(3, { costUsd: null, latencyMs: null }),
    ]);
    for (const one of [good, bad, unpriced]) await decide(one);
    await rate(good?.requestId, 'imported_score', 0.25);
    await rate(good?.requestId, 'feedback', 1);
    const { groups, ...counts } = await readLoggedDecisions(store.db, SCOPE);
    expect(counts).toEqual({ autoCount: 3, followingCount: 0, otherCount: 0, sliceCount: 1 });
    expect(groups).toHaveLength(1);
    expect(groups[0]).toMatchObject({ useCase: 'food_dining', modelId: 'p:a', ableIds: ['p:a', 'p:b'] });
    const [first, second, third] = [...(groups[0]?.decisions ?? [])].sort(
      (one, other) =>
        Number(other.costUsd === 0.002) - Number(one.costUsd === 0.002) ||
        Number(one.success) - Number(other.success),
    );
    expect(first).toMatchObject({ propensity: 0.95, success: 1, costUsd: 0.002, latencyMs: 700, quality: 1 });
    expect(second).toMatchObject({ success: 0, latencyMs: null, quality: null, sessionKey: 0 });
    expect(third).toMatchObject({ success: 1, costUsd: null, latencyMs: null, userKey: 0 });
    expect(first?.userKey).toBe(second?.userKey);
    expect(first?.userKey).toBeGreaterThan(0);
  });

  it('knows nobody by a failure that is the caller’s own', async () => {
    const [one] = await store.insertRequests([
      row(1, { failure: new TallyrankError('caller_cancelled', 'gone') }),
    ]);
    await decide(one);
    const { groups } = await readLoggedDecisions(store.db, SCOPE);
    expect(groups[0]?.decisions[0]?.success).toBeNull();
  });

  it('leaves out what auto did not choose, other windows, and requests whose row has not come', async () => {
    const rows = await store.insertRequests([row(1), row(2), row(3), row(3_600_000)]);
    await decide(rows[0], { cause: 'rule', ruleName: 'mine', propensity: 1 });
    await decide(rows[1], { cause: 'explicit', policy: null, propensity: 1 });
    await decide(rows[2], { cause: 'session', propensity: 1 });
    await decide(rows[3]);
    await decide({ ...(rows[0] as UsageRecord), requestId: uuidAt(START_MS + 9), startedAtMs: START_MS + 9 });
    const { groups, autoCount, otherCount } = await readLoggedDecisions(store.db, SCOPE);
    expect({ groups, autoCount, otherCount }).toEqual({ groups: [], autoCount: 1, otherCount: 3 });
  });

  it('takes the later turns of a session for what they are', async () => {
    const rows = await store.insertRequests([
      row(1, { sessionId: 's1' }),
      row(2, { sessionId: 's1' }),
      row(3, { sessionId: 's1' }),
      row(4, { sessionId: 's2' }),
    ]);
    await decide(rows[0], { propensity: 0.9 });
    await decide(rows[1], { propensity: 1 });
    // Drawn for anew: the session had been idle for long.
    await decide(rows[2], { propensity: 0.8 });
    await decide(rows[3], { propensity: 1 });
    const { groups, followingCount } = await readLoggedDecisions(store.db, SCOPE);
    const propensities = groups.flatMap(({ decisions }) => decisions.map(({ propensity }) => propensity));
    expect(propensities.sort()).toEqual([0.8, 0.9, 1]);
    expect(followingCount).toBe(1);
  });

  it('labels by the run asked for', async () => {
    const rows = await store.insertRequests([row(1), row(2, { useCaseRule: 'by hand', useCase: 'refunds' })]);
    for (const one of rows) await decide(one);
    const assigned = { run_id: 'later', use_case: 'opening_hours', prompt_hash: 'hash-1' };
    await store.db.insertRows('assignments', [assigned]);
    const { groups } = await readLoggedDecisions(store.db, { ...SCOPE, runId: 'later' });
    expect(groups.map(({ useCase }) => useCase)).toEqual(['opening_hours', 'refunds']);
  });

  it('reads a part of what is too much, the same part each time', async () => {
    const rows = await store.insertRequests(Array.from({ length: 40 }, (_, at) => row(at)));
    for (const one of rows) await decide(one);
    const first = await readLoggedDecisions(store.db, SCOPE, 10);
    expect(first).toMatchObject({ autoCount: 40, sliceCount: 4 });
    expect(first.groups[0]?.decisions.length).toBeGreaterThan(1);
    expect(first.groups[0]?.decisions.length).toBeLessThan(30);
    const second = await readLoggedDecisions(store.db, SCOPE, 10);
    expect(second.groups[0]?.decisions).toHaveLength(first.groups[0]?.decisions.length ?? 0);
  });

  it('finds models beyond the first ten in the rows of the decision', async () => {
    const modelIds = Array.from({ length: 10 }, (_, at) => `p:m${at}`);
    const rows = await store.insertRequests([row(1), row(2)]);
    const extra = { modelId: 'p:extra', score: 50, isCandidate: false, reason: 'worse', probability: 0 };
    await decide(rows[0], { modelIds, candidates: [extra] });
    await decide(rows[1], { modelIds: modelIds.slice(0, 9), candidates: [extra] });
    const { groups } = await readLoggedDecisions(store.db, SCOPE);
    expect(groups.map(({ ableIds }) => ableIds.includes('p:extra')).sort()).toEqual([false, true]);
  });
});
