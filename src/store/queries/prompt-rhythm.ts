import type { Database } from '../database.ts';
import { ASKED_FOR } from '../rows-under-run.ts';
import type { PromptWindow } from './distinct-prompts.ts';

/** One text that one asker sends again and again. */
export interface PromptRhythm {
  readonly promptHash: string;
  /** The user, else the key, else the room; '' when nobody gave a name. */
  readonly asker: string;
  readonly requestCount: number;
  /** Median of the pauses between two requests. */
  readonly intervalMs: number;
  /** Share of the pauses that are a multiple of the median, within a tenth of it; 0..1. */
  readonly regularShare: number;
  /** Days on which it was asked. */
  readonly dayCount: number;
}

const ROWS_MAX = 10_000;

/** A thousand arrivals of a text say enough. Pauses of a second and less are retries and parallel calls, not a schedule. */
const RHYTHM_SQL = `
SELECT
  prompt_hash AS promptHash,
  asker,
  requestCount,
  intervalMs,
  arrayCount(pause -> abs(pause / intervalMs - greatest(1, round(pause / intervalMs))) <= 0.1, pauses) / length(pauses) AS regularShare,
  dayCount
FROM (
  SELECT
    prompt_hash,
    multiIf(user_id != '', user_id, key_id != '', key_id, room_id) AS asker,
    count() AS requestCount,
    uniqExact(toDate(started_at)) AS dayCount,
    arrayPopFront(arrayDifference(arraySort(groupArray(1000)(toUnixTimestamp64Milli(started_at))))) AS allPauses,
    arrayFilter(pause -> pause > 1000, allPauses) AS pauses,
    arrayReduce('medianExact', pauses) AS intervalMs
  FROM usage_log
  WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')} AND prompt_hash != ''
    AND ${ASKED_FOR}
  GROUP BY prompt_hash, asker
  HAVING requestCount >= {repeatsMin:UInt32} AND length(pauses) >= {repeatsMin:UInt32} - 1 AND intervalMs > 0
)
ORDER BY requestCount DESC, promptHash, asker
LIMIT {limit:UInt32}`;

/**
 * At what rhythm is a text asked by the same asker? Texts with at least `repeatsMin` requests, the most frequent
 * first, at most 10,000. Reads the log.
 */
export async function readPromptRhythms(
  db: Database,
  { from, to, signal, repeatsMin }: PromptWindow & { readonly repeatsMin: number },
): Promise<PromptRhythm[]> {
  const rows = await db.query<PromptRhythm>(
    RHYTHM_SQL,
    { from, to, repeatsMin, limit: ROWS_MAX },
    { signal },
  );
  return rows.map((row) => ({
    promptHash: row.promptHash,
    asker: row.asker,
    requestCount: Number(row.requestCount),
    intervalMs: Number(row.intervalMs),
    regularShare: Number(row.regularShare),
    dayCount: Number(row.dayCount),
  }));
}
