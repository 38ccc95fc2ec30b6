import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { abTestOf } from '../../../tests/kit/ab-tests.ts';
import { openScratchStore, type ScratchStore, uuidAt } from '../../../tests/kit/scratch-store.ts';
import { encodeSignal, type SignalKind } from '../../core/signal.ts';
import type { UsageRecord } from '../../core/usage-record.ts';
import { putAbTest, readAbSums, readAbTests } from './ab-tests.ts';

const START_MS = Date.UTC(2026, 9, 5, 10);
const END = new Date(START_MS + 86_400_000);

const TEST = abTestOf({
  useCases: ['food_dining'],
  arms: [
    { name: 'now', model: null, policy: 'auto', weight: 0.5 },
    { name: 'new', model: 'p:new', policy: null, weight: 0.5 },
  ],
  share: 0.5,
  startsAtMs: START_MS,
  margin: 0.02,
  createdAtMs: START_MS,
});

let store: ScratchStore;
beforeEach(async () => {
  store = await openScratchStore();
});
afterEach(() => store.dispose());

let at = 0;

/** A request that was given an arm whose model is `p:<arm>`. */
async function request(
  arm: string | null,
  given: Partial<UsageRecord> = {},
  name = TEST.name,
): Promise<string> {
  const startedAtMs = given.startedAtMs ?? START_MS + ++at;
  const requestId = uuidAt(startedAtMs);
  await store.insertRequests([
    { modelId: `p:${arm ?? 'now'}`, latencyMs: 1_000, ...given, startedAtMs, requestId },
  ]);
  await store.insertDecisions([
    {
      requestId,
      startedAtMs,
      modelIds: [`p:${arm ?? 'now'}`, 'p:other'],
      propensity: 0.5,
      ...(arm === null ? {} : { cause: 'ab_test', abTest: { name, arm } }),
    },
  ]);
  return requestId;
}

async function signal(requestId: string, kind: SignalKind, value = 1): Promise<void> {
  const line = encodeSignal({ requestId, kind, value, comment: null, source: 'api', atMs: START_MS });
  await store.db.insertLines('signals', Buffer.from(line), `${requestId}-${kind}`);
}

const failure = (fault: 'model' | 'caller', code = 'upstream_failed'): Partial<UsageRecord> => ({
  failure: { fault, code, message: 'test' },
  costUsd: null,
});

describe('the definitions of A/B tests', () => {
  it('are read as they were put; the newest counts, and removed ones are gone', async () => {
    expect(await readAbTests(store.db)).toEqual([]);
    const change = (ms: number) => ({ changedAt: new Date(START_MS + ms), changedBy: 'api' });
    await putAbTest(store.db, TEST, change(0));
    await putAbTest(store.db, { ...TEST, name: 'other' }, change(0));
    const stopped = { ...TEST, stoppedAtMs: START_MS + 5 };
    await putAbTest(store.db, stopped, change(5));
    expect(await readAbTests(store.db)).toEqual([stopped, { ...TEST, name: 'other' }]);
    await putAbTest(store.db, TEST, { ...change(9), isRemoved: true });
    expect(await readAbTests(store.db)).toEqual([{ ...TEST, name: 'other' }]);
  });
});

describe('the sums of an A/B test', () => {
  it('are none without requests', async () => {
    await request(null);
    expect(await readAbSums(store.db, TEST, END)).toEqual([]);
  });

  it('count by arm and user, then session, then request', async () => {
    for (const userId of ['u1', 'u1', 'u1', 'u2']) await request('now', { userId, sessionId: `s-${userId}` });
    for (const sessionId of ['s1', 's1', null, null]) await request('new', { sessionId });
    await request(null, { userId: 'u1' });
    await request('new', { userId: 'u9' }, 'another-test');
    const [other, now] = await readAbSums(store.db, TEST, END);
    expect(now).toMatchObject({ arm: 'now', unitCount: 2, requestCount: 4, fallbackCount: 0, ratedCount: 0 });
    expect(now?.success).toEqual({
      unitCount: 2,
      requestCount: 4,
      requestSquareSum: 9 + 1,
      sum: 4,
      squareSum: 9 + 1,
      productSum: 9 + 1,
    });
    expect(now?.latency.sum).toBeCloseTo(4 * Math.log(1_000), 6);
    expect(now?.cost.sum).toBeCloseTo(0.004, 9);
    expect(other).toMatchObject({ arm: 'new', unitCount: 3, requestCount: 4 });
    const bySession = await readAbSums(store.db, { ...TEST, stickyBy: 'session' }, END);
    expect(bySession.map(({ unitCount }) => unitCount)).toEqual([3, 2]);
    const byRequest = await readAbSums(store.db, { ...TEST, stickyBy: 'request' }, END);
    expect(byRequest.map(({ unitCount }) => unitCount)).toEqual([4, 4]);
  });

  it('count failures, and answers of another model, against the arm; those of the caller not at all', async () => {
    await request('new', { userId: 'u1' });
    await request('new', { userId: 'u2', ...failure('model') });
    await request('new', { userId: 'u3', ...failure('caller', 'caller_cancelled') });
    await request('new', {
      userId: 'u4',
      modelId: 'p:other',
      failedAttempts: [{ modelId: 'p:new', code: 'upstream_timeout' }],
      costUsd: 0.5,
    });
    await request('new', { userId: 'u5', modelId: 'p:other' });
    const [sums] = await readAbSums(store.db, TEST, END);
    expect(sums).toMatchObject({ unitCount: 5, requestCount: 5, fallbackCount: 2 });
    expect(sums?.success).toMatchObject({ requestCount: 4, sum: 1 });
    // What it cost is paid, whoever answered; what failed has no price and no time.
    expect(sums?.cost).toMatchObject({ unitCount: 3, requestCount: 3 });
    expect(sums?.cost.sum).toBeCloseTo(0.502, 9);
    expect(sums?.latency.requestCount).toBe(3);
  });

  it('take satisfaction from ratings, else from what the session shows', async () => {
    const inSession = { sessionId: 's1' };
    await signal(await request('now', inSession), 're_ask');
    await signal(await request('now', inSession), 'correction');
    await signal(await request('now', inSession), 'thanks');
    await signal(await request('now', inSession), 'follow_up');
    await request('now', inSession);
    const rated = await request('now', inSession);
    await signal(rated, 'feedback', 0.75);
    await signal(rated, 're_ask');
    // Without a session silence means nothing; a judge is asked of some models more than of others.
    await request('now');
    await signal(await request('now'), 'judge_score', 0.1);
    await signal(await request('now'), 'feedback', 0.25);
    await request('now', { ...inSession, ...failure('caller', 'caller_cancelled') });
    const [sums] = await readAbSums(store.db, { ...TEST, stickyBy: 'request' }, END);
    expect(sums).toMatchObject({ requestCount: 10, ratedCount: 2 });
    expect(sums?.satisfaction).toMatchObject({ unitCount: 8, requestCount: 8 });
    expect(sums?.satisfaction.sum).toBeCloseTo(3 + 0.75 + 0.25, 9);
  });

  it('lie in the time of the test', async () => {
    await request('now', { startedAtMs: START_MS - 1 });
    await request('now', { startedAtMs: START_MS });
    await request('now', { startedAtMs: END.getTime() });
    expect((await readAbSums(store.db, TEST, END)).map(({ requestCount }) => requestCount)).toEqual([1]);
  });
});
