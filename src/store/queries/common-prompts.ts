import type { Timeframe } from '../../core/timeframe.ts';
import type { Database } from '../database.ts';
import { currentRunId } from './current-run.ts';
import { isoOfStored } from './usage-window.ts';

export interface CommonPrompt {
  readonly promptHash: string;
  /** As it was asked last; null where texts are not kept. */
  readonly prompt: string | null;
  readonly requestCount: number;
  /** Models that answered it, in alphabetical order; at most 50. */
  readonly modelIds: readonly string[];
  readonly useCase: string;
  /** ISO 8601. */
  readonly lastSeenAt: string;
}

/** Beyond it nobody reads on, and the second pass over the log would no longer be cheap. */
const LIMIT_MAX = 1_000;

const COMMON_PROMPTS = `
WITH most_asked AS (
  SELECT prompt_hash
  FROM usage_log
  WHERE started_at >= {from:DateTime64(3)} AND started_at < {to:DateTime64(3)} AND prompt_hash != ''
  GROUP BY prompt_hash
  ORDER BY count() DESC, prompt_hash
  LIMIT {limit:UInt32}
)
SELECT
  seen.prompt_hash AS promptHash,
  nullIf(seen.prompt, '') AS prompt,
  seen.request_count AS requestCount,
  seen.model_ids AS modelIds,
  multiIf(seen.use_case != '', seen.use_case, assigned.use_case != '', assigned.use_case, 'other') AS useCase,
  toString(seen.last_seen_at) AS lastSeenAt
FROM (
  SELECT
    prompt_hash,
    argMax(usage_log.prompt, started_at) AS prompt,
    count() AS request_count,
    arraySort(groupUniqArray(50)(model_id)) AS model_ids,
    argMaxIf(usage_log.use_case, started_at, run_id = {run:String}) AS use_case,
    max(started_at) AS last_seen_at
  FROM usage_log
  WHERE started_at >= {from:DateTime64(3)} AND started_at < {to:DateTime64(3)}
    AND prompt_hash IN (SELECT prompt_hash FROM most_asked)
  GROUP BY prompt_hash
) AS seen
LEFT JOIN (
  SELECT prompt_hash, use_case
  FROM assignments FINAL
  WHERE run_id = {run:String} AND prompt_hash IN (SELECT prompt_hash FROM most_asked)
) AS assigned ON assigned.prompt_hash = seen.prompt_hash
ORDER BY requestCount DESC, promptHash`;

/**
 * Which prompts were asked most in a window? Reads `usage_log`, twice over the window: a roll-up of prompts
 * would be nearly as large as the log.
 *
 * @param limit 1..1000
 */
export async function commonPrompts(
  db: Database,
  timeframe: Timeframe,
  limit: number,
): Promise<CommonPrompt[]> {
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) throw new RangeError(`limit ${limit}`);
  const rows = await db.query<CommonPrompt>(COMMON_PROMPTS, {
    run: await currentRunId(db),
    from: timeframe.from,
    to: timeframe.to,
    limit,
  });
  return rows.map((row) => ({ ...row, lastSeenAt: isoOfStored(row.lastSeenAt) }));
}
