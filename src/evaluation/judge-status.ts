import type { JudgeCalibration } from '../ranking/judge-evidence.ts';
import { calibrateJudge, calibrateJudges } from '../ranking/judge-evidence.ts';
import { betaQuantile } from '../stats/beta.ts';
import type { Database } from '../store/database.ts';
import type { ComparisonRow, JudgeEvidenceRow, UnjudgedRow } from '../store/queries/judge-evidence.ts';
import { readComparisons, readJudgeEvidence, readUnjudged } from '../store/queries/judge-evidence.ts';
import type { JudgeSpending } from '../store/queries/judge-log.ts';
import type { EvidenceScope } from '../store/queries/ranking-evidence.ts';
import { bareName } from './judge-caller.ts';

/** How well one judge agrees with people, and what its scores are therefore worth. */
export interface JudgeAgreement {
  readonly judge: string;
  /** What one judged request counts against one explicit feedback, 0..1. */
  readonly weight: number;
  /** Squared correlation less what chance gives, before it is shrunk; null without pairs or variance. */
  readonly agreementMeasured: number | null;
  readonly correlation: number | null;
  readonly correlationInterval: readonly [number, number] | null;
  /** Requests that have a score and explicit feedback. */
  readonly pairCount: number;
  /** The quality that each score of the rubric is taken for. */
  readonly expected: readonly { readonly score: number; readonly quality: number }[];
  /** Where there are pairs enough to say; the weight is the same in all. */
  readonly perUseCase: readonly {
    readonly useCase: string;
    readonly pairCount: number;
    readonly correlation: number | null;
    readonly correlationInterval: readonly [number, number] | null;
  }[];
}

/** A rate with what it rests on; value and interval are null without any. */
export interface JudgeRate {
  readonly value: number | null;
  readonly interval: readonly [number, number] | null;
  readonly sampleCount: number;
}

export interface JudgeStatus {
  /** null: none is configured. */
  readonly judge: string | null;
  /** False: prompts and answers are redacted before they go to it. */
  readonly isLocal: boolean | null;
  readonly schedule: string | null;
  readonly today: JudgeSpending & { readonly samplesPerDay: number; readonly budgetUsdPerDay: number };
  readonly window: { readonly from: string; readonly to: string };
  /** The configured judge first, then others whose scores are in the window. */
  readonly agreement: readonly JudgeAgreement[];
  readonly scores: readonly {
    readonly useCase: string;
    readonly modelId: string;
    readonly judge: string;
    /** The judge scored its own model's answers (judge.judgesItself): models prefer their own. */
    readonly isOwnModel: boolean;
    readonly scoredCount: number;
    /** Of them with explicit feedback, which then counts in their place. */
    readonly ratedCount: number;
    /** Mean score as the judge gave it, 1..5, before it is calibrated. */
    readonly scoreMean: number;
  }[];
  readonly comparisons: {
    readonly pairCount: number;
    /** Verdicts that changed with the order of the answers. */
    readonly flipRate: JudgeRate;
    /** Of decided pairs whose feedback differs: those whose verdict is people's. */
    readonly agreementRate: JudgeRate;
    readonly models: readonly Omit<ComparisonRow, 'ratedCount' | 'agreedCount'>[];
  };
  /** Answers without a verdict, by model: unreadable ones, and answers that talk to the judge. */
  readonly unjudged: readonly UnjudgedRow[];
}

export interface StatusContext {
  readonly judge: string | null;
  readonly isLocal: boolean | null;
  readonly settings: {
    readonly schedule: string | null;
    readonly samplesPerDay: number;
    readonly budgetUsdPerDay: number;
  };
  readonly scope: EvidenceScope;
  readonly today: JudgeSpending;
}

/** Fewer pairs in a use case say nothing of it. */
const PAIRS_SHOWN_MIN = 20;

/** All that is known of judging in a window. Reads `signals`, `judgements` and the log rows they belong to. */
export async function judgeStatus(db: Database, context: StatusContext): Promise<JudgeStatus> {
  const { judge, isLocal, settings, scope, today } = context;
  const [rows, comparisons, unjudged] = await Promise.all([
    readJudgeEvidence(db, scope),
    readComparisons(db, scope),
    readUnjudged(db, scope.from),
  ]);
  return {
    judge,
    isLocal,
    schedule: judge === null ? null : settings.schedule,
    today: { ...today, samplesPerDay: settings.samplesPerDay, budgetUsdPerDay: settings.budgetUsdPerDay },
    window: { from: scope.from.toISOString(), to: scope.to.toISOString() },
    agreement: agreementsOf(judge, rows),
    scores: scoresOf(rows),
    comparisons: comparisonsOf(comparisons),
    unjudged,
  };
}

function agreementsOf(judge: string | null, rows: readonly JudgeEvidenceRow[]): JudgeAgreement[] {
  const calibrations = new Map<string, JudgeCalibration>(judge === null ? [] : [[judge, calibrateJudge([])]]);
  for (const [name, calibration] of calibrateJudges(rows)) calibrations.set(name, calibration);
  return [...calibrations].map(([name, calibration]) => {
    const { agreement, agreementMeasured, correlation, correlationInterval, pairCount } = calibration;
    return {
      judge: name,
      weight: agreement,
      agreementMeasured,
      correlation,
      correlationInterval,
      pairCount,
      expected: [...calibration.expected].map(([score, { mean }]) => ({
        score: 1 + 4 * score,
        quality: mean,
      })),
      perUseCase: perUseCase(rows.filter((row) => row.judge === name)),
    };
  });
}

function perUseCase(rows: readonly JudgeEvidenceRow[]): JudgeAgreement['perUseCase'] {
  return [...new Set(rows.map(({ useCase }) => useCase))]
    .map((useCase) => {
      const own = calibrateJudge(rows.filter((row) => row.useCase === useCase));
      const { pairCount, correlation, correlationInterval } = own;
      return { useCase, pairCount, correlation, correlationInterval };
    })
    .filter(({ pairCount }) => pairCount >= PAIRS_SHOWN_MIN)
    .sort((one, other) => other.pairCount - one.pairCount);
}

function scoresOf(rows: readonly JudgeEvidenceRow[]): JudgeStatus['scores'] {
  const cells = new Map<
    string,
    { -readonly [F in keyof JudgeStatus['scores'][number]]: JudgeStatus['scores'][number][F] }
  >();
  for (const { useCase, modelId, judge, score, silentCount, feedbackCount } of rows) {
    const key = `${useCase}\n${modelId}\n${judge}`;
    const cell = cells.get(key) ?? {
      useCase,
      modelId,
      judge,
      isOwnModel: bareName(modelId) === bareName(judge),
      scoredCount: 0,
      ratedCount: 0,
      scoreMean: 0,
    };
    const count = silentCount + feedbackCount;
    cell.scoreMean =
      (cell.scoreMean * cell.scoredCount + (1 + 4 * score) * count) / (cell.scoredCount + count);
    cell.scoredCount += count;
    cell.ratedCount += feedbackCount;
    cells.set(key, cell);
  }
  return [...cells.values()];
}

function comparisonsOf(rows: readonly ComparisonRow[]): JudgeStatus['comparisons'] {
  const sum = (of: (row: ComparisonRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const pairCount = sum(({ winCount, tieCount, lossCount }) => winCount + tieCount + lossCount);
  return {
    pairCount,
    flipRate: rateOf(
      sum(({ flipCount }) => flipCount),
      pairCount,
    ),
    agreementRate: rateOf(
      sum(({ agreedCount }) => agreedCount),
      sum(({ ratedCount }) => ratedCount),
    ),
    models: rows.map(({ ratedCount: _rated, agreedCount: _agreed, ...shown }) => shown),
  };
}

/** With Jeffreys' interval (Brown, Cai and DasGupta 2001, Statistical Science 16, 101-133). */
function rateOf(count: number, sampleCount: number): JudgeRate {
  if (sampleCount === 0) return { value: null, interval: null, sampleCount };
  const [a, b] = [count + 0.5, sampleCount - count + 0.5];
  const low = count === 0 ? 0 : betaQuantile(0.025, a, b);
  const high = count === sampleCount ? 1 : betaQuantile(0.975, a, b);
  return { value: count / sampleCount, interval: [low, high], sampleCount };
}
