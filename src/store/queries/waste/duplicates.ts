import type { Database } from '../../database.ts';
import { ASKED_FOR, BY_A_MODEL } from '../../rows-under-run.ts';
import type { StoredQuery } from '../stored-query.ts';
import { RETRY_GAP_MS } from './retries.ts';
import { toNumberOrNull, type WasteFilter, type WasteScope, windowParams } from './waste-scope.ts';

/** Requests of one model that an exact cache would have answered. */
export interface DuplicateRow {
  readonly modelId: string;
  /** Different requests among them. */
  readonly promptCount: number;
  readonly requestCount: number;
  readonly pricedCount: number;
  /** Of the priced ones; null without any. */
  readonly costUsd: number | null;
  /** Time until these answers ended; null where no latency is known. */
  readonly waitedMs: number | null;
}

/**
 * The cache is emptied at the end of each period and holds answers from the moment they ended, so what is
 * counted is certain: a cache with a sliding age would answer more. Texts are compared letter by letter
 * (the hash forgives case and white space), the conversation with its system prompt as well, but only where
 * hash and tokens repeat, since the conversations are most of the store. Left out: tool
 * calls, whose answer depends on the world; pictures, of which the log keeps no bytes; and what the same asker
 * sends again at once, which is counted as a retry.
 */
const DUPLICATES_SQL = `
SELECT
  model_id AS modelId,
  uniqExact(text_key) AS promptCount,
  count() AS requestCount,
  countIf(cost_usd IS NOT NULL) AS pricedCount,
  sumOrNull(cost_usd) AS costUsd,
  sumOrNullIf(latency_ms, latency_ms >= 0) AS waitedMs
FROM (
  SELECT
    model_id,
    text_key,
    cost_usd,
    latency_ms,
    started_ms,
    has_asker,
    min(ended_ms) OVER (PARTITION BY text_key, period) AS cached_ms,
    lagInFrame(toNullable(ended_ms)) OVER (
      PARTITION BY text_key, asker ORDER BY started_ms, request_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
    ) AS own_ended_ms
  FROM (
    SELECT
      request_id,
      model_id,
      cost_usd,
      latency_ms,
      toUnixTimestamp64Milli(started_at) AS started_ms,
      started_ms + greatest(1, toInt64(ifNull(latency_ms, 0))) AS ended_ms,
      intDiv(started_ms, {periodMs:UInt32}) AS period,
      session_id != '' OR user_id != '' AS has_asker,
      cityHash64(if(session_id != '', concat('session ', session_id), concat('user ', user_id))) AS asker,
      sipHash64(model_id, usage_log.prompt, context, conversation) AS text_key
    FROM usage_log
    WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
      AND success
      AND finish_reason != 'tool_calls'
      AND ifNull(prompt_tokens, 0) <= {tokensMax:UInt32}
      AND usage_log.prompt != ''
      AND ${ASKED_FOR} AND ${BY_A_MODEL}
      AND ({modelId:String} = '' OR model_id = {modelId:String})
      AND NOT multiSearchAny(conversation, ['"tool_calls"', '"tool_use"', '"role":"tool"', ';base64,'])
      AND cityHash64(model_id, prompt_hash, ifNull(prompt_tokens, 0)) IN (
        SELECT cityHash64(model_id, prompt_hash, ifNull(prompt_tokens, 0)) AS maybe_key
        FROM usage_log
        WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
          AND success
          AND finish_reason != 'tool_calls'
          AND ifNull(prompt_tokens, 0) <= {tokensMax:UInt32}
          AND ${ASKED_FOR} AND ${BY_A_MODEL}
          AND ({modelId:String} = '' OR model_id = {modelId:String})
        GROUP BY maybe_key
        HAVING count() > 1
      )
  )
)
WHERE started_ms >= cached_ms
  AND NOT (has_asker AND ifNull(started_ms - own_ended_ms BETWEEN 0 AND {gapMs:UInt32}, false))
GROUP BY modelId
ORDER BY requestCount DESC, modelId
LIMIT 1000`;

/** Longer, and a cache tells yesterday's news; shorter, and what is asked every morning is not seen as the same. */
const CACHE_PERIOD_MS = 86_400_000;
/** Longer conversations have grown turn by turn and never come twice; reading them would be reading most of the store. */
const TOKENS_MAX = 8_000;

export function duplicatesQuery(scope: WasteScope, filter: WasteFilter = {}): StoredQuery {
  return {
    sql: DUPLICATES_SQL,
    params: {
      ...windowParams(scope, filter),
      periodMs: CACHE_PERIOD_MS,
      gapMs: RETRY_GAP_MS,
      tokensMax: TOKENS_MAX,
    },
  };
}

/**
 * What would a cache of exact requests, emptied every day (UTC), have answered? Reads the window's rows of
 * `usage_log` twice: what repeats by hash and tokens (eight bytes for each), then those rows alone with their
 * texts, sorted by a hash of these (the engine groups and sorts on disk what does not fit into its memory). Where texts are not kept nobody can say, and there are no rows.
 */
export async function readDuplicates(db: Database, scope: WasteScope): Promise<DuplicateRow[]> {
  const { sql, params } = duplicatesQuery(scope);
  const rows = await db.query<DuplicateRow>(sql, params, { signal: scope.signal });
  return rows.map((row) => ({
    modelId: row.modelId,
    promptCount: Number(row.promptCount),
    requestCount: Number(row.requestCount),
    pricedCount: Number(row.pricedCount),
    costUsd: toNumberOrNull(row.costUsd),
    waitedMs: toNumberOrNull(row.waitedMs),
  }));
}
