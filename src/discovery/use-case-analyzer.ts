import { LinearClassifier } from '../core/linear-classifier.ts';
import type { Logger, Progress } from '../core/log.ts';
import { classifiedText, type PromptMessage, toPromptText } from '../core/prompt-text.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { parseTimeframe, type Timeframe } from '../core/timeframe.ts';
import { OTHER_USE_CASE, STARTER_RUN_ID, type UseCase } from '../core/use-case.ts';
import type { Database } from '../store/database.ts';
import {
  type DiscoveryRun,
  readActiveRun,
  readUseCaseShares,
  type UseCaseShare,
} from '../store/queries/discovery-runs.ts';
import { readDistinctPrompts, readRepeatedPrompts } from '../store/queries/distinct-prompts.ts';
import {
  type EvidenceRow,
  readQualityEvidence,
  readRankingEvidence,
} from '../store/queries/ranking-evidence.ts';
import { readClassifierBytes, readUseCasesOfRun } from '../store/queries/snapshots.ts';
import type { Embedder } from './embedders/embedder.ts';
import { type EmbedderChoice, openEmbedder } from './embedders/open-embedder.ts';
import { findInefficiencies, type Inefficiency } from './inefficiencies.ts';
import { DISTINCT_PROMPTS_MIN, type DiscoveryReport, runDiscovery } from './pipeline.ts';
import { canRunInWorker, runDiscoveryInWorker } from './worker.ts';

/** A use case in the answer's words; the names are the original's and part of the public surface. */
export interface UseCaseCategory {
  readonly categoryName: string;
  readonly categorySlug: string;
  /** Requests of the window. */
  readonly sampleCount: number;
  readonly distinctPromptCount: number;
  /** Share of the window's requests, 0..1. */
  readonly share: number;
  readonly examplePrompts: readonly string[];
  readonly keywords: readonly string[];
  /** Most used first. */
  readonly modelsUsed: readonly string[];
  /** Characters; null when nothing was seen. */
  readonly typicalLength: number | null;
  /** Mean of successful requests; null without any. */
  readonly typicalResponseTimeMs: number | null;
}

export interface ModelUsage {
  readonly requestCount: number;
  readonly share: number;
  readonly costUsd: number | null;
  readonly avgCost: number | null;
  readonly successRate: number | null;
  /** Requests per use case. */
  readonly useCases: Readonly<Record<string, number>>;
}

export interface AnalysisReport extends Partial<DiscoveryReport> {
  readonly timeframe: string;
  readonly from: string;
  readonly to: string;
  readonly requestCount: number;
  readonly distinctPromptCount: number;
  readonly note: string | null;
}

export interface Analysis {
  /** The run whose use cases these are; "starter" before the first run. */
  readonly runId: string;
  readonly categories: readonly UseCaseCategory[];
  readonly routingPatterns: {
    readonly byModel: Readonly<Record<string, ModelUsage>>;
    readonly inefficiencies: readonly Inefficiency[];
  };
  readonly report: AnalysisReport;
}

export interface UseCaseAnalyzerOptions {
  readonly db: Database;
  /** What embeds prompts; default the offline table. An `Embedder` of one's own keeps the run in this thread. */
  readonly embedder?: EmbedderChoice | Embedder | undefined;
  readonly logger?: Logger | undefined;
  /** The same prompts and seed give the same use cases. */
  readonly seed?: number | undefined;
  /** Default true where possible: a run is seconds of computation. */
  readonly inWorker?: boolean | undefined;
  readonly clock?: (() => number) | undefined;
  /** Distinct prompts that are clustered at most. */
  readonly sampleMax?: number | undefined;
}

export interface AnalyzeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

const SEED = 1;
/** Prompts that keywords are counted on when there is no run; a sample of more says the same. */
const KEYWORD_SAMPLE_MAX = 5_000;
const STARTER_EXAMPLES_MAX = 5;
const REPEATS_MIN = 5;
/** How long `classifyPrompt` trusts the classifier it has before it asks whether there is a newer one. */
const CLASSIFIER_AGE_MAX_MS = 30_000;

/** What people ask: discovers use cases from the log, and says which use case a prompt is. */
export class UseCaseAnalyzer {
  readonly #db: Database;
  readonly #options: UseCaseAnalyzerOptions;
  readonly #clock: () => number;
  #classifier: { readonly runId: string; readonly classifier: Snapshot['classifier'] };
  #checkedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: UseCaseAnalyzerOptions) {
    this.#db = options.db;
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
    this.#classifier = { runId: STARTER_RUN_ID, classifier: starterSnapshot().classifier };
  }

  /**
   * Discovers the use cases of the window, makes them the current ones, and answers with them. With fewer than
   * fifty distinct prompts there is no new run: the answer has the current use cases and says why.
   *
   * @throws {TallyrankError} `bad_timeframe`, `cancelled`, `store_unavailable`
   */
  async analyze(timeframe: string | Timeframe = '1 week', options: AnalyzeOptions = {}): Promise<Analysis> {
    const window = this.#window(timeframe);
    const run = await this.#discover(window, options);
    this.#checkedAtMs = Number.NEGATIVE_INFINITY;
    const note =
      run === null
        ? `Fewer than ${DISTINCT_PROMPTS_MIN} distinct prompts in ${window.label}: no new use cases were discovered; these are the ${(await readActiveRun(this.#db)) === null ? 'starter use cases, by keywords' : 'current ones'}.`
        : null;
    this.#options.logger?.info(
      {
        runId: run?.runId ?? null,
        useCaseCount: run?.useCaseCount ?? null,
        requestCount: run?.requestCount ?? null,
      },
      'use cases analysed',
    );
    return this.#answer(window, note, options.signal);
  }

  /** The same answer from the current use cases, without a new run. */
  async patterns(timeframe: string | Timeframe = '1 week', options: AnalyzeOptions = {}): Promise<Analysis> {
    return this.#answer(this.#window(timeframe), null, options.signal);
  }

  /** Slug of the use case that a prompt (or a conversation's last user turns) belongs to. */
  async classifyPrompt(prompt: string | readonly PromptMessage[]): Promise<string> {
    const { classifier } = await this.#currentClassifier();
    return classifier.classify(classifiedText(toPromptText(prompt))).useCase;
  }

  #window(timeframe: string | Timeframe): Timeframe {
    return typeof timeframe === 'string' ? parseTimeframe(timeframe, this.#clock()) : timeframe;
  }

  async #discover(
    timeframe: Timeframe,
    { signal, onProgress }: AnalyzeOptions,
  ): Promise<DiscoveryRun | null> {
    const { embedder = { kind: 'distilled' }, seed = SEED, inWorker = true, sampleMax } = this.#options;
    if (!isEmbedder(embedder) && inWorker && canRunInWorker()) {
      const task = { connection: this.#db.connection, embedder, timeframe, seed, sampleMax };
      return await runDiscoveryInWorker(task, { signal, onProgress });
    }
    const opened = isEmbedder(embedder) ? embedder : await openEmbedder(embedder);
    const common = { db: this.#db, embedder: opened, timeframe, seed, clock: this.#clock };
    return await runDiscovery({ ...common, signal, onProgress, sampleMax });
  }

  async #currentClassifier(): Promise<{ runId: string; classifier: Snapshot['classifier'] }> {
    const nowMs = this.#clock();
    if (nowMs - this.#checkedAtMs < CLASSIFIER_AGE_MAX_MS) return this.#classifier;
    const runId = (await readActiveRun(this.#db))?.runId ?? STARTER_RUN_ID;
    if (runId !== this.#classifier.runId) {
      const bytes = await readClassifierBytes(this.#db, runId);
      const classifier = bytes === null ? starterSnapshot().classifier : LinearClassifier.decode(bytes);
      this.#classifier = { runId, classifier };
    }
    this.#checkedAtMs = nowMs;
    return this.#classifier;
  }

  async #answer(window: Timeframe, note: string | null, signal: AbortSignal | undefined): Promise<Analysis> {
    const db = this.#db;
    const run = await readActiveRun(db);
    const runId = run?.runId ?? STARTER_RUN_ID;
    const scope = { runId, from: window.from, to: window.to };
    const [rows, quality, repeated, shares] = await Promise.all([
      readRankingEvidence(db, scope),
      readQualityEvidence(db, scope),
      readRepeatedPrompts(db, { ...window, signal, repeatsMin: REPEATS_MIN }),
      readUseCaseShares(db, scope),
    ]);
    const useCases = run === null ? await this.#starterUseCases(window) : await readUseCasesOfRun(db, runId);
    return {
      runId,
      categories: toCategories(useCases, rows, shares),
      routingPatterns: {
        byModel: usageByModel(rows),
        inefficiencies: findInefficiencies({ rows, feedback: sumFeedback(quality), repeated }),
      },
      report: {
        ...(run === null ? {} : (run.report as DiscoveryReport)),
        timeframe: window.label,
        from: window.from.toISOString(),
        to: window.to.toISOString(),
        requestCount: rows.reduce((sum, row) => sum + row.requestCount, 0),
        distinctPromptCount: shares.reduce((sum, share) => sum + share.promptCount, 0),
        note:
          note ??
          (run === null ? 'No discovery run yet: these are the starter use cases, by keywords.' : null),
      },
    };
  }

  /** Without a run, the examples come from the window's prompts by keywords. */
  async #starterUseCases(window: Timeframe): Promise<UseCase[]> {
    const prompts = await readDistinctPrompts(this.#db, { ...window, limit: KEYWORD_SAMPLE_MAX });
    const { useCases, classifier } = starterSnapshot();
    const examples = new Map<string, string[]>();
    for (const prompt of prompts) {
      const { useCase } = classifier.classify(classifiedText(prompt));
      const known = examples.get(useCase) ?? [];
      if (known.length < STARTER_EXAMPLES_MAX) examples.set(useCase, [...known, prompt.prompt.slice(0, 240)]);
    }
    return [...useCases, OTHER].map((useCase) => ({
      ...useCase,
      examplePrompts: examples.get(useCase.slug) ?? [],
    }));
  }
}

const OTHER: UseCase = {
  slug: OTHER_USE_CASE,
  name: 'Other',
  keywords: [],
  examplePrompts: [],
  sampleCount: 0,
  distinctPromptCount: 0,
  typicalLength: null,
};

/** Use cases that the window saw, most requests first. */
function toCategories(
  useCases: readonly UseCase[],
  rows: readonly EvidenceRow[],
  shares: readonly UseCaseShare[],
): UseCaseCategory[] {
  const total = rows.reduce((sum, row) => sum + row.requestCount, 0);
  const known = useCases.some(({ slug }) => slug === OTHER_USE_CASE) ? useCases : [...useCases, OTHER];
  return known
    .map((useCase) => {
      const own = rows.filter((row) => row.useCase === useCase.slug);
      const share = shares.find((entry) => entry.useCase === useCase.slug);
      const sampleCount = own.reduce((sum, row) => sum + row.requestCount, 0);
      const latencyCount = own.reduce((sum, row) => sum + row.latencyCount, 0);
      const latencySumMs = own.reduce((sum, row) => sum + row.latencySumMs, 0);
      return {
        categoryName: useCase.name,
        categorySlug: useCase.slug,
        sampleCount,
        distinctPromptCount: share?.promptCount ?? 0,
        share: total === 0 ? 0 : sampleCount / total,
        examplePrompts: useCase.examplePrompts,
        keywords: useCase.keywords,
        modelsUsed: own.toSorted((a, b) => b.requestCount - a.requestCount).map(({ modelId }) => modelId),
        typicalLength: share?.typicalLength ?? useCase.typicalLength,
        typicalResponseTimeMs: latencyCount === 0 ? null : latencySumMs / latencyCount,
      };
    })
    .filter(({ sampleCount }) => sampleCount > 0)
    .sort((a, b) => b.sampleCount - a.sampleCount || (a.categorySlug < b.categorySlug ? -1 : 1));
}

function usageByModel(rows: readonly EvidenceRow[]): Record<string, ModelUsage> {
  const total = rows.reduce((sum, row) => sum + row.requestCount, 0);
  const usage: Record<string, ModelUsage> = {};
  for (const modelId of new Set(rows.map((row) => row.modelId))) {
    const own = rows.filter((row) => row.modelId === modelId);
    const sum = (pick: (row: EvidenceRow) => number): number => own.reduce((all, row) => all + pick(row), 0);
    const requestCount = sum((row) => row.requestCount);
    const pricedCount = sum((row) => row.pricedCount);
    const costUsd = pricedCount === 0 ? null : sum((row) => row.costSumUsd);
    const countedCount = sum((row) => row.successCount + row.failureCount);
    usage[modelId] = {
      requestCount,
      share: requestCount / total,
      costUsd,
      avgCost: costUsd === null ? null : costUsd / pricedCount,
      successRate: countedCount === 0 ? null : sum((row) => row.successCount) / countedCount,
      useCases: Object.fromEntries(own.map((row) => [row.useCase, row.requestCount])),
    };
  }
  return usage;
}

function sumFeedback(
  rows: readonly { useCase: string; modelId: string; feedbackCount: number; feedbackSum: number }[],
): { useCase: string; modelId: string; feedbackCount: number; feedbackSum: number }[] {
  const sums = new Map<
    string,
    { useCase: string; modelId: string; feedbackCount: number; feedbackSum: number }
  >();
  for (const { useCase, modelId, feedbackCount, feedbackSum } of rows) {
    const key = `${useCase}\n${modelId}`;
    const known = sums.get(key);
    sums.set(key, {
      useCase,
      modelId,
      feedbackCount: feedbackCount + (known?.feedbackCount ?? 0),
      feedbackSum: feedbackSum + (known?.feedbackSum ?? 0),
    });
  }
  return [...sums.values()];
}

function isEmbedder(embedder: EmbedderChoice | Embedder): embedder is Embedder {
  return 'embed' in embedder;
}
