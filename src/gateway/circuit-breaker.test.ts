import { describe, expect, it } from 'vitest';
import { CircuitBreakers } from './circuit-breaker.ts';

const MODEL = 'p:m1';

function breakersAt(start = 0): { readonly breakers: CircuitBreakers; readonly clock: { nowMs: number } } {
  const clock = { nowMs: start };
  return { clock, breakers: new CircuitBreakers(() => clock.nowMs) };
}

function fail(breakers: CircuitBreakers, times: number): void {
  for (let at = 0; at < times; at++) breakers.noteFailure(MODEL);
}

describe('CircuitBreakers', () => {
  it('opens after five failures in a row, and says when to come back', () => {
    const { breakers } = breakersAt();
    fail(breakers, 4);
    expect(breakers.areAllClosed).toBe(true);
    fail(breakers, 1);
    expect(breakers.isPassable(MODEL)).toBe(false);
    expect(breakers.isPassable('p:other')).toBe(true);
    expect(() => breakers.enter(MODEL)).toThrow(
      expect.objectContaining({ code: 'upstream_paused', statusCode: 503, retryAfterMs: 5_000 }),
    );
    expect(breakers.open()).toEqual([{ modelId: MODEL, state: 'open', probeAtMs: 5_000 }]);
  });

  it('begins to count anew after an answer', () => {
    const { breakers } = breakersAt();
    fail(breakers, 4);
    breakers.noteSuccess(MODEL);
    fail(breakers, 4);
    expect(breakers.areAllClosed).toBe(true);
  });

  it('opens for a model that fails every other time', () => {
    const { breakers } = breakersAt();
    for (let at = 0; at < 5; at++) {
      breakers.noteFailure(MODEL);
      breakers.noteSuccess(MODEL);
    }
    fail(breakers, 1);
    expect(breakers.isPassable(MODEL)).toBe(false);
  });

  it('forgets failures of more than a minute ago', () => {
    const { breakers, clock } = breakersAt();
    for (let at = 0; at < 20; at++) {
      breakers.noteFailure(MODEL);
      breakers.noteSuccess(MODEL);
      clock.nowMs += 15_000;
    }
    expect(breakers.areAllClosed).toBe(true);
  });

  it('lets one probe through when its time has come, and closes when that answers', () => {
    const { breakers, clock } = breakersAt();
    fail(breakers, 5);
    clock.nowMs = 5_000;
    expect(breakers.open()).toMatchObject([{ state: 'half_open' }]);
    breakers.enter(MODEL);
    expect(breakers.isPassable(MODEL)).toBe(false);
    expect(() => breakers.enter(MODEL)).toThrow('left alone');
    breakers.noteSuccess(MODEL);
    expect(breakers.areAllClosed).toBe(true);
    expect(breakers.open()).toEqual([]);
  });

  it('waits twice as long after each probe that fails, up to two minutes', () => {
    const { breakers, clock } = breakersAt();
    fail(breakers, 5);
    const waits: number[] = [];
    for (let at = 0; at < 7; at++) {
      const [circuit] = breakers.open();
      clock.nowMs = circuit?.probeAtMs ?? 0;
      breakers.enter(MODEL);
      breakers.noteFailure(MODEL);
      waits.push((breakers.open()[0]?.probeAtMs ?? 0) - clock.nowMs);
    }
    expect(waits).toEqual([10_000, 20_000, 40_000, 80_000, 120_000, 120_000, 120_000]);
  });

  it('does not take the late end of an old call for a probe', () => {
    const { breakers } = breakersAt();
    fail(breakers, 8);
    expect(breakers.open()[0]?.probeAtMs).toBe(5_000);
    breakers.noteSuccess(MODEL);
    breakers.noteRateLimited(MODEL, null);
    expect(breakers.isPassable(MODEL)).toBe(false);
  });

  it('lets a model that limits the rate rest as long as it said, a minute at most, for auto only', () => {
    const { breakers, clock } = breakersAt();
    breakers.noteRateLimited(MODEL, null);
    breakers.noteRateLimited(MODEL, 200);
    expect(breakers.areAllClosed).toBe(true);
    breakers.noteRateLimited(MODEL, 3_600_000);
    expect(breakers.isPassable(MODEL)).toBe(false);
    expect(breakers.open()).toEqual([{ modelId: MODEL, state: 'resting', probeAtMs: 60_000 }]);
    expect(() => breakers.enter(MODEL)).not.toThrow();
    clock.nowMs = 60_000;
    expect(breakers.isPassable(MODEL)).toBe(true);
    expect(breakers.areAllClosed).toBe(true);
    breakers.noteRateLimited(MODEL, 1_000);
    breakers.noteSuccess(MODEL);
    expect(breakers.areAllClosed).toBe(true);
  });

  it('probes again after one that told nothing', () => {
    const { breakers, clock } = breakersAt();
    fail(breakers, 5);
    clock.nowMs = 5_000;
    breakers.enter(MODEL);
    breakers.noteNothing(MODEL);
    expect(breakers.isPassable(MODEL)).toBe(true);
  });
});
