import type { Logger } from '../core/log.ts';
import type { PublishedSnapshot } from '../core/snapshot.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { UseCase } from '../core/use-case.ts';
import type { Database } from '../store/database.ts';
import { readLatestVersion, writeSnapshot } from '../store/queries/snapshots.ts';
import type { BuiltRankings } from './build-rankings.ts';

/** Where a published snapshot goes beside the store: a bucket, a local copy. */
export interface SnapshotSink {
  readonly name: string;
  publish(snapshot: PublishedSnapshot): Promise<void>;
}

export interface PublishOptions {
  readonly db: Database;
  readonly sinks: readonly SnapshotSink[];
  readonly logger: Logger;
  readonly nowMs: number;
  /** A few characters that keep two gateways' versions of one millisecond apart. */
  readonly suffix: string;
  readonly runId: string;
  readonly window: Timeframe;
  readonly useCases: readonly UseCase[];
  readonly built: Pick<BuiltRankings, 'rankings' | 'overall'>;
}

/**
 * Publishes rankings as a new snapshot, greater than every one before it: to the store first, which must take
 * it, then to the sinks. A sink that is away is warned of and gets the next snapshot.
 */
export async function publishSnapshot(options: PublishOptions): Promise<PublishedSnapshot> {
  const { db, logger, window, built } = options;
  const snapshot: PublishedSnapshot = {
    version: versionAfter(await readLatestVersion(db), options.nowMs, options.suffix),
    createdAt: new Date(options.nowMs).toISOString(),
    runId: options.runId,
    windowFrom: window.from.toISOString(),
    windowTo: window.to.toISOString(),
    useCases: options.useCases,
    rankings: built.rankings,
    overall: built.overall,
  };
  await writeSnapshot(db, snapshot);
  for (const sink of options.sinks) {
    try {
      await sink.publish(snapshot);
    } catch (error) {
      logger.warn(
        { err: error, sink: sink.name, version: snapshot.version },
        'A snapshot sink did not take it.',
      );
    }
  }
  return snapshot;
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
