import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImportFault, parseImportRow } from './import-rows.ts';

describe('parseImportRow', () => {
  it('reads the documented fields', () => {
    const row = parseImportRow({
      timestamp: '2026-03-01T10:00:00Z',
      model: 'gpt-4o',
      prompt: 'What time does Starbucks open?',
      response: 'At 6.',
      latency_ms: 812,
      prompt_tokens: 10,
      completion_tokens: 4,
      cost_usd: 0.002,
      user_id: 'ann',
      session_id: 's1',
      rating: 5,
    });
    expect(row).toMatchObject({
      startedAtMs: Date.UTC(2026, 2, 1, 10),
      model: 'gpt-4o',
      text: { prompt: 'What time does Starbucks open?', context: '' },
      latencyMs: 812,
      costUsd: 0.002,
      usage: { promptTokens: 10, completionTokens: 4 },
      context: { userId: 'ann', sessionId: 's1' },
      feedback: 1,
      error: null,
    });
  });

  it.each([
    ['seconds', 1_700_000_000],
    ['milliseconds', 1_700_000_000_000],
    ['microseconds', 1_700_000_000_000_000],
    ['nanoseconds as text', '1700000000000000000'],
  ])('tells an epoch in %s by its size', (_unit, time) => {
    expect(parseImportRow({ model: 'm', prompt: 'p', ts: time }).startedAtMs).toBe(1_700_000_000_000);
  });

  it('takes messages and keeps the conversation', () => {
    const messages = [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'ok' },
      { role: 'user', content: [{ type: 'text', text: 'second' }] },
    ];
    const row = parseImportRow({ model: 'm', messages });
    expect(row.text).toEqual({ prompt: 'second', context: 'first' });
    expect(JSON.parse(row.conversation ?? '')).toEqual(messages);
  });

  it('leaves unknown what the line does not say', () => {
    expect(parseImportRow({ model: 'm', prompt: 'p' })).toMatchObject({
      startedAtMs: null,
      latencyMs: null,
      costUsd: null,
      feedback: null,
      usage: { promptTokens: null },
    });
  });

  it.each([
    [7, 'not a JSON object'],
    [{ prompt: 'p' }, 'no model'],
    [{ model: 'm' }, 'no prompt'],
    [{ model: 'm', prompt: '   ' }, 'no prompt'],
    [{ model: 'm', prompt: 'p', timestamp: 'yesterday' }, 'not a moment'],
    [{ model: 'm', prompt: 'p', latency_ms: -5 }, 'latency_ms'],
    [{ model: 'm', prompt: 'p', cost: 'free' }, 'cost_usd'],
    [{ model: 'm', prompt: 'p', rating: 9 }, 'feedback'],
    [{ model: 'm', prompt: 'p', score: 80 }, 'score'],
  ])('refuses %j and says why', (line, reason) => {
    expect(() => parseImportRow(line)).toThrow(reason);
  });

  it('takes or refuses any JSON value, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          parseImportRow(value);
        } catch (error) {
          expect(error).toBeInstanceOf(ImportFault);
        }
      }),
    );
  });
});
