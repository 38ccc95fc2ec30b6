import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../../tests/kit/scratch-store.ts';
import type { ErrorCode, Fault } from '../../../core/errors.ts';
import type { UsageRecord } from '../../../core/usage-record.ts';
import { failedAttemptsQuery, readFailedAttempts } from './failed-attempts.ts';
import { failuresQuery, readFailures } from './failures.ts';

const START_MS = Date.UTC(2026, 9, 5, 10, 0, 0);
const scope = {
  runId: 'starter',
  from: new Date(START_MS - 3_600_000),
  to: new Date(START_MS + 86_400_000),
};

const failed = (fault: Fault, code: ErrorCode, given: Partial<UsageRecord> = {}): Partial<UsageRecord> => ({
  startedAtMs: START_MS,
  failure: { fault, code, message: 'no' },
  costUsd: null,
  statusCode: null,
  ...given,
});

describe('readFailures', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  it('tells timeouts apart, with what was paid and how long people waited', async () => {
    await store.insertRequests([
      failed('provider', 'upstream_timeout', { latencyMs: 60_000 }),
      failed('provider', 'upstream_timeout', { latencyMs: null, costUsd: 0.5 }),
      failed('provider', 'reported_error', { statusCode: 408, latencyMs: 30_000 }),
      failed('model', 'truncated_answer', { costUsd: 0.25, latencyMs: 1_000 }),
      failed('caller', 'bad_request'),
      failed('caller', 'caller_cancelled'),
      {},
    ]);
    expect(await readFailures(store.db, scope)).toEqual([
      {
        useCase: 'food_dining',
        modelId: 'ollama:mistral:7b',
        isTimeout: true,
        requestCount: 3,
        pricedCount: 1,
        costUsd: 0.5,
        waitedCount: 2,
        waitedMs: 90_000,
      },
      expect.objectContaining({ isTimeout: false, requestCount: 1, costUsd: 0.25, waitedMs: 1_000 }),
    ]);
  });

  it('goes by the use cases of the run, reads the window only, and answers again by its query', async () => {
    await store.insertRequests([
      failed('provider', 'upstream_failed', { promptHash: 'known' }),
      failed('provider', 'upstream_failed', { promptHash: 'unknown' }),
      failed('provider', 'upstream_failed', { promptHash: 'known', startedAtMs: START_MS - 86_400_000 }),
    ]);
    await store.db.insertRows('assignments', [
      { run_id: 'run-1', prompt_hash: 'known', use_case: 'coffee_places', confidence: 1 },
    ]);
    const run = { ...scope, runId: 'run-1' };
    const rows = await readFailures(store.db, run);
    expect(rows.map(({ useCase, requestCount, costUsd }) => [useCase, requestCount, costUsd])).toEqual([
      ['coffee_places', 1, null],
      ['other', 1, null],
    ]);
    const { sql, params } = failuresQuery(run, { modelId: 'ollama:mistral:7b', useCase: 'coffee_places' });
    expect(await store.db.query(sql, params)).toMatchObject([{ useCase: 'coffee_places', requestCount: 1 }]);
  });
});

describe('readFailedAttempts', () => {
  it('counts the attempts of every model by their code', async () => {
    await using store = await openScratchStore();
    const slow = { modelId: 'ollama:slow', code: 'upstream_timeout' };
    const empty = { modelId: 'ollama:slow', code: 'empty_answer' };
    const broken = { modelId: 'ollama:broken', code: 'upstream_failed' };
    await store.insertRequests([
      { failedAttempts: [slow, broken] },
      { failedAttempts: [slow] },
      { failedAttempts: [empty] },
      {},
      { failedAttempts: [slow], startedAtMs: START_MS - 86_400_000 },
    ]);
    expect(await readFailedAttempts(store.db, scope)).toEqual([
      { modelId: 'ollama:slow', code: 'upstream_timeout', attemptCount: 2 },
      { modelId: 'ollama:broken', code: 'upstream_failed', attemptCount: 1 },
      { modelId: 'ollama:slow', code: 'empty_answer', attemptCount: 1 },
    ]);
    const { sql, params } = failedAttemptsQuery(scope, { modelId: 'ollama:broken' });
    expect(await store.db.query(sql, params)).toMatchObject([{ modelId: 'ollama:broken', attemptCount: 1 }]);
  });
});
