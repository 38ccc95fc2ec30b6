import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import type { Timeframe } from '../../core/timeframe.ts';
import { usageStats } from './usage-stats.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 9, 5, 0, 0, 0);

function window(fromMs: number, toMs: number): Timeframe {
  return { from: new Date(fromMs), to: new Date(toMs), label: 'test' };
}

describe('usageStats', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
    // One request every seven minutes for two days.
    await store.insertRequests(
      Array.from({ length: 412 }, (_, at) => ({
        startedAtMs: START_MS + at * 420_000 + 123,
        modelId: at % 4 === 0 ? 'openai:gpt-4o' : 'ollama:mistral:7b',
        useCase: at % 2 === 0 ? 'food_dining' : 'quick_lookup',
        latencyMs: 1_000 + at,
        costUsd: at % 4 === 0 ? 0.25 : null,
        userId: `user-${at % 5}`,
        promptHash: `hash-${at % 10}`,
      })),
    );
    await store.insertRequests([
      {
        startedAtMs: START_MS + 1,
        failure: { fault: 'provider', code: 'upstream_failed', message: '' },
        costUsd: null,
      },
      {
        startedAtMs: START_MS + 2,
        failure: { fault: 'caller', code: 'caller_cancelled', message: '' },
        costUsd: null,
      },
    ]);
  });
  afterAll(() => store.dispose());

  it('counts the same as the log for windows that begin and end anywhere', async () => {
    for (const [fromMs, toMs] of [
      [START_MS, START_MS + 48 * HOUR_MS],
      [START_MS + 1_234_567, START_MS + 40 * HOUR_MS + 7_654_321],
      [START_MS + 420_123, START_MS + 20 * HOUR_MS],
      [START_MS + 30 * HOUR_MS + 1, START_MS + 31 * HOUR_MS - 1],
      [START_MS - 10 * HOUR_MS, START_MS + 1],
    ] as const) {
      const [raw] = await store.db.query(
        `SELECT count() AS requestCount, countIf(success) AS successCount, countIf(fault = 'provider') AS failureCount,
          countIf(cost_usd IS NOT NULL) AS pricedCount
        FROM usage_log WHERE started_at >= {from:DateTime64(3)} AND started_at < {to:DateTime64(3)}`,
        { from: new Date(fromMs), to: new Date(toMs) },
      );
      const stats = await usageStats(store.db, window(fromMs, toMs));
      expect(stats.total).toMatchObject(raw as object);
      const counted = raw as { requestCount: number };
      for (const part of [stats.byModel, stats.byUseCase, stats.series]) {
        expect(part.reduce((sum, row) => sum + row.requestCount, 0)).toBe(counted.requestCount);
      }
    }
  });

  it('tells models and use cases apart, most requests first', async () => {
    const stats = await usageStats(store.db, window(START_MS, START_MS + 48 * HOUR_MS));
    expect(stats.runId).toBe('starter');
    expect(
      stats.byModel.map((row) => [row.modelId, row.requestCount, row.pricedCount, row.costSumUsd]),
    ).toEqual([
      ['ollama:mistral:7b', 311, 0, null],
      ['openai:gpt-4o', 103, 103, 25.75],
    ]);
    expect(stats.byUseCase.map((row) => [row.useCase, row.requestCount])).toEqual([
      ['food_dining', 208],
      ['quick_lookup', 206],
    ]);
    expect(stats.total).toMatchObject({
      successCount: 412,
      failureCount: 1,
      abandonedCount: 1,
      successRate: 412 / 413,
      latencyMeanMs: 1_205.5,
      tokenCount: 414,
      promptTokenSum: 4_140,
      userCount: 6,
      distinctPromptCount: 11,
    });
    expect(stats.total.latencyP50Ms).toBeGreaterThan(1_190);
    expect(stats.total.latencyP95Ms).toBeLessThan(1_400);
  });

  it('gives a bucket for every part of the window, empty ones too', async () => {
    const stats = await usageStats(store.db, window(START_MS - 2 * HOUR_MS, START_MS + 10 * HOUR_MS));
    expect(stats.bucketMs).toBe(HOUR_MS);
    expect(stats.series).toHaveLength(12);
    expect(stats.series[0]).toMatchObject({
      at: '2026-10-04T22:00:00.000Z',
      requestCount: 0,
      successRate: null,
    });
    expect(stats.series[2]).toMatchObject({ at: '2026-10-05T00:00:00.000Z', requestCount: 11 });
  });

  it('knows nothing, and says so, where there was nothing', async () => {
    const stats = await usageStats(store.db, window(0, HOUR_MS));
    expect(stats.total).toMatchObject({
      requestCount: 0,
      successRate: null,
      costSumUsd: null,
      latencyP95Ms: null,
    });
    expect(stats.byModel).toEqual([]);
  });
});

it('counts rows that all came within the second in which the window ends', async () => {
  await using store = await openScratchStore();
  await store.insertRequests([
    { startedAtMs: START_MS + HOUR_MS + 36_296 },
    { startedAtMs: START_MS + HOUR_MS + 36_315 },
  ]);
  const stats = await usageStats(store.db, window(START_MS, START_MS + HOUR_MS + 36_834));
  expect(stats.total.requestCount).toBe(2);
});
