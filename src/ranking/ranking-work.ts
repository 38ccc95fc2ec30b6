import { randomUUID } from 'node:crypto';
import type { Logger } from '../core/log.ts';
import type { PolicyBook } from '../core/policy.ts';
import type { PublishedSnapshot, UseCaseRanking } from '../core/snapshot.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { UseCase } from '../core/use-case.ts';
import type { Database } from '../store/database.ts';
import { currentRunId } from '../store/queries/current-run.ts';
import { readGamingEvidence } from '../store/queries/gaming-evidence.ts';
import { readJudgeEvidence } from '../store/queries/judge-evidence.ts';
import { readQualityEvidence, readRankingEvidence } from '../store/queries/ranking-evidence.ts';
import type { RankingHold } from '../store/queries/ranking-versions.ts';
import { readPublication } from '../store/queries/ranking-versions.ts';
import {
  readClassifierBytes,
  readPublishedSnapshot,
  readSnapshotEvidence,
  readUseCasesOfRun,
} from '../store/queries/snapshots.ts';
import { reconcileRollups } from '../store/rollups.ts';
import { buildRankings, themesOf } from './build-rankings.ts';
import { decodeBook } from './encode-book.ts';
import type { EvidenceBook, ObservedRequest } from './evidence.ts';
import { bookOfRows } from './evidence.ts';
import type { LiveEvent } from './live-entries.ts';
import type { LiveBase, LiveOverlay, RebuildPace } from './live-rankings.ts';
import { LiveRankings } from './live-rankings.ts';
import { publishSnapshot } from './publish.ts';
import type { RefreshAnswer } from './refresh-answer.ts';
import { refreshAnswer } from './refresh-answer.ts';

/** A published snapshot without its rankings, which are what is large. */
export type SnapshotHead = Omit<PublishedSnapshot, 'rankings'>;

/** Rankings apart from the rest, so that whoever brings the answer can bring them in pieces. */
export interface RankingAnswer<Value> {
  readonly value: Value;
  readonly rankings: readonly UseCaseRanking[];
}

export interface Refreshed {
  readonly answer: RefreshAnswer;
  /** What was published; null while a version is held. */
  readonly head: SnapshotHead | null;
}

export interface Followed {
  readonly hold: RankingHold | null;
  /** The version in use, null before the first; left out when it is the one that the asker knows. */
  readonly head?: SnapshotHead | null;
}

/** What changed on top of the published rankings since it was asked before. */
export interface Counted {
  /** The version that it is on top of; null before the first. */
  readonly baseVersion: string | null;
  /** Logged requests that the published evidence does not have. */
  readonly requestCount: number;
  /** "none": nothing is on top; "same": what was told before. The rankings of the answer replace those told before. */
  readonly overlay: 'none' | 'same' | { readonly isWhole: boolean; readonly overall: UseCaseRanking };
}

/** All that takes time, as calls with plain data, so that they can be answered in another thread. */
export interface RankingCalls {
  /** Computes all rankings of a window and publishes them, unless a version is held. */
  refresh(task: { readonly window: Timeframe; readonly nowMs: number }): Promise<RankingAnswer<Refreshed>>;
  /** The same without publishing. */
  preview(task: { readonly window: Timeframe }): Promise<RankingAnswer<null>>;
  /** Takes over what others published. */
  follow(task: { readonly knownVersion: string | null }): Promise<RankingAnswer<Followed>>;
  /** Adds up what was noted. */
  count(task: CountTask): Promise<RankingAnswer<Counted>>;
  /** Adds a request that no log knows of; before anything was published on top of the window's evidence. */
  addUnlogged(task: UnloggedTask): Promise<RankingAnswer<Counted>>;
  /** The trained classifier of a run; null where there is none. */
  classifier(task: { readonly runId: string }): Promise<RankingAnswer<Uint8Array | null>>;
}

interface CountTask {
  /** Who asks, by a name of its own: "since it was asked before" is by each asker. */
  readonly asker: string;
}

interface UnloggedTask extends CountTask {
  readonly useCase: string;
  readonly modelId: string;
  readonly request: ObservedRequest;
  readonly window: Timeframe;
}

export type RankingTask<Name extends keyof RankingCalls> = Parameters<RankingCalls[Name]>[0];

/** Where the work is done. */
export interface RankingPlace extends AsyncDisposable {
  /** @param events  what was noted before, to be counted first */
  call<Name extends keyof RankingCalls>(
    name: Name,
    task: RankingTask<Name>,
    events: readonly LiveEvent[],
  ): ReturnType<RankingCalls[Name]>;
  add(events: readonly LiveEvent[]): void;
}

export interface RankingWorkOptions {
  readonly db: Database;
  readonly clock: () => number;
  readonly logger: Logger;
  readonly policies: PolicyBook;
  readonly halfLifeMs: number | null;
  readonly pace: RebuildPace;
}

/**
 * Reads evidence, ranks, publishes, and counts on top of what is published: everything of rankings that grows with the
 * number of models and use cases. It knows nothing of threads.
 */
export class RankingWork implements RankingCalls {
  readonly #options: RankingWorkOptions;
  readonly #live: LiveRankings;
  #published: PublishedSnapshot | null = null;
  /** The version whose evidence is under the live rankings. */
  #baseVersion: string | null = null;
  /** Counts publications of this process: what was read before one of them is old. */
  #ownCount = 0;
  /** By asker. */
  readonly #told = new Map<string, LiveOverlay | null>();
  /** The last look at the store: one at a time, so that an older one never wins over a newer. */
  #looking: Promise<unknown> = Promise.resolve();

  constructor(options: RankingWorkOptions) {
    const { policies, clock, pace } = options;
    this.#options = options;
    const build = (book: EvidenceBook, useCases?: ReadonlySet<string>) =>
      buildRankings(book, policies, { useCases, themes: themesOf(this.#published?.useCases ?? []) });
    this.#live = new LiveRankings(build, clock, pace);
  }

  add(events: readonly LiveEvent[]): void {
    this.#live.add(events);
  }

  async refresh({
    window,
    nowMs,
  }: {
    readonly window: Timeframe;
    readonly nowMs: number;
  }): Promise<RankingAnswer<Refreshed>> {
    const { db, logger, policies } = this.#options;
    const { runId, useCases, book } = await this.#readEvidence(window);
    const built = buildRankings(book, policies, { themes: themesOf(useCases) });
    const { hold } = await readPublication(db);
    if (hold !== null) {
      return { value: { answer: refreshAnswer(hold, runId, window, built), head: null }, rankings: [] };
    }
    const { rankings, ...head } = await publishSnapshot({
      db,
      logger,
      nowMs,
      suffix: randomUUID().slice(0, 4),
      content: {
        runId,
        windowFrom: window.from.toISOString(),
        windowTo: window.to.toISOString(),
        useCases,
        rankings: built.rankings,
        overall: built.overall,
      },
      evidence: book,
    });
    const snapshot = { ...head, rankings };
    this.#ownCount++;
    this.#published = snapshot;
    this.#baseVersion = snapshot.version;
    this.#live.rebase({ ...liveFrame(snapshot), book });
    return { value: { answer: refreshAnswer(snapshot, runId, window, built), head }, rankings };
  }

  async preview({ window }: { readonly window: Timeframe }): Promise<RankingAnswer<null>> {
    const { useCases, book } = await this.#readEvidence(window);
    const { rankings } = buildRankings(book, this.#options.policies, { themes: themesOf(useCases) });
    return { value: null, rankings };
  }

  async follow({ knownVersion }: { readonly knownVersion: string | null }): Promise<RankingAnswer<Followed>> {
    const hold = await this.#follow();
    const published = this.#published;
    if (knownVersion === (published?.version ?? null)) return { value: { hold }, rankings: [] };
    if (published === null) return { value: { hold, head: null }, rankings: [] };
    const { rankings, ...head } = published;
    return { value: { hold, head }, rankings };
  }

  async count({ asker }: CountTask): Promise<RankingAnswer<Counted>> {
    const overlay = this.#live.overlay;
    const told = this.#told.get(asker) ?? null;
    this.#told.set(asker, overlay);
    const counted = { baseVersion: this.#baseVersion, requestCount: this.#live.requestCount };
    if (overlay === null) return { value: { ...counted, overlay: 'none' }, rankings: [] };
    if (overlay === told) return { value: { ...counted, overlay: 'same' }, rankings: [] };
    const isWhole = told === null || [...told.rankings.keys()].some((slug) => !overlay.rankings.has(slug));
    return {
      value: { ...counted, overlay: { isWhole, overall: overlay.overall } },
      rankings: [...overlay.rankings.values()].filter(
        (ranking) => isWhole || told.rankings.get(ranking.useCase) !== ranking,
      ),
    };
  }

  async addUnlogged(task: UnloggedTask): Promise<RankingAnswer<Counted>> {
    const { useCase, modelId, request, window } = task;
    this.#live.addUnlogged(useCase, modelId, request);
    await this.#follow();
    if (!this.#live.hasBase) {
      const { runId, book } = await this.#readEvidence(window);
      this.#live.rebase({ runId, book, untilMs: window.to.getTime() });
    }
    return await this.count(task);
  }

  async classifier({ runId }: { readonly runId: string }): Promise<RankingAnswer<Uint8Array | null>> {
    return { value: await readClassifierBytes(this.#options.db, runId), rankings: [] };
  }

  /** Asks the store which version is in use, and takes it over with the evidence that live requests are added to. */
  async #follow(): Promise<RankingHold | null> {
    const look = this.#looking.then(() => this.#look());
    this.#looking = look.catch(() => undefined);
    return await look;
  }

  async #look(): Promise<RankingHold | null> {
    const { db } = this.#options;
    const ownCount = this.#ownCount;
    const { current, hold } = await readPublication(db);
    let published = this.#published;
    if (current !== (published?.version ?? null)) {
      published = current === null ? null : await readPublishedSnapshot(db, current);
    }
    const isBaseOld = this.#live.isUsed && this.#baseVersion !== (published?.version ?? null);
    const evidence =
      isBaseOld && published !== null ? await readSnapshotEvidence(db, published.version) : null;
    // Published meanwhile, so nothing was held.
    if (ownCount !== this.#ownCount) return null;
    this.#published = published;
    if (isBaseOld && published !== null) {
      this.#baseVersion = published.version;
      if (evidence !== null) this.#live.rebase({ ...liveFrame(published), book: decodeBook(evidence) });
      // Without evidence what was there stays the best there is, but not under what was rolled back to.
      else if (published.rolledBackTo !== undefined) this.#live.rebase(null);
    }
    return hold;
  }

  async #readEvidence(
    window: Timeframe,
  ): Promise<{ runId: string; useCases: readonly UseCase[]; book: EvidenceBook }> {
    const { db, halfLifeMs } = this.#options;
    const runId = await currentRunId(db);
    await reconcileRollups(db, runId);
    const scope = { runId, from: window.from, to: window.to, halfLifeMs };
    const [useCases, rows, qualityRows, gamingRows, judgeRows] = await Promise.all([
      readUseCasesOfRun(db, runId),
      readRankingEvidence(db, scope),
      readQualityEvidence(db, scope),
      readGamingEvidence(db, scope),
      readJudgeEvidence(db, scope),
    ]);
    return { runId, useCases, book: bookOfRows(rows, qualityRows, gamingRows, judgeRows) };
  }
}

function liveFrame({ runId, windowTo }: PublishedSnapshot): Omit<LiveBase, 'book'> {
  return { runId, untilMs: Date.parse(windowTo) };
}

/** The call of that name. */
export function callByName<Name extends keyof RankingCalls>(
  work: RankingCalls,
  name: Name,
  task: RankingTask<Name>,
): ReturnType<RankingCalls[Name]> {
  const call = work[name] as (task: RankingTask<Name>) => ReturnType<RankingCalls[Name]>;
  return call.call(work, task);
}

/** Work in this thread: for commands and for libraries, where nobody else waits for it. */
export class RankingHere implements RankingPlace {
  readonly #work: RankingWork;

  constructor(work: RankingWork) {
    this.#work = work;
  }

  call<Name extends keyof RankingCalls>(
    name: Name,
    task: RankingTask<Name>,
    events: readonly LiveEvent[],
  ): ReturnType<RankingCalls[Name]> {
    this.#work.add(events);
    return callByName(this.#work, name, task);
  }

  add(events: readonly LiveEvent[]): void {
    this.#work.add(events);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // There is nothing of its own to end.
  }
}
