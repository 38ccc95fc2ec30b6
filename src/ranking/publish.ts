import type { Logger } from '../core/log.ts';
import type { PublishedSnapshot } from '../core/snapshot.ts';
import type { Database } from '../store/database.ts';
import { pruneSnapshots } from '../store/queries/prune-snapshots.ts';
import { readLatestVersion, writeSnapshot } from '../store/queries/snapshots.ts';
import { encodeBook } from './encode-book.ts';
import type { EvidenceBook } from './evidence.ts';

/** Where a published snapshot goes beside the store: a bucket, a local copy. */
export interface SnapshotSink {
  readonly name: string;
  publish(snapshot: PublishedSnapshot): Promise<void>;
}

/** What is published; version and moment are given to it. */
export type SnapshotContent = Omit<PublishedSnapshot, 'version' | 'createdAt'>;

export interface PublishOptions {
  readonly db: Database;
  readonly logger: Logger;
  readonly nowMs: number;
  /** A few characters that keep two gateways' versions of one millisecond apart. */
  readonly suffix: string;
  readonly content: SnapshotContent;
  /** What it was computed from; null where nothing may be counted on top of it. */
  readonly evidence: EvidenceBook | null;
}

const HOUR_MS = 3_600_000;

/**
 * Publishes rankings as a new snapshot, greater than every one before it. The first of an hour thins out the old ones.
 */
export async function publishSnapshot(options: PublishOptions): Promise<PublishedSnapshot> {
  const { db, logger, nowMs, evidence } = options;
  const latest = await readLatestVersion(db);
  const snapshot: PublishedSnapshot = {
    version: versionAfter(latest, nowMs, options.suffix),
    createdAt: new Date(nowMs).toISOString(),
    ...options.content,
  };
  await writeSnapshot(db, snapshot, evidence && encodeBook(evidence));
  if (hourOf(latest) !== hourOf(snapshot.version)) {
    const prunedCount = await pruneSnapshots(db, nowMs);
    if (prunedCount > 0) logger.info({ prunedCount }, 'Old published rankings were thinned out.');
  }
  return snapshot;
}

/** Gives what was published to the sinks. One that is away is warned of and gets the next snapshot. */
export async function offerSnapshot(
  snapshot: PublishedSnapshot,
  { sinks, logger }: { readonly sinks: readonly SnapshotSink[]; readonly logger: Logger },
): Promise<void> {
  for (const sink of sinks) {
    try {
      await sink.publish(snapshot);
    } catch (error) {
      logger.warn(
        { err: error, sink: sink.name, version: snapshot.version },
        'A snapshot sink did not take it.',
      );
    }
  }
}

function hourOf(version: string | null): number | null {
  const atMs = version === null ? null : momentOfVersion(version);
  return atMs === null ? null : Math.floor(atMs / HOUR_MS);
}

/**
 * "20261123T130000123Z-ab12": sorts by time. When a clock stands behind the latest version's (another gateway
 * runs ahead), the version goes one millisecond past that one instead, so that later is always greater.
 */
export function versionAfter(latest: string | null, nowMs: number, suffix: string): string {
  const latestMs = latest === null ? null : momentOfVersion(latest);
  const stampMs = latestMs === null ? nowMs : Math.max(nowMs, latestMs + 1);
  return `${new Date(stampMs).toISOString().replace(/[-:.]/g, '')}-${suffix}`;
}

/** Milliseconds since 1970 of a snapshot version, or null when `version` is none. */
export function momentOfVersion(version: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-/.exec(version);
  if (!match) return null;
  const [, year, month, day, hour, minute, second, ms] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
}
