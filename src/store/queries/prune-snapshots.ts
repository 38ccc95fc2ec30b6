import type { Database } from '../database.ts';
import { readPublication } from './ranking-versions.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * How long published versions are kept: all of them at first, then the last of each hour, then the last of each day.
 * A refresh a minute makes 1,440 a day; kept whole for a year they would be most of a small store.
 */
const ALL_KEPT_MS = DAY_MS;
const HOURLY_KEPT_MS = 7 * DAY_MS;
const DAILY_KEPT_MS = 366 * DAY_MS;

/** Versions in one statement: its text is sent whole. What is left goes with the next call. */
const PRUNED_MAX = 5_000;

/** A version and when it was published, milliseconds since 1970. */
export interface VersionMoment {
  readonly version: string;
  readonly createdAtMs: number;
}

/** The versions that are no longer kept at `nowMs`; never one of `inUse`. */
export function versionsToPrune(
  versions: readonly VersionMoment[],
  nowMs: number,
  inUse: ReadonlySet<string>,
): string[] {
  const newestFirst = [...versions].sort((one, other) => (one.version < other.version ? 1 : -1));
  const slots = new Set<string>();
  return newestFirst.flatMap(({ version, createdAtMs }) => {
    const ageMs = nowMs - createdAtMs;
    if (ageMs < ALL_KEPT_MS || inUse.has(version)) return [];
    const slotMs = ageMs < HOURLY_KEPT_MS ? HOUR_MS : DAY_MS;
    const slot = `${slotMs} ${Math.floor(createdAtMs / slotMs)}`;
    if (ageMs >= DAILY_KEPT_MS || slots.has(slot)) return [version];
    slots.add(slot);
    return [];
  });
}

const MOMENTS_SQL = `
SELECT version, toUnixTimestamp64Milli(created_at) AS createdAtMs
FROM snapshots FINAL
WHERE created_at < fromUnixTimestamp64Milli({beforeMs:Int64}, 'UTC')`;

const PRUNE_SNAPSHOTS_SQL = 'DELETE FROM snapshots WHERE version IN {versions:Array(String)}';
const PRUNE_RANKINGS_SQL = 'DELETE FROM rankings WHERE snapshot_version IN {versions:Array(String)}';

/**
 * Deletes the versions that are no longer kept, with their figures. The version in use and the newest one stay.
 *
 * @returns how many went
 */
export async function pruneSnapshots(db: Database, nowMs: number): Promise<number> {
  const rows = await db.query<VersionMoment>(MOMENTS_SQL, { beforeMs: nowMs - ALL_KEPT_MS });
  if (rows.length === 0) return 0;
  const { current, newest } = await readPublication(db);
  const inUse = new Set([current, newest].filter((version) => version !== null));
  const moments = rows.map(({ version, createdAtMs }) => ({ version, createdAtMs: Number(createdAtMs) }));
  const versions = versionsToPrune(moments, nowMs, inUse).slice(-PRUNED_MAX);
  if (versions.length === 0) return 0;
  await db.command(PRUNE_RANKINGS_SQL, { versions }, { isIdempotent: true });
  await db.command(PRUNE_SNAPSHOTS_SQL, { versions }, { isIdempotent: true });
  return versions.length;
}
