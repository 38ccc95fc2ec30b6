import { describe, expect, it } from 'vitest';
import { openScratchStore } from '../../../tests/kit/scratch-store.ts';
import { findScheduledPrompts, readScheduledPrompts } from './scheduled-prompts.ts';

const MINUTE_MS = 60_000;
const rhythm = (given: object) => ({
  promptHash: 'a',
  asker: 'ann',
  requestCount: 20,
  intervalMs: 15 * MINUTE_MS,
  regularShare: 1,
  dayCount: 3,
  ...given,
});

describe('findScheduledPrompts', () => {
  it('names the rhythm of what comes by the clock', () => {
    const found = (intervalMs: number) => findScheduledPrompts([rhythm({ intervalMs })])[0]?.rhythm;
    expect(found(15 * MINUTE_MS)).toBe('every 15 minutes');
    expect(found(61 * MINUTE_MS)).toBe('every hour');
    expect(found(24 * 60 * MINUTE_MS)).toBe('every day');
    expect(found(90 * MINUTE_MS)).toBe('every 90 minutes');
    expect(found(30_000)).toBe('every 30 seconds');
  });

  it('leaves people, retries and rare texts out', () => {
    expect(findScheduledPrompts([rhythm({ regularShare: 0.3 })])).toEqual([]);
    expect(findScheduledPrompts([rhythm({ intervalMs: 2_000 })])).toEqual([]);
    expect(findScheduledPrompts([rhythm({ requestCount: 5 })])).toEqual([]);
  });

  it('adds up several askers of one text', () => {
    expect(findScheduledPrompts([rhythm({}), rhythm({ asker: 'bob', requestCount: 7 })])).toMatchObject([
      { promptHash: 'a', requestCount: 27 },
    ]);
  });
});

describe('readScheduledPrompts', () => {
  it('finds in the log what a clock asks', async () => {
    await using store = await openScratchStore();
    const startMs = Date.UTC(2026, 9, 5);
    await store.insertRequests(
      Array.from({ length: 12 }, (_, at) => ({
        promptHash: 'clock',
        userId: 'cron',
        startedAtMs: startMs + at * 15 * MINUTE_MS,
      })),
    );
    const window = { from: new Date(startMs), to: new Date(startMs + 24 * 60 * MINUTE_MS) };
    expect(await readScheduledPrompts(store.db, window)).toEqual([
      { promptHash: 'clock', requestCount: 12, intervalMs: 15 * MINUTE_MS, rhythm: 'every 15 minutes' },
    ]);
  });
});
