import { AbTestWatch } from './api/ab-test-watch.ts';
import { ANSWERING_THREAD } from './api/answers.ts';
import type { ApiDeps } from './api/deps.ts';
import { resolveFeedback } from './api/feedback.ts';
import { JobBoard } from './api/jobs.ts';
import { Timetable } from './app/timetable.ts';
import { parseExploration } from './config/exploration-settings.ts';
import type { LoadedConfig } from './config/load.ts';
import type { Decision } from './core/decision.ts';
import { TallyrankError } from './core/errors.ts';
import { EventBus } from './core/events.ts';
import type { KeptRules } from './core/routing-rules.ts';
import { starterSnapshot } from './core/starter-snapshot.ts';
import { parseDurationMs } from './core/timeframe.ts';
import type { UsageRecord } from './core/usage-record.ts';
import { ProviderRegistry } from './gateway/provider-registry.ts';
import { ResponseCache } from './gateway/response-cache.ts';
import { ShadowCalls } from './gateway/shadow-calls.ts';
import { UpstreamPools } from './gateway/upstream.ts';
import type { ModelRanker } from './ranking/model-ranker.ts';
import { AbTests } from './routing/ab-tests.ts';
import { Exploration } from './routing/exploration.ts';
import { RoutingEngine } from './routing/routing-engine.ts';
import { SnapshotHolder } from './routing/snapshot-holder.ts';
import { loadLatestSnapshot, nextSnapshot } from './store/queries/snapshots.ts';
import { UsageTracker } from './tracker/usage-tracker.ts';
import { keepRules, readExploration, readRules } from './workbench/operator-settings.ts';
import type { AppOverrides, DryRunTask, PolicyTask, Workbench } from './workbench.ts';
import { analyzeAndRank, dryRunWith, evaluateWith, openWorkbench } from './workbench.ts';

/** Often enough that a ranking of another gateway is used within seconds; one small query each time. */
const SNAPSHOT_POLL_MS = 5_000;
/** Requests since then are routed by rankings that do not know of them yet. Looking costs nothing while none came. */
const LIVE_RANKINGS_MS = 1_000;
const PROVIDER_REFRESH_MS = 30_000;
/** How far several gateways together may overspend the budget of exploration: what each spends in this time. */
const EXPLORED_MS = 60_000;
/** How old the news of a verdict may be. Each look reads what the running tests came to. */
const AB_VERDICT_MS = 60_000;

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
  readonly abTestWatch: AbTestWatch;
  readonly shadows: ShadowCalls;
  /** null: switched off. */
  readonly cache: ResponseCache | null;
  readonly startedAtMs: number;
  readonly #upstream: UpstreamPools;
  readonly #timetable: Timetable;
  #rankedShippedCount = -1;
  #rules: KeptRules;
  #rulesSetCount = 0;
  #isClosed = false;

  private constructor(bench: Workbench, snapshots: SnapshotHolder, overrides: AppOverrides) {
    const { config, db, logger, telemetry, prices, clock } = bench;
    this.bench = bench;
    this.snapshots = snapshots;
    this.startedAtMs = clock();
    this.#timetable = new Timetable(logger);
    this.#rules = { origin: 'configuration', rules: config.routingRules };
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
    const abTests = new AbTests();
    const { events } = this;
    this.abTestWatch = new AbTestWatch({ book: bench.abTests, running: abTests, events, clock });
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
      onFinished: (record, decision) => this.#onFinished(record, decision),
      // One whose request another gateway answered counts from the next refresh on.
      onSignal: (signal) => void bench.ranker.observeSignal(signal),
    });
    telemetry.watchLog(() => this.tracker.counters);
    telemetry.watchProviders(() => registry.health());
    this.shadows = new ShadowCalls({
      providers: registry,
      log: this.tracker,
      logger,
      clock,
      onDropped: (decision, reason) => {
        telemetry.shadowDropped(reason);
        this.exploration.release(decision);
      },
    });
    const { ttl, maxMegabytes, temperatureMax, scope } = config.cache;
    this.cache = config.cache.isOn
      ? new ResponseCache({
          ttlMs: parseDurationMs(ttl),
          maxBytes: maxMegabytes * 1024 * 1024,
          temperatureMax,
          scope,
          clock,
        })
      : null;
    this.router = new RoutingEngine(
      {
        get catalog() {
          return registry.catalog;
        },
        isPriced: (modelId) => prices.isPriced(modelId),
        typicalCostUsd: (modelId) => prices.typicalCostUsd(modelId),
        get health() {
          return registry.isReachable;
        },
      },
      {
        snapshots,
        exploration: this.exploration,
        abTests,
        sessions: {
          switchMargin: config.sessions.switchMargin,
          idleMs: config.sessions.idleMinutes * 60_000,
        },
        clock,
        defaultModel: config.defaultModel,
        useCaseRules: config.useCaseRules,
        routingRules: config.routingRules,
        policies: bench.policies,
        ...(overrides.random ? { random: overrides.random } : {}),
      },
    );
  }

  #onFinished(record: UsageRecord, decision: Decision | null): void {
    const { telemetry, ranker } = this.bench;
    if (decision !== null) this.exploration.settle(decision, record);
    if (record.source === 'cache') {
      telemetry.cacheAnswered(record);
      this.events.emit('request', { record, decision });
      return;
    }
    if (record.source !== 'embedding') ranker.observe(record);
    if (record.shadowOf !== null) {
      telemetry.shadowFinished(record);
      return;
    }
    telemetry.requestFinished(record, decision);
    this.events.emit('request', { record, decision });
  }

  /**
   * Opens everything. Providers that are away are said so and asked again later, not waited for.
   *
   * @throws {TallyrankError} `store_unavailable`, `store_newer`, `bad_config`
   */
  static async open(loaded: LoadedConfig, overrides: AppOverrides = {}): Promise<App> {
    const bench = await openWorkbench(loaded, { ...overrides, servingThread: ANSWERING_THREAD });
    try {
      const snapshots = new SnapshotHolder((await loadLatestSnapshot(bench.db)) ?? starterSnapshot());
      const app = new App(bench, snapshots, overrides);
      await app.#readOperatorSettings();
      await app.abTestWatch.follow();
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

  /** The operator's rules in use. */
  get rules(): KeptRules {
    return this.#rules;
  }

  /**
   * Replaces the operator's rules, here at once and in other gateways within seconds; null goes back to the
   * configuration's.
   *
   * @throws {TallyrankError} `bad_request` with every fault
   */
  async setRules(rules: unknown): Promise<void> {
    const kept = await keepRules(this.bench, rules, 'api');
    this.#rulesSetCount++;
    this.#useRules(kept);
  }

  /** What rules would have changed of what is in the store; those in use where none are given. */
  dryRunRules(question: DryRunTask): ReturnType<typeof dryRunWith> {
    const { catalog } = this.providers;
    return dryRunWith(this.bench, { ...question, decisionsMax: EVALUATED_MAX, catalog });
  }

  /** Takes over the rules that were set, whoever set them. */
  async #followRules(): Promise<void> {
    const setCount = this.#rulesSetCount;
    const kept = await readRules(this.bench);
    // What was read before a change of our own is older than it.
    if (setCount === this.#rulesSetCount) this.#useRules(kept);
  }

  #useRules(kept: KeptRules): void {
    // Rules that stay count on.
    if (JSON.stringify(kept) === JSON.stringify(this.#rules)) return;
    this.router.setRoutingRules(kept.rules);
    this.#rules = kept;
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
    const { ranker } = this.bench;
    const published = await ranker.follow();
    const { current } = this.snapshots;
    if (published !== null && published.version !== current.version) {
      this.snapshots.replace(await nextSnapshot(published, current, (runId) => ranker.classifier(runId)));
    }
    await this.#useRankingsOfMoment();
  }

  /** Routes by what was seen since the snapshot was published as well. */
  async #useRankingsOfMoment(): Promise<void> {
    const { ranker } = this.bench;
    await ranker.count();
    const rankings = ranker.rankingsOfMoment;
    if (rankings !== null) this.snapshots.replaceRankings(rankings);
  }

  /** Stops what runs, ships the journal, closes the store. The HTTP server is closed before, by its owner. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#timetable.close();
    await this.jobs.close();
    await this.shadows.close();
    await this.tracker.close();
    await this.#upstream[Symbol.asyncDispose]();
    await this.bench[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What an operator set by API wins over the configuration. */
  async #readOperatorSettings(): Promise<void> {
    for (const follow of [() => this.#followRules(), () => this.#followExploration()]) {
      await follow().catch((error: unknown) => {
        // Another version of the program may have set what this one refuses: no reason to refuse every request.
        if (!(error instanceof TallyrankError) || error.code !== 'bad_request') throw error;
        this.bench.logger.error(
          { err: error },
          'What an operator set has faults; the configuration applies.',
        );
      });
    }
  }

  /** How exploration was set, by whomever, and what all gateways of this store explored today. */
  async #followExploration(): Promise<void> {
    const { settings: before } = this.exploration;
    const { settings, today } = await readExploration(this.bench);
    this.exploration.learnSpent(today, this.bench.clock());
    // What was read before a change of our own is older than it; what has not changed keeps its probabilities.
    const isNew = JSON.stringify(settings) !== JSON.stringify(parseExploration(before));
    if (isNew && this.exploration.settings === before) this.exploration.change(settings);
  }

  #startTimers(): void {
    const timetable = this.#timetable;
    const { config } = this.bench;
    timetable.every(SNAPSHOT_POLL_MS, 'following the published snapshot', () => this.followSnapshot());
    timetable.every(SNAPSHOT_POLL_MS, 'following the routing rules', () => this.#followRules());
    timetable.every(LIVE_RANKINGS_MS, 'ranking in memory', () => this.#useRankingsOfMoment());
    timetable.every(PROVIDER_REFRESH_MS, 'asking the providers for their models', () =>
      this.providers.refresh(),
    );
    timetable.every(SNAPSHOT_POLL_MS, 'following the A/B tests', () => this.abTestWatch.follow());
    timetable.every(AB_VERDICT_MS, 'looking at the A/B tests', () => this.abTestWatch.judge());
    timetable.every(EXPLORED_MS, 'summing up what was explored', () => this.#followExploration());
    timetable.every(config.ranking.refreshSeconds * 1000, 'refreshing the rankings', () =>
      this.#refreshIfNew(),
    );
    timetable.at(config.discovery.schedule, () => this.startAnalysis());
    if (config.judge.model !== null) timetable.at(config.judge.schedule, () => this.startJudging({}));
  }

  async #refreshIfNew(): Promise<void> {
    const { shippedCount } = this.tracker.counters;
    if (shippedCount === this.#rankedShippedCount) return;
    this.#rankedShippedCount = shippedCount;
    if (shippedCount > 0) await this.refreshRankings();
  }
}
