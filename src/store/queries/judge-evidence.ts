import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { rowsUnderRun } from '../rows-under-run.ts';
import type { EvidenceScope } from './ranking-evidence.ts';
import type { StoredQuery } from './stored-query.ts';

/** Requests of one model in one use case to which one judge gave one score. */
export interface JudgeEvidenceRow {
  readonly useCase: string;
  readonly modelId: string;
  /** Canonical id of the judge; '' where nobody knows. */
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

/** As the ranking's own evidence has it: feedback wins over an imported score. */
const EXPLICIT = `coalesce(
      anyIf(toNullable(value), kind = 'feedback'),
      anyIf(toNullable(value), kind = 'imported_score')
    )`;

const EVIDENCE = `
SELECT
  judged.use_case AS useCase,
  judged.model_id AS modelId,
  said.judge AS judge,
  round(4 * assumeNotNull(learnt.score)) / 4 AS score,
  countIf(isNull(learnt.explicit)) AS silentCount,
  countIf(isNotNull(learnt.explicit)) AS feedbackCount,
  sum(ifNull(learnt.explicit, 0)) AS feedbackSum,
  sum(ifNull(learnt.explicit * learnt.explicit, 0)) AS feedbackSquareSum
FROM ${rowsUnderRun({
  columns: ['request_id', 'model_id'],
  where: `${WINDOW} AND request_id IN (SELECT request_id FROM signals WHERE kind = 'judge_score' AND ${WINDOW})`,
})} AS judged
INNER JOIN (
  SELECT request_id, ${EXPLICIT} AS explicit, anyIf(toNullable(value), kind = 'judge_score') AS score
  FROM signals FINAL
  WHERE ${WINDOW}
  GROUP BY request_id
  HAVING isNotNull(score)
) AS learnt ON learnt.request_id = judged.request_id
LEFT JOIN (
  SELECT request_id, toString(argMax(judge, judged_at)) AS judge
  FROM judgements
  WHERE kind = 'score' AND outcome = 'judged'
  GROUP BY request_id
) AS said ON said.request_id = judged.request_id
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
FROM (
  SELECT * FROM judgements
  WHERE kind = 'pair' AND outcome = 'judged' AND judged_at >= {from:DateTime64(3, 'UTC')}
) AS pairs
LEFT JOIN (
  SELECT request_id, ${EXPLICIT} AS explicit FROM signals FINAL WHERE ${WINDOW} GROUP BY request_id
) AS one ON one.request_id = pairs.request_id
LEFT JOIN (
  SELECT request_id, ${EXPLICIT} AS explicit FROM signals FINAL WHERE ${WINDOW} GROUP BY request_id
) AS other ON other.request_id = assumeNotNull(pairs.other_request_id)
GROUP BY useCase, judge, modelId, otherModelId
ORDER BY useCase, modelId, otherModelId, judge`;

const UNJUDGED = `
SELECT outcome, model_id AS modelId, count() AS count
FROM judgements
WHERE kind = 'score' AND outcome != 'judged' AND judged_at >= {from:DateTime64(3, 'UTC')}
GROUP BY outcome, modelId
ORDER BY outcome, modelId`;

/** The question of {@link readJudgeEvidence}. */
export function judgeEvidenceQuery(scope: EvidenceScope): StoredQuery {
  return { sql: EVIDENCE, params: { run: scope.runId, ...windowParams(scope) } };
}

/**
 * How did the judge score the answers of the window, and what did people say of the same? Feedback that came
 * after the score counts as well. Reads `signals`, `judgements` and the log rows they belong to.
 */
export async function readJudgeEvidence(db: Database, scope: EvidenceScope): Promise<JudgeEvidenceRow[]> {
  const { sql, params } = judgeEvidenceQuery(scope);
  const rows = await db.query<JudgeEvidenceRow>(sql, params);
  return rows.map((row) => ({
    ...row,
    score: Number(row.score),
    silentCount: Number(row.silentCount),
    feedbackCount: Number(row.feedbackCount),
    feedbackSum: Number(row.feedbackSum),
    feedbackSquareSum: Number(row.feedbackSquareSum),
  }));
}

/** How did comparisons come out since the window's begin? Reads `judgements`, and `signals` of the window. */
export async function readComparisons(
  db: Database,
  window: Pick<EvidenceScope, 'from' | 'to'>,
): Promise<ComparisonRow[]> {
  const rows = await db.query<ComparisonRow>(COMPARISONS, windowParams(window));
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

function windowParams({ from, to }: Pick<EvidenceScope, 'from' | 'to'>): { from: string; to: string } {
  return { from: storedMoment(from.getTime()), to: storedMoment(to.getTime()) };
}
