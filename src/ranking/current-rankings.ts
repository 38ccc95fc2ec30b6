import { TallyrankError } from '../core/errors.ts';
import type { PublishedSnapshot, UseCaseRanking } from '../core/snapshot.ts';
import type { UseCase } from '../core/use-case.ts';
import type { Database } from '../store/database.ts';
import { currentRunId } from '../store/queries/current-run.ts';
import type { RankingHold } from '../store/queries/ranking-versions.ts';
import { readPublication } from '../store/queries/ranking-versions.ts';
import {
  readPublishedSnapshot,
  readSnapshotEvidence,
  readUseCasesOfRun,
} from '../store/queries/snapshots.ts';
import { decodeBook } from './encode-book.ts';
import type { EvidenceBook } from './evidence.ts';
import type { LiveBase, LiveOverlay, RankingsBuilder } from './live-rankings.ts';
import { LiveRankings } from './live-rankings.ts';

/** How long a read snapshot is taken for the newest. Shorter asks the store at every read; longer lags behind other gateways. */
const RECHECK_MS = 2_000;

/** All that answers are made of: the published rankings, with what was counted in memory over them. */
export interface RankingsView {
  readonly version: string | null;
  readonly createdAt: string | null;
  readonly runId: string;
  readonly window: { readonly from: string; readonly to: string } | null;
  readonly useCases: readonly UseCase[];
  readonly rankings: ReadonlyMap<string, UseCaseRanking>;
  /** Why automatic refreshes change nothing; null in the usual case. */
  readonly hold: RankingHold | null;
  /** Logged requests that are counted here and not in the published version. */
  readonly liveRequestCount: number;
}

/** A use case as it was asked for, found. */
export interface FoundRanking {
  readonly view: RankingsView;
  /** What it is called now. */
  readonly useCase: string;
  /** The slug that was asked for, when it has become another one; null otherwise. */
  readonly redirectedFrom: string | null;
  /** null: the use case is known and has no requests yet. */
  readonly ranking: UseCaseRanking | null;
}

/** The rankings of this moment as they are to be used: of the version that they build on. */
export interface RankingsOfMoment {
  readonly version: string;
  readonly rankings: ReadonlyMap<string, UseCaseRanking>;
  readonly overall: UseCaseRanking;
}

export interface CurrentRankingsOptions {
  readonly db: Database;
  readonly clock: () => number;
  readonly build: RankingsBuilder;
  /** What a slug that was renamed or merged away is called now; null when it never was one. */
  readonly slugNow: (slug: string) => Promise<string | null>;
}

/** The published rankings, followed as others publish too, and {@link LiveRankings} on top of them. */
export class CurrentRankings {
  readonly live: LiveRankings;
  readonly #db: Database;
  readonly #clock: () => number;
  readonly #slugNow: (slug: string) => Promise<string | null>;
  #published: PublishedSnapshot | null = null;
  #hold: RankingHold | null = null;
  /** The version whose evidence is under the live rankings. */
  #baseVersion: string | null = null;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  /** Counts publications of this process: what was read before one of them is old. */
  #ownCount = 0;
  #moment: { readonly overlay: LiveOverlay; readonly rankings: RankingsOfMoment } | null = null;

  constructor({ db, clock, build, slugNow }: CurrentRankingsOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#slugNow = slugNow;
    this.live = new LiveRankings(build, clock);
  }

  /** This process published `snapshot`, computed from `book`. */
  took(snapshot: PublishedSnapshot, book: EvidenceBook): void {
    this.#ownCount++;
    this.#published = snapshot;
    this.#hold = null;
    this.#baseVersion = snapshot.version;
    this.live.rebase({ ...liveFrame(snapshot), book });
    this.#checkedAtMs = this.#clock();
  }

  /** Asks the store which version is in use, and takes it over with the evidence that live requests are added to. */
  async follow(): Promise<PublishedSnapshot | null> {
    const ownCount = this.#ownCount;
    const { current, hold } = await readPublication(this.#db);
    let published = this.#published;
    if (current !== (published?.version ?? null)) {
      published = current === null ? null : await readPublishedSnapshot(this.#db, current);
    }
    const isBaseOld = this.live.isUsed && this.#baseVersion !== (published?.version ?? null);
    const evidence =
      isBaseOld && published !== null ? await readSnapshotEvidence(this.#db, published.version) : null;
    if (ownCount !== this.#ownCount) return this.#published;
    this.#published = published;
    this.#hold = hold;
    this.#checkedAtMs = this.#clock();
    if (isBaseOld && published !== null) {
      this.#baseVersion = published.version;
      if (evidence !== null) this.live.rebase({ ...liveFrame(published), book: decodeBook(evidence) });
      // Without evidence what was there stays the best there is, but not under what was rolled back to.
      else if (published.rolledBackTo !== undefined) this.live.rebase(null);
    }
    return published;
  }

  /** The next read asks the store. */
  forget(): void {
    this.#checkedAtMs = Number.NEGATIVE_INFINITY;
  }

  async view(): Promise<RankingsView> {
    if (this.#clock() - this.#checkedAtMs >= RECHECK_MS) await this.follow();
    const published = this.#published;
    // What is held is shown as it was.
    const hold = this.#hold;
    const overlay = hold === null ? this.live.overlay : null;
    const rankings = overlaid(published, overlay);
    const common = { rankings, hold, liveRequestCount: overlay === null ? 0 : this.live.requestCount };
    if (published === null) {
      const runId = await currentRunId(this.#db);
      const useCases = await readUseCasesOfRun(this.#db, runId);
      return { ...common, version: null, createdAt: null, runId, window: null, useCases };
    }
    const { version, createdAt, runId, useCases, windowFrom, windowTo } = published;
    return { ...common, version, createdAt, runId, useCases, window: { from: windowFrom, to: windowTo } };
  }

  /**
   * The ranking of a use case by its slug, or by one that it had before.
   *
   * @throws {TallyrankError} `unknown_use_case`, listing those there are
   */
  async find(asked: string): Promise<FoundRanking> {
    const view = await this.view();
    const isKnown = (slug: string): boolean =>
      view.rankings.has(slug) || view.useCases.some((useCase) => useCase.slug === slug);
    const found = (useCase: string): FoundRanking => ({
      view,
      useCase,
      redirectedFrom: useCase === asked ? null : asked,
      ranking: view.rankings.get(useCase) ?? null,
    });
    if (isKnown(asked)) return found(asked);
    const now = await this.#slugNow(asked);
    if (now !== null && isKnown(now)) return found(now);
    const known = [...new Set([...view.rankings.keys(), ...view.useCases.map(({ slug }) => slug)])].sort();
    throw new TallyrankError(
      'unknown_use_case',
      `There is no use case "${asked.slice(0, 80)}". There are: ${known.join(', ')}.`,
      { param: 'useCase' },
    );
  }

  /**
   * What the hot path should use in place of the published rankings of the same version; the same object while
   * nothing changed, null where the published ones are all there is. Asks nobody.
   */
  get ofMoment(): RankingsOfMoment | null {
    const published = this.#published;
    const overlay = this.#hold === null ? this.live.overlay : null;
    if (published === null || overlay === null || this.#baseVersion !== published.version) return null;
    if (this.#moment?.overlay !== overlay) {
      const { version } = published;
      const { overall } = overlay;
      this.#moment = {
        overlay,
        rankings: { version, rankings: overlaid(published, overlay), overall },
      };
    }
    return this.#moment.rankings;
  }
}

function liveFrame({ runId, windowTo }: PublishedSnapshot): Omit<LiveBase, 'book'> {
  return { runId, untilMs: Date.parse(windowTo) };
}

function overlaid(
  published: PublishedSnapshot | null,
  overlay: LiveOverlay | null,
): ReadonlyMap<string, UseCaseRanking> {
  const rankings = new Map(published?.rankings.map((ranking) => [ranking.useCase, ranking]));
  for (const [useCase, ranking] of overlay?.rankings ?? []) rankings.set(useCase, ranking);
  return rankings;
}
