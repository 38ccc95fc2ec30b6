import type { Moments, Prior } from '../stats/posterior.ts';
import { addMoments, NO_MOMENTS } from '../stats/posterior.ts';
import type { JudgeEvidenceRow } from '../store/queries/judge-evidence.ts';
import { earnedAgreement } from './agreement.ts';
import type { Mark, MarkEvidence, ModelEvidence, PartSums } from './evidence.ts';
import { addMarks, byMark, MARKS, noEvidence } from './evidence.ts';
import { calibrateJudges, type JudgeCalibration, judgeMoments } from './judge-evidence.ts';

/** A mark that says something of quality; `unseen` does not. */
type SpeakingMark = Exclude<Mark, 'unseen'>;

/**
 * What a mark is taken to mean before anybody gave feedback, each worth 20 feedbacks. A re-ask is bad news but
 * no proof; leaving early happens after good answers too; silence is what most good answers get, and thanks is more.
 */
const MARK_PRIORS: Readonly<Record<SpeakingMark, Prior>> = {
  abandoned: { mean: 0.5, weight: 20 },
  reAsked: { mean: 0.35, weight: 20 },
  thanked: { mean: 0.9, weight: 20 },
  untroubled: { mean: 0.8, weight: 20 },
};
const SPEAKING_MARKS = MARKS.filter((mark): mark is SpeakingMark => mark !== 'unseen');

/** How marks translate into quality, measured where requests have both a mark and explicit feedback. */
export interface Calibration {
  readonly expected: Readonly<Record<SpeakingMark, { readonly mean: number; readonly squareMean: number }>>;
  /** Squared correlation of marks with feedback, shrunk; also the weight of one marked request, 0..1. */
  readonly agreement: number;
  /** The squared correlation as measured; null without pairs or without variance. */
  readonly agreementMeasured: number | null;
  /** Requests that have both. */
  readonly pairCount: number;
  /** Each judge's scores likewise. */
  readonly judges: ReadonlyMap<string, JudgeCalibration>;
}

/**
 * Calibrates marks against explicit feedback over all models and use cases.
 *
 * expected[mark] = E[feedback | mark], shrunk to its prior. agreement = eta squared, the variance of feedback
 * between marks over its whole variance (for two marks the squared point-biserial correlation), shrunk.
 */
export function calibrateMarks(models: Iterable<ModelEvidence>): Calibration {
  let sums = noEvidence('').marks;
  const judged: JudgeEvidenceRow[] = [];
  for (const { marks, judged: rows } of models) {
    judged.push(...rows);
    const before = sums;
    sums = byMark((mark) => addMarks(before[mark], marks[mark]));
  }
  const speaking = SPEAKING_MARKS.map((mark) => sums[mark]);
  const pairCount = speaking.reduce((total, mark) => total + mark.feedbackCount, 0);
  const measured = correlationRatio(speaking);
  return {
    expected: {
      abandoned: expectation(sums.abandoned, MARK_PRIORS.abandoned),
      reAsked: expectation(sums.reAsked, MARK_PRIORS.reAsked),
      thanked: expectation(sums.thanked, MARK_PRIORS.thanked),
      untroubled: expectation(sums.untroubled, MARK_PRIORS.untroubled),
    },
    agreement: earnedAgreement(measured, pairCount),
    agreementMeasured: measured,
    pairCount,
    judges: calibrateJudges(judged),
  };
}

/**
 * Quality evidence of one model: each explicit feedback counts 1, each marked request without feedback counts
 * `agreement` of an observation at the mark's expected quality, and so does each that a judge scored. Requests with
 * none of them count nothing.
 */
export function qualityMoments(
  evidence: Pick<PartSums, 'marks' | 'judged'>,
  calibration: Calibration,
): Moments {
  let { count, sum, squareSum } = NO_MOMENTS;
  for (const mark of MARKS) {
    const seen = evidence.marks[mark];
    count += seen.feedbackCount;
    sum += seen.feedbackSum;
    squareSum += seen.feedbackSquareSum;
    if (mark === 'unseen') continue;
    const weight = seen.silentCount * calibration.agreement;
    count += weight;
    sum += weight * calibration.expected[mark].mean;
    squareSum += weight * calibration.expected[mark].squareMean;
  }
  return addMoments({ count, sum, squareSum }, judgeMoments(evidence.judged, calibration.judges));
}

function expectation(seen: MarkEvidence, prior: Prior): { mean: number; squareMean: number } {
  const weight = prior.weight + seen.feedbackCount;
  return {
    mean: (prior.weight * prior.mean + seen.feedbackSum) / weight,
    // Before feedback a quality is taken for a coin, whose square has the same mean.
    squareMean: (prior.weight * prior.mean + seen.feedbackSquareSum) / weight,
  };
}

function correlationRatio(marks: readonly MarkEvidence[]): number | null {
  const count = marks.reduce((total, mark) => total + mark.feedbackCount, 0);
  if (count < 2) return null;
  const mean = marks.reduce((total, mark) => total + mark.feedbackSum, 0) / count;
  const variance = marks.reduce((total, mark) => total + mark.feedbackSquareSum, 0) / count - mean * mean;
  if (variance < 1e-9) return null;
  const between = marks
    .filter((mark) => mark.feedbackCount > 0)
    .reduce((total, mark) => {
      const deviation = mark.feedbackSum / mark.feedbackCount - mean;
      return total + mark.feedbackCount * deviation * deviation;
    }, 0);
  return Math.min(1, between / count / variance);
}
