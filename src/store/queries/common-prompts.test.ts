import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { commonPrompts } from './common-prompts.ts';

const START_MS = Date.UTC(2026, 9, 5);
const DAY = { from: new Date(START_MS), to: new Date(START_MS + 86_400_000), label: '1 day' };

describe('commonPrompts', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
    await store.insertRequests([
      { startedAtMs: START_MS, promptHash: 'c', prompt: 'coffee?', modelId: 'b' },
      { startedAtMs: START_MS + 2_500, promptHash: 'c', prompt: 'Coffee?', modelId: 'a' },
      { startedAtMs: START_MS + 1_000, promptHash: 'c', prompt: 'coffee?', modelId: 'a' },
      { startedAtMs: START_MS + 1_000, promptHash: 'd', prompt: '', modelId: 'a', useCase: 'quick_lookup' },
      { startedAtMs: START_MS - 1, promptHash: 'd', modelId: 'a' },
      { startedAtMs: DAY.to.getTime(), promptHash: 'd', modelId: 'a' },
    ]);
  });
  afterEach(() => store.dispose());

  it('lists the prompts asked most in the window', async () => {
    expect(await commonPrompts(store.db, DAY, 20)).toEqual([
      {
        promptHash: 'c',
        prompt: 'Coffee?',
        requestCount: 3,
        modelIds: ['a', 'b'],
        useCase: 'food_dining',
        lastSeenAt: '2026-10-05T00:00:02.500Z',
      },
      {
        promptHash: 'd',
        prompt: null,
        requestCount: 1,
        modelIds: ['a'],
        useCase: 'quick_lookup',
        lastSeenAt: '2026-10-05T00:00:01.000Z',
      },
    ]);
    expect(await commonPrompts(store.db, DAY, 1)).toHaveLength(1);
  });

  it('speaks of the use cases of the current run', async () => {
    const at = new Date(START_MS);
    await store.db.insertRows('discovery_runs', [
      { run_id: 'run-1', created_at: at, status: 'active', window_from: at, window_to: at, changed_at: at },
    ]);
    await store.db.insertRows('assignments', [{ run_id: 'run-1', prompt_hash: 'c', use_case: 'coffee' }]);
    const prompts = await commonPrompts(store.db, DAY, 20);
    expect(prompts.map((prompt) => prompt.useCase)).toEqual(['coffee', 'other']);
  });
});
