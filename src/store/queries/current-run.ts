import type { Database } from '../database.ts';

const CURRENT_RUN = `SELECT run_id AS runId FROM current_run`;

/** Which discovery run's labels count now? The newest active one, or "starter" before the first. */
export async function currentRunId(db: Database): Promise<string> {
  const [row] = await db.query<{ runId: string }>(CURRENT_RUN);
  if (row === undefined) throw new RangeError('the view current_run always has one row');
  return row.runId;
}
