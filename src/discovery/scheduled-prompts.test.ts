import { describe, expect, it } from 'vitest';
import { findScheduledPrompts } from './scheduled-prompts.ts';

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
