import { randomUUID } from 'node:crypto';
import { TallyrankError } from '../core/errors.ts';
import type { Signal } from '../core/signal.ts';
import type { PublishedSnapshot, UseCaseRanking } from '../core/snapshot.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import type { UseCase } from '../core/use-case.ts';
import type { Database } from '../store/database.ts';
import { currentRunId } from '../store/queries/current-run.ts';
import type { RankingHold } from '../store/queries/ranking-versions.ts';
import { readUseCasesOfRun } from '../store/queries/snapshots.ts';
import type { ObservedRequest } from './evidence.ts';
import { LiveNotes } from './live-notes.ts';
import type { LiveOverlay } from './live-rankings.ts';
import type { Counted, RankingAnswer, RankingCalls, RankingPlace, RankingTask } from './ranking-work.ts';
import type { RefreshAnswer } from './refresh-answer.ts';

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
  /** Where rankings are computed and read. */
  readonly place: RankingPlace;
  /** What a slug that was renamed or merged away is called now; null when it never was one. */
  readonly slugNow: (slug: string) => Promise<string | null>;
}

/** What a refresh made; the snapshot is null while a version is held. */
interface RefreshResult {
  readonly answer: RefreshAnswer;
  readonly snapshot: PublishedSnapshot | null;
}

/** An overlay of this process, and what it is on top of. */
interface Overlaid extends LiveOverlay {
  readonly baseVersion: string | null;
  readonly requestCount: number;
}

/**
 * The rankings as they are to be used: the published ones, followed as others publish too, with what this process
 * counted on top. Computing and reading is done elsewhere; here is what came of it.
 */
export class CurrentRankings {
  readonly #db: Database;
  readonly #clock: () => number;
  readonly #place: RankingPlace;
  readonly #notes: LiveNotes;
  readonly #slugNow: (slug: string) => Promise<string | null>;
  readonly #asker = randomUUID();
  #published: PublishedSnapshot | null = null;
  #hold: RankingHold | null = null;
  #overlaid: Overlaid | null = null;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #moment: { readonly overlaid: Overlaid; readonly rankings: RankingsOfMoment } | null = null;

  constructor({ db, clock, place, slugNow }: CurrentRankingsOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#place = place;
    this.#notes = new LiveNotes(clock, (events) => place.add(events));
    this.#slugNow = slugNow;
  }

  /** Notes a finished request that was logged: it counts until the published evidence contains it. */
  observe(record: UsageRecord): void {
    this.#notes.observe(record);
  }

  /** @returns false when its request was not observed here, or too long ago: the next refresh counts the signal */
  observeSignal(signal: Signal): boolean {
    return this.#notes.observeSignal(signal);
  }

  async refresh(window: Timeframe): Promise<RefreshResult> {
    const { value, rankings } = await this.#call('refresh', { window, nowMs: this.#clock() });
    const { answer, head } = value;
    if (head === null) return { answer, snapshot: null };
    this.#published = { ...head, rankings };
    this.#hold = null;
    this.#checkedAtMs = this.#clock();
    return { answer, snapshot: this.#published };
  }

  /** The rankings that a refresh would publish. */
  async preview(window: Timeframe): Promise<readonly UseCaseRanking[]> {
    return (await this.#call('preview', { window })).rankings;
  }

  /** Asks which version is in use, and takes it over. */
  async follow(): Promise<PublishedSnapshot | null> {
    const knownVersion = this.#published?.version ?? null;
    const { value, rankings } = await this.#call('follow', { knownVersion });
    if (value.head !== undefined) this.#published = value.head && { ...value.head, rankings };
    this.#hold = value.hold;
    this.#checkedAtMs = this.#clock();
    return this.#published;
  }

  /** Adds up what was noted since, and takes over what came of it. */
  async count(): Promise<void> {
    this.#counted(await this.#call('count', { asker: this.#asker }));
  }

  /** Counts a request that no log knows of. */
  async addUnlogged(
    request: ObservedRequest & { readonly useCase: string; readonly modelId: string },
    window: Timeframe,
  ): Promise<void> {
    const { useCase, modelId, ...observed } = request;
    const task = { useCase, modelId, request: observed, window, asker: this.#asker };
    this.#counted(await this.#call('addUnlogged', task));
    await this.follow();
  }

  /** Hands on what was noted: whatever is asked next, where rankings are computed, counts it. */
  handOn(): void {
    this.#place.add(this.#notes.take());
  }

  /** The trained classifier of a run; null where there is none. */
  async classifier(runId: string): Promise<Uint8Array | null> {
    return (await this.#call('classifier', { runId })).value;
  }

  /** The next read asks the store. */
  forget(): void {
    this.#checkedAtMs = Number.NEGATIVE_INFINITY;
  }

  async view(): Promise<RankingsView> {
    if (this.#clock() - this.#checkedAtMs >= RECHECK_MS) await this.follow();
    await this.count();
    const published = this.#published;
    const hold = this.#hold;
    const overlay = this.#overlayInUse;
    const rankings = withOverlay(published, overlay);
    const common = { rankings, hold, liveRequestCount: overlay?.requestCount ?? 0 };
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
    const overlaid = this.#overlayInUse;
    if (published === null || overlaid === null) return null;
    if (this.#moment?.overlaid !== overlaid) {
      const { version } = published;
      const { overall } = overlaid;
      this.#moment = {
        overlaid,
        rankings: { version, rankings: withOverlay(published, overlaid), overall },
      };
    }
    return this.#moment.rankings;
  }

  /** What is held is shown as it was; what is on top of another version waits for the next count. */
  get #overlayInUse(): Overlaid | null {
    const overlaid = this.#overlaid;
    const isOfVersion = overlaid?.baseVersion === (this.#published?.version ?? null);
    return this.#hold === null && isOfVersion ? overlaid : null;
  }

  #counted({ value, rankings }: RankingAnswer<Counted>): void {
    const { overlay, baseVersion, requestCount } = value;
    const before = this.#overlaid;
    if (overlay === 'none') this.#overlaid = null;
    else if (overlay !== 'same') {
      const replaced = new Map(overlay.isWhole ? [] : before?.rankings);
      for (const ranking of rankings) replaced.set(ranking.useCase, ranking);
      this.#overlaid = { baseVersion, requestCount, rankings: replaced, overall: overlay.overall };
    } else if (before?.baseVersion !== baseVersion || before.requestCount !== requestCount) {
      this.#overlaid = before && { ...before, baseVersion, requestCount };
    }
  }

  /** Whatever is asked for, what was noted before is counted first. */
  async #call<Name extends keyof RankingCalls>(
    name: Name,
    task: RankingTask<Name>,
  ): Promise<Awaited<ReturnType<RankingCalls[Name]>>> {
    return await this.#place.call(name, task, this.#notes.take());
  }
}

function withOverlay(
  published: PublishedSnapshot | null,
  overlay: LiveOverlay | null,
): ReadonlyMap<string, UseCaseRanking> {
  const rankings = new Map(published?.rankings.map((ranking) => [ranking.useCase, ranking]));
  for (const [useCase, ranking] of overlay?.rankings ?? []) rankings.set(useCase, ranking);
  return rankings;
}
