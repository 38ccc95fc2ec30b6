import type { Logger } from '../core/log.ts';
import { type Policy, PolicyBook } from '../core/policy.ts';
import { isRated } from '../core/ranking-view.ts';
import type { Signal } from '../core/signal.ts';
import type { PublishedSnapshot } from '../core/snapshot.ts';
import { canRunInThread } from '../core/thread-messages.ts';
import type { Timeframe, TimeframeQuery } from '../core/timeframe.ts';
import { parseDurationMs, parseTimeframe } from '../core/timeframe.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import type { Database } from '../store/database.ts';
import { currentRunId } from '../store/queries/current-run.ts';
import { performance } from '../store/queries/performance.ts';
import type { RankingHistoryRow } from '../store/queries/ranking-history.ts';
import { readRankingHistory } from '../store/queries/ranking-history.ts';
import type { AllRankingsAnswer, CompareAnswer, PerformanceAnswer, RankingsAnswer } from './answers.ts';
import { emptyRankingsAnswer, toCompareAnswer, toPerformanceAnswer, toRankingsAnswer } from './answers.ts';
import type { RankingsOfMoment, RankingsView } from './current-rankings.ts';
import { CurrentRankings } from './current-rankings.ts';
import type { ObservedRequest } from './evidence.ts';
import { GUEST_PACE } from './live-rankings.ts';
import type { OptimalRoutingAnswer } from './optimal-routing.ts';
import { toOptimalRouting } from './optimal-routing.ts';
import type { SnapshotSink } from './publish.ts';
import { offerSnapshot } from './publish.ts';
import { canonicalAmong, rankedModel, resolveRanked } from './ranked-names.ts';
import { rankingTrends, type TrendsAnswer } from './ranking-trends.ts';
import { RankingVersions } from './ranking-versions.ts';
import { RankingHere, type RankingPlace, RankingWork } from './ranking-work.ts';
import type { RefreshAnswer } from './refresh-answer.ts';
import type { SavingsAnswer } from './savings.ts';
import { readSavings } from './savings.ts';
import { RankingWorker } from './worker.ts';

/** "1 week", "P7D", or from and to. */
export type TimeframeInput = string | TimeframeQuery;

export interface RankerConfig {
  /** Window of the evidence where none is asked for; default "30 days". */
  readonly timeframe?: string | undefined;
  /** Age at which evidence counts half; default "14 days", null: all counts alike. */
  readonly halfLife?: string | null | undefined;
  /** Weights, margins and curves per use case; `auto` of it makes the rankings. */
  readonly policies?: PolicyBook | undefined;
  /** What `auto` takes while nobody has enough evidence, by any of its names: savings are held against it as well. */
  readonly defaultModel?: string | null | undefined;
}

export interface ModelRankerOptions {
  readonly db: Database;
  readonly logger?: Logger | undefined;
  readonly clock?: (() => number) | undefined;
  readonly config?: RankerConfig | undefined;
  /** Where published snapshots go beside the store. */
  readonly sinks?: readonly SnapshotSink[] | undefined;
  /** What a slug that was renamed or merged away is called now; null when it never was one. */
  readonly slugNow?: ((slug: string) => Promise<string | null>) | undefined;
  /**
   * True: evidence is read and ranked in a thread with its own connection, which is kept until the ranker is disposed
   * of. For a process that has requests under way. A URL: the same by this module, which may answer more
   * ({@link ModelRanker.ask}). Default false.
   */
  readonly inWorker?: boolean | URL | undefined;
}

const HISTORY_ROWS_MAX = 10_000;
/** The savings' window where none is asked for: a month, so that its money is the monthly one. */
const SAVINGS_TIMEFRAME = '30 days';
const TRENDS_TIMEFRAME = '30 days';

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/**
 * Ranks models per use case on success, speed, cost and quality. `refreshAll` reads the roll-ups of the current
 * discovery run and publishes; everything else answers from the last published snapshot, whoever published it.
 */
export class ModelRanker implements AsyncDisposable {
  /** Published rankings as they were: listed, compared, brought back. */
  readonly versions: RankingVersions;
  readonly #db: Database;
  readonly #logger: Logger;
  readonly #clock: () => number;
  readonly #timeframe: string;
  readonly #policies: PolicyBook;
  readonly #defaultModel: string | null;
  readonly #sinks: readonly SnapshotSink[];
  readonly #place: RankingPlace;
  /** null: the work is done in this thread. */
  readonly #thread: RankingWorker | null;
  readonly #current: CurrentRankings;
  #refreshing: { readonly label: string; readonly answer: Promise<RefreshAnswer> } | null = null;

  /** @param place  where the work is done, for whoever has that already */
  constructor(options: ModelRankerOptions, place?: RankingPlace) {
    this.#db = options.db;
    this.#logger = options.logger ?? SILENT;
    this.#clock = options.clock ?? Date.now;
    this.#timeframe = options.config?.timeframe ?? '30 days';
    this.#policies = options.config?.policies ?? new PolicyBook();
    this.#defaultModel = options.config?.defaultModel ?? null;
    this.#sinks = options.sinks ?? [];
    const [db, clock, logger, sinks] = [this.#db, this.#clock, this.#logger, this.#sinks];
    this.#place = place ?? this.#openPlace(options);
    this.#thread = this.#place instanceof RankingWorker ? this.#place : null;
    const { slugNow = async () => null } = options;
    this.#current = new CurrentRankings({ db, clock, place: this.#place, slugNow });
    const onChanged = (): void => this.#current.forget();
    this.versions = new RankingVersions({ db, clock, logger, sinks, onChanged });
  }

  /**
   * Computes all rankings from the window's evidence and publishes them, unless an operator holds a version. Calls
   * that meet share one refresh.
   *
   * @throws {TallyrankError} `bad_timeframe`, `store_unavailable`
   */
  async refreshAll(
    options: { readonly timeframe?: TimeframeInput | undefined } = {},
  ): Promise<RefreshAnswer> {
    const { timeframe } = options;
    const window = timeframe === undefined ? this.#evidenceWindow() : this.#window(timeframe);
    if (this.#refreshing?.label === window.label) return await this.#refreshing.answer;
    const answer = this.#refresh(window);
    this.#refreshing = { label: window.label, answer };
    try {
      return await answer;
    } finally {
      if (this.#refreshing?.answer === answer) this.#refreshing = null;
    }
  }

  /**
   * The ranking of one use case: the best candidate, then all others with the reason why they are not.
   *
   * @throws {TallyrankError} `unknown_use_case`, listing those there are
   */
  async getRankings(useCase: string): Promise<RankingsAnswer> {
    const { ranking, ...found } = await this.#current.find(useCase);
    const frame = { ...found.view, redirectedFrom: found.redirectedFrom };
    if (ranking === null) return emptyRankingsAnswer(found.useCase, frame);
    return toRankingsAnswer(ranking, this.#policyOf(ranking.useCase), frame);
  }

  /** Every ranking there is, the use cases with most requests first. */
  async getAllRankings(): Promise<AllRankingsAnswer> {
    const view = await this.#current.view();
    const { version, createdAt, runId, window, hold, liveRequestCount } = view;
    return {
      version,
      createdAt,
      runId,
      window,
      hold,
      liveRequestCount,
      rankings: [...view.rankings.values()]
        .sort((one, other) => other.requestCount - one.requestCount)
        .map((ranking) =>
          toRankingsAnswer(ranking, this.#policyOf(ranking.useCase), { ...view, redirectedFrom: null }),
        ),
    };
  }

  /**
   * Id of the best candidate; null while there is none.
   *
   * @throws {TallyrankError} `unknown_use_case`
   */
  async getBestModel(useCase: string): Promise<string | null> {
    const { ranking } = await this.#current.find(useCase);
    return ranking?.models.find((model) => model.isCandidate)?.modelId ?? null;
  }

  /**
   * Two models of one use case side by side, with what their difference is worth.
   *
   * @throws {TallyrankError} `unknown_use_case`, `unknown_model`, `ambiguous_model`
   */
  async compare(useCase: string, modelA: string, modelB: string): Promise<CompareAnswer> {
    const { view, ranking, ...found } = await this.#current.find(useCase);
    const models = ranking?.models ?? [];
    const [a, b] = [rankedModel(models, modelA, 'modelA'), rankedModel(models, modelB, 'modelB')];
    const policy = this.#policyOf(useCase);
    return toCompareAnswer(found.useCase, a, b, {
      policy,
      version: view.version,
      isRated: isRated(models, policy),
    });
  }

  /**
   * How one model did in one use case over time.
   *
   * @throws {TallyrankError} `unknown_use_case`, `bad_timeframe`
   */
  async getPerformance(
    modelId: string,
    useCase: string,
    timeframe?: TimeframeInput,
  ): Promise<PerformanceAnswer> {
    const window = this.#window(timeframe ?? '1 week');
    const found = await this.#current.find(useCase);
    const ids = found.ranking?.models.map((model) => model.modelId) ?? [];
    const asked = {
      modelId: canonicalAmong(modelId, ids),
      useCase: found.useCase,
      timeframe: window,
    };
    return toPerformanceAnswer(asked, await performance(this.#db, asked));
  }

  /** How published rankings changed, oldest first. @throws {TallyrankError} `bad_timeframe` */
  async getHistory(
    useCase: string | null,
    options: { readonly modelId?: string | undefined; readonly timeframe?: TimeframeInput | undefined } = {},
  ): Promise<RankingHistoryRow[]> {
    const { from, to } = this.#window(options.timeframe ?? '1 month');
    return await readRankingHistory(this.#db, {
      useCase,
      modelId: options.modelId ?? null,
      from,
      to,
      rowsMax: HISTORY_ROWS_MAX,
    });
  }

  /**
   * How models did in a use case over time, and when their level moved.
   *
   * @throws {TallyrankError} `unknown_use_case`, `unknown_model`, `ambiguous_model`, `bad_timeframe`
   */
  async getTrends(
    useCase: string,
    options: { readonly modelId?: string | undefined; readonly timeframe?: TimeframeInput | undefined } = {},
  ): Promise<TrendsAnswer> {
    const window = this.#window(options.timeframe ?? TRENDS_TIMEFRAME);
    const { view, ranking, ...found } = await this.#current.find(useCase);
    const ids = ranking?.models.map((model) => model.modelId) ?? [];
    return await rankingTrends(this.#db, {
      ...found,
      runId: await currentRunId(this.#db),
      modelId: options.modelId === undefined ? null : resolveRanked(options.modelId, ids, 'modelId'),
      window,
    });
  }

  /**
   * Counts one request that no tracker logs, in this process's rankings only: nothing is written or published.
   * A request that was logged is counted by the next refresh and must not come here as well.
   */
  async updateRanking(useCase: string, modelId: string, request: ObservedRequest): Promise<RankingsAnswer> {
    const known =
      (await this.#current.view()).rankings.get(useCase)?.models.map((model) => model.modelId) ?? [];
    const counted = { ...request, useCase, modelId: canonicalAmong(modelId, known) };
    await this.#current.addUnlogged(counted, this.#evidenceWindow());
    return await this.getRankings(useCase);
  }

  /**
   * Counts a finished request in this process's rankings until a published version contains it. For whoever logs
   * requests: costs no more than noting it; {@link count} adds up.
   */
  observe(record: UsageRecord): void {
    this.#current.observe(record);
  }

  /** The same for what was learnt later; false when its request was not observed here. */
  observeSignal(signal: Signal): boolean {
    return this.#current.observeSignal(signal);
  }

  /** Takes over what others published. @returns the version in use; null before the first */
  async follow(): Promise<PublishedSnapshot | null> {
    return await this.#current.follow();
  }

  /** Adds up what was observed, where rankings are computed: some use cases at a time, at most once a second. */
  async count(): Promise<void> {
    await this.#current.count();
  }

  /**
   * Has the thread answer by the module it was started with, with all that was observed until now counted.
   *
   * @returns the answer's JSON, UTF-8; null where there is no thread
   * @throws {TallyrankError} what the answer threw; `internal` when the thread died; `shutting_down` once closed
   */
  async ask(question: string, task: unknown): Promise<Uint8Array | null> {
    if (this.#thread === null) return null;
    this.#current.handOn();
    return await this.#thread.ask(question, task);
  }

  /** The trained classifier of a discovery run as bytes; null where there is none. */
  async classifier(runId: string): Promise<Uint8Array | null> {
    return await this.#current.classifier(runId);
  }

  /**
   * The published rankings with what was counted since, for the hot path; the same object until something changed.
   * null where the published ones are all there is. Costs nothing.
   */
  get rankingsOfMoment(): RankingsOfMoment | null {
    return this.#current.ofMoment;
  }

  /**
   * What the window's requests cost, against what the best candidates would have cost.
   *
   * @param timeframe  default 30 days, whose money is the monthly one
   * @throws {TallyrankError} `bad_timeframe`
   */
  async analyzeSavings(timeframe?: TimeframeInput): Promise<SavingsAnswer> {
    return (await this.#savings(timeframe)).savings;
  }

  /** Per use case: the model to use, the evidence and the money. @throws {TallyrankError} `bad_timeframe` */
  async getOptimalRouting(timeframe?: TimeframeInput): Promise<OptimalRoutingAnswer> {
    const { savings, view } = await this.#savings(timeframe);
    return toOptimalRouting(view.rankings, savings, this.#policies);
  }

  async #savings(
    timeframe: TimeframeInput | undefined,
  ): Promise<{ savings: SavingsAnswer; view: RankingsView }> {
    const window = this.#window(timeframe ?? SAVINGS_TIMEFRAME);
    const view = await this.#viewOrUnpublished();
    const asked = { window, policies: this.#policies, defaultModel: this.#defaultModel };
    return { savings: await readSavings(this.#db, view, asked), view };
  }

  async #refresh(window: Timeframe): Promise<RefreshAnswer> {
    const { answer, snapshot } = await this.#current.refresh(window);
    const { version, useCaseCount, modelCount, requestCount } = answer;
    if (snapshot === null) {
      this.#logger.debug({ version }, 'Rankings are held: nothing was published.');
      return answer;
    }
    await offerSnapshot(snapshot, { sinks: this.#sinks, logger: this.#logger });
    this.#logger.info({ version, useCaseCount, modelCount, requestCount }, 'Rankings were refreshed.');
    return answer;
  }

  /** Ends the thread, where there is one; what it was asked fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place[Symbol.asyncDispose]();
  }

  #openPlace({ config, inWorker = false }: ModelRankerOptions): RankingPlace {
    const { halfLife = '14 days' } = config ?? {};
    const halfLifeMs = halfLife === null ? null : parseDurationMs(halfLife);
    const [db, clock, logger, policies] = [this.#db, this.#clock, this.#logger, this.#policies];
    if (inWorker !== false && canRunInThread()) {
      return new RankingWorker({
        connection: db.connection,
        policies: policies.parts,
        halfLifeMs,
        config: { timeframe: this.#timeframe, halfLife, defaultModel: this.#defaultModel },
        logger,
        entry: inWorker === true ? undefined : inWorker,
      });
    }
    const pace = GUEST_PACE;
    return new RankingHere(new RankingWork({ db, clock, logger, policies, halfLifeMs, pace }));
  }

  /** Before the first publication, the rankings that it would have. */
  async #viewOrUnpublished(): Promise<RankingsView> {
    const view = await this.#current.view();
    if (view.version !== null) return view;
    const rankings = await this.#current.preview(this.#evidenceWindow());
    return { ...view, rankings: new Map(rankings.map((ranking) => [ranking.useCase, ranking])) };
  }

  #policyOf(useCase: string): Policy {
    return this.#policies.policyOf('auto', useCase);
  }

  /**
   * The window of the rankings: one to two times the configured one. Its start moves in whole steps of that length,
   * because orders are established on sums from a fixed start (see `sequenceInterval`): a window that slides takes
   * evidence back at every look. Each step is a new start with an error of its own.
   */
  #evidenceWindow(): Timeframe {
    const nowMs = this.#clock();
    const stepMs = parseDurationMs(this.#timeframe);
    const from = new Date(Math.max(0, Math.floor(nowMs / stepMs) - 1) * stepMs);
    return { from, to: new Date(nowMs), label: this.#timeframe };
  }

  #window(timeframe: TimeframeInput): Timeframe {
    return parseTimeframe(timeframe, this.#clock(), this.#timeframe);
  }
}
