import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { performance } from './performance.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 9, 5);
const failure = { fault: 'model', code: 'empty_answer', message: '' } as const;

describe('performance', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
    const asked = { modelId: 'openai:gpt-4o', useCase: 'quick_lookup' };
    await store.insertRequests([
      { ...asked, startedAtMs: START_MS + 60_000, latencyMs: 100, costUsd: 0.5 },
      { ...asked, startedAtMs: START_MS + 90_000, latencyMs: 300, costUsd: null },
      { ...asked, startedAtMs: START_MS + 2 * HOUR_MS, latencyMs: 900, costUsd: 1.5, failure },
      { ...asked, startedAtMs: START_MS + 60_000, useCase: 'another' },
      { ...asked, startedAtMs: START_MS + 60_000, modelId: 'another' },
    ]);
  });
  afterAll(() => store.dispose());

  it('follows one model in one use case over time', async () => {
    const timeframe = { from: new Date(START_MS), to: new Date(START_MS + 12 * HOUR_MS), label: '12 hours' };
    const seen = await performance(store.db, {
      modelId: 'openai:gpt-4o',
      useCase: 'quick_lookup',
      timeframe,
    });
    expect(seen.total).toMatchObject({
      requestCount: 3,
      successCount: 2,
      failureCount: 1,
      successRate: 2 / 3,
      latencyMeanMs: 200,
      pricedCount: 2,
      costMeanUsd: 1,
    });
    expect(seen.series).toHaveLength(12);
    expect(seen.series[0]).toMatchObject({ requestCount: 2, successRate: 1, costMeanUsd: 0.5 });
    expect(seen.series[1]).toMatchObject({ requestCount: 0, successRate: null, latencyP95Ms: null });
    expect(seen.series[2]).toMatchObject({
      requestCount: 1,
      successRate: 0,
      latencyMeanMs: null,
      costMeanUsd: 1.5,
    });
  });

  it('takes the short windows from the log, by the minute', async () => {
    const timeframe = { from: new Date(START_MS), to: new Date(START_MS + HOUR_MS), label: '1 hour' };
    const seen = await performance(store.db, {
      modelId: 'openai:gpt-4o',
      useCase: 'quick_lookup',
      timeframe,
    });
    expect(seen.bucketMs).toBe(60_000);
    expect(seen.series.map((bucket) => bucket.requestCount).slice(0, 3)).toEqual([0, 2, 0]);
  });

  it('says that it has not seen a model', async () => {
    const timeframe = { from: new Date(START_MS), to: new Date(START_MS + HOUR_MS), label: '1 hour' };
    const seen = await performance(store.db, { modelId: 'x', useCase: "y' OR 1", timeframe });
    expect(seen.total).toMatchObject({ requestCount: 0, successRate: null });
  });
});
