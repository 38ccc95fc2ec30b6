import type { Timeframe } from '../../core/timeframe.ts';
import type { Database } from '../database.ts';
import { currentRunId } from './current-run.ts';
import { USAGE_BETWEEN } from './usage-between.ts';
import { usageWindow } from './usage-window.ts';

/** How a model did in a use case; null where nothing of the kind was seen. */
export interface PerformanceFigures {
  readonly requestCount: number;
  readonly successCount: number;
  readonly failureCount: number;
  readonly abandonedCount: number;
  readonly successRate: number | null;
  /** Of successful requests. */
  readonly latencyMeanMs: number | null;
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
  readonly pricedCount: number;
  /** Per priced request. */
  readonly costMeanUsd: number | null;
}

export interface Performance {
  readonly runId: string;
  readonly total: PerformanceFigures;
  readonly bucketMs: number;
  /** Every bucket that the window touches, oldest first; `at` is its start in ISO 8601. */
  readonly series: readonly (PerformanceFigures & { readonly at: string })[];
}

interface Row extends PerformanceFigures {
  readonly isTotal: number;
  readonly bucketMs: number;
}

const PERFORMANCE = `
SELECT
  toUInt8(grouping(bucket) = 1) AS isTotal,
  toInt64(toUnixTimestamp(bucket)) * 1000 AS bucketMs,
  sum(request_count) AS requestCount,
  sum(success_count) AS successCount,
  sum(failure_count) AS failureCount,
  sum(abandoned_count) AS abandonedCount,
  if(successCount + failureCount = 0, NULL, successCount / (successCount + failureCount)) AS successRate,
  if(sum(latency_count) = 0, NULL, sum(latency_sum_ms) / sum(latency_count)) AS latencyMeanMs,
  if(sum(latency_count) = 0, NULL, quantilesTDigestMerge(0.5, 0.95)(latency_quantiles)[1]) AS latencyP50Ms,
  if(sum(latency_count) = 0, NULL, quantilesTDigestMerge(0.5, 0.95)(latency_quantiles)[2]) AS latencyP95Ms,
  sum(priced_count) AS pricedCount,
  if(pricedCount = 0, NULL, sum(cost_sum_usd) / pricedCount) AS costMeanUsd
FROM (
  SELECT *, toStartOfInterval(at, toIntervalSecond({bucketSeconds:UInt32}), 'UTC') AS bucket
  FROM ${USAGE_BETWEEN}
  WHERE model_id = {modelId:String} AND use_case = {useCase:String}
)
GROUP BY GROUPING SETS ((), (bucket))
ORDER BY isTotal DESC, bucketMs`;

/** How does a model do in a use case, over time? Reads roll-up and log of the current run. */
export async function performance(
  db: Database,
  asked: { readonly modelId: string; readonly useCase: string; readonly timeframe: Timeframe },
): Promise<Performance> {
  const runId = await currentRunId(db);
  const window = usageWindow(asked.timeframe);
  const rows = await db.query<Row>(PERFORMANCE, {
    run: runId,
    modelId: asked.modelId,
    useCase: asked.useCase,
    ...window.params,
  });
  const buckets = new Map(rows.filter((row) => row.isTotal === 0).map((row) => [row.bucketMs, row]));
  return {
    runId,
    total: figuresOf(rows.find((row) => row.isTotal === 1)),
    bucketMs: window.bucketMs,
    series: window.bucketStartsMs.map((ms) => ({
      at: new Date(ms).toISOString(),
      ...figuresOf(buckets.get(ms)),
    })),
  };
}

function figuresOf(row: Row | undefined): PerformanceFigures {
  if (row === undefined) return NOT_SEEN;
  const { isTotal: _isTotal, bucketMs: _bucketMs, ...figures } = row;
  return figures;
}

const NOT_SEEN: PerformanceFigures = {
  requestCount: 0,
  successCount: 0,
  failureCount: 0,
  abandonedCount: 0,
  successRate: null,
  latencyMeanMs: null,
  latencyP50Ms: null,
  latencyP95Ms: null,
  pricedCount: 0,
  costMeanUsd: null,
};
