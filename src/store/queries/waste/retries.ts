import type { Database } from '../../database.ts';
import { BY_A_MODEL } from '../../rows-under-run.ts';
import type { StoredQuery } from '../stored-query.ts';
import { toNumberOrNull, type WasteFilter, type WasteScope, windowParams } from './waste-scope.ts';

/** Requests that repeat the one before, per model and per what became of that one. */
export interface RetryRow {
  readonly modelId: string;
  readonly after: 'success' | 'failure';
  readonly requestCount: number;
  /** Different sessions, or users where no session was named. */
  readonly askerCount: number;
  /** Of them, those that failed (again). */
  readonly failedCount: number;
  readonly pricedCount: number;
  /** Of the priced ones; null without any. */
  readonly costUsd: number | null;
  readonly failedPricedCount: number;
  readonly failedCostUsd: number | null;
  /** Time until these answers ended; null where no latency is known. */
  readonly waitedMs: number | null;
}

/**
 * A repeat comes from the same session (the same user where none is named), to the same model, with the same
 * text, soon after the end of the one before. Steps of an agent are none: the step before ended with a tool
 * call, or the conversation has grown, which its tokens tell where both are known; reading the conversations
 * would be reading most of the store. Two requests at the same time are none either; but a client that gave
 * up may be back before its first request is noticed to have ended, hence the overlap after a failure.
 */
const RETRIES_SQL = `
SELECT
  model_id AS modelId,
  if(before_success, 'success', 'failure') AS after,
  count() AS requestCount,
  uniqExact(asker) AS askerCount,
  countIf(NOT success) AS failedCount,
  countIf(cost_usd IS NOT NULL) AS pricedCount,
  sumOrNull(cost_usd) AS costUsd,
  countIf(NOT success AND cost_usd IS NOT NULL) AS failedPricedCount,
  sumOrNullIf(cost_usd, NOT success) AS failedCostUsd,
  sumOrNullIf(latency_ms, latency_ms >= 0) AS waitedMs
FROM (
  SELECT
    model_id,
    asker,
    success,
    cost_usd,
    latency_ms,
    started_ms,
    lagInFrame(toNullable(success)) OVER asked AS before_success,
    lagInFrame(finish_reason) OVER asked AS before_reason,
    prompt_tokens,
    lagInFrame(prompt_tokens) OVER asked AS before_tokens,
    lagInFrame(toNullable(ended_ms)) OVER asked AS before_ended_ms
  FROM (
    SELECT
      request_id,
      model_id,
      success,
      toString(finish_reason) AS finish_reason,
      cost_usd,
      latency_ms,
      prompt_tokens,
      toUnixTimestamp64Milli(started_at) AS started_ms,
      started_ms + toInt64(greatest(0, ifNull(latency_ms, 0))) AS ended_ms,
      if(session_id != '', concat('session ', session_id), concat('user ', user_id)) AS asker,
      cityHash64(asker, model_id, prompt_hash) AS asked_key
    FROM usage_log
    WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
      AND prompt_length > 0
      AND (session_id != '' OR user_id != '')
      AND ${BY_A_MODEL}
      AND ({modelId:String} = '' OR model_id = {modelId:String})
      AND asked_key IN (
        SELECT
          cityHash64(
            if(session_id != '', concat('session ', session_id), concat('user ', user_id)), model_id, prompt_hash
          ) AS asked_key
        FROM usage_log
        WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
          AND prompt_length > 0
          AND (session_id != '' OR user_id != '')
          AND ${BY_A_MODEL}
          AND ({modelId:String} = '' OR model_id = {modelId:String})
        GROUP BY asked_key
        HAVING count() > 1
      )
  )
  WINDOW asked AS (PARTITION BY asked_key ORDER BY started_ms, request_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE before_ended_ms IS NOT NULL
  AND before_reason != 'tool_calls'
  AND ifNull(prompt_tokens = before_tokens, true)
  AND started_ms - before_ended_ms <= {gapMs:UInt32}
  AND started_ms - before_ended_ms >= if(before_success, 0, -toInt64({overlapMs:UInt32}))
GROUP BY modelId, after
ORDER BY requestCount DESC, modelId, after
LIMIT 1000`;

/** Longer, and people who come back to a question count; shorter, and clients that wait between tries are missed. */
export const RETRY_GAP_MS = 5 * 60_000;
/** Clocks of client and gateway apart, and the time in which a broken connection is noticed. */
const OVERLAP_MS = 1_000;

export function retriesQuery(scope: WasteScope, filter: WasteFilter = {}): StoredQuery {
  return {
    sql: RETRIES_SQL,
    params: { ...windowParams(scope, filter), gapMs: RETRY_GAP_MS, overlapMs: OVERLAP_MS },
  };
}

/**
 * How often did the same asker send the same request again at once? Reads the window's rows of `usage_log`
 * twice: which asker repeats which text (eight bytes for each pair), then those rows alone, sorted by that (the
 * engine groups and sorts on disk what does not fit into its memory). Requests that name neither session nor user say nothing.
 */
export async function readRetries(db: Database, scope: WasteScope): Promise<RetryRow[]> {
  const { sql, params } = retriesQuery(scope);
  const rows = await db.query<RetryRow>(sql, params, { signal: scope.signal });
  return rows.map((row) => ({
    modelId: row.modelId,
    after: row.after,
    requestCount: Number(row.requestCount),
    askerCount: Number(row.askerCount),
    failedCount: Number(row.failedCount),
    pricedCount: Number(row.pricedCount),
    costUsd: toNumberOrNull(row.costUsd),
    failedPricedCount: Number(row.failedPricedCount),
    failedCostUsd: toNumberOrNull(row.failedCostUsd),
    waitedMs: toNumberOrNull(row.waitedMs),
  }));
}
