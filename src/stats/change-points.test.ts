import { describe, expect, it } from 'vitest';
import { detectChangePoints } from './change-points.ts';
import { createRandom, type Random } from './random.ts';
import type { SeriesBucket } from './series-sums.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2026, 0, 1);

interface SeriesShape {
  readonly dayCount: number;
  /** Mean requests of an hour; nights have a fifth of it. */
  readonly perHour: number;
  readonly draw: (random: Random, offset: number) => number;
  /** What is added to the level, by hour of the series. */
  readonly offset?: (hour: number) => number;
  /** Standard deviation of what a whole day is off by. */
  readonly dayDeviation?: number;
}

const coin =
  (rate: number) =>
  (random: Random, offset: number): number =>
    random.next() < rate + offset ? 1 : 0;
const normal =
  (deviation: number) =>
  (random: Random, offset: number): number =>
    offset + deviation * random.normal();

function seriesOf(random: Random, shape: SeriesShape): SeriesBucket[] {
  const { dayCount, perHour, draw, offset = () => 0, dayDeviation = 0 } = shape;
  const buckets: SeriesBucket[] = [];
  let ofDay = 0;
  for (let hour = 0; hour < dayCount * 24; hour++) {
    if (hour % 24 === 0) ofDay = dayDeviation * random.normal();
    const count = poisson(random, perHour * (1 + 0.8 * Math.sin((2 * Math.PI * hour) / 24)));
    if (count === 0) continue;
    let sum = 0;
    let squareSum = 0;
    for (let n = 0; n < count; n++) {
      const value = draw(random, offset(hour) + ofDay);
      sum += value;
      squareSum += value * value;
    }
    buckets.push({ atMs: START_MS + hour * HOUR_MS, count, sum, squareSum });
  }
  return buckets;
}

/** Knuth's way: fine for small means. */
function poisson(random: Random, mean: number): number {
  const limit = Math.exp(-mean);
  let count = -1;
  for (let product = 1; product > limit; product *= random.next()) count++;
  return Math.max(0, count);
}

const daily = (size: number) => (hour: number) => size * Math.sin((2 * Math.PI * (hour - 4)) / 24);
const shiftAt = (hourOfShift: number, size: number) => (hour: number) => (hour >= hourOfShift ? size : 0);

describe('detectChangePoints', () => {
  it.each([
    ['rates near one', 'rate', { perHour: 2, draw: coin(0.98) }],
    ['rates with a time of day', 'rate', { perHour: 4, draw: coin(0.9), offset: daily(0.08) }],
    ['rates that differ from day to day', 'rate', { perHour: 4, draw: coin(0.88), dayDeviation: 0.04 }],
    ['latency with a time of day', 'real', { perHour: 3, draw: normal(0.5), offset: daily(1) }],
    ['latency that differs from day to day', 'real', { perHour: 8, draw: normal(0.6), dayDeviation: 0.3 }],
    ['latency of few requests', 'real', { perHour: 0.15, draw: normal(0.6), offset: daily(0.5) }],
  ] as const)('alarms falsely less often than stated: %s', (_, kind, shape) => {
    const random = createRandom(77);
    const falseAlarmsPerYear = 1;
    const seriesCount = 40;
    let alarmCount = 0;
    for (let n = 0; n < seriesCount; n++) {
      const series = seriesOf(random, { ...shape, dayCount: 120 });
      alarmCount += detectChangePoints(series, { kind, falseAlarmsPerYear })?.length ?? 0;
    }
    const years = (seriesCount * 120) / 365.25;
    expect(alarmCount / years).toBeLessThan(falseAlarmsPerYear);
  });

  it('does not take weeks that wander a little for changes', () => {
    const random = createRandom(99);
    let alarmCount = 0;
    for (let n = 0; n < 40; n++) {
      let level = 0;
      const levels = Array.from({ length: 120 }, () => {
        level = 0.3 * level + 0.2 * Math.sqrt(1 - 0.3 ** 2) * random.normal();
        return level;
      });
      const offset = (hour: number): number => levels[Math.floor(hour / 24)] ?? 0;
      const series = seriesOf(random, { dayCount: 120, perHour: 5, draw: normal(0.6), offset });
      alarmCount += detectChangePoints(series, { kind: 'real', falseAlarmsPerYear: 1 })?.length ?? 0;
    }
    expect(alarmCount / ((40 * 120) / 365.25)).toBeLessThan(1);
  });

  it('does not take a quiet weekend for a change', () => {
    const random = createRandom(2);
    const weekend = (hour: number): number => (Math.floor(hour / 24) % 7 >= 5 ? 0.4 : 0);
    for (let n = 0; n < 10; n++) {
      const series = seriesOf(random, { dayCount: 120, perHour: 5, draw: normal(0.5), offset: weekend });
      expect(detectChangePoints(series, { kind: 'real', falseAlarmsPerYear: 1 })).toEqual([]);
    }
  });

  it.each([
    ['success 0.95 to 0.85', 'rate', coin(0.95), -0.1, 5],
    ['log latency up by 0.3', 'real', normal(0.6), 0.3, 5],
  ] as const)('finds a shift within days: %s', (_, kind, draw, size, daysMax) => {
    const random = createRandom(21);
    const delays: number[] = [];
    for (let n = 0; n < 20; n++) {
      const hour = 24 * 60 + random.int(24);
      const series = seriesOf(random, { dayCount: 90, perHour: 5, draw, offset: shiftAt(hour, size) });
      const [change, ...others] = detectChangePoints(series, { kind }) ?? [];
      if (change === undefined) throw new Error('the shift was not found');
      expect(others.length).toBeLessThanOrEqual(1);
      expect(Math.abs(change.atMs - START_MS - hour * HOUR_MS)).toBeLessThan(2 * DAY_MS);
      expect(change.detectedAtMs).toBeGreaterThan(change.atMs);
      expect(Math.sign(change.after.mean - change.before.mean)).toBe(Math.sign(size));
      delays.push((change.detectedAtMs - START_MS) / DAY_MS - hour / 24);
    }
    delays.sort((one, other) => one - other);
    expect(delays[10]).toBeLessThan(daysMax);
  });

  it('finds a gross shift within a day', () => {
    const random = createRandom(4);
    const hour = 24 * 40 + 7;
    const series = seriesOf(random, {
      dayCount: 60,
      perHour: 10,
      draw: normal(0.5),
      offset: shiftAt(hour, 0.7),
    });
    const [change] = detectChangePoints(series, { kind: 'real' }) ?? [];
    expect((change?.detectedAtMs ?? 0) - START_MS - hour * HOUR_MS).toBeLessThan(DAY_MS);
    expect(change?.after.mean).toBeCloseTo(0.7, 1);
    const [low, high] = change?.before.interval ?? [1, 1];
    expect(low).toBeLessThan(0);
    expect(high).toBeGreaterThan(0);
    expect(high - low).toBeLessThan(0.1);
  });

  it('marks the beginning and the end of an outage', () => {
    const random = createRandom(6);
    const from = 24 * 50;
    const outage = (hour: number): number => (hour >= from && hour < from + 8 ? -0.75 : 0);
    const series = seriesOf(random, { dayCount: 80, perHour: 5, draw: coin(0.95), offset: outage });
    const marks = detectChangePoints(series, { kind: 'rate' }) ?? [];
    expect(marks.map(({ atMs }) => Math.round((atMs - START_MS) / HOUR_MS / 4) * 4)).toEqual([
      from,
      from + 8,
    ]);
    expect(marks[0]?.after.mean).toBeLessThan(0.5);
    expect(marks[1]?.after.mean).toBeGreaterThan(0.9);
  });

  it('says at every look what it says of the whole history up to there', () => {
    const random = createRandom(31);
    const hour = 24 * 30;
    const series = seriesOf(random, {
      dayCount: 45,
      perHour: 5,
      draw: coin(0.97),
      offset: shiftAt(hour, -0.2),
    });
    const [change] = detectChangePoints(series, { kind: 'rate' }) ?? [];
    const before = series.filter(({ atMs }) => atMs < (change?.detectedAtMs ?? 0) - HOUR_MS);
    expect(detectChangePoints(before, { kind: 'rate' })).toEqual([]);
    const until = series.filter(({ atMs }) => atMs < (change?.detectedAtMs ?? 0));
    const [alarm] = detectChangePoints(until, { kind: 'rate' }) ?? [];
    expect(alarm?.atMs).toBe(change?.atMs);
    expect(alarm?.detectedAtMs).toBe(change?.detectedAtMs);
  });

  it('takes daily sums', () => {
    const random = createRandom(14);
    const hourly = seriesOf(random, {
      dayCount: 90,
      perHour: 3,
      draw: normal(0.6),
      offset: shiftAt(24 * 60, 0.5),
    });
    const days = Array.from({ length: 90 }, (_, day) => {
      const atMs = START_MS + day * DAY_MS;
      const inside = hourly.filter((bucket) => bucket.atMs >= atMs && bucket.atMs < atMs + DAY_MS);
      return {
        atMs,
        count: inside.reduce((total, { count }) => total + count, 0),
        sum: inside.reduce((total, { sum }) => total + sum, 0),
        squareSum: inside.reduce((total, { squareSum }) => total + squareSum, 0),
      };
    });
    const marks = detectChangePoints(days, { kind: 'real', bucketMs: DAY_MS }) ?? [];
    expect(marks).toHaveLength(1);
    expect(marks[0]?.atMs).toBe(START_MS + 60 * DAY_MS);
  });

  it('says nothing of a series that is too short or too thin', () => {
    const random = createRandom(1);
    const week = seriesOf(random, { dayCount: 6, perHour: 5, draw: coin(0.9) });
    expect(detectChangePoints(week, { kind: 'rate' })).toBeNull();
    const thin = seriesOf(random, { dayCount: 60, perHour: 0.005, draw: coin(0.9) });
    expect(detectChangePoints(thin, { kind: 'rate' })).toBeNull();
    expect(detectChangePoints([], { kind: 'real' })).toBeNull();
  });

  it('says that it looked and found nothing', () => {
    const series = seriesOf(createRandom(1), { dayCount: 20, perHour: 5, draw: coin(0.9) });
    expect(detectChangePoints(series, { kind: 'rate' })).toEqual([]);
  });

  it('survives values that never vary, and sees them jump', () => {
    const constant = (value: (hour: number) => number): SeriesBucket[] =>
      Array.from({ length: 24 * 30 }, (_, hour) => ({
        atMs: START_MS + hour * HOUR_MS,
        count: 2,
        sum: 2 * value(hour),
        squareSum: 2 * value(hour) ** 2,
      }));
    for (const kind of ['rate', 'real'] as const)
      expect(
        detectChangePoints(
          constant(() => 1),
          { kind },
        ),
      ).toEqual([]);
    // The price of a model is changed: its cost per request was the same every time.
    const [jump] = detectChangePoints(constant(shiftAt(24 * 20, 0.4)), { kind: 'real' }) ?? [];
    expect(jump?.atMs).toBe(START_MS + 20 * DAY_MS);
    expect(jump?.after.mean).toBeCloseTo(0.4, 12);
    const [drop] =
      detectChangePoints(
        constant((hour) => (hour < 24 * 20 ? 1 : 0)),
        { kind: 'rate' },
      ) ?? [];
    expect(drop?.atMs).toBe(START_MS + 20 * DAY_MS);
  });

  it('leaves out what is older than its window, however far back a first bucket lies', () => {
    const recent = seriesOf(createRandom(5), { dayCount: 30, perHour: 5, draw: coin(0.9) });
    const ancient = { atMs: START_MS - 3_000 * DAY_MS, count: 500, sum: 0, squareSum: 0 };
    expect(detectChangePoints([ancient, ...recent], { kind: 'rate' })).toEqual([]);
  });

  it('refuses buckets out of order and options that mean nothing', () => {
    const one = { atMs: START_MS, count: 1, sum: 1, squareSum: 1 };
    expect(() => detectChangePoints([one, one], { kind: 'rate' })).toThrow(RangeError);
    expect(() => detectChangePoints([], { kind: 'rate', falseAlarmsPerYear: 0 })).toThrow(RangeError);
    expect(() => detectChangePoints([], { kind: 'rate', bucketMs: 7 * HOUR_MS })).toThrow(RangeError);
  });
});
