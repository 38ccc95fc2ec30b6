import type { Database } from '../database.ts';

const FIRST_ROUTING_SQL = `
SELECT toUnixTimestamp64Milli(started_at) AS sinceMs
FROM decisions
WHERE cause IN ('ranking', 'exploration', 'ab_test', 'default', 'prior')
ORDER BY started_at
LIMIT 1`;

/** When did `auto` first choose a model by itself? Reads `decisions` from its start; null: never. */
export async function firstRoutingAt(db: Database): Promise<Date | null> {
  const [row] = await db.query<{ readonly sinceMs: unknown }>(FIRST_ROUTING_SQL);
  return row === undefined ? null : new Date(Number(row.sinceMs));
}
