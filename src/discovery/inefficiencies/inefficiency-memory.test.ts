import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { PolicyBook } from '../../core/policy.ts';
import type { ModelRecord } from './evidence.ts';
import { InefficiencyMemory } from './inefficiency-memory.ts';

const START_MS = Date.UTC(2026, 9, 5, 10, 0, 0);
const MINUTE_MS = 60_000;

/** The roll-up as it would stand for a log of so many requests. */
const rowsOf = (requestCount: number): ModelRecord[] => [
  {
    useCase: 'travel',
    modelId: 'openai:gpt-4o',
    requestCount,
    successCount: requestCount,
    failureCount: 0,
    pricedCount: requestCount,
    costSumUsd: requestCount,
    costSquareSum: requestCount,
  },
];

describe('InefficiencyMemory', () => {
  let store: ScratchStore;
  let nowMs = START_MS;
  beforeEach(async () => {
    store = await openScratchStore();
    nowMs = START_MS;
  });
  afterEach(() => store.dispose());

  const scope = (toMs: number) => ({
    runId: 'starter',
    from: new Date(toMs - 60 * MINUTE_MS),
    to: new Date(toMs),
  });
  /** Twelve times the same, of which a cache would answer eleven: 11 $. */
  const insertDuplicates = () =>
    store.insertRequests(
      Array.from({ length: 12 }, (_, at) => ({
        startedAtMs: START_MS - 30 * MINUTE_MS + 10_000 * at,
        costUsd: 1,
      })),
    );

  it('reads a small log anew each time', async () => {
    const memory = new InefficiencyMemory(() => nowMs, new PolicyBook());
    expect(await memory.read(store.db, scope(START_MS), rowsOf(12))).toEqual([]);
    await insertDuplicates();
    expect(await memory.read(store.db, scope(START_MS), rowsOf(12))).toHaveLength(1);
  });

  it('remembers the findings of a large one for five minutes, per length of window', async () => {
    const memory = new InefficiencyMemory(() => nowMs, new PolicyBook());
    const read = (toMs: number) => memory.read(store.db, scope(toMs), rowsOf(100_000));
    expect(await read(START_MS)).toEqual([]);
    await insertDuplicates();
    nowMs += 4 * MINUTE_MS;
    expect(await read(START_MS + 4 * MINUTE_MS)).toEqual([]);
    expect(await read(START_MS - 10 * MINUTE_MS)).toHaveLength(1);
    const shorter = { ...scope(START_MS), from: new Date(START_MS - 40 * MINUTE_MS) };
    expect(await memory.read(store.db, shorter, rowsOf(100_000))).toHaveLength(1);
    nowMs += 10 * MINUTE_MS;
    expect(await read(START_MS)).toHaveLength(1);
  });
});
