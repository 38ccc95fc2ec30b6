import { OTHER_USE_CASE } from '../../../core/use-case.ts';
import type { Database } from '../../database.ts';
import { rowsUnderRun } from '../../rows-under-run.ts';
import type { StoredQuery } from '../stored-query.ts';
import { toNumberOrNull, type WasteFilter, type WasteScope, windowParams } from './waste-scope.ts';

/** Requests of one model in one use case that carried far more than the use case typically needs. */
export interface OversizedContextRow {
  readonly useCase: string;
  readonly modelId: string;
  /** Requests of the use case whose prompt tokens are known, over all models. */
  readonly sampleCount: number;
  /** Their median of prompt tokens, within about a percent (t-digest). */
  readonly typicalTokens: number;
  /** What is beyond it is excess. */
  readonly limitTokens: number;
  readonly requestCount: number;
  readonly pricedCount: number;
  /** Whole cost of the priced ones; null without any. */
  readonly costUsd: number | null;
  /** Tokens beyond the limit in the priced requests: billed as new, and as cached by the provider. */
  readonly excessFreshTokens: number;
  readonly excessCachedTokens: number;
}

const SENT = `started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
      AND success AND prompt_tokens > 0`;
const LONG = `${SENT} AND prompt_tokens > {floorTokens:UInt32} AND prompt_length < prompt_tokens
      AND ({modelId:String} = '' OR model_id = {modelId:String})`;

const SENT_ROWS = rowsUnderRun({ columns: ['prompt_tokens'], where: SENT });
const LONG_ROWS = rowsUnderRun({
  columns: ['model_id', 'cost_usd', 'prompt_tokens', 'cached_tokens'],
  where: LONG,
  assignedWhere: LONG,
});

/**
 * Oversized is a request with more tokens than the limit (a multiple of the use case's median, and a floor)
 * whose last turn has fewer characters than the request has tokens: even at a token a character the text
 * that was asked explains nothing of it, so it was history or other context. A use case in which everything
 * is long has a high median and no oversized requests. The excess is taken to be cached in the same share as
 * the whole request.
 */
const CONTEXTS_SQL = `
SELECT
  typical.label AS useCase,
  long.model_id AS modelId,
  any(typical.sample_count) AS sampleCount,
  any(typical.median_tokens) AS typicalTokens,
  any(typical.limit_tokens) AS limitTokens,
  count() AS requestCount,
  countIf(long.cost_usd IS NOT NULL) AS pricedCount,
  sumOrNull(long.cost_usd) AS costUsd,
  sumIf((long.tokens - typical.limit_tokens) * (1 - long.cached_share), long.cost_usd IS NOT NULL) AS excessFreshTokens,
  sumIf((long.tokens - typical.limit_tokens) * long.cached_share, long.cost_usd IS NOT NULL) AS excessCachedTokens
FROM (
  SELECT
    toString(use_case) AS label,
    model_id,
    cost_usd,
    toFloat64(assumeNotNull(prompt_tokens)) AS tokens,
    least(1., ifNull(cached_tokens, 0) / tokens) AS cached_share
  FROM ${LONG_ROWS}
) AS long
INNER JOIN (
  SELECT
    toString(use_case) AS label,
    count() AS sample_count,
    quantileTDigest(0.5)(toFloat64(assumeNotNull(prompt_tokens))) AS median_tokens,
    greatest({floorTokens:UInt32}, {timesTypical:Float64} * median_tokens) AS limit_tokens
  FROM ${SENT_ROWS}
  WHERE label != {other:String} AND ({useCase:String} = '' OR label = {useCase:String})
  GROUP BY label
  HAVING sample_count >= {sampleMin:UInt32}
) AS typical ON typical.label = long.label
WHERE long.tokens > typical.limit_tokens
GROUP BY useCase, modelId
ORDER BY requestCount DESC, useCase, modelId
LIMIT 1000`;

/** Smaller, and every third turn of a chat is oversized; larger, and a session of a whole day is not. */
const TIMES_TYPICAL = 4;
/** Below it even a dear model's excess costs less than a cent a request. */
const FLOOR_TOKENS = 2_000;
/** Requests of a use case before it has a typical one: the median of fewer moves with every session. */
const SAMPLE_MIN = 50;

export function oversizedContextsQuery(scope: WasteScope, filter: WasteFilter = {}): StoredQuery {
  return {
    sql: CONTEXTS_SQL,
    params: {
      ...windowParams(scope, filter),
      run: scope.runId,
      useCase: filter.useCase ?? '',
      other: OTHER_USE_CASE,
      timesTypical: TIMES_TYPICAL,
      floorTokens: FLOOR_TOKENS,
      sampleMin: SAMPLE_MIN,
    },
  };
}

/**
 * Which requests carried far more context than their use case typically needs? Reads narrow columns of the
 * window's rows of `usage_log`, those of long requests once more, and the assignments of the run. Memory grows with models and use cases,
 * and with the assignments that are joined. "Other" has no typical request and is left out.
 */
export async function readOversizedContexts(db: Database, scope: WasteScope): Promise<OversizedContextRow[]> {
  const { sql, params } = oversizedContextsQuery(scope);
  const rows = await db.query<OversizedContextRow>(sql, params, { signal: scope.signal });
  return rows.map((row) => ({
    useCase: row.useCase,
    modelId: row.modelId,
    sampleCount: Number(row.sampleCount),
    typicalTokens: Number(row.typicalTokens),
    limitTokens: Number(row.limitTokens),
    requestCount: Number(row.requestCount),
    pricedCount: Number(row.pricedCount),
    costUsd: toNumberOrNull(row.costUsd),
    excessFreshTokens: Number(row.excessFreshTokens),
    excessCachedTokens: Number(row.excessCachedTokens),
  }));
}
