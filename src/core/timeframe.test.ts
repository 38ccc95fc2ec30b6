import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TallyrankError } from './errors.ts';
import { parseDurationMs, parseTimeframe } from './timeframe.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.UTC(2026, 10, 23, 12);

function codeOf(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof TallyrankError) return error.code;
    throw error;
  }
}

describe('parseDurationMs', () => {
  it.each([
    ['1 hour', HOUR_MS],
    ['7 days', 7 * DAY_MS],
    ['1 week', 7 * DAY_MS],
    ['1w', 7 * DAY_MS],
    ['1 month', 30 * DAY_MS],
    ['1 Year', 365 * DAY_MS],
    ['90m', 1.5 * HOUR_MS],
    ['1.5 hours', 1.5 * HOUR_MS],
    [' 30s ', 30_000],
    ['P7D', 7 * DAY_MS],
    ['p1w', 7 * DAY_MS],
    ['PT1H30M', 1.5 * HOUR_MS],
    ['P1DT12H', 1.5 * DAY_MS],
  ])('reads %j', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each([
    '',
    ' ',
    'week',
    '1',
    '1 fortnight',
    '0 days',
    '-1 day',
    '1e3 days',
    'P',
    'PT',
    'P0D',
    '11 years',
    '99999999 weeks',
    '1 week; DROP',
  ])('refuses %j', (text) => {
    expect(codeOf(() => parseDurationMs(text))).toBe('bad_timeframe');
  });

  it('answers any text with a positive number or its own error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^P?T?[\d.]{0,12} ?[a-zA-Z]{0,8}$/)), (text) => {
        let ms = 1;
        const code = codeOf(() => {
          ms = parseDurationMs(text);
        });
        expect(code === 'bad_timeframe' || (code === null && ms > 0 && ms <= 3650 * DAY_MS)).toBe(true);
      }),
    );
  });

  it('does not repeat an endless text in its message', () => {
    expect(() => parseDurationMs('x'.repeat(10_000))).toThrowError(/^.{0,250}$/);
  });
});

describe('parseTimeframe', () => {
  it('ends a duration now', () => {
    const window = parseTimeframe({ timeframe: '1 hour' }, NOW_MS);
    expect(window).toEqual({ from: new Date(NOW_MS - HOUR_MS), to: new Date(NOW_MS), label: '1 hour' });
  });

  it('takes the fallback where nothing was asked', () => {
    expect(parseTimeframe({}, NOW_MS).label).toBe('1 week');
    expect(parseTimeframe({}, NOW_MS, '30 days').label).toBe('30 days');
  });

  it('takes from and to, and now for a missing to', () => {
    const window = parseTimeframe({ from: '2026-11-01', to: '2026-11-02T06:00:00Z' }, NOW_MS);
    expect([window.from.toISOString(), window.to.toISOString()]).toEqual([
      '2026-11-01T00:00:00.000Z',
      '2026-11-02T06:00:00.000Z',
    ]);
    expect(parseTimeframe({ from: '2026-11-01' }, NOW_MS).to).toEqual(new Date(NOW_MS));
  });

  it.each([
    ['to alone', { to: '2026-11-01' }],
    ['both ways at once', { timeframe: '1 week', from: '2026-11-01' }],
    ['an empty window', { from: '2026-11-02', to: '2026-11-02' }],
    ['a reversed one', { from: '2026-11-03', to: '2026-11-02' }],
    ['an epoch', { from: '1763856000' }],
    ['a day that is none', { from: '2026-13-45' }],
    ['more than ten years', { from: '2000-01-01', to: '2026-01-01' }],
  ])('refuses %s', (_what, query) => {
    expect(codeOf(() => parseTimeframe(query, NOW_MS))).toBe('bad_timeframe');
  });
});
