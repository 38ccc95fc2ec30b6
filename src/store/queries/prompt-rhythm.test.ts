import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { readPromptRhythms } from './prompt-rhythm.ts';

const START_MS = Date.UTC(2026, 9, 5);
const HOUR_MS = 3_600_000;
const WINDOW = { from: new Date(START_MS), to: new Date(START_MS + 30 * 24 * HOUR_MS), repeatsMin: 6 };

let store: ScratchStore;
beforeAll(async () => {
  store = await openScratchStore();
  const row = (promptHash: string, atMs: number, userId: string | null) => ({
    promptHash,
    userId,
    startedAtMs: START_MS + Math.round(atMs),
  });
  await store.insertRequests([
    // Every hour with some seconds of jitter, and a gap of three hours.
    ...Array.from({ length: 24 }, (_, at) =>
      row('clock', (at + (at > 10 ? 2 : 0)) * HOUR_MS + (at % 5) * 4_000, 'cron'),
    ),
    // A person: squares of hours.
    ...Array.from({ length: 12 }, (_, at) => row('person', at ** 2.2 * HOUR_MS, 'ann')),
    // Retries within a second.
    ...Array.from({ length: 12 }, (_, at) => row('retry', at * 300, 'bob')),
    ...Array.from({ length: 4 }, (_, at) => row('rare', at * HOUR_MS, 'bob')),
    ...Array.from({ length: 8 }, (_, at) => row('nameless', at * HOUR_MS, null)),
  ]);
});
afterAll(() => store.dispose());

describe('readPromptRhythms', () => {
  it('tells the clock from people and retries', async () => {
    const rhythms = await readPromptRhythms(store.db, WINDOW);
    const byHash = new Map(rhythms.map((rhythm) => [rhythm.promptHash, rhythm]));
    expect([...byHash.keys()].sort()).toEqual(['clock', 'nameless', 'person']);
    const clock = byHash.get('clock');
    expect(clock).toMatchObject({ asker: 'cron', requestCount: 24, dayCount: 2 });
    expect(clock?.intervalMs).toBeGreaterThan(HOUR_MS * 0.99);
    expect(clock?.intervalMs).toBeLessThan(HOUR_MS * 1.01);
    expect(clock?.regularShare).toBe(1);
    expect(byHash.get('person')?.regularShare).toBeLessThan(0.6);
    expect(byHash.get('nameless')?.asker).toBe('');
  });
});
