import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { rowsUnderRun } from '../rows-under-run.ts';

export interface TrendsQuestion {
  readonly runId: string;
  readonly useCase: string;
  /** null: all models. */
  readonly modelId: string | null;
  /** Whole hours: those that `from` and `to` lie in are in. */
  readonly from: Date;
  readonly to: Date;
}

/** One hour of one model in one use case. */
export interface TrendHour {
  readonly modelId: string;
  /** Start of the hour, milliseconds since 1970. */
  readonly atMs: number;
  readonly successCount: number;
  readonly failureCount: number;
  /** Requests per latency bin. */
  readonly latencyBins: ReadonlyMap<number, number>;
  readonly pricedCount: number;
  readonly costSumUsd: number;
  readonly costSquareSum: number;
}

type StoredHour = Readonly<Record<Exclude<keyof TrendHour, 'latencyBins' | 'modelId'>, unknown>> & {
  readonly modelId: string;
  readonly bins: readonly unknown[];
  readonly binCounts: readonly unknown[];
};

const HOURS_SQL = `
SELECT
  model_id AS modelId,
  toInt64(toUnixTimestamp(hour)) * 1000 AS atMs,
  sum(success_count) AS successCount,
  sum(failure_count) AS failureCount,
  mapKeys(sumMap(latency_bins) AS all_bins) AS bins,
  mapValues(all_bins) AS binCounts,
  sum(priced_count) AS pricedCount,
  sum(cost_sum_usd) AS costSumUsd,
  sum(cost_square_sum) AS costSquareSum
FROM usage_hourly
WHERE run_id = {run:String}
  AND use_case = {useCase:String}
  AND ({modelId:String} = '' OR model_id = {modelId:String})
  AND hour >= toStartOfHour({from:DateTime64(3, 'UTC')})
  AND hour < {to:DateTime64(3, 'UTC')}
GROUP BY modelId, hour
ORDER BY modelId, hour`;

/** How did models do in a use case, hour by hour? Reads the hourly roll-up of one run; hours without requests are left out. */
export async function readTrendHours(db: Database, question: TrendsQuestion): Promise<TrendHour[]> {
  const rows = await db.query<StoredHour>(HOURS_SQL, paramsOf(question));
  return rows.map((row) => ({
    modelId: row.modelId,
    atMs: Number(row.atMs),
    successCount: Number(row.successCount),
    failureCount: Number(row.failureCount),
    latencyBins: new Map(row.bins.map((bin, at) => [Number(bin), Number(row.binCounts[at])])),
    pricedCount: Number(row.pricedCount),
    costSumUsd: Number(row.costSumUsd),
    costSquareSum: Number(row.costSquareSum),
  }));
}

/** Explicit feedback on the requests of one hour. */
export interface RatedHour {
  readonly modelId: string;
  readonly atMs: number;
  readonly count: number;
  readonly sum: number;
  readonly squareSum: number;
}

const EXPLICIT = `kind IN ('feedback', 'imported_score') AND started_at >= toStartOfHour({from:DateTime64(3, 'UTC')})
    AND started_at < {to:DateTime64(3, 'UTC')}`;

const RATED_SQL = `
SELECT
  rated.model_id AS modelId,
  toInt64(toUnixTimestamp(toStartOfHour(rated.started_at))) * 1000 AS atMs,
  count() AS count,
  sum(said.value) AS sum,
  sum(said.value * said.value) AS squareSum
FROM ${rowsUnderRun({
  columns: ['request_id', 'started_at', 'model_id'],
  where: `started_at >= toStartOfHour({from:DateTime64(3, 'UTC')}) AND started_at < {to:DateTime64(3, 'UTC')}
      AND request_id IN (SELECT request_id FROM signals WHERE ${EXPLICIT})`,
})} AS rated
INNER JOIN (
  SELECT
    request_id,
    -- feedback wins over an imported score
    argMin(value, kind) AS value
  FROM signals FINAL
  WHERE ${EXPLICIT}
  GROUP BY request_id
) AS said ON said.request_id = rated.request_id
WHERE rated.use_case = {useCase:String} AND ({modelId:String} = '' OR rated.model_id = {modelId:String})
GROUP BY modelId, atMs
ORDER BY modelId, atMs`;

/** What did people say of the answers, by the hour of the request? Reads signals and the log rows they belong to. */
export async function readRatedHours(db: Database, question: TrendsQuestion): Promise<RatedHour[]> {
  const rows = await db.query<RatedHour>(RATED_SQL, paramsOf(question));
  return rows.map((row) => ({
    modelId: row.modelId,
    atMs: Number(row.atMs),
    count: Number(row.count),
    sum: Number(row.sum),
    squareSum: Number(row.squareSum),
  }));
}

function paramsOf({ runId, useCase, modelId, from, to }: TrendsQuestion): Record<string, string> {
  return {
    run: runId,
    useCase,
    modelId: modelId ?? '',
    from: storedMoment(from.getTime()),
    to: storedMoment(to.getTime()),
  };
}
