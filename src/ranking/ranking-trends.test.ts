import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { encodeSignal } from '../core/signal.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { ModelRanker } from './model-ranker.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
const MOVED_MS = NOW_MS - 4 * DAY_MS;
const LOCAL = 'ollama:mistral:7b';
const PAID = 'openai:gpt-4o';

let store: ScratchStore;
let ranker: ModelRanker;

/** Evenly mixed numbers in 0..1, always the same. */
function mixed(at: number): number {
  return (at * 0.618_033_988_75) % 1;
}

/** Six requests an hour for twenty days; a provider swaps the model behind the name four days ago. */
function history(modelId: string, isSwapped: boolean): Partial<UsageRecord>[] {
  return Array.from({ length: 20 * 24 * 6 }, (_, at) => {
    const startedAtMs = NOW_MS - 20 * DAY_MS + at * (HOUR_MS / 6);
    const isNew = isSwapped && startedAtMs >= MOVED_MS;
    const isFailed = mixed(at) < (isNew ? 0.4 : 0.04);
    return {
      startedAtMs,
      modelId,
      latencyMs: (isNew ? 2_000 : 1_000) * (0.7 + 0.6 * mixed(7 * at + 3)),
      costUsd: 0.01 * (0.8 + 0.4 * mixed(3 * at + 1)),
      failure: isFailed
        ? { fault: 'model' as const, code: 'empty_answer', message: 'The answer was empty.' }
        : null,
    };
  });
}

beforeAll(async () => {
  store = await openScratchStore();
  ranker = new ModelRanker({
    db: store.db,
    clock: () => NOW_MS,
    slugNow: async (slug) => (slug === 'eating' ? 'food_dining' : null),
  });
  const swapped = await store.insertRequests(history(PAID, true));
  await store.insertRequests(history(LOCAL, false));
  const signals = swapped.slice(-40).map(({ requestId }, at) =>
    encodeSignal({
      requestId,
      kind: at < 20 ? 'feedback' : 'imported_score',
      value: at < 20 ? 1 : 0,
      comment: null,
      source: 'api',
      atMs: NOW_MS,
    }),
  );
  const overruled = encodeSignal({
    requestId: swapped.at(-40)?.requestId ?? '',
    kind: 'imported_score',
    value: 0,
    comment: null,
    source: 'import',
    atMs: NOW_MS,
  });
  await store.db.insertLines('signals', Buffer.from([...signals, overruled].join('\n')), 'signals');
  await ranker.refreshAll();
});
afterAll(() => store.dispose());

describe('trends', () => {
  it('mark when a provider swapped the model, in each figure that moved, and in none that did not', async () => {
    const trends = await ranker.getTrends('food_dining');
    expect(trends).toMatchObject({
      useCase: 'food_dining',
      redirectedFrom: null,
      stepMs: DAY_MS,
      seriesCount: 7,
    });
    expect(trends.falseAlarmsPerYear).toBe(0.05);
    const [local, paid] = trends.models;
    expect([local?.modelId, paid?.modelId]).toEqual([LOCAL, PAID]);
    for (const trend of [local?.success, local?.latencyMs, local?.costUsd, paid?.costUsd]) {
      expect(trend?.changePoints).toEqual([]);
    }
    for (const trend of [paid?.success, paid?.latencyMs]) {
      expect(trend?.changePoints).toHaveLength(1);
      const at = Date.parse(trend?.changePoints?.[0]?.at ?? '');
      expect(Math.abs(at - MOVED_MS)).toBeLessThanOrEqual(6 * HOUR_MS);
      expect(Date.parse(trend?.changePoints?.[0]?.detectedAt ?? '')).toBeGreaterThan(at);
    }
    const [success] = paid?.success.changePoints ?? [];
    expect(success?.before.value).toBeCloseTo(0.96, 1);
    expect(success?.after.value).toBeCloseTo(0.6, 1);
    expect(success?.difference).toBeLessThan(-0.3);
    const [latency] = paid?.latencyMs.changePoints ?? [];
    expect(latency?.after.value).toBeGreaterThan(1.8 * (latency?.before.value ?? Number.POSITIVE_INFINITY));
    expect(latency?.before.value).toBeGreaterThan(900);
    expect(latency?.before.value).toBeLessThan(1_050);
  });

  it('carry n and an interval around each point', async () => {
    const { models } = await ranker.getTrends('food_dining', { modelId: 'gpt-4o', timeframe: '7 days' });
    expect(models.map(({ modelId }) => modelId)).toEqual([PAID]);
    const [paid] = models;
    const counts = paid?.success.points.map(({ sampleCount }) => sampleCount) ?? [];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(7 * 24 * 6);
    for (const trend of [paid?.success, paid?.latencyMs, paid?.costUsd]) {
      for (const { value, interval } of trend?.points ?? []) {
        expect(interval?.[0]).toBeLessThan(value);
        expect(interval?.[1]).toBeGreaterThan(value);
      }
    }
    expect(paid?.success.points[0]?.at).toBe(new Date(NOW_MS - 7 * DAY_MS).toISOString());
    // A change before the window is not of the window.
    const late = await ranker.getTrends('food_dining', { modelId: PAID, timeframe: '2 days' });
    expect(late.stepMs).toBe(HOUR_MS);
    expect(late.models[0]?.success.changePoints).toEqual([]);
  });

  it('show quality where somebody rated, feedback before imported scores', async () => {
    const { models } = await ranker.getTrends('food_dining');
    expect(models[0]?.quality).toBeNull();
    const points = models[1]?.quality?.points ?? [];
    expect(points.reduce((sum, { sampleCount }) => sum + sampleCount, 0)).toBe(40);
    expect(points.reduce((sum, { value, sampleCount }) => sum + value * sampleCount, 0)).toBeCloseTo(20);
    expect(models[1]?.quality?.changePoints).toBeNull();
  });

  it('say that there is too little, take old slugs, and refuse what is not there', async () => {
    expect(await ranker.getTrends('eating', { timeframe: '1 day' })).toMatchObject({
      useCase: 'food_dining',
      redirectedFrom: 'eating',
    });
    expect((await ranker.getTrends('casual_chat')).models).toEqual([]);
    await expect(ranker.getTrends('food_dining', { modelId: 'nobody' })).rejects.toMatchObject({
      code: 'unknown_model',
    });
    await expect(ranker.getTrends('nonsense')).rejects.toMatchObject({ code: 'unknown_use_case' });
    await expect(ranker.getTrends('food_dining', { timeframe: 'soon' })).rejects.toMatchObject({
      code: 'bad_timeframe',
    });
  });
});
