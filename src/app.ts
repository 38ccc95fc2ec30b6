import { Cron } from 'croner';
import { explorationBody } from './api/contract.ts';
import type { ApiDeps } from './api/deps.ts';
import { resolveFeedback } from './api/feedback.ts';
import { JobBoard } from './api/jobs.ts';
import type { LoadedConfig } from './config/load.ts';
import { EventBus } from './core/events.ts';
import { starterSnapshot } from './core/starter-snapshot.ts';
import { ProviderRegistry } from './gateway/provider-registry.ts';
import { UpstreamPools } from './gateway/upstream.ts';
import type { ModelRanker } from './ranking/model-ranker.ts';
import { Exploration } from './routing/exploration.ts';
import { dayStartMsOf } from './routing/exploration-budget.ts';
import { RoutingEngine } from './routing/routing-engine.ts';
import { SnapshotHolder } from './routing/snapshot-holder.ts';
import { exploredSince } from './store/queries/explored.ts';
import { operatorSetting } from './store/queries/operator-settings.ts';
import { loadLatestSnapshot, loadSnapshot } from './store/queries/snapshots.ts';
import { UsageTracker } from './tracker/usage-tracker.ts';
import type { AppOverrides, PolicyTask, Workbench } from './workbench.ts';
import { analyzeAndRank, evaluateWith, openWorkbench } from './workbench.ts';

/** Often enough that a ranking of another gateway is used within seconds; one small query each time. */
const SNAPSHOT_POLL_MS = 5_000;
/** Requests since then are routed by rankings that do not know of them yet. Looking costs nothing while none came. */
const LIVE_RANKINGS_MS = 1_000;
const PROVIDER_REFRESH_MS = 30_000;
/** How far several gateways together may overspend the budget of exploration: what each spends in this time. */
const EXPLORED_MS = 60_000;

/** Decisions that an evaluation looks at in a gateway: more would hold up streams for over a third of a second. */
const EVALUATED_MAX = 20_000;

/** The composition root: every part of a running gateway, started in order and closed in reverse. */
export class App implements AsyncDisposable {
  readonly bench: Workbench;
  readonly tracker: UsageTracker;
  readonly providers: ProviderRegistry;
  readonly router: RoutingEngine;
  readonly snapshots: SnapshotHolder;
  readonly jobs: JobBoard;
  readonly events = new EventBus();
  readonly exploration: Exploration;
  readonly startedAtMs: number;
  readonly #upstream: UpstreamPools;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #schedules: Cron[] = [];
  #rankedShippedCount = -1;
  #isClosed = false;

  private constructor(bench: Workbench, snapshots: SnapshotHolder, overrides: AppOverrides) {
    const { config, db, logger, telemetry, prices, clock } = bench;
    this.bench = bench;
    this.snapshots = snapshots;
    this.startedAtMs = clock();
    this.jobs = new JobBoard((job) => this.events.emit('job', { jobId: job.id, status: job.status }), clock);
    this.#upstream = new UpstreamPools({
      connectMs: config.limits.connectTimeoutMs,
      firstTokenMs: config.limits.firstTokenTimeoutMs,
      idleMs: config.limits.idleTimeoutMs,
      totalMs: config.limits.totalTimeoutMs,
    });
    this.providers = new ProviderRegistry({
      settings: config.providers.map((provider) => ({
        ...provider,
        apiKey: bench.secrets.providerKeys.get(provider.id),
        isLocal: provider.isLocal ?? provider.kind === 'ollama',
      })),
      upstream: this.#upstream,
      logger,
      clock,
    });
    const registry = this.providers;
    this.exploration = new Exploration(config.exploration);
    this.tracker = new UsageTracker({
      db,
      logger,
      clock,
      prices,
      snapshots,
      source: 'gateway',
      canonicalId: (name) => registry.catalog.canonicalId(name),
      keepTexts: config.privacy.keepTexts,
      fsync: config.journal.fsync,
      journalMaxBytes: config.journal.maxMegabytes * 1024 * 1024,
      onFinished: (record, decision) => {
        telemetry.requestFinished(record, decision);
        if (decision !== null) this.exploration.settle(decision, record);
        bench.ranker.observe(record);
        this.events.emit('request', { record, decision });
      },
      // One whose request another gateway answered counts from the next refresh on.
      onSignal: (signal) => void bench.ranker.observeSignal(signal),
    });
    telemetry.watchLog(() => this.tracker.counters);
    this.router = new RoutingEngine(
      {
        get catalog() {
          return registry.catalog;
        },
        isPriced: (modelId) => prices.isPriced(modelId),
        typicalCostUsd: (modelId) => prices.typicalCostUsd(modelId),
      },
      {
        snapshots,
        exploration: this.exploration,
        sessions: {
          switchMargin: config.sessions.switchMargin,
          idleMs: config.sessions.idleMinutes * 60_000,
        },
        clock,
        defaultModel: config.defaultModel,
        useCaseRules: config.useCaseRules,
        policies: bench.policies,
        ...(overrides.random ? { random: overrides.random } : {}),
      },
    );
  }

  /**
   * Opens everything. Providers that are away are said so and asked again later, not waited for.
   *
   * @throws {TallyrankError} `store_unavailable`, `store_newer`, `bad_config`
   */
  static async open(loaded: LoadedConfig, overrides: AppOverrides = {}): Promise<App> {
    const bench = await openWorkbench(loaded, overrides);
    try {
      const snapshots = new SnapshotHolder((await loadLatestSnapshot(bench.db)) ?? starterSnapshot());
      const app = new App(bench, snapshots, overrides);
      await app.#readOperatorSettings();
      await app.providers.refresh();
      app.#startTimers();
      return app;
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Discovery, then ranking, as a job of this process. */
  startAnalysis(timeframe?: string): ReturnType<JobBoard['start']> {
    return this.jobs.start('analyze', async (context) => {
      await this.tracker.flush();
      const answer = await analyzeAndRank(this.bench, timeframe, context);
      await this.followSnapshot();
      return answer;
    });
  }

  /** Judges a sample of answers, then ranks, as a job of this process. */
  startJudging(task: Parameters<ApiDeps['startJudging']>[0]): ReturnType<JobBoard['start']> {
    return this.jobs.start('judge', async (context) => {
      await this.tracker.flush();
      await resolveFeedback(this.bench.db, this.tracker, this.bench.clock());
      const report = await this.bench.judge.run({ ...task, ...context });
      if (report.scoredCount > 0) await this.refreshRankings();
      return report;
    });
  }

  /** What a policy would have come to on what is in the store. */
  evaluatePolicy(question: PolicyTask): ReturnType<typeof evaluateWith> {
    return evaluateWith(this.bench, { ...question, decisionsMax: EVALUATED_MAX });
  }

  /** Ranks anew from all that was logged until now, and uses the result at once. */
  async refreshRankings(): Promise<Awaited<ReturnType<ModelRanker['refreshAll']>>> {
    await this.tracker.flush();
    await resolveFeedback(this.bench.db, this.tracker, this.bench.clock());
    const answer = await this.bench.ranker.refreshAll();
    await this.followSnapshot();
    this.events.emit('ranking', { version: answer.version });
    return answer;
  }

  /** Takes over the snapshot that is in use, whoever published it. */
  async followSnapshot(): Promise<void> {
    const published = await this.bench.ranker.follow();
    if (published !== null && published.version !== this.snapshots.current.version) {
      this.snapshots.replace(await loadSnapshot(this.bench.db, published));
    }
    this.#useRankingsOfMoment();
  }

  /** Routes by what was seen since the snapshot was published as well. */
  #useRankingsOfMoment(): void {
    const rankings = this.bench.ranker.rankingsOfMoment;
    if (rankings !== null) this.snapshots.replaceRankings(rankings);
  }

  /** Stops what runs, ships the journal, closes the store. The HTTP server is closed before, by its owner. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const schedule of this.#schedules) schedule.stop();
    for (const timer of this.#timers) clearInterval(timer);
    await this.jobs.close();
    await this.tracker.close();
    await this.#upstream[Symbol.asyncDispose]();
    await this.bench[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What an operator set by API wins over the configuration. */
  async #readOperatorSettings(): Promise<void> {
    const setting = explorationBody.nullable().safeParse(await operatorSetting(this.bench.db, 'exploration'));
    if (setting.data) this.exploration.change(setting.data);
    await this.#learnExplored();
  }

  /** What all gateways of this store explored today, and what this one did before it was started. */
  async #learnExplored(): Promise<void> {
    const nowMs = this.bench.clock();
    const explored = await exploredSince(this.bench.db, new Date(dayStartMsOf(nowMs)));
    this.exploration.learnSpent(explored, nowMs);
  }

  #startTimers(): void {
    const { config } = this.bench;
    this.#every(SNAPSHOT_POLL_MS, 'following the published snapshot', () => this.followSnapshot());
    this.#every(LIVE_RANKINGS_MS, 'ranking in memory', async () => this.#useRankingsOfMoment());
    this.#every(PROVIDER_REFRESH_MS, 'asking the providers for their models', () => this.providers.refresh());
    this.#every(EXPLORED_MS, 'summing up what was explored', () => this.#learnExplored());
    this.#every(config.ranking.refreshSeconds * 1000, 'refreshing the rankings', () => this.#refreshIfNew());
    this.#at(config.discovery.schedule, () => this.startAnalysis());
    if (config.judge.model !== null) this.#at(config.judge.schedule, () => this.startJudging({}));
  }

  #at(pattern: string | null, work: () => void): void {
    if (pattern !== null)
      this.#schedules.push(new Cron(pattern, { timezone: 'UTC', protect: true }, () => work()));
  }

  async #refreshIfNew(): Promise<void> {
    const { shippedCount } = this.tracker.counters;
    if (shippedCount === this.#rankedShippedCount) return;
    this.#rankedShippedCount = shippedCount;
    if (shippedCount > 0) await this.refreshRankings();
  }

  /** Runs `work` again and again, never twice at once; a failure is said and the next turn tries again. */
  #every(intervalMs: number, what: string, work: () => Promise<unknown>): void {
    let isRunning = false;
    const timer = setInterval(() => {
      if (isRunning || this.#isClosed) return;
      isRunning = true;
      work()
        .catch((error: unknown) =>
          this.bench.logger.warn({ err: error }, `Failed while ${what}; it is tried again.`),
        )
        .finally(() => {
          isRunning = false;
        });
    }, intervalMs);
    timer.unref();
    this.#timers.push(timer);
  }
}
