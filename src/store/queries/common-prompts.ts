import type { Timeframe } from '../../core/timeframe.ts';
import type { Database } from '../database.ts';
import { ASKED_FOR, rowsUnderRun } from '../rows-under-run.ts';
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

const ASKED = "started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}";

/** The last request says which use case it is; where rules look at headers or keys, one text may have several. */
const COMMON_PROMPTS = `
WITH most_asked AS (
  SELECT prompt_hash
  FROM usage_log
  WHERE ${ASKED} AND ${ASKED_FOR} AND prompt_hash != ''
  GROUP BY prompt_hash
  ORDER BY count() DESC, prompt_hash
  LIMIT {limit:UInt32}
)
SELECT
  prompt_hash AS promptHash,
  nullIf(argMax(asked.prompt, asked.started_at), '') AS prompt,
  count() AS requestCount,
  arraySort(groupUniqArray(50)(model_id)) AS modelIds,
  argMax(asked.use_case, asked.started_at) AS useCase,
  toString(max(asked.started_at)) AS lastSeenAt
FROM ${rowsUnderRun({
  columns: ['prompt_hash', 'prompt', 'model_id', 'started_at'],
  where: `${ASKED} AND prompt_hash IN (SELECT prompt_hash FROM most_asked)`,
  assignedWhere: 'prompt_hash IN (SELECT prompt_hash FROM most_asked)',
  withCached: true,
})} AS asked
GROUP BY prompt_hash
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
