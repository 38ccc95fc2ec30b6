import { randomUUID } from 'node:crypto';
import { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { PolicyTable } from '../core/policy.ts';
import { POLICIES } from '../core/policy.ts';
import { isRated } from '../core/ranking-view.ts';
import type { PublishedSnapshot, RankedModel, UseCaseRanking } from '../core/snapshot.ts';
import type { Timeframe, TimeframeQuery } from '../core/timeframe.ts';
import { parseTimeframe } from '../core/timeframe.ts';
import type { UseCase } from '../core/use-case.ts';
import type { Database } from '../store/database.ts';
import { currentRunId } from '../store/queries/current-run.ts';
import { performance } from '../store/queries/performance.ts';
import { readQualityEvidence, readRankingEvidence } from '../store/queries/ranking-evidence.ts';
import type { RankingHistoryRow } from '../store/queries/ranking-history.ts';
import { readRankingHistory } from '../store/queries/ranking-history.ts';
import { readSavingsEvidence } from '../store/queries/savings-evidence.ts';
import { readLatestVersion, readPublishedSnapshot, readUseCasesOfRun } from '../store/queries/snapshots.ts';
import { reconcileRollups } from '../store/rollups.ts';
import type { AllRankingsAnswer, CompareAnswer, PerformanceAnswer, RankingsAnswer } from './answers.ts';
import { emptyRankingsAnswer, toCompareAnswer, toPerformanceAnswer, toRankingsAnswer } from './answers.ts';
import type { BuiltRankings } from './build-rankings.ts';
import { buildRankings } from './build-rankings.ts';
import type { EvidenceBook, ObservedRequest } from './evidence.ts';
import { bookOfRows } from './evidence.ts';
import { LiveRankings } from './live-rankings.ts';
import type { OptimalRoutingAnswer } from './optimal-routing.ts';
import { toOptimalRouting } from './optimal-routing.ts';
import type { SnapshotSink } from './publish.ts';
import { publishSnapshot } from './publish.ts';
import { canonicalAmong, resolveRanked } from './ranked-names.ts';
import type { SavingsAnswer } from './savings.ts';
import { computeSavings } from './savings.ts';

/** "1 week", "P7D", or from and to. */
export type TimeframeInput = string | TimeframeQuery;

export interface RankerConfig {
  /** Window of the evidence where none is asked for; default "30 days". */
  readonly timeframe?: string | undefined;
  /** Replaces the presets' weights and margins; `auto` of it makes the rankings. */
  readonly policies?: PolicyTable | undefined;
}

export interface ModelRankerOptions {
  readonly db: Database;
  readonly logger?: Logger | undefined;
  readonly clock?: (() => number) | undefined;
  readonly config?: RankerConfig | undefined;
  /** Where published snapshots go beside the store. */
  readonly sinks?: readonly SnapshotSink[] | undefined;
}

export interface RefreshAnswer {
  readonly version: string;
  readonly runId: string;
  /** Use cases with a ranking. */
  readonly useCaseCount: number;
  readonly modelCount: number;
  readonly requestCount: number;
  readonly window: { readonly from: string; readonly to: string; readonly label: string };
  /** How well session signals agreed with explicit feedback; see docs/ranking.md. */
  readonly signals: {
    readonly agreement: number;
    readonly agreementMeasured: number | null;
    readonly pairCount: number;
  };
}

/** How long a read snapshot is taken for the newest. Shorter asks the store at every read; longer lags behind other gateways. */
const RECHECK_MS = 2_000;
const HISTORY_ROWS_MAX = 10_000;
/** The savings' window where none is asked for: a month, so that its money is the monthly one. */
const SAVINGS_TIMEFRAME = '30 days';

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** All that answers are made of: the published rankings, with what was updated in memory over them. */
interface View {
  readonly version: string | null;
  readonly createdAt: string | null;
  readonly runId: string;
  readonly window: { readonly from: string; readonly to: string } | null;
  readonly useCases: readonly UseCase[];
  readonly rankings: ReadonlyMap<string, UseCaseRanking>;
}

/**
 * Ranks models per use case on success, speed, cost and quality. `refreshAll` reads the roll-ups of the current
 * discovery run and publishes; everything else answers from the last published snapshot, whoever published it.
 */
export class ModelRanker {
  readonly #db: Database;
  readonly #logger: Logger;
  readonly #clock: () => number;
  readonly #timeframe: string;
  readonly #policies: PolicyTable;
  readonly #sinks: readonly SnapshotSink[];
  readonly #live: LiveRankings;
  #hasEvidence = false;
  #published: PublishedSnapshot | null = null;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: { readonly label: string; readonly answer: Promise<RefreshAnswer> } | null = null;

  constructor(options: ModelRankerOptions) {
    this.#db = options.db;
    this.#logger = options.logger ?? SILENT;
    this.#clock = options.clock ?? Date.now;
    this.#timeframe = options.config?.timeframe ?? '30 days';
    this.#policies = options.config?.policies ?? POLICIES;
    this.#sinks = options.sinks ?? [];
    this.#live = new LiveRankings(this.#policies.auto);
  }

  /**
   * Computes all rankings from the window's evidence and publishes them. Calls that meet share one refresh.
   *
   * @throws {TallyrankError} `bad_timeframe`, `store_unavailable`
   */
  async refreshAll(
    options: { readonly timeframe?: TimeframeInput | undefined } = {},
  ): Promise<RefreshAnswer> {
    const window = this.#window(options.timeframe ?? this.#timeframe);
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
    const view = await this.#view();
    const ranking = this.#rankingOf(view, useCase);
    if (ranking === null) return emptyRankingsAnswer(useCase, view.version);
    return toRankingsAnswer(ranking, this.#policies.auto, view.version);
  }

  /** Every ranking there is, the use cases with most requests first. */
  async getAllRankings(): Promise<AllRankingsAnswer> {
    const view = await this.#view();
    return {
      version: view.version,
      createdAt: view.createdAt,
      runId: view.runId,
      window: view.window,
      rankings: [...view.rankings.values()]
        .sort((one, other) => other.requestCount - one.requestCount)
        .map((ranking) => toRankingsAnswer(ranking, this.#policies.auto, view.version)),
    };
  }

  /**
   * Id of the best candidate; null while there is none.
   *
   * @throws {TallyrankError} `unknown_use_case`
   */
  async getBestModel(useCase: string): Promise<string | null> {
    const ranking = this.#rankingOf(await this.#view(), useCase);
    return ranking?.models.find((model) => model.isCandidate)?.modelId ?? null;
  }

  /**
   * Two models of one use case side by side, with what their difference is worth.
   *
   * @throws {TallyrankError} `unknown_use_case`, `unknown_model`, `ambiguous_model`
   */
  async compare(useCase: string, modelA: string, modelB: string): Promise<CompareAnswer> {
    const view = await this.#view();
    const models = this.#rankingOf(view, useCase)?.models ?? [];
    const [a, b] = [rankedModel(models, modelA, 'modelA'), rankedModel(models, modelB, 'modelB')];
    const policy = this.#policies.auto;
    return toCompareAnswer(useCase, a, b, {
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
    const view = await this.#view();
    const ids = this.#rankingOf(view, useCase)?.models.map((model) => model.modelId) ?? [];
    const asked = { modelId: canonicalAmong(modelId, ids), useCase, timeframe: window };
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
   * Counts one request that no tracker logs, in this process's rankings only: nothing is written or published.
   * A request that was logged is counted by the next refresh and must not come here as well.
   */
  async updateRanking(useCase: string, modelId: string, request: ObservedRequest): Promise<RankingsAnswer> {
    checkObserved(request);
    if (!this.#hasEvidence) this.#rebase((await this.#readEvidence(this.#window(this.#timeframe))).book);
    const known = (await this.#view()).rankings.get(useCase)?.models.map((model) => model.modelId) ?? [];
    this.#live.add(useCase, canonicalAmong(modelId, known), request);
    return await this.getRankings(useCase);
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
    return toOptimalRouting(view.rankings, savings, this.#policies.auto);
  }

  async #savings(timeframe: TimeframeInput | undefined): Promise<{ savings: SavingsAnswer; view: View }> {
    const window = this.#window(timeframe ?? SAVINGS_TIMEFRAME);
    const view = await this.#viewOrUnpublished();
    const { from, to } = window;
    const rows = await readSavingsEvidence(this.#db, { runId: view.runId, from, to });
    const frame = { window, policy: this.#policies.auto, version: view.version };
    return { savings: computeSavings(rows, view.rankings, frame), view };
  }

  async #refresh(window: Timeframe): Promise<RefreshAnswer> {
    const { runId, book } = await this.#readEvidence(window);
    const built = buildRankings(book, this.#policies.auto);
    const snapshot = await publishSnapshot({
      db: this.#db,
      sinks: this.#sinks,
      logger: this.#logger,
      nowMs: this.#clock(),
      suffix: randomUUID().slice(0, 4),
      runId,
      window,
      useCases: await readUseCasesOfRun(this.#db, runId),
      built,
    });
    this.#rebase(book);
    this.#published = snapshot;
    this.#checkedAtMs = this.#clock();
    const answer = refreshAnswer(snapshot, window, built);
    const { version, useCaseCount, modelCount, requestCount } = answer;
    this.#logger.info({ version, useCaseCount, modelCount, requestCount }, 'Rankings were refreshed.');
    return answer;
  }

  async #readEvidence(window: Timeframe): Promise<{ runId: string; book: EvidenceBook }> {
    const runId = await currentRunId(this.#db);
    await reconcileRollups(this.#db, runId);
    const scope = { runId, from: window.from, to: window.to };
    const [rows, qualityRows] = await Promise.all([
      readRankingEvidence(this.#db, scope),
      readQualityEvidence(this.#db, scope),
    ]);
    return { runId, book: bookOfRows(rows, qualityRows) };
  }

  #rebase(book: EvidenceBook): void {
    this.#live.rebase(book);
    this.#hasEvidence = true;
  }

  async #view(): Promise<View> {
    await this.#recheck();
    const live = this.#live.rankings;
    const published = this.#published;
    if (published === null) {
      const runId = await currentRunId(this.#db);
      const useCases = await readUseCasesOfRun(this.#db, runId);
      return { version: null, createdAt: null, runId, window: null, useCases, rankings: live };
    }
    const rankings = new Map(published.rankings.map((ranking) => [ranking.useCase, ranking]));
    for (const [useCase, ranking] of live) rankings.set(useCase, ranking);
    const { version, createdAt, runId, useCases, windowFrom, windowTo } = published;
    return { version, createdAt, runId, useCases, rankings, window: { from: windowFrom, to: windowTo } };
  }

  /** Before the first publication, the rankings that it would have. */
  async #viewOrUnpublished(): Promise<View> {
    const view = await this.#view();
    if (view.version !== null) return view;
    const { book } = await this.#readEvidence(this.#window(this.#timeframe));
    const { rankings } = buildRankings(book, this.#policies.auto);
    return { ...view, rankings: new Map(rankings.map((ranking) => [ranking.useCase, ranking])) };
  }

  /** Other processes publish too: the newest version is asked for every now and then. */
  async #recheck(): Promise<void> {
    if (this.#clock() - this.#checkedAtMs < RECHECK_MS) return;
    const version = await readLatestVersion(this.#db);
    if (version !== (this.#published?.version ?? null)) {
      this.#published = version === null ? null : await readPublishedSnapshot(this.#db, version);
    }
    this.#checkedAtMs = this.#clock();
  }

  /** null: the use case is known and has no requests yet. */
  #rankingOf(view: View, useCase: string): UseCaseRanking | null {
    const ranking = view.rankings.get(useCase);
    if (ranking !== undefined) return ranking;
    if (view.useCases.some(({ slug }) => slug === useCase)) return null;
    const known = [...new Set([...view.rankings.keys(), ...view.useCases.map(({ slug }) => slug)])].sort();
    throw new TallyrankError(
      'unknown_use_case',
      `There is no use case "${useCase.slice(0, 80)}". There are: ${known.join(', ')}.`,
      { param: 'useCase' },
    );
  }

  #window(timeframe: TimeframeInput): Timeframe {
    return parseTimeframe(timeframe, this.#clock(), this.#timeframe);
  }
}

function refreshAnswer(snapshot: PublishedSnapshot, window: Timeframe, built: BuiltRankings): RefreshAnswer {
  const { agreement, agreementMeasured, pairCount } = built.calibration;
  return {
    version: snapshot.version,
    runId: snapshot.runId,
    useCaseCount: snapshot.rankings.length,
    modelCount: snapshot.overall.models.length,
    requestCount: snapshot.overall.requestCount,
    window: { from: snapshot.windowFrom, to: snapshot.windowTo, label: window.label },
    signals: { agreement, agreementMeasured, pairCount },
  };
}

function rankedModel(models: readonly RankedModel[], name: string, param: string): RankedModel {
  const ids = models.map((model) => model.modelId);
  const id = resolveRanked(name, ids, param);
  const model = models.find(({ modelId }) => modelId === id);
  if (model === undefined) throw new RangeError(`${id} was resolved and is not ranked`);
  return model;
}

function checkObserved({ success, timeMs, cost }: ObservedRequest): void {
  const isAmount = (value: number | null | undefined): boolean =>
    value === undefined || value === null || (Number.isFinite(value) && value >= 0);
  if (typeof success === 'boolean' && isAmount(timeMs) && isAmount(cost)) return;
  throw new TallyrankError(
    'bad_request',
    'updateRanking takes { success: true or false, timeMs and cost: numbers from 0, or null }.',
  );
}
