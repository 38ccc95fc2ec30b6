import { describe, expect, it } from 'vitest';
import { estimateOffPolicy, type WeightedReward, weightFigures } from './off-policy.ts';
import { createRandom } from './random.ts';

const row = (given: Partial<WeightedReward>, at: number): WeightedReward => ({
  reward: 1,
  weight: 1,
  expected: 0.5,
  cluster: at,
  ...given,
});

/** A log of two actions, the second drawn with probability 0.2, that succeed with 0.5 and 0.8. The target takes the second. */
function twoArms(
  seed: number,
  {
    count = 400,
    expected = 0.8,
    perCluster = 1,
  }: { count?: number; expected?: number; perCluster?: number } = {},
): WeightedReward[] {
  const random = createRandom(seed);
  let luck = 0;
  return Array.from({ length: count }, (_, at) => {
    // All of a cluster share their luck.
    if (at % perCluster === 0) luck = random.next();
    const isSecond = random.next() < 0.2;
    const reward = luck < (isSecond ? 0.8 : 0.5) ? 1 : 0;
    return { reward, weight: isSecond ? 5 : 0, expected, cluster: Math.floor(at / perCluster) };
  });
}

function coverage(
  make: (seed: number) => readonly WeightedReward[],
  of: 'snips' | 'doublyRobust',
  truth: number,
): number {
  let hits = 0;
  const runs = 400;
  for (let seed = 1; seed <= runs; seed++) {
    const [low, high] = estimateOffPolicy(make(seed), 'share')?.[of].interval ?? [1, 0];
    if (low <= truth && truth <= high) hits++;
  }
  return hits / runs;
}

describe('weightFigures', () => {
  it('counts what uneven weights are worth', () => {
    expect(weightFigures(Float64Array.of(1, 1, 1, 1))).toMatchObject({ effectiveCount: 4, weightMean: 1 });
    const uneven = weightFigures(Float64Array.of(0, 0, 10, 1, 1));
    expect(uneven.effectiveCount).toBeCloseTo(144 / 102);
    expect(uneven).toMatchObject({ matchedCount: 3, weightMax: 10, weightMean: 12 / 5 });
  });

  it('is worth nothing where nothing was matched', () => {
    expect(weightFigures(new Float64Array(3))).toMatchObject({ effectiveCount: 0, matchedCount: 0 });
  });
});

describe('estimateOffPolicy', () => {
  it('is the weighted mean, and the expectation corrected where it can be seen', () => {
    const rows = [
      row({ reward: 1, weight: 4, expected: 0.6 }, 0),
      row({ reward: 0, weight: 4, expected: 0.2 }, 1),
      row({ reward: 1, weight: 0, expected: 0.6 }, 2),
      row({ reward: 0, weight: 2, expected: 0.2 }, 3),
    ];
    const made = estimateOffPolicy(rows, 'share');
    expect(made?.snips.value).toBeCloseTo(0.4);
    // (0.6 + 4 x 0.4 + 0.2 - 4 x 0.2 + 0.6 + 0.2 - 2 x 0.2) / 4
    expect(made?.doublyRobust.value).toBeCloseTo(0.5);
    expect(made?.logged.value).toBe(0.5);
    expect(made?.snips.difference).toBeCloseTo(-0.1);
  });

  it('has nothing to say of a target that was never taken', () => {
    expect(estimateOffPolicy([row({ weight: 0 }, 0), row({ weight: 0 }, 1)], 'share')).toBeNull();
  });

  it('gives back the logged mean for the policy that logged, with no difference', () => {
    const rows = twoArms(1).map((one) => ({ ...one, weight: 1 }));
    const made = estimateOffPolicy(rows, 'share');
    expect(made?.snips.value).toBeCloseTo(made?.logged.value ?? -1);
    expect(made?.doublyRobust.difference).toBeCloseTo(0);
  });

  it('leaves room after an unbroken row of successes', () => {
    const rows = Array.from({ length: 60 }, (_, at) => row({ expected: 0.97 }, at));
    const made = estimateOffPolicy(rows, 'share');
    expect(made?.snips.value).toBe(1);
    expect(made?.snips.interval[0]).toBeLessThan(0.97);
    expect(made?.snips.interval[0]).toBeGreaterThan(0.88);
    expect(made?.snips.interval[1]).toBe(1);
    expect(made?.doublyRobust.interval[0]).toBeLessThan(0.97);
  });

  it('makes much of a single failure, and not everything', () => {
    const rows = Array.from({ length: 60 }, (_, at) => row({ reward: at === 0 ? 0 : 1, expected: 0.9 }, at));
    const [low, high] = estimateOffPolicy(rows, 'share')?.snips.interval ?? [0, 0];
    expect(low).toBeGreaterThan(0.88);
    expect(low).toBeLessThan(0.93);
    expect(high).toBe(1);
  });

  it('is as unsure as the few decisions that have most of the weight', () => {
    const of = (heavy: number): readonly [number, number] => {
      const rows = Array.from({ length: 600 }, (_, at) =>
        row({ reward: at % 2, weight: at < 10 ? heavy : 1.1 }, at),
      );
      return estimateOffPolicy(rows, 'share')?.snips.interval ?? [0, 1];
    };
    const width = ([low, high]: readonly [number, number]): number => high - low;
    expect(width(of(60))).toBeGreaterThan(0.3);
    expect(width(of(1.1))).toBeLessThan(0.09);
  });

  it('keeps amounts above zero and shares within 0 and 1', () => {
    const rows = [
      row({ reward: 0, weight: 9, expected: 0.5 }, 0),
      row({ reward: 1, weight: 0, expected: 0.1 }, 1),
    ];
    const share = estimateOffPolicy(rows, 'share');
    const amount = estimateOffPolicy(rows, 'amount');
    expect(share?.doublyRobust.value).toBe(0);
    expect(amount?.doublyRobust.interval[0]).toBe(0);
    expect(share?.snips.interval[1]).toBeLessThanOrEqual(1);
  });

  it('says all or nothing where one cluster is all that is known', () => {
    const rows = Array.from({ length: 80 }, (_, at) => row({ reward: at % 2, cluster: 7 }, at));
    expect(estimateOffPolicy(rows, 'share')?.snips.interval).toEqual([0, 1]);
  });

  it.each(['snips', 'doublyRobust'] as const)('holds the truth in 95 of 100 logs: %s', (of) => {
    const share = coverage((seed) => twoArms(seed), of, 0.8);
    expect(share).toBeGreaterThan(0.93);
    expect(share).toBeLessThan(0.985);
  });

  it('holds it though the direct model is far off', () => {
    expect(coverage((seed) => twoArms(seed, { expected: 0.1 }), 'doublyRobust', 0.8)).toBeGreaterThan(0.93);
  });

  it('holds it where decisions of a user depend on each other, and not when told that they do not', () => {
    const clustered = (seed: number): WeightedReward[] => twoArms(seed, { count: 1_000, perCluster: 20 });
    const apart = (seed: number): WeightedReward[] =>
      clustered(seed).map((one, at) => ({ ...one, cluster: at }));
    expect(coverage(clustered, 'snips', 0.8)).toBeGreaterThan(0.92);
    expect(coverage(apart, 'snips', 0.8)).toBeLessThan(0.85);
  });
});
