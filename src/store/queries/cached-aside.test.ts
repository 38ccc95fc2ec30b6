import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { NO_TOKEN_USAGE, type UsageRecord } from '../../core/usage-record.ts';
import { rebuildRollups, reconcileRollups } from '../rollups.ts';
import { commonPrompts } from './common-prompts.ts';
import { countPrompts } from './distinct-prompts.ts';
import { readRankingEvidence } from './ranking-evidence.ts';
import { listRequests } from './requests.ts';
import { usageStats } from './usage-stats.ts';
import { readDuplicates } from './waste/duplicates.ts';
import { readRetries } from './waste/retries.ts';

const START_MS = Date.UTC(2026, 9, 5, 10, 30);
const from = new Date(START_MS - 7_200_000);
const to = new Date(START_MS + 7_200_000);
const usage = { ...NO_TOKEN_USAGE, promptTokens: 100, completionTokens: 20 };

/** By a user who asks the same at once again and again, as those rows are that tell of waste. */
function row(at: number, given: Partial<UsageRecord> = {}): Partial<UsageRecord> {
  return { startedAtMs: START_MS + at, userId: 'ann', usage, costUsd: 0.002, latencyMs: 900, ...given };
}

function cached(at: number, given: Partial<UsageRecord> = {}): Partial<UsageRecord> {
  return row(at, { source: 'cache', costUsd: 0, avoidedUsd: 0.002, latencyMs: 1, attemptCount: 0, ...given });
}

describe('requests that the cache answered', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
    await store.insertRequests([
      row(0),
      // Within a whole hour, which the roll-up answers, as well as at its ends.
      row(-3_600_000),
      cached(-3_599_000),
      cached(1_000),
      cached(2_000),
      cached(3_000, { avoidedUsd: null }),
    ]);
  });
  afterAll(() => store.dispose());

  it('are counted with what they would have cost, and are in no other figure of usage', async () => {
    const stats = await usageStats(store.db, { from, to, label: 'test' });
    expect(stats.cached).toMatchObject({ requestCount: 4, pricedCount: 3 });
    expect(stats.cached.avoidedUsd).toBeCloseTo(0.006, 12);
    expect(stats.total).toMatchObject({ requestCount: 2, costSumUsd: 0.004, latencyMeanMs: 900 });
  });

  it('tell nothing of a model', async () => {
    const [evidence, ...others] = await readRankingEvidence(store.db, { runId: 'starter', from, to });
    expect(others).toEqual([]);
    expect(evidence).toMatchObject({ requestCount: 2, successCount: 2, pricedCount: 2, costSumUsd: 0.004 });
  });

  it('are what people ask: discovery and lists see them', async () => {
    expect(await countPrompts(store.db, { from, to })).toMatchObject({ requestCount: 6, distinctCount: 1 });
    const [prompt] = await commonPrompts(store.db, { from, to, label: 'test' }, 10);
    expect(prompt).toMatchObject({ requestCount: 6 });
    const { requests } = await listRequests(store.db, { from, to }, { limit: 10 });
    expect(requests.filter(({ source }) => source === 'cache')).toHaveLength(4);
  });

  it('are no waste', async () => {
    const scope = { runId: 'starter', from, to };
    expect(await readDuplicates(store.db, scope)).toMatchObject([{ requestCount: 1 }]);
    expect(await readRetries(store.db, scope)).toEqual([]);
  });

  it('give a new run nothing to count, and its days no reason to be counted again', async () => {
    expect(await rebuildRollups(store.db, 'run-1')).toEqual(['2026-10-05']);
    await store.insertRequests([cached(86_400_000)]);
    expect(await reconcileRollups(store.db, 'run-1')).toEqual([]);
    const rows = await store.db.query("SELECT source FROM usage_hourly WHERE source = 'cache'", {});
    expect(rows).toEqual([]);
  });
});
