import { describe, expect, it } from 'vitest';
import { createRandom } from '../stats/random.ts';
import type { JudgeEvidenceRow } from '../store/queries/judge-evidence.ts';
import type { ScoredPairs } from './judge-evidence.ts';
import { calibrateJudge, calibrateJudges, judgeMoments } from './judge-evidence.ts';

/** Rows of single pairs, summed by score. */
function pairsOf(pairs: readonly (readonly [score: number, feedback: number])[]): ScoredPairs[] {
  return [0, 0.25, 0.5, 0.75, 1].map((score) => {
    const own = pairs.filter(([given]) => given === score).map(([, feedback]) => feedback);
    return {
      score,
      feedbackCount: own.length,
      feedbackSum: own.reduce((sum, value) => sum + value, 0),
      feedbackSquareSum: own.reduce((sum, value) => sum + value * value, 0),
    };
  });
}

const row = (given: Partial<JudgeEvidenceRow>): JudgeEvidenceRow => ({
  useCase: 'a',
  modelId: 'm',
  judge: 'j',
  score: 1,
  silentCount: 0,
  feedbackCount: 0,
  feedbackSum: 0,
  feedbackSquareSum: 0,
  ...given,
});

describe('calibrateJudge', () => {
  it('starts with little, and with a line from bad to good', () => {
    const { agreement, agreementMeasured, correlation, correlationInterval, pairCount, expected } =
      calibrateJudge([]);
    expect([agreement, agreementMeasured, correlation, correlationInterval, pairCount]).toEqual([
      0.05,
      null,
      null,
      null,
      0,
    ]);
    expect([...expected.values()].map(({ mean }) => Number(mean.toFixed(3)))).toEqual([
      0.35, 0.475, 0.6, 0.725, 0.85,
    ]);
  });

  it('measures the correlation of single pairs', () => {
    // By hand: means 0.5 and 0.5625, covariance 0.125 (n = 8), variances 0.1406 and 0.1836.
    const pairs = [
      [0, 0],
      [0, 0.5],
      [0.25, 0],
      [0.5, 1],
      [0.5, 0.5],
      [0.75, 0.5],
      [1, 1],
      [1, 1],
    ] as const;
    const n = pairs.length;
    const mean = (at: 0 | 1): number => pairs.reduce((sum, pair) => sum + pair[at], 0) / n;
    const moment = (at: 0 | 1, other: 0 | 1): number =>
      pairs.reduce((sum, pair) => sum + (pair[at] - mean(at)) * (pair[other] - mean(other)), 0) / n;
    const r = moment(0, 1) / Math.sqrt(moment(0, 0) * moment(1, 1));
    const { correlation, agreementMeasured, agreement, correlationInterval } = calibrateJudge(pairsOf(pairs));
    expect(correlation).toBeCloseTo(r, 10);
    expect(agreementMeasured).toBeCloseTo(r * r - (1 - r * r) / (n - 2), 10);
    expect(agreement).toBeCloseTo((50 * 0.05 + n * (agreementMeasured ?? 0)) / (50 + n), 10);
    const [low, high] = correlationInterval ?? [0, 0];
    expect(Math.atanh(high) - Math.atanh(low)).toBeCloseTo((2 * 1.959964) / Math.sqrt(n - 3), 6);
  });

  it('counts a judge that contradicts people as one that says nothing', () => {
    const pairs = Array.from(
      { length: 400 },
      (_, at) => (at % 2 === 0 ? [1, 0] : [0, 1]) as [number, number],
    );
    const { agreement, agreementMeasured, correlation, expected } = calibrateJudge(pairsOf(pairs));
    expect(correlation).toBe(-1);
    expect(agreementMeasured).toBe(0);
    expect(agreement).toBeLessThan(0.006);
    const means = [...expected.values()].map(({ mean }) => mean);
    expect(Math.max(...means) - Math.min(...means)).toBeLessThan(1e-9);
  });

  it('gives a judge that draws lots next to nothing', () => {
    const random = createRandom(7);
    const weights = Array.from({ length: 200 }, () => {
      const pairs = Array.from(
        { length: 300 },
        () => [random.int(5) / 4, random.next() < 0.7 ? 1 : 0] as const,
      );
      return calibrateJudge(pairsOf(pairs)).agreement;
    });
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
    expect(mean).toBeLessThan(0.012);
    expect(Math.max(...weights)).toBeLessThan(0.05);
  });

  it('covers the true correlation about as often as it says', () => {
    const random = createRandom(11);
    const draw = (): [number, number] => {
      const shared = random.normal();
      const level = (value: number): number => Math.min(1, Math.max(0, Math.round(2 + value * 1.2) / 4));
      return [level(0.7 * shared + random.normal() * 0.7), level(0.7 * shared + random.normal() * 0.7)];
    };
    const truth = calibrateJudge(pairsOf(Array.from({ length: 200_000 }, draw))).correlation ?? 0;
    let coveredCount = 0;
    const rounds = 1_000;
    for (let round = 0; round < rounds; round++) {
      const [low, high] = calibrateJudge(pairsOf(Array.from({ length: 60 }, draw))).correlationInterval ?? [
        0, 0,
      ];
      if (low <= truth && truth <= high) coveredCount++;
    }
    expect(coveredCount / rounds).toBeGreaterThan(0.92);
    expect(coveredCount / rounds).toBeLessThan(0.98);
  });

  it('knows nothing without variance', () => {
    expect(
      calibrateJudge(
        pairsOf([
          [1, 1],
          [1, 0],
          [1, 1],
        ]),
      ),
    ).toMatchObject({ correlation: null, agreement: 0.05 });
    expect(
      calibrateJudge(
        pairsOf([
          [1, 1],
          [0, 1],
          [0.5, 1],
        ]),
      ),
    ).toMatchObject({ correlation: null, agreement: 0.05 });
    expect(
      calibrateJudge(
        pairsOf([
          [1, 1],
          [0, 0],
          [1, 1],
        ]),
      ).correlationInterval,
    ).toBeNull();
  });

  it('recalibrates scores to feedback, never against their order', () => {
    const pairs = pairsOf([
      ...Array.from({ length: 180 }, () => [1, 0.5] as const),
      ...Array.from({ length: 180 }, () => [0.75, 0.75] as const),
    ]);
    const { expected } = calibrateJudge(pairs);
    const means = [...expected.values()].map(({ mean }) => mean);
    expect(means).toEqual([...means].sort((one, other) => one - other));
    expect(expected.get(1)?.mean).toBeCloseTo(expected.get(0.75)?.mean ?? 0, 10);
    for (const { mean, squareMean } of expected.values()) {
      expect(squareMean).toBeGreaterThanOrEqual(mean * mean - 1e-12);
      expect(squareMean).toBeLessThanOrEqual(mean + 1e-12);
    }
  });
});

describe('judgeMoments', () => {
  it('counts each silent request as the agreement of its own judge', () => {
    const rows = [
      row({
        judge: 'good',
        score: 1,
        silentCount: 10,
        feedbackCount: 100,
        feedbackSum: 100,
        feedbackSquareSum: 100,
      }),
      row({ judge: 'good', score: 0, silentCount: 0, feedbackCount: 100 }),
      row({ judge: 'new', score: 0.5, silentCount: 4 }),
    ];
    const calibrations = calibrateJudges(rows);
    const good = calibrations.get('good');
    expect(good?.agreementMeasured).toBe(1);
    expect(calibrations.get('new')?.agreement).toBe(0.05);
    const { count, sum, squareSum } = judgeMoments(rows, calibrations);
    expect(count).toBeCloseTo(10 * (good?.agreement ?? 0) + 4 * 0.05, 10);
    expect(sum).toBeCloseTo(
      10 * (good?.agreement ?? 0) * (good?.expected.get(1)?.mean ?? 0) + 4 * 0.05 * 0.6,
      10,
    );
    expect(squareSum).toBeLessThanOrEqual(sum);
  });

  it('counts nothing where people have spoken, and nothing of a judge that is not calibrated', () => {
    const spoken = [row({ feedbackCount: 5, feedbackSum: 5, feedbackSquareSum: 5 })];
    expect(judgeMoments(spoken, calibrateJudges(spoken))).toEqual({ count: 0, sum: 0, squareSum: 0 });
    expect(judgeMoments([row({ silentCount: 3 })], new Map())).toEqual({ count: 0, sum: 0, squareSum: 0 });
  });
});
