import { correlationInterval, correlationOf, type PairSums } from '../stats/correlation.ts';
import type { Moments } from '../stats/posterior.ts';
import { NO_MOMENTS } from '../stats/posterior.ts';
import type { JudgeEvidenceRow } from '../store/queries/judge-evidence.ts';
import { earnedAgreement } from './agreement.ts';

/** Requests with one score of the judge, those with explicit feedback apart. */
export type ScoredPairs = Pick<
  JudgeEvidenceRow,
  'score' | 'feedbackCount' | 'feedbackSum' | 'feedbackSquareSum'
>;

/** The scores that a judge can give. */
const SCORES = [0, 0.25, 0.5, 0.75, 1] as const;

/**
 * What a score is taken to mean before feedback: judges are generous, so a 5 is no proof and a 1 is bad news but
 * may be a hard question. A line from 0.35 to 0.85; each score is worth 20 feedbacks, as the marks of sessions are.
 */
const SCORE_PRIOR = { meanOfLeast: 0.35, meanOfMost: 0.85, weight: 20 } as const;

/** How scores of one judge translate into quality, measured where requests have both a score and explicit feedback. */
export interface JudgeCalibration {
  /** By score (0, 0.25, … 1): the quality that feedback had on requests with it; never falls as the score rises. */
  readonly expected: ReadonlyMap<number, { readonly mean: number; readonly squareMean: number }>;
  /** Weight of one judged request against one explicit feedback, 0..1: the agreement as measured, shrunk. */
  readonly agreement: number;
  /** Squared correlation less what chance gives, 0 where judge and people disagree; null without pairs or variance. */
  readonly agreementMeasured: number | null;
  /** Pearson's correlation of scores with feedback, -1..1, with its 95 % interval; null likewise. */
  readonly correlation: number | null;
  readonly correlationInterval: readonly [number, number] | null;
  /** Requests that have both. */
  readonly pairCount: number;
}

/**
 * Calibrates one judge's scores against explicit feedback, over all models and use cases it is given.
 *
 * agreement = r^2 - (1 - r^2) / (n - 2), not below 0 (the adjusted squared correlation: Ezekiel 1930, Methods of
 * Correlation Analysis), and 0 for a negative r: a judge that prefers what people dislike has earned nothing. It is
 * shrunk to 0.05 worth 50 pairs. expected[score] = E[feedback | score], shrunk to its prior, then made to rise with
 * the score (pool adjacent violators: Ayer et al. 1955, Annals of Mathematical Statistics 26). The interval of r is
 * Fisher's (1921, Metron 1), approximate for values in five steps.
 */
export function calibrateJudge(pairs: Iterable<ScoredPairs>): JudgeCalibration {
  const sums = new Map<number, Moments>();
  for (const { score, feedbackCount, feedbackSum, feedbackSquareSum } of pairs) {
    const seen = sums.get(score) ?? NO_MOMENTS;
    sums.set(score, {
      count: seen.count + feedbackCount,
      sum: seen.sum + feedbackSum,
      squareSum: seen.squareSum + feedbackSquareSum,
    });
  }
  const pairCount = [...sums.values()].reduce((total, { count }) => total + count, 0);
  const correlation = correlationOf(pairSumsOf(sums));
  const measured = correlation === null ? null : adjustedSquare(correlation, pairCount);
  return {
    expected: risingExpectations(sums),
    agreement: earnedAgreement(measured, pairCount),
    agreementMeasured: measured,
    correlation,
    correlationInterval: correlation === null ? null : correlationInterval(correlation, pairCount),
    pairCount,
  };
}

/** Each judge by itself: what one has earned says nothing of another. */
export function calibrateJudges(rows: readonly JudgeEvidenceRow[]): ReadonlyMap<string, JudgeCalibration> {
  const judges = new Set(rows.map(({ judge }) => judge));
  return new Map(
    [...judges].map((judge) => [judge, calibrateJudge(rows.filter((row) => row.judge === judge))]),
  );
}

/**
 * Quality evidence of judged requests: each without explicit feedback counts the agreement of its judge, at the
 * quality expected of its score. Requests with feedback count nothing here: the feedback itself counts.
 *
 * @param rows  of one model in one use case
 */
export function judgeMoments(
  rows: readonly JudgeEvidenceRow[],
  calibrations: ReadonlyMap<string, JudgeCalibration>,
): Moments {
  let { count, sum, squareSum } = NO_MOMENTS;
  for (const { judge, score, silentCount } of rows) {
    const calibration = calibrations.get(judge);
    const expected = calibration?.expected.get(score);
    if (calibration === undefined || expected === undefined) continue;
    const weight = silentCount * calibration.agreement;
    count += weight;
    sum += weight * expected.mean;
    squareSum += weight * expected.squareMean;
  }
  return { count, sum, squareSum };
}

function pairSumsOf(sums: ReadonlyMap<number, Moments>): PairSums {
  const total = { count: 0, xSum: 0, xSquareSum: 0, ySum: 0, ySquareSum: 0, xySum: 0 };
  for (const [score, seen] of sums) {
    total.count += seen.count;
    total.xSum += score * seen.count;
    total.xSquareSum += score * score * seen.count;
    total.ySum += seen.sum;
    total.ySquareSum += seen.squareSum;
    total.xySum += score * seen.sum;
  }
  return total;
}

function adjustedSquare(correlation: number, count: number): number {
  if (correlation <= 0) return 0;
  const square = correlation ** 2;
  return Math.max(0, square - (1 - square) / (count - 2));
}

function risingExpectations(sums: ReadonlyMap<number, Moments>): JudgeCalibration['expected'] {
  const { meanOfLeast, meanOfMost, weight } = SCORE_PRIOR;
  const blocks: { scores: number[]; weight: number; mean: number; squareMean: number }[] = [];
  for (const score of SCORES) {
    const prior = meanOfLeast + (meanOfMost - meanOfLeast) * score;
    const seen = sums.get(score) ?? NO_MOMENTS;
    const total = weight + seen.count;
    let block = {
      scores: [score as number],
      weight: total,
      mean: (weight * prior + seen.sum) / total,
      // Before feedback a quality is taken for a coin, whose square has the same mean.
      squareMean: (weight * prior + seen.squareSum) / total,
    };
    for (
      let before = blocks.at(-1);
      before !== undefined && before.mean > block.mean;
      before = blocks.at(-1)
    ) {
      blocks.pop();
      const together = before.weight + block.weight;
      block = {
        scores: [...before.scores, ...block.scores],
        weight: together,
        mean: (before.weight * before.mean + block.weight * block.mean) / together,
        squareMean: (before.weight * before.squareMean + block.weight * block.squareMean) / together,
      };
    }
    blocks.push(block);
  }
  return new Map(
    blocks.flatMap(({ scores, mean, squareMean }) =>
      scores.map((score) => [score, { mean, squareMean }] as const),
    ),
  );
}
