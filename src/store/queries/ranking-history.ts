import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';

/** One model in one use case as one published snapshot ranked it. */
export interface RankingHistoryRow {
  readonly snapshotVersion: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly useCase: string;
  readonly modelId: string;
  readonly score: number | null;
  readonly scoreLow: number | null;
  readonly scoreHigh: number | null;
  readonly successRate: number | null;
  readonly latencyMeanMs: number | null;
  readonly costMeanUsd: number | null;
  readonly requestCount: number;
  readonly isCandidate: boolean;
}

export interface RankingHistoryQuestion {
  /** null: all use cases. */
  readonly useCase: string | null;
  /** null: all models. */
  readonly modelId: string | null;
  readonly from: Date;
  readonly to: Date;
  /** The newest rows are kept. */
  readonly rowsMax: number;
}

const HISTORY_SQL = `
SELECT
  snapshot_version AS snapshotVersion,
  concat(replaceOne(toString(created_at), ' ', 'T'), 'Z') AS createdAt,
  use_case AS useCase,
  model_id AS modelId,
  score,
  score_low AS scoreLow,
  score_high AS scoreHigh,
  success_rate AS successRate,
  latency_mean_ms AS latencyMeanMs,
  cost_mean_usd AS costMeanUsd,
  request_count AS requestCount,
  is_candidate AS isCandidate
FROM rankings
WHERE created_at >= {from:DateTime64(3, 'UTC')}
  AND created_at < {to:DateTime64(3, 'UTC')}
  AND ({useCase:String} = '' OR use_case = {useCase:String})
  AND ({modelId:String} = '' OR model_id = {modelId:String})
ORDER BY created_at DESC, snapshot_version DESC, use_case DESC, model_id DESC
LIMIT {rowsMax:UInt32}`;

/** How did published rankings change? Reads the numbers of each published ranking; oldest first. */
export async function readRankingHistory(
  db: Database,
  question: RankingHistoryQuestion,
): Promise<RankingHistoryRow[]> {
  const rows = await db.query<RankingHistoryRow>(HISTORY_SQL, {
    useCase: question.useCase ?? '',
    modelId: question.modelId ?? '',
    from: storedMoment(question.from.getTime()),
    to: storedMoment(question.to.getTime()),
    rowsMax: question.rowsMax,
  });
  return rows
    .map((row) => ({ ...row, requestCount: Number(row.requestCount), isCandidate: Boolean(row.isCandidate) }))
    .reverse();
}
