import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { streamLabelledPrompts } from './labelled-prompts.ts';

describe('streamLabelledPrompts', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  async function labels(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for await (const rows of streamLabelledPrompts(store.db)) {
      for (const { prompt, useCase } of rows) {
        expect(found).not.toHaveProperty(prompt);
        found[prompt] = useCase;
      }
    }
    return found;
  }

  const row = (prompt: string, useCase: string, runId: string) => ({
    prompt,
    promptHash: prompt,
    useCase,
    runId,
  });

  it('has the labels of the way in while there is no run', async () => {
    await store.insertRequests([
      row('coffee?', 'food_dining', 'starter'),
      row('coffee?', 'food_dining', 'starter'),
      row('hi', 'casual_chat', 'starter'),
      { ...row('', 'other', 'starter'), promptHash: 'texts are not kept' },
    ]);
    expect(await labels()).toEqual({ 'coffee?': 'food_dining', hi: 'casual_chat' });
  });

  it('has the assignments of the current run first, and the labels of its classifier for what came after', async () => {
    await store.insertRequests([row('coffee?', 'food_dining', 'starter'), row('later', 'drinks', 'run-1')]);
    await store.insertRequests([row('never seen', 'food_dining', 'starter')]);
    await store.db.insertRows('assignments', [
      { run_id: 'run-1', prompt_hash: 'coffee?', use_case: 'drinks', confidence: 1 },
    ]);
    const now = '2026-01-01 00:00:00.000';
    await store.db.insertRows('discovery_runs', [
      {
        run_id: 'run-1',
        created_at: now,
        changed_at: now,
        status: 'active',
        window_from: now,
        window_to: now,
      },
    ]);
    expect(await labels()).toEqual({ 'coffee?': 'drinks', later: 'drinks', 'never seen': 'other' });
  });
});
