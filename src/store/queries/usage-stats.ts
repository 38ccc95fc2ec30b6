import type { Timeframe } from '../../core/timeframe.ts';
import type { Database } from '../database.ts';
import { currentRunId } from './current-run.ts';
import { SHADOWS_BETWEEN, USAGE_BETWEEN } from './usage-between.ts';
import { usageWindow } from './usage-window.ts';

/** What was counted of a set of requests. */
export interface UsageFigures {
  readonly requestCount: number;
  readonly successCount: number;
  /** Failures of the provider or the model; those of callers and policies are neither success nor failure. */
  readonly failureCount: number;
  /** The client left before the answer ended. */
  readonly abandonedCount: number;
  /** successCount / (successCount + failureCount); null when neither happened. */
  readonly successRate: number | null;
  /** Requests with a known cost, declared free ones included. */
  readonly pricedCount: number;
  /** Sum over the priced requests; null when nothing was priced. */
  readonly costSumUsd: number | null;
  /** Latency of successful requests; null without any. Quantiles by t-digest, within a percent. */
  readonly latencyMeanMs: number | null;
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
  /** Requests whose token counts are known, and the sums over them; null without any. */
  readonly tokenCount: number;
  readonly promptTokenSum: number | null;
  readonly completionTokenSum: number | null;
}

export interface UsageTotal extends UsageFigures {
  /** Different users and prompts; estimated within about a percent beyond some thousands. */
  readonly userCount: number;
  readonly distinctPromptCount: number;
}

export interface UsageStats {
  readonly runId: string;
  readonly total: UsageTotal;
  /** Most requests first. */
  readonly byModel: readonly (UsageFigures & { readonly modelId: string })[];
  readonly byUseCase: readonly (UsageFigures & { readonly useCase: string })[];
  /** Shadow calls: nobody asked for them, so they are in no other figure. They are paid all the same. */
  readonly shadow: Pick<UsageFigures, 'requestCount' | 'pricedCount' | 'costSumUsd'>;
  /** Requests for vectors, which are no questions: in no other figure, and paid all the same. */
  readonly embedding: Pick<UsageFigures, 'requestCount' | 'pricedCount' | 'costSumUsd' | 'promptTokenSum'>;
  /** Requests that the cache answered: they cost nothing, and are in no other figure. */
  readonly cached: {
    readonly requestCount: number;
    /** Those whose answer's price is known, and what they would have cost anew. */
    readonly pricedCount: number;
    readonly avoidedUsd: number | null;
  };
  readonly bucketMs: number;
  /** Every bucket that the window touches, oldest first; `at` is the bucket's start in ISO 8601. */
  readonly series: readonly (UsageFigures & { readonly at: string })[];
}

interface Row extends UsageFigures {
  readonly level: 'total' | 'model' | 'useCase' | 'bucket';
  readonly modelId: string;
  readonly useCase: string;
  readonly bucketMs: number;
}

const USAGE_STATS = `
SELECT
  multiIf(grouping(model_id) = 0, 'model', grouping(use_case) = 0, 'useCase', grouping(bucket) = 0, 'bucket', 'total')
    AS level,
  model_id AS modelId,
  use_case AS useCase,
  toInt64(toUnixTimestamp(bucket)) * 1000 AS bucketMs,
  sum(request_count) AS requestCount,
  sum(success_count) AS successCount,
  sum(failure_count) AS failureCount,
  sum(abandoned_count) AS abandonedCount,
  if(successCount + failureCount = 0, NULL, successCount / (successCount + failureCount)) AS successRate,
  sum(priced_count) AS pricedCount,
  if(pricedCount = 0, NULL, sum(cost_sum_usd)) AS costSumUsd,
  if(sum(latency_count) = 0, NULL, sum(latency_sum_ms) / sum(latency_count)) AS latencyMeanMs,
  if(sum(latency_count) = 0, NULL, quantilesTDigestMerge(0.5, 0.95)(latency_quantiles)[1]) AS latencyP50Ms,
  if(sum(latency_count) = 0, NULL, quantilesTDigestMerge(0.5, 0.95)(latency_quantiles)[2]) AS latencyP95Ms,
  sum(token_count) AS tokenCount,
  if(tokenCount = 0, NULL, sum(prompt_token_sum)) AS promptTokenSum,
  if(tokenCount = 0, NULL, sum(completion_token_sum)) AS completionTokenSum
FROM (
  -- Once to the width of a bucket: the four groupings then start from a few thousand rows.
  SELECT
    usage.model_id AS model_id,
    usage.use_case AS use_case,
    toStartOfInterval(usage.at, toIntervalSecond({bucketSeconds:UInt32}), 'UTC') AS bucket,
    sum(usage.request_count) AS request_count,
    sum(usage.success_count) AS success_count,
    sum(usage.failure_count) AS failure_count,
    sum(usage.abandoned_count) AS abandoned_count,
    sum(usage.priced_count) AS priced_count,
    sum(usage.cost_sum_usd) AS cost_sum_usd,
    sum(usage.latency_count) AS latency_count,
    sum(usage.latency_sum_ms) AS latency_sum_ms,
    quantilesTDigestMergeState(0.5, 0.95)(usage.latency_quantiles) AS latency_quantiles,
    sum(usage.token_count) AS token_count,
    sum(usage.prompt_token_sum) AS prompt_token_sum,
    sum(usage.completion_token_sum) AS completion_token_sum
  FROM ${USAGE_BETWEEN} AS usage
  GROUP BY model_id, use_case, bucket
)
GROUP BY GROUPING SETS ((), (model_id), (use_case), (bucket))
ORDER BY level, requestCount DESC, modelId, useCase, bucketMs`;

const DISTINCT = `
SELECT uniqMerge(users) AS userCount, uniqMerge(prompts) AS distinctPromptCount
FROM ${USAGE_BETWEEN}`;

const SHADOWS = `
SELECT
  sum(request_count) AS requestCount,
  sum(priced_count) AS pricedCount,
  if(pricedCount = 0, NULL, sum(cost_sum_usd)) AS costSumUsd
FROM ${SHADOWS_BETWEEN}`;

const EMBEDDINGS = `
SELECT
  count() AS requestCount,
  countIf(cost_usd IS NOT NULL) AS pricedCount,
  if(pricedCount = 0, NULL, sum(ifNull(cost_usd, 0))) AS costSumUsd,
  if(countIf(prompt_tokens IS NOT NULL) = 0, NULL, sum(ifNull(prompt_tokens, 0))) AS promptTokenSum
FROM usage_log
WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
  AND source = 'embedding'`;

const CACHED = `
SELECT
  count() AS requestCount,
  countIf(avoided_usd IS NOT NULL) AS pricedCount,
  if(pricedCount = 0, NULL, sum(ifNull(avoided_usd, 0))) AS avoidedUsd
FROM usage_log
WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
  AND source = 'cache'`;

/** What was asked in a window, of which model, for what, and when? Reads roll-up and log of the current run. */
export async function usageStats(db: Database, timeframe: Timeframe): Promise<UsageStats> {
  const runId = await currentRunId(db);
  const window = usageWindow(timeframe);
  const params = { run: runId, ...window.params };
  const [rows, [distinct], [shadow], [embedding], [cached]] = await Promise.all([
    db.query<Row>(USAGE_STATS, params),
    db.query<Pick<UsageTotal, 'userCount' | 'distinctPromptCount'>>(DISTINCT, params),
    db.query<UsageStats['shadow']>(SHADOWS, params),
    db.query<UsageStats['embedding']>(EMBEDDINGS, params),
    db.query<UsageStats['cached']>(CACHED, params),
  ]);
  const buckets = new Map(rows.filter((row) => row.level === 'bucket').map((row) => [row.bucketMs, row]));
  return {
    runId,
    total: {
      ...figuresOf(rows.find((row) => row.level === 'total')),
      ...(distinct ?? { userCount: 0, distinctPromptCount: 0 }),
    },
    byModel: rows
      .filter((row) => row.level === 'model')
      .map((row) => ({ modelId: row.modelId, ...figuresOf(row) })),
    byUseCase: rows
      .filter((row) => row.level === 'useCase')
      .map((row) => ({ useCase: row.useCase, ...figuresOf(row) })),
    shadow: shadow ?? { requestCount: 0, pricedCount: 0, costSumUsd: null },
    embedding: embedding ?? { requestCount: 0, pricedCount: 0, costSumUsd: null, promptTokenSum: null },
    cached: cached ?? { requestCount: 0, pricedCount: 0, avoidedUsd: null },
    bucketMs: window.bucketMs,
    series: window.bucketStartsMs.map((ms) => ({
      at: new Date(ms).toISOString(),
      ...figuresOf(buckets.get(ms)),
    })),
  };
}

function figuresOf(row: Row | undefined): UsageFigures {
  if (row === undefined) return NO_USAGE;
  const { level: _level, modelId: _modelId, useCase: _useCase, bucketMs: _bucketMs, ...figures } = row;
  return figures;
}

const NO_USAGE: UsageFigures = {
  requestCount: 0,
  successCount: 0,
  failureCount: 0,
  abandonedCount: 0,
  successRate: null,
  pricedCount: 0,
  costSumUsd: null,
  latencyMeanMs: null,
  latencyP50Ms: null,
  latencyP95Ms: null,
  tokenCount: 0,
  promptTokenSum: null,
  completionTokenSum: null,
};
