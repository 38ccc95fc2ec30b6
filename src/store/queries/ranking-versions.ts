import type { Database } from '../database.ts';
import { putOperatorSetting } from './operator-settings.ts';

/** A published version that stays in use whatever is published after it, until an operator releases it. */
export interface RankingHold {
  readonly version: string;
  /** The version whose content it is. */
  readonly rolledBackTo: string;
  /** ISO 8601, UTC. */
  readonly heldAt: string;
  /** Who held it, e.g. "cli"; never a key. */
  readonly heldBy: string;
}

/** What is published, and which of it is in use. */
export interface Publication {
  /** Greatest version; null before the first. */
  readonly newest: string | null;
  readonly hold: RankingHold | null;
  /** The version that everybody reads: the held one, else the newest. */
  readonly current: string | null;
}

const HOLD_SETTING = 'rankings.hold';

const PUBLICATION_SQL = `
SELECT
  (SELECT max(version) FROM snapshots) AS newest,
  (SELECT value FROM operator_settings FINAL WHERE name = {setting:String}) AS hold`;

/**
 * Which version is in use? A hold decides where the version is read and not where it is published: a refresh that
 * was under way when it was set publishes a greater version, and changes nothing. Reads two small tables.
 */
export async function readPublication(db: Database): Promise<Publication> {
  const [row] = await db.query<{ newest: string; hold: string | null }>(PUBLICATION_SQL, {
    setting: HOLD_SETTING,
  });
  const newest = row === undefined || row.newest === '' ? null : row.newest;
  const hold = JSON.parse(row?.hold || 'null') as RankingHold | null;
  return { newest, hold, current: hold?.version ?? newest };
}

/** Holds a version, or lets go of it with null. */
export async function writeRankingHold(
  db: Database,
  hold: RankingHold | null,
  changed: { readonly at: Date; readonly by: string },
): Promise<void> {
  await putOperatorSetting(db, {
    name: HOLD_SETTING,
    value: hold,
    changedAt: changed.at,
    changedBy: changed.by,
  });
}

/** A published snapshot without its content. */
export interface RankingVersion {
  readonly version: string;
  readonly createdAtMs: number;
  readonly runId: string;
  /** The version whose content it is; null where the content was new. */
  readonly rolledBackTo: string | null;
  readonly useCaseCount: number;
  readonly requestCount: number;
}

const VERSIONS_SQL = `
SELECT
  version,
  toUnixTimestamp64Milli(created_at) AS createdAtMs,
  run_id AS runId,
  nullIf(rolled_back_to, '') AS rolledBackTo,
  use_case_count AS useCaseCount,
  request_count AS requestCount
FROM snapshots FINAL
WHERE toUnixTimestamp64Milli(created_at) <= {toMs:Int64}
ORDER BY version DESC
LIMIT {limit:UInt32}`;

/** Which versions are kept? Newest first, those published after `toMs` (milliseconds since 1970) left out. Reads `snapshots` without the bodies. */
export async function readRankingVersions(
  db: Database,
  { toMs = Number.MAX_SAFE_INTEGER, limit }: { readonly toMs?: number; readonly limit: number },
): Promise<RankingVersion[]> {
  const rows = await db.query<RankingVersion>(VERSIONS_SQL, { toMs, limit });
  return rows.map((row) => ({
    ...row,
    createdAtMs: Number(row.createdAtMs),
    useCaseCount: Number(row.useCaseCount),
    requestCount: Number(row.requestCount),
  }));
}
