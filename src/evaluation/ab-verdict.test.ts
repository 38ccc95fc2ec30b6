import { describe, expect, it } from 'vitest';
import { abTestOf } from '../../tests/kit/ab-tests.ts';
import type { AbMetric, AbTest } from '../core/ab-test.ts';
import { createRandom, type Random } from '../stats/random.ts';
import type { AbArmSums, AbSums } from '../store/queries/ab-tests.ts';
import { abVerdictOf } from './ab-verdict.ts';

const SEED = 20;
const NONE: AbSums = {
  unitCount: 0,
  requestCount: 0,
  requestSquareSum: 0,
  sum: 0,
  squareSum: 0,
  productSum: 0,
};

const abTest = (given: Partial<AbTest> = {}, names: readonly string[] = ['a', 'b']): AbTest =>
  abTestOf({
    arms: names.map((name) => ({ name, model: `x:${name}`, policy: null, weight: 1 / names.length })),
    ...given,
  });

/** Requests and total of one unit. */
interface Unit {
  n: number;
  y: number;
}

function sumsOf(units: Iterable<Unit>): AbSums {
  const sums = { ...NONE };
  for (const { n, y } of units) {
    sums.unitCount++;
    sums.requestCount += n;
    sums.requestSquareSum += n * n;
    sums.sum += y;
    sums.squareSum += y * y;
    sums.productSum += y * n;
  }
  return sums;
}

function seenOf(metric: AbMetric, arms: Readonly<Record<string, AbSums>>): AbArmSums[] {
  return Object.entries(arms).map(([arm, sums]) => ({
    arm,
    unitCount: sums.unitCount,
    requestCount: sums.requestCount,
    fallbackCount: 0,
    ratedCount: 0,
    success: NONE,
    satisfaction: NONE,
    cost: NONE,
    latency: NONE,
    [metric]: sums,
  }));
}

/** `count` units of one request each, a part of them 1. */
const coins = (count: number, rate: number): AbSums =>
  sumsOf(Array.from({ length: count }, (_, at) => ({ n: 1, y: at < Math.round(count * rate) ? 1 : 0 })));

/** Units of `size` requests each: all 1 in a part of them, all 0 in the others. */
const herds = (count: number, size: number, rate: number): AbSums =>
  sumsOf(
    Array.from({ length: count }, (_, at) => ({ n: size, y: at < Math.round(count * rate) ? size : 0 })),
  );

describe('the verdict of an A/B test', () => {
  it('knows nothing before the first request', () => {
    const verdict = abVerdictOf(abTest(), []);
    expect(verdict.comparisons).toEqual([
      { arm: 'b', metric: 'success', error: 0.05, difference: null, interval: null, outcome: 'early' },
    ]);
    expect(verdict.arms[0]?.figures.success).toEqual({ value: null, unitCount: 0, requestCount: 0 });
    expect(verdict).toMatchObject({ winner: null, split: { pValue: null, isMismatched: false } });
    expect(verdict.sentence).toBe(
      'Too early to tell b from a by success (too few units for an interval; n = 0 and 0 users).',
    );
  });

  it('compares units of one request exactly, and says the winner with its interval', () => {
    const verdict = abVerdictOf(
      abTest({ stickyBy: 'request' }),
      seenOf('success', { a: coins(600, 0.8), b: coins(610, 0.92) }),
    );
    const [found] = verdict.comparisons;
    expect(found?.difference).toBeCloseTo(0.12, 2);
    expect(found?.interval?.[0]).toBeGreaterThan(0);
    expect(verdict.winner).toBe('b');
    expect(verdict.sentence).toMatch(
      /^b is better than a: success 12\.0 points \(\d\.\d to \d\d\.\d\) higher; n = 610 and 600 requests\.$/,
    );
  });

  it('counts users, not their requests: many requests of few users settle nothing', () => {
    const few = abVerdictOf(abTest(), seenOf('success', { a: herds(60, 50, 0.8), b: herds(60, 50, 0.9) }));
    expect(few.comparisons[0]?.interval).toBeNull();
    const more = abVerdictOf(
      abTest(),
      seenOf('success', { a: herds(300, 50, 0.8), b: herds(300, 50, 0.88) }),
    );
    expect(more.comparisons[0]?.outcome).toBe('early');
    const asRequests = abVerdictOf(
      abTest(),
      seenOf('success', { a: coins(15_000, 0.8), b: coins(15_000, 0.88) }),
    );
    expect(asRequests.comparisons[0]?.outcome).toBe('better');
  });

  it('calls less better where it is cost or latency', () => {
    const cheap = sumsOf(Array.from({ length: 500 }, (_, at) => ({ n: 2, y: 0.002 + 0.0002 * (at % 5) })));
    const dear = sumsOf(Array.from({ length: 500 }, (_, at) => ({ n: 2, y: 0.004 + 0.0002 * (at % 5) })));
    const byCost = abVerdictOf(abTest({ metric: 'cost' }), seenOf('cost', { a: dear, b: cheap }));
    expect(byCost.winner).toBe('b');
    expect(byCost.sentence).toMatch(
      /^b is better than a: a request costs \$0\.001 \(\$0\.0009\d* to \$0\.001\d*\) less; /,
    );
    expect(byCost.arms[1]?.figures.cost.value).toBeCloseTo(0.0012, 9);

    const times = (ms: number): AbSums =>
      sumsOf(Array.from({ length: 400 }, (_, at) => ({ n: 1, y: Math.log(ms) + 0.1 * ((at % 5) - 2) })));
    const byLatency = abVerdictOf(
      abTest({ metric: 'latency' }),
      seenOf('latency', { a: times(1_000), b: times(1_200) }),
    );
    expect(byLatency.comparisons[0]).toMatchObject({ outcome: 'worse' });
    expect(byLatency.comparisons[0]?.difference).toBeCloseTo(0.2, 6);
    expect(byLatency.arms[1]?.figures.latency.value).toBeCloseTo(1_200, 6);
    expect(byLatency.winner).toBeNull();
    expect(byLatency.sentence).toContain('answers take 20.0 % (');
  });

  it('says so when no difference beyond the margin is left, of cost as a part of the control', () => {
    const equal = { a: coins(9_000, 0.9), b: coins(9_000, 0.9) };
    const verdict = abVerdictOf(abTest({ margin: 0.03, stickyBy: 'request' }), seenOf('success', equal));
    expect(verdict.comparisons[0]?.outcome).toBe('no_difference');
    expect(verdict.sentence).toMatch(
      /^b and a do not differ in success by more than the margin \(-\d\.\d to \d\.\d points; /,
    );
    expect(
      abVerdictOf(abTest({ stickyBy: 'request' }), seenOf('success', equal)).comparisons[0]?.outcome,
    ).toBe('early');

    const costs = sumsOf(Array.from({ length: 800 }, (_, at) => ({ n: 1, y: 0.001 + 0.0001 * (at % 3) })));
    const byCost = (margin: number) =>
      abVerdictOf(abTest({ metric: 'cost', margin }), seenOf('cost', { a: costs, b: costs })).comparisons[0]
        ?.outcome;
    expect([byCost(0.05), byCost(0.001)]).toEqual(['no_difference', 'early']);
  });

  it('shares the error among several arms, and takes the one that is furthest ahead', () => {
    const seen = seenOf('success', { a: coins(900, 0.7), b: coins(900, 0.85), c: coins(900, 0.95) });
    const verdict = abVerdictOf(abTest({ stickyBy: 'request' }, ['a', 'b', 'c']), seen);
    expect(verdict.comparisons.map(({ error }) => error)).toEqual([0.025, 0.025]);
    expect(verdict.winner).toBe('c');
    const [alone] = abVerdictOf(abTest({ stickyBy: 'request' }), seen.slice(0, 2)).comparisons;
    const [shared] = verdict.comparisons;
    expect((shared?.interval?.[0] ?? 1) < (alone?.interval?.[0] ?? 0)).toBe(true);
  });

  it('names no winner where the units are not split as the weights say', () => {
    const verdict = abVerdictOf(
      abTest({ stickyBy: 'request' }),
      seenOf('success', { a: coins(1_200, 0.7), b: coins(800, 0.95) }),
    );
    expect(verdict.comparisons[0]?.outcome).toBe('better');
    expect(verdict).toMatchObject({ winner: null, split: { isMismatched: true } });
    expect(verdict.sentence).toMatch(/^Do not trust this test: its units \(a 1200, b 800\)/);
  });

  it('shows the other metrics beside its own', () => {
    const verdict = abVerdictOf(abTest(), seenOf('cost', { a: coins(200, 0), b: coins(200, 1) }));
    expect(verdict.guardRails.map(({ metric, outcome }) => [metric, outcome])).toEqual([
      ['satisfaction', 'early'],
      ['cost', 'worse'],
      ['latency', 'early'],
    ]);
    expect(verdict.comparisons[0]?.metric).toBe('success');
  });
});

interface World<Trait> {
  readonly metric: AbMetric;
  /** What a new user is like. */
  trait(random: Random): Trait;
  value(trait: Trait, random: Random): number;
  /** Probability that a request is of a user who was there before. */
  readonly returning: number;
  /** Added to what the second arm's requests show; left out: the arms are equal. */
  readonly effect?: number;
}

const RUNS = 150;
const REQUESTS_MAX = 4_000;

/** Share of runs in which some look called the two arms different. */
function alarmRate<Trait>({ metric, trait, value, returning, effect = 0 }: World<Trait>): number {
  let alarmCount = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = createRandom(SEED + run);
    const arms = [[], []] as [(Unit & { who: Trait })[], (Unit & { who: Trait })[]];
    let nextLook = 200;
    for (let count = 1; count <= REQUESTS_MAX; count++) {
      const users = random.next() < 0.5 ? arms[0] : arms[1];
      let user = users[random.int(Math.max(1, users.length))];
      if (user === undefined || random.next() >= returning) {
        user = { n: 0, y: 0, who: trait(random) };
        users.push(user);
      }
      user.n++;
      user.y += value(user.who, random) + (users === arms[1] ? effect : 0);
      if (count < nextLook) continue;
      nextLook = Math.ceil(count * 1.15);
      const verdict = abVerdictOf(
        abTest({ metric }),
        seenOf(metric, { a: sumsOf(arms[0]), b: sumsOf(arms[1]) }),
      );
      if (verdict.comparisons[0]?.outcome === 'early' && !verdict.split.isMismatched) continue;
      alarmCount++;
      break;
    }
  }
  return alarmCount / RUNS;
}

describe(`two arms, looked at again and again (${RUNS} tests each, seed ${SEED})`, () => {
  const steady = { trait: (random: Random) => random.beta(9.8, 0.2), returning: 0.7 };
  const worlds: readonly (readonly [string, World<number>])[] = [
    [
      'success of users who differ, at 0.98',
      { metric: 'success', ...steady, value: (rate, random) => (random.next() < rate ? 1 : 0) },
    ],
    [
      'success of few users who come back all the time',
      {
        metric: 'success',
        trait: (random) => random.beta(4, 1),
        value: (rate, random) => (random.next() < rate ? 1 : 0),
        returning: 0.93,
      },
    ],
    [
      'satisfaction, between 0 and 1',
      { metric: 'satisfaction', ...steady, value: (mean, random) => mean * random.beta(4, 1) },
    ],
    [
      'cost, with a heavy tail',
      {
        metric: 'cost',
        trait: (random) => 0.001 * Math.exp(random.normal()),
        value: (mean, random) => mean * Math.exp(random.normal()),
        returning: 0.7,
      },
    ],
    [
      'latency',
      {
        metric: 'latency',
        trait: (random) => 7 + 0.4 * random.normal(),
        value: (mean, random) => mean + 0.7 * random.normal(),
        returning: 0.5,
      },
    ],
  ];

  it.each(worlds)('that are equal are told apart in at most a twentieth of tests by %s', (_what, world) => {
    expect(alarmRate(world)).toBeLessThanOrEqual(0.05);
  });

  it('are told apart when one is better', () => {
    const effect = 0.2;
    const rate = alarmRate({
      metric: 'latency',
      trait: (random) => 7 + 0.4 * random.normal(),
      value: (mean, random) => mean + 0.7 * random.normal(),
      returning: 0.5,
      effect,
    });
    expect(rate).toBeGreaterThan(0.9);
  });
});
