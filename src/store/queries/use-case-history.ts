import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';

/** What became of use cases from one run to the next, as it is stored. */
export interface UseCaseEvent {
  readonly runId: string;
  /** "birth", "death", "merge" or "split". */
  readonly kind: string;
  readonly fromSlugs: readonly string[];
  readonly toSlugs: readonly string[];
  /** Share of the prompts known to both runs that moved, 0..1; null where they share none. */
  readonly share: number | null;
  readonly atMs: number;
}

export async function writeUseCaseEvents(db: Database, events: readonly UseCaseEvent[]): Promise<void> {
  await db.insertRows(
    'use_case_events',
    events.map((event) => ({
      run_id: event.runId,
      kind: event.kind,
      from_slugs: event.fromSlugs,
      to_slugs: event.toSlugs,
      share: event.share,
      at: storedMoment(event.atMs),
    })),
  );
}

const EVENTS_SQL = `
SELECT
  run_id AS runId,
  kind,
  from_slugs AS fromSlugs,
  to_slugs AS toSlugs,
  share,
  toUnixTimestamp64Milli(at) AS atMs
FROM use_case_events FINAL
WHERE run_id IN (SELECT run_id FROM discovery_runs FINAL WHERE status = 'active')
  AND ({slug:String} = '' OR has(from_slugs, {slug:String}) OR has(to_slugs, {slug:String}))
ORDER BY use_case_events.at DESC, runId DESC, kind, fromSlugs, toSlugs
LIMIT {limit:UInt32}`;

/** What became of use cases, newest first; of one of them when `slug` is given. Reads `use_case_events`. */
export async function readUseCaseEvents(
  db: Database,
  { slug, limit }: { readonly slug?: string | undefined; readonly limit: number },
): Promise<UseCaseEvent[]> {
  const rows = await db.query<UseCaseEvent>(EVENTS_SQL, { slug: slug ?? '', limit });
  return rows.map((row) => ({ ...row, atMs: Number(row.atMs) }));
}
