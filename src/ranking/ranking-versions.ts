import { randomUUID } from 'node:crypto';
import { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { PublishedSnapshot } from '../core/snapshot.ts';
import { parseDurationMs } from '../core/timeframe.ts';
import type { Database } from '../store/database.ts';
import type { RankingHold, RankingVersion } from '../store/queries/ranking-versions.ts';
import { readPublication, readRankingVersions, writeRankingHold } from '../store/queries/ranking-versions.ts';
import { readPublishedSnapshot } from '../store/queries/snapshots.ts';
import type { SnapshotSink } from './publish.ts';
import { momentOfVersion, offerSnapshot, publishSnapshot } from './publish.ts';
import type { RankingsDiff } from './rankings-diff.ts';
import { diffRankings } from './rankings-diff.ts';

export interface RankingVersionsOptions {
  readonly db: Database;
  readonly sinks: readonly SnapshotSink[];
  readonly logger: Logger;
  readonly clock: () => number;
  /** Called when another version has come into use. */
  readonly onChanged: () => void;
}

export interface VersionAnswer {
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly runId: string;
  readonly rolledBackTo: string | null;
  readonly useCaseCount: number;
  readonly requestCount: number;
  /** The one that answers and routing are made of. */
  readonly isCurrent: boolean;
}

export interface VersionsAnswer {
  readonly hold: RankingHold | null;
  /** Newest first. */
  readonly versions: readonly VersionAnswer[];
}

export interface RollbackAnswer {
  /** The new version; null for a dry run. */
  readonly version: string | null;
  readonly rolledBackTo: string;
  readonly hold: RankingHold | null;
  readonly isDryRun: boolean;
  /** What changes against the version that was in use. */
  readonly diff: RankingsDiff;
}

/** The hold that ended; null when nothing was held. */
export interface ReleaseAnswer {
  readonly released: RankingHold | null;
}

/** Versions that are looked through for a moment or a beginning; more are not kept. */
const VERSIONS_MAX = 100_000;

/** Published rankings as they were: compared with each other, and brought back. */
export class RankingVersions {
  readonly #options: RankingVersionsOptions;

  constructor(options: RankingVersionsOptions) {
    this.#options = options;
  }

  /** The versions that are kept, newest first. */
  async list(limit: number): Promise<VersionsAnswer> {
    const { db } = this.#options;
    const [{ current, hold }, versions] = await Promise.all([readPublication(db), this.#known(limit)]);
    return {
      hold,
      versions: versions.map(({ createdAtMs, ...version }) => ({
        ...version,
        createdAt: new Date(createdAtMs).toISOString(),
        isCurrent: version.version === current,
      })),
    };
  }

  /**
   * What differs between two versions: places, candidates, scores beyond both intervals, use cases.
   *
   * @param a  a version, its beginning, "latest", "previous", a time ago such as "1 day ago", or an ISO 8601 moment
   * @throws {TallyrankError} `bad_request`, `not_found`
   */
  async diff(a: string, b: string): Promise<RankingsDiff> {
    const [before, after] = await Promise.all([this.#resolve(a, 'a'), this.#resolve(b, 'b')]);
    return diffRankings(before, after);
  }

  /**
   * Publishes the content of an earlier version as a new one and holds it: until {@link release} no refresh
   * changes what is in use, in this process or any other, over restarts as well.
   *
   * @param asked  as in {@link diff}
   * @throws {TallyrankError} `bad_request`, `not_found`
   */
  async rollback(
    asked: string,
    { isDryRun = false, by }: { readonly isDryRun?: boolean | undefined; readonly by: string },
  ): Promise<RollbackAnswer> {
    const { db, sinks, logger, clock, onChanged } = this.#options;
    const target = await this.#resolve(asked, 'version');
    const inUse = await this.#resolve('latest', 'version');
    const diff = diffRankings(inUse, target);
    const rolledBackTo = target.rolledBackTo ?? target.version;
    if (isDryRun) return { version: null, rolledBackTo, hold: null, isDryRun, diff };
    const { version: _version, createdAt: _createdAt, ...content } = target;
    const nowMs = clock();
    const published = await publishSnapshot({
      db,
      logger,
      nowMs,
      suffix: randomUUID().slice(0, 4),
      content: { ...content, rolledBackTo },
      evidence: null,
    });
    await offerSnapshot(published, { sinks, logger });
    const { version } = published;
    const hold = { version, rolledBackTo, heldAt: new Date(nowMs).toISOString(), heldBy: by };
    await writeRankingHold(db, hold, { at: new Date(nowMs), by });
    onChanged();
    logger.info({ version, rolledBackTo }, 'Rankings were rolled back and are held.');
    return { version, rolledBackTo, hold, isDryRun, diff };
  }

  /** Lets refreshes publish for use again. What was held stays in use until the next one. */
  async release(by: string): Promise<ReleaseAnswer> {
    const { db, logger, clock, onChanged } = this.#options;
    const { hold } = await readPublication(db);
    if (hold === null) return { released: null };
    await writeRankingHold(db, null, { at: new Date(clock()), by });
    onChanged();
    logger.info({ version: hold.version }, 'The held rankings were released.');
    return { released: hold };
  }

  async #resolve(asked: string, param: string): Promise<PublishedSnapshot> {
    const version = await this.#versionOf(asked.trim(), param);
    const snapshot = version === null ? null : await readPublishedSnapshot(this.#options.db, version);
    if (snapshot !== null) return snapshot;
    const oldest = (await this.#known(VERSIONS_MAX)).at(-1);
    throw new TallyrankError(
      'not_found',
      oldest === undefined
        ? 'No ranking was published yet: send requests, then refresh the rankings.'
        : `There is no published version for "${asked.slice(0, 60)}"; the oldest that is kept is ${oldest.version}.`,
      { param },
    );
  }

  async #versionOf(asked: string, param: string): Promise<string | null> {
    const { db, clock } = this.#options;
    const { current } = await readPublication(db);
    if (asked === 'latest') return current;
    if (asked === 'previous') {
      return (
        (await this.#known(VERSIONS_MAX)).find(({ version }) => version < (current ?? ''))?.version ?? null
      );
    }
    if (momentOfVersion(asked) !== null) return asked;
    const ago = /^(.+?)\s+ago$/i.exec(asked);
    const atMs = ago ? clock() - parseDurationMs(ago[1] ?? '') : momentOf(asked);
    if (Number.isNaN(atMs)) {
      throw new TallyrankError(
        'bad_request',
        `"${asked.slice(0, 60)}" names no version: use one of "tallyrank rankings versions", "latest", "previous", "1 day ago", or an ISO 8601 moment.`,
        { param },
      );
    }
    const [last] = await readRankingVersions(db, { toMs: atMs, limit: 1 });
    return last?.version ?? null;
  }

  async #known(limit: number): Promise<RankingVersion[]> {
    return await readRankingVersions(this.#options.db, { limit });
  }
}

function momentOf(text: string): number {
  const moment = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return moment >= 0 && moment < Date.UTC(2101, 0) ? moment : Number.NaN;
}
