import { describe, expect, it } from 'vitest';
import { TallyrankError } from '../core/errors.ts';
import { isWorthRetrying, retryDelayMs } from './retry.ts';
import { errorOfConnection, errorOfStatus } from './upstream-errors.ts';

const NOTHING = Buffer.from('');
const broken = (code: string): Error => Object.assign(new Error(code), { code });

describe('isWorthRetrying', () => {
  it.each([429, 500, 502, 503, 529])('holds for status %i', (status) => {
    expect(isWorthRetrying(errorOfStatus('p', status, {}, NOTHING))).toBe(true);
  });

  it.each([400, 401, 402, 404, 408, 413, 504])('does not hold for status %i', (status) => {
    expect(isWorthRetrying(errorOfStatus('p', status, {}, NOTHING))).toBe(false);
  });

  it('does not hold for an account without quota, though it is a 429', () => {
    const body = Buffer.from('{"error":{"code":"insufficient_quota","message":"x"}}');
    expect(isWorthRetrying(errorOfStatus('p', 429, {}, body))).toBe(false);
  });

  it('tells a connection that broke from one that was refused, and from an answer that was cut', () => {
    expect(isWorthRetrying(errorOfConnection('p', broken('ECONNRESET'), false))).toBe(true);
    expect(isWorthRetrying(errorOfConnection('p', broken('UND_ERR_SOCKET'), false))).toBe(true);
    expect(isWorthRetrying(errorOfConnection('p', broken('ECONNREFUSED'), false))).toBe(false);
    expect(isWorthRetrying(errorOfConnection('p', broken('ECONNRESET'), true))).toBe(false);
  });
});

describe('retryDelayMs', () => {
  const failed = new TallyrankError('upstream_failed', 'x');

  it('draws between nothing and a ceiling that doubles up to eight seconds', () => {
    expect([0, 1, 2, 3, 4, 5].map((before) => retryDelayMs(failed, before, 1))).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 8_000,
    ]);
    expect(retryDelayMs(failed, 3, 0)).toBe(0);
    expect(retryDelayMs(failed, 1, 0.5)).toBe(500);
  });

  it.each([
    [{ 'retry-after': '2' }, 2_000],
    [{ 'retry-after-ms': '40', 'retry-after': '2' }, 40],
    [{ 'retry-after': 'Wed, 21 Oct 2026 07:28:03 GMT', date: 'Wed, 21 Oct 2026 07:28:00 GMT' }, 3_000],
    [{ 'retry-after': 'Wed, 21 Oct 2026 07:27:00 GMT', date: 'Wed, 21 Oct 2026 07:28:00 GMT' }, 0],
  ])('never comes back before %j', (headers, retryAfterMs) => {
    const error = errorOfStatus('p', 503, headers, NOTHING);
    expect(error.retryAfterMs).toBe(retryAfterMs);
    expect(retryDelayMs(error, 0, 0)).toBe(retryAfterMs);
    expect(retryDelayMs(error, 0, 1)).toBeGreaterThanOrEqual(retryAfterMs);
  });

  it('knows no time from a date without the clock of the provider, or from words', () => {
    const date = { 'retry-after': 'Wed, 21 Oct 2026 07:28:03 GMT' };
    expect(errorOfStatus('p', 503, date, NOTHING).retryAfterMs).toBeNull();
    expect(errorOfStatus('p', 503, { 'retry-after': 'soon' }, NOTHING).retryAfterMs).toBeNull();
  });
});
