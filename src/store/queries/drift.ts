import type { Database } from '../database.ts';
import { ASKED_FOR } from '../rows-under-run.ts';

/** Requests of one use case in one bucket of time. */
export interface UseCaseCount {
  /** Start of the bucket, milliseconds since 1970. */
  readonly bucketStartMs: number;
  readonly useCase: string;
  readonly requestCount: number;
}

const COUNTS_SQL = `
SELECT
  intDiv(toUnixTimestamp(hour) - toUnixTimestamp({from:DateTime64(3, 'UTC')}), {bucketSeconds:UInt32}) AS bucket,
  use_case AS useCase,
  sum(request_count) AS requestCount
FROM usage_hourly
WHERE run_id = {runId:String} AND hour >= {from:DateTime64(3, 'UTC')} AND hour < {to:DateTime64(3, 'UTC')}
  AND ${ASKED_FOR}
GROUP BY bucket, useCase
HAVING requestCount > 0
ORDER BY bucket, useCase`;

/**
 * How many requests had each use case, in equal buckets from `from` on? Reads the hourly roll-up of a run;
 * `from` should be a whole hour and the bucket whole hours.
 */
export async function readUseCaseCounts(
  db: Database,
  window: {
    readonly runId: string;
    readonly from: Date;
    readonly to: Date;
    readonly bucketMs: number;
  },
): Promise<UseCaseCount[]> {
  const { runId, from, to, bucketMs } = window;
  const rows = await db.query<{ bucket: number; useCase: string; requestCount: number }>(COUNTS_SQL, {
    runId,
    from,
    to,
    bucketSeconds: Math.round(bucketMs / 1_000),
  });
  return rows.map(({ bucket, useCase, requestCount }) => ({
    bucketStartMs: from.getTime() + Number(bucket) * bucketMs,
    useCase,
    requestCount: Number(requestCount),
  }));
}
