import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../../tests/kit/scratch-store.ts';
import { NO_TOKEN_USAGE, type UsageRecord } from '../../../core/usage-record.ts';
import { RETRY_GAP_MS, readRetries, retriesQuery } from './retries.ts';

const START_MS = Date.UTC(2026, 9, 5, 10, 0, 0);
const scope = {
  runId: 'starter',
  from: new Date(START_MS - 3_600_000),
  to: new Date(START_MS + 86_400_000),
};
const FAILED: Partial<UsageRecord> = {
  failure: { fault: 'provider', code: 'upstream_failed', message: 'no' },
  usage: NO_TOKEN_USAGE,
  costUsd: null,
};

/** A request of one session, at a moment after the start; answers take a second. */
const asked = (atMs: number, given: Partial<UsageRecord> = {}): Partial<UsageRecord> => ({
  startedAtMs: START_MS + atMs,
  sessionId: 'one',
  latencyMs: 1_000,
  ...given,
});

describe('readRetries', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  it('tells repeats after a failure from those after a success, with their money', async () => {
    await store.insertRequests([
      asked(0, FAILED),
      asked(1_500, { ...FAILED, costUsd: 0.02 }),
      asked(3_000, { costUsd: 0.01 }),
      asked(5_000, { costUsd: 0.01 }),
    ]);
    expect(await readRetries(store.db, scope)).toEqual([
      {
        modelId: 'ollama:mistral:7b',
        after: 'failure',
        requestCount: 2,
        askerCount: 1,
        failedCount: 1,
        pricedCount: 2,
        costUsd: 0.03,
        failedPricedCount: 1,
        failedCostUsd: 0.02,
        waitedMs: 2_000,
      },
      expect.objectContaining({ after: 'success', requestCount: 1, costUsd: 0.01, failedCount: 0 }),
    ]);
  });

  it('goes by the user where no session is named, and by nobody where neither is', async () => {
    await store.insertRequests([
      asked(0, { sessionId: null, userId: 'ann' }),
      asked(0, { sessionId: null, userId: null }),
      asked(10_000, { sessionId: null, userId: 'ann' }),
      asked(10_000, { sessionId: null, userId: 'bob' }),
      asked(10_000, { sessionId: null, userId: null }),
    ]);
    expect(await readRetries(store.db, scope)).toMatchObject([
      { after: 'success', requestCount: 1, askerCount: 1 },
    ]);
  });

  it('takes neither what comes later, nor at the same time, nor steps of an agent, nor another model', async () => {
    const later = RETRY_GAP_MS + 2_000;
    await store.insertRequests([
      asked(0),
      asked(later),
      asked(0, { sessionId: 'two at once' }),
      asked(500, { sessionId: 'two at once' }),
      asked(0, { sessionId: 'clock that stood still' }),
      asked(0, { sessionId: 'clock that stood still' }),
      asked(0, { sessionId: 'agent', finishReason: 'tool_calls' }),
      asked(2_000, { sessionId: 'agent' }),
      asked(0, { sessionId: 'go on', usage: { ...NO_TOKEN_USAGE, promptTokens: 100 } }),
      asked(2_000, { sessionId: 'go on', usage: { ...NO_TOKEN_USAGE, promptTokens: 200 } }),
      asked(0, { sessionId: 'compares' }),
      asked(2_000, { sessionId: 'compares', modelId: 'openai:gpt-4o' }),
      asked(0, { sessionId: 'silent', prompt: '' }),
      asked(2_000, { sessionId: 'silent', prompt: '' }),
    ]);
    expect(await readRetries(store.db, scope)).toEqual([]);
  });

  it('sees a client that is back before its broken request has ended', async () => {
    await store.insertRequests([asked(0, FAILED), asked(900)]);
    expect(await readRetries(store.db, scope)).toMatchObject([{ after: 'failure', requestCount: 1 }]);
  });

  it('does not stumble over latencies that are unknown or negative, or over prices that are', async () => {
    await store.insertRequests([
      asked(0, { latencyMs: null, costUsd: null }),
      asked(1_000, { latencyMs: -50, costUsd: null }),
      asked(2_000, { latencyMs: null, costUsd: null }),
    ]);
    expect(await readRetries(store.db, scope)).toMatchObject([
      { requestCount: 2, pricedCount: 0, costUsd: null, failedCostUsd: null, waitedMs: null },
    ]);
  });

  it('answers again, for one model, by the query that it hands out', async () => {
    await store.insertRequests([
      asked(0),
      asked(2_000),
      asked(0, { modelId: 'openai:gpt-4o' }),
      asked(2_000, { modelId: 'openai:gpt-4o' }),
    ]);
    const { sql, params } = retriesQuery(scope, { modelId: 'openai:gpt-4o' });
    expect(await store.db.query(sql, params)).toMatchObject([
      { modelId: 'openai:gpt-4o', after: 'success', requestCount: 1 },
    ]);
    const before = retriesQuery({ ...scope, to: new Date(START_MS) });
    expect(await store.db.query(before.sql, before.params)).toEqual([]);
  });
});
