import * as path from 'node:path';
import type { LoadedConfig } from './config/load.ts';
import { priceBookOf } from './config/prices.ts';
import { parseRoutingRules } from './config/routing-rules.ts';
import type { Config, Secrets } from './config/schema.ts';
import { parseUseCaseSettings } from './config/use-case-settings.ts';
import type { Logger, Progress } from './core/log.ts';
import type { ModelCatalog } from './core/model-catalog.ts';
import { canonicalModelName } from './core/model-names.ts';
import { PolicyBook } from './core/policy.ts';
import type { PriceBook } from './core/price-book.ts';
import { starterSnapshot } from './core/starter-snapshot.ts';
import { parseTimeframe, type TimeframeQuery } from './core/timeframe.ts';
import { providerOf } from './core/usage-record.ts';
import { embedderChoiceOf, openEmbedder } from './discovery/embedders/open-embedder.ts';
import { completionChoiceOf } from './discovery/naming/complete-chat.ts';
import type { Analysis } from './discovery/patterns.ts';
import { UseCaseAnalyzer } from './discovery/use-case-analyzer.ts';
import { AbTestBook } from './evaluation/ab-tests.ts';
import { type Backtest, type BacktestOptions, backtest } from './evaluation/backtest.ts';
import type { JudgeReport, JudgeTask } from './evaluation/judge.ts';
import { Judge } from './evaluation/judge.ts';
import type { JudgeModel } from './evaluation/judge-caller.ts';
import {
  evaluatePolicy,
  type PolicyEvaluation,
  type PolicyQuestion,
} from './evaluation/off-policy-report.ts';
import { readOutcomeFile } from './evaluation/outcome-file.ts';
import { FRONTIER } from './evaluation/route-outcomes.ts';
import { dryRunRules, type RulesDryRun } from './evaluation/rules-dry-run.ts';
import { ModelRanker } from './ranking/model-ranker.ts';
import type { SignalsAnswer, SignalsQuestion } from './ranking/signals-report.ts';
import { signalsReport } from './ranking/signals-report.ts';
import type { UniformSource } from './routing/exploration.ts';
import type { Database } from './store/database.ts';
import { openDatabase } from './store/database.ts';
import { currentRunId } from './store/queries/current-run.ts';
import { existingRequestIds } from './store/queries/existing-requests.ts';
import { dropOldRuns } from './store/rollups.ts';
import { Telemetry } from './telemetry.ts';
import type { ImportReport } from './tracker/import-file.ts';
import { importFile } from './tracker/import-file.ts';
import { readRules } from './workbench/operator-settings.ts';

export { writeAssignments } from './discovery/assignments-file.ts';

/** What tests replace; everything else is real. */
export interface AppOverrides {
  readonly clock?: (() => number) | undefined;
  readonly random?: UniformSource | undefined;
}

export interface WorkbenchOptions extends AppOverrides {
  /** Module of the thread that rankings are computed in; given where requests are under way meanwhile. */
  readonly servingThread?: URL | undefined;
}

/** The rooms that read and write the past: what a command needs, and the larger part of a server. */
export interface Workbench extends AsyncDisposable {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly db: Database;
  readonly prices: PriceBook;
  readonly analyzer: UseCaseAnalyzer;
  readonly ranker: ModelRanker;
  readonly policies: PolicyBook;
  readonly judge: Judge;
  readonly abTests: AbTestBook;
  readonly clock: () => number;
}

/**
 * Opens the store and the periodic rooms.
 *
 * @throws {TallyrankError} `store_unavailable`, `store_newer`
 */
export async function openWorkbench(
  loaded: LoadedConfig,
  { clock = Date.now, servingThread }: WorkbenchOptions = {},
): Promise<Workbench> {
  const { config, secrets } = loaded;
  const telemetry = new Telemetry(config.logLevel);
  const { logger } = telemetry;
  const { namingModel } = config.discovery;
  const judgeModel = judgeModelOf(loaded);
  const db = await openDatabase({
    dataDir: config.dataDir,
    ...(config.clickhouse.url === null ? {} : serverOf(config, secrets, config.clickhouse.url)),
    logger,
  });
  const policies = new PolicyBook(config.ranking.useCases);
  const analyzer = new UseCaseAnalyzer({
    db,
    logger,
    embedder: embedderChoiceOf(config.discovery.embedder, secrets.embedderKey),
    ...(namingModel === null
      ? {}
      : { namingModel: completionChoiceOf(namingModel, config.providers, secrets.providerKeys) }),
    useCaseRules: config.useCaseRules,
    policies,
  });
  const prices = priceBookOf(config);
  const ranker = new ModelRanker({
    db,
    logger,
    clock,
    config: {
      timeframe: config.ranking.timeframe,
      halfLife: config.ranking.halfLife,
      policies,
      defaultModel: config.defaultModel,
    },
    slugNow: (slug) => analyzer.directory.slugNow(slug),
    inWorker: servingThread ?? false,
  });
  return {
    config,
    secrets,
    logger,
    telemetry,
    db,
    prices,
    analyzer,
    ranker,
    judge: new Judge({
      db,
      judge: judgeModel,
      settings: { ...config.judge, evidenceTimeframe: config.ranking.timeframe },
      prices,
      rankings: async () => (await ranker.getAllRankings()).rankings,
      logger,
      clock,
    }),
    abTests: new AbTestBook({ db, clock }),
    policies,
    clock,
    [Symbol.asyncDispose]: async () => {
      await ranker[Symbol.asyncDispose]();
      await db.close();
    },
  };
}

/** Discovers use cases, then ranks for them, so that the new classifier is published with its rankings. */
export async function analyzeAndRank(
  bench: Pick<Workbench, 'analyzer' | 'ranker' | 'config' | 'db'>,
  timeframe: string | undefined,
  context: { readonly signal: AbortSignal; readonly onProgress: Progress },
): Promise<Analysis> {
  const previousRunId = await currentRunId(bench.db);
  const window = timeframe ?? bench.config.discovery.timeframe;
  const answer = await bench.analyzer.analyze(window, context);
  context.onProgress('ranking', 0, null);
  await bench.ranker.refreshAll();
  // The run before stays: a gateway that lags behind still labels by it.
  if (answer.runId !== previousRunId) await dropOldRuns(bench.db, [answer.runId, previousRunId]);
  // What is inefficient is asked again: only now is it known whom the ranking lets serve the new use cases.
  const { routingPatterns } = await bench.analyzer.patterns(window);
  return { ...answer, routingPatterns };
}

/** Judges a sample of answers, then ranks, so that what was learnt counts at once. */
export async function judgeAndRank(
  bench: Pick<Workbench, 'judge' | 'ranker'>,
  task: JudgeTask,
): Promise<JudgeReport> {
  const report = await bench.judge.run(task);
  if (report.scoredCount > 0) await bench.ranker.refreshAll();
  return report;
}

/** What each kind of signal is worth against explicit ratings. */
export async function signalsOf(
  bench: Pick<Workbench, 'db' | 'ranker' | 'clock'>,
  asked: SignalsQuestion,
): Promise<SignalsAnswer> {
  return await signalsReport(bench, asked);
}

export type PolicyTask = Omit<PolicyQuestion, 'window' | 'useCases'> &
  TimeframeQuery & {
    /** As `ranking.useCases` of the configuration; not looked at yet. */
    readonly useCases?: unknown;
  };

/** What a policy would have come to on the logged decisions of `auto`; the last 30 days when nothing is said. */
export async function evaluateWith(
  { db, prices, policies, config, clock }: Workbench,
  { policy, useCases, rankingVersion, decisionsMax, ...asked }: PolicyTask,
): Promise<PolicyEvaluation> {
  return await evaluatePolicy(
    { db, prices, policies, defaultModel: config.defaultModel },
    {
      policy,
      rankingVersion,
      decisionsMax,
      useCases: useCases === undefined ? undefined : parseUseCaseSettings(useCases),
      window: parseTimeframe(asked, clock(), '30 days'),
    },
  );
}

export type DryRunTask = TimeframeQuery & {
  /** As `routingRules` of the configuration, not looked at yet; left out: those in use. */
  readonly rules?: unknown;
  readonly decisionsMax?: number | undefined;
  /** What the providers offer now, where somebody asked them. */
  readonly catalog?: ModelCatalog | undefined;
};

/** What routing rules would have changed of the logged decisions; of the last 7 days when nothing is said. */
export async function dryRunWith(
  bench: Workbench,
  { rules, decisionsMax, catalog, ...asked }: DryRunTask,
): Promise<RulesDryRun> {
  const { db, prices, policies, config, clock } = bench;
  const localIds = new Set(
    config.providers.filter(({ kind, isLocal }) => isLocal ?? kind === 'ollama').map(({ id }) => id),
  );
  return await dryRunRules(
    {
      db,
      prices,
      policies,
      defaultModel: config.defaultModel,
      catalog: catalog ?? null,
      isLocal: (modelId) => localIds.has(providerOf(modelId)),
    },
    {
      rules: rules === undefined ? (await readRules(bench)).rules : parseRoutingRules(rules),
      window: parseTimeframe(asked, clock(), '7 days'),
      decisionsMax,
    },
  );
}

export interface ImportTask {
  readonly isDryRun?: boolean | undefined;
  /** Where refused lines go; beside the journal when left out. */
  readonly rejectFile?: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: Progress;
}

/** Takes past requests from a file into the log, classified by the hand-written rules, else by the last published snapshot. */
export async function importWith(bench: Workbench, file: string, task: ImportTask): Promise<ImportReport> {
  const { config, db, prices } = bench;
  return importFile(file, {
    sink: {
      insertLines: (table, lines, token) => db.insertLines(table, lines, token),
      existingRequestIds: (requestIds) => existingRequestIds(db, requestIds),
    },
    snapshot: (await db.latestSnapshot()) ?? starterSnapshot(),
    useCaseRules: config.useCaseRules,
    prices,
    canonicalId: canonicalModelName,
    keepTexts: config.privacy.keepTexts,
    rejectFile: task.rejectFile ?? path.join(config.dataDir, `${path.basename(file)}.rejected.jsonl`),
    isDryRun: task.isDryRun,
    signal: task.signal,
    onProgress: task.onProgress,
  });
}

export type BacktestTask = Omit<BacktestOptions, 'embedder' | 'lambdas'> & {
  readonly lambdas: BacktestOptions['lambdas'] | 'frontier';
};

/** Backtests a file of outcomes with the configured embedder; opens no store. */
export async function backtestWith(
  { config, secrets }: LoadedConfig,
  file: string,
  { lambdas, ...task }: BacktestTask,
): Promise<Backtest> {
  const matrix = await readOutcomeFile(file, task);
  const embedder = await openEmbedder(embedderChoiceOf(config.discovery.embedder, secrets.embedderKey));
  return backtest(matrix, { ...task, embedder, lambdas: lambdas === 'frontier' ? FRONTIER : lambdas });
}

function serverOf(config: Config, secrets: Secrets, url: string): Parameters<typeof openDatabase>[0] {
  return {
    url,
    username: config.clickhouse.username,
    database: config.clickhouse.database,
    ...(secrets.clickhousePassword === null ? {} : { password: secrets.clickhousePassword }),
  };
}

/** @throws {TallyrankError} `bad_config` when no provider of that id is configured */
function judgeModelOf({ config, secrets }: LoadedConfig): JudgeModel | null {
  const { model } = config.judge;
  if (model === null) return null;
  const choice = completionChoiceOf(model, config.providers, secrets.providerKeys, 'judge.model');
  const provider = config.providers.find(({ id }) => id === providerOf(model));
  return { modelId: model, choice, isLocal: provider?.isLocal ?? choice.kind === 'ollama' };
}
