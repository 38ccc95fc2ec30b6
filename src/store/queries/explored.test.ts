import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, uuidAt } from '../../../tests/kit/scratch-store.ts';
import { exploredSince } from './explored.ts';

const MIDNIGHT_MS = Date.UTC(2026, 9, 5);
const HOUR_MS = 3_600_000;
const [BEST, DEAR, CHEAP] = ['openai:best', 'openai:dear', 'ollama:cheap'] as const;

describe('exploredSince', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  async function log(
    atMs: number,
    given: {
      readonly modelIds: readonly string[];
      readonly costUsd: number | null;
      readonly isExploration?: boolean;
    },
  ): Promise<void> {
    const requestId = uuidAt(atMs);
    const [modelId = ''] = given.modelIds;
    await store.insertRequests([{ requestId, startedAtMs: atMs, modelId, costUsd: given.costUsd }]);
    const { modelIds, isExploration = false } = given;
    const cause = isExploration ? 'exploration' : 'ranking';
    await store.insertDecisions([{ requestId, startedAtMs: atMs, cause, modelIds, isExploration }]);
  }

  it('is nothing in an empty log', async () => {
    expect(await exploredSince(store.db, new Date(MIDNIGHT_MS))).toEqual({ exploredCount: 0, spentUsd: 0 });
  });

  it('counts what was explored since then, at its cost beyond the mean of the model not taken', async () => {
    await log(MIDNIGHT_MS - HOUR_MS, { modelIds: [DEAR, BEST], costUsd: 9, isExploration: true });
    await log(MIDNIGHT_MS, { modelIds: [BEST, CHEAP], costUsd: 0.01 });
    await log(MIDNIGHT_MS + 1, { modelIds: [BEST, CHEAP], costUsd: 0.03 });
    await log(MIDNIGHT_MS + 2, { modelIds: [DEAR, BEST], costUsd: 0.1, isExploration: true });
    // Cheaper than the mean of the best: counted, and saves nothing for the budget.
    await log(MIDNIGHT_MS + 3, { modelIds: [CHEAP, BEST], costUsd: 0, isExploration: true });
    // Nothing is known of what the other would have cost today: all of it counts.
    await log(MIDNIGHT_MS + 4, { modelIds: [DEAR, 'openai:unseen'], costUsd: 0.5, isExploration: true });
    await log(MIDNIGHT_MS + 5, { modelIds: [DEAR, BEST], costUsd: null, isExploration: true });
    const { exploredCount, spentUsd } = await exploredSince(store.db, new Date(MIDNIGHT_MS));
    expect(exploredCount).toBe(4);
    expect(spentUsd).toBeCloseTo(0.08 + 0.5, 9);
  });
});
