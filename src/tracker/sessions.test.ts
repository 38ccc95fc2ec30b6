import { describe, expect, it } from 'vitest';
import { SESSION_GAP_MS, SessionMemory } from './sessions.ts';

const START_MS = Date.UTC(2026, 0, 1);

/** Kind of the signal that `second` gives about `first`, asked `gapMs` later in one session. */
function kindAfter(first: string, second: string, gapMs = 60_000): string | null {
  const memory = new SessionMemory();
  memory.observe({ requestId: 'one', sessionId: 's', prompt: first, promptHash: first, atMs: START_MS });
  const signal = memory.observe({
    requestId: 'two',
    sessionId: 's',
    prompt: second,
    promptHash: second,
    atMs: START_MS + gapMs,
  });
  if (signal) expect(signal.requestId).toBe('one');
  return signal?.kind ?? null;
}

describe('SessionMemory', () => {
  it.each([
    ['What time does Starbucks open?', 'What time does Starbucks open?', 're_ask'],
    ['What time does Starbucks open today?', 'what time does the starbucks open today', 're_ask'],
    ['What time does Starbucks open?', 'And what is on the menu?', 'follow_up'],
    ['Write a haiku', 'No, that is not a haiku', 'correction'],
    ['Write a haiku', "That's wrong, it has six syllables", 'correction'],
    ['Write a haiku', 'thanks!', 'thanks'],
    ['Write a haiku', 'Danke', 'thanks'],
    ['Write a haiku', 'Thanks, but can you make the second line longer and explain the metre?', 'follow_up'],
    ['现在几点', '你好吗', 'follow_up'],
  ])('reads %j then %j as %s', (first, second, kind) => {
    expect(kindAfter(first, second)).toBe(kind);
  });

  it('says nothing after a long silence or when the clock jumped back', () => {
    expect(kindAfter('one', 'two', SESSION_GAP_MS + 1)).toBeNull();
    expect(kindAfter('one', 'two', -1)).toBeNull();
  });

  it('keeps sessions apart', () => {
    const memory = new SessionMemory();
    const ask = (requestId: string, sessionId: string) =>
      memory.observe({ requestId, sessionId, prompt: 'same', promptHash: 'same', atMs: START_MS });
    expect(ask('one', 'a')).toBeNull();
    expect(ask('two', 'b')).toBeNull();
    expect(ask('three', 'a')?.requestId).toBe('one');
  });
});
