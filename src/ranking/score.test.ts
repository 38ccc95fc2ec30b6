import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { binMiddleMs, binsQuantileMs, latencyBin } from './latency-bins.ts';
import { costOfValue, costValue, speedMoments, speedValue } from './score.ts';

const page = readFileSync(new URL('../../docs/ranking.md', import.meta.url), 'utf8');

describe('the curves', () => {
  it('are worth half at 15 s and at one cent, and everything at nothing', () => {
    expect(speedValue(15_000)).toBe(0.5);
    expect(costValue(0.01)).toBe(0.5);
    expect([speedValue(0), costValue(0)]).toEqual([1, 1]);
  });

  it('are the tables of docs/ranking.md', () => {
    for (const latencyMs of [200, 500, 1_000, 2_100, 4_200, 8_000, 15_000, 30_000, 60_000]) {
      const value = speedValue(latencyMs);
      expect(page).toContain(`| ${latencyMs / 1_000} s | ${value.toFixed(3)} | ${(30 * value).toFixed(1)} |`);
    }
    for (const costUsd of [0, 0.0002, 0.001, 0.002, 0.005, 0.01, 0.03, 0.1]) {
      const value = costValue(costUsd);
      expect(page).toContain(`| $${costUsd} | ${value.toFixed(3)} | ${(20 * value).toFixed(1)} |`);
    }
  });

  it('can be read backwards for money', () => {
    expect(costOfValue(costValue(0.0123))).toBeCloseTo(0.0123, 12);
  });
});

describe('speedMoments', () => {
  it('is the mean of the curve over requests, within half a bin', () => {
    const latencies = [300, 800, 2_000, 2_500, 40_000];
    const bins = new Map<number, number>();
    for (const ms of latencies) bins.set(latencyBin(ms), (bins.get(latencyBin(ms)) ?? 0) + 1);
    const exact = latencies.reduce((sum, ms) => sum + speedValue(ms), 0) / latencies.length;
    const { count, sum } = speedMoments(bins);
    expect(count).toBe(5);
    expect(Math.abs(sum / count - exact)).toBeLessThan(0.02);
  });
});

describe('latency bins', () => {
  it('hold a value within half a bin of their middle', () => {
    for (const ms of [1, 3, 17, 250, 2_100, 59_999]) {
      expect(Math.abs(Math.log2(binMiddleMs(latencyBin(ms)) / ms))).toBeLessThanOrEqual(1 / 16 + 1e-9);
    }
  });

  it('put what is under a millisecond first and what is beyond all measure last', () => {
    expect([latencyBin(0), latencyBin(0.2), latencyBin(1e12)]).toEqual([0, 0, 255]);
  });

  it('know quantiles', () => {
    const bins = new Map([
      [latencyBin(8_000), 6],
      [latencyBin(1_000), 94],
    ]);
    expect(Math.round(binsQuantileMs(bins, 0.5) ?? 0)).toBe(Math.round(binMiddleMs(latencyBin(1_000))));
    expect(binsQuantileMs(bins, 0.95)).toBe(binMiddleMs(latencyBin(8_000)));
    expect(binsQuantileMs(new Map(), 0.95)).toBeNull();
  });
});
