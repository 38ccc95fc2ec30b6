import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { EXPLICIT_RATING } from '../explicit-rating.ts';
import { rowsUnderRun } from '../rows-under-run.ts';
import type { EvidenceScope } from './ranking-evidence.ts';

/** Requests of one model in one use case to which one judge gave one score. */
export interface JudgeEvidenceRow {
  readonly useCase: string;
  readonly modelId: string;
  /** Canonical id of the judge. */
  readonly judge: string;
  /** 0, 0.25, 0.5, 0.75 or 1. */
  readonly score: number;
  /** Requests without explicit feedback. */
  readonly silentCount: number;
  /** Requests that have both: pairs. */
  readonly feedbackCount: number;
  readonly feedbackSum: number;
  readonly feedbackSquareSum: number;
}

/** How comparisons of two models came out in one use case. */
export interface ComparisonRow {
  readonly useCase: string;
  readonly judge: string;
  readonly modelId: string;
  readonly otherModelId: string;
  readonly winCount: number;
  /** Flipped verdicts are among them. */
  readonly tieCount: number;
  readonly lossCount: number;
  readonly flipCount: number;
  /** Comparisons of two answers whose explicit feedback differs, and those that name the one people liked better. */
  readonly ratedCount: number;
  readonly agreedCount: number;
}

/** Answers about which the judge gave no verdict. */
export interface UnjudgedRow {
  readonly outcome: 'malformed' | 'suspect';
  readonly modelId: string;
  readonly count: number;
}

const WINDOW = `started_at >= toStartOfHour({from:DateTime64(3, 'UTC')}) AND started_at < {to:DateTime64(3, 'UTC')}`;

/** Rows of `judgements` about requests of the window, under the run: few, so few assignments are read. */
function judgedRows(columns: readonly string[], kind: 'score' | 'pair'): string {
  const where = `kind = '${kind}' AND outcome = 'judged' AND ${WINDOW}`;
  return rowsUnderRun({ from: 'judgements', columns, where, assignedWhere: where });
}

/** What people said of the requests of such rows. */
function learntOf(column: 'request_id' | 'other_request_id'): string {
  return `(
  SELECT request_id, ${EXPLICIT_RATING} AS explicit, anyIf(toNullable(value), kind = 'judge_score') AS score
  FROM signals FINAL
  WHERE ${WINDOW} AND request_id IN (SELECT assumeNotNull(${column}) FROM judgements WHERE outcome = 'judged' AND isNotNull(${column}))
  GROUP BY request_id
)`;
}

const EVIDENCE = `
SELECT
  judged.use_case AS useCase,
  judged.model_id AS modelId,
  judged.judge AS judge,
  round(4 * assumeNotNull(learnt.score)) / 4 AS score,
  countIf(isNull(learnt.explicit)) AS silentCount,
  countIf(isNotNull(learnt.explicit)) AS feedbackCount,
  sum(ifNull(learnt.explicit, 0)) AS feedbackSum,
  sum(ifNull(learnt.explicit * learnt.explicit, 0)) AS feedbackSquareSum
FROM (
  -- Two programs may have judged the same answer; the newest signal counts, so the newest judge does.
  SELECT * FROM ${judgedRows(['request_id', 'model_id', 'judge', 'judged_at'], 'score')}
  ORDER BY judged_at DESC
  LIMIT 1 BY request_id
) AS judged
INNER JOIN ${learntOf('request_id')} AS learnt ON learnt.request_id = judged.request_id
WHERE isNotNull(learnt.score)
GROUP BY useCase, modelId, judge, score
ORDER BY useCase, modelId, judge, score`;

const COMPARISONS = `
SELECT
  pairs.use_case AS useCase,
  pairs.judge AS judge,
  pairs.model_id AS modelId,
  pairs.other_model_id AS otherModelId,
  countIf(pairs.value = 1) AS winCount,
  countIf(pairs.value = 0.5) AS tieCount,
  countIf(pairs.value = 0) AS lossCount,
  countIf(pairs.is_flipped = true) AS flipCount,
  countIf(one.explicit != other.explicit AND pairs.value != 0.5) AS ratedCount,
  countIf(one.explicit != other.explicit AND pairs.value != 0.5 AND (one.explicit > other.explicit) = (pairs.value = 1))
    AS agreedCount
FROM ${judgedRows(
  ['request_id', 'other_request_id', 'model_id', 'other_model_id', 'judge', 'value', 'is_flipped'],
  'pair',
)} AS pairs
LEFT JOIN ${learntOf('request_id')} AS one ON one.request_id = pairs.request_id
LEFT JOIN ${learntOf('other_request_id')} AS other ON other.request_id = assumeNotNull(pairs.other_request_id)
GROUP BY useCase, judge, modelId, otherModelId
ORDER BY useCase, modelId, otherModelId, judge`;

const UNJUDGED = `
SELECT outcome, model_id AS modelId, count() AS count
FROM judgements
WHERE kind = 'score' AND outcome != 'judged' AND judged_at >= {from:DateTime64(3, 'UTC')}
GROUP BY outcome, modelId
ORDER BY outcome, modelId`;

/**
 * How did the judge score the answers of the window, and what did people say of the same? Feedback that came
 * after the score counts as well. Reads `judgements` and the signals of the same requests, never the log.
 */
export async function readJudgeEvidence(db: Database, scope: EvidenceScope): Promise<JudgeEvidenceRow[]> {
  const rows = await db.query<JudgeEvidenceRow>(EVIDENCE, paramsOf(scope));
  return rows.map((row) => ({
    ...row,
    score: Number(row.score),
    silentCount: Number(row.silentCount),
    feedbackCount: Number(row.feedbackCount),
    feedbackSum: Number(row.feedbackSum),
    feedbackSquareSum: Number(row.feedbackSquareSum),
  }));
}

/** How did comparisons of answers of the window come out? Reads `judgements` and `signals`. */
export async function readComparisons(db: Database, scope: EvidenceScope): Promise<ComparisonRow[]> {
  const rows = await db.query<ComparisonRow>(COMPARISONS, paramsOf(scope));
  return rows.map((row) => ({
    ...row,
    winCount: Number(row.winCount),
    tieCount: Number(row.tieCount),
    lossCount: Number(row.lossCount),
    flipCount: Number(row.flipCount),
    ratedCount: Number(row.ratedCount),
    agreedCount: Number(row.agreedCount),
  }));
}

/** Which answers got no verdict since then, by model? Reads `judgements`. */
export async function readUnjudged(db: Database, from: Date): Promise<UnjudgedRow[]> {
  const rows = await db.query<UnjudgedRow>(UNJUDGED, { from });
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

function paramsOf({ runId, from, to }: EvidenceScope): Readonly<Record<'run' | 'from' | 'to', string>> {
  return { run: runId, from: storedMoment(from.getTime()), to: storedMoment(to.getTime()) };
}
