import { LinearClassifier } from '../core/linear-classifier.ts';
import type { Logger, Progress } from '../core/log.ts';
import { PolicyBook } from '../core/policy.ts';
import { classifiedText, type PromptMessage, toPromptText } from '../core/prompt-text.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { canRunInThread } from '../core/thread-messages.ts';
import { parseTimeframe, type Timeframe } from '../core/timeframe.ts';
import { STARTER_RUN_ID } from '../core/use-case.ts';
import { type UseCaseRule, UseCaseRules } from '../core/use-case-rules.ts';
import type { Database } from '../store/database.ts';
import { type DiscoveryRun, readActiveRun } from '../store/queries/discovery-runs.ts';
import { readClassifierBytes } from '../store/queries/snapshots.ts';
import { applyEdits } from './edits/apply-edits.ts';
import { UseCaseDirectory } from './edits/use-case-directory.ts';
import type { Embedder } from './embedders/embedder.ts';
import type { EmbedderChoice } from './embedders/open-embedder.ts';
import { InefficiencyMemory } from './inefficiencies/inefficiency-memory.ts';
import type { CompletionChoice } from './naming/complete-chat.ts';
import { namerOf } from './naming/name-by-model.ts';
import { type Analysis, readAnalysis } from './patterns.ts';
import { DISTINCT_PROMPTS_MIN, embedderOptions, runDiscovery } from './pipeline.ts';
import { applyEditsInWorker, runDiscoveryInWorker } from './worker.ts';

export interface UseCaseAnalyzerOptions {
  readonly db: Database;
  /** What embeds prompts; default the offline table. An `Embedder` of one's own keeps the run in this thread. */
  readonly embedder?: EmbedderChoice | Embedder | undefined;
  /** Chat model that words names and descriptions from redacted samples; left out: words alone make them. */
  readonly namingModel?: CompletionChoice | undefined;
  readonly logger?: Logger | undefined;
  /** The same prompts and seed give the same use cases. */
  readonly seed?: number | undefined;
  /** Default true where possible: a run is seconds of computation. */
  readonly inWorker?: boolean | undefined;
  readonly clock?: (() => number) | undefined;
  /** Distinct prompts that are clustered at most. */
  readonly sampleMax?: number | undefined;
  /** Hand-written use cases, as the gateway has them. */
  readonly useCaseRules?: readonly UseCaseRule[] | undefined;
  /** By whose margins and evidence a cheaper model is not worse; default: the presets as they are. */
  readonly policies?: PolicyBook | undefined;
}

export interface AnalyzeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

const SEED = 1;
/** How long `classifyPrompt` trusts the classifier it has before it asks whether there is a newer one. */
const CLASSIFIER_AGE_MAX_MS = 30_000;

/** What people ask: discovers use cases from the log, and says which use case a prompt is. */
export class UseCaseAnalyzer {
  /** The use cases one by one, and what an operator may do to them. */
  readonly directory: UseCaseDirectory;
  readonly #db: Database;
  readonly #options: UseCaseAnalyzerOptions;
  readonly #clock: () => number;
  readonly #useCaseRules: UseCaseRules;
  readonly #inefficiencies: InefficiencyMemory;
  #classifier: { readonly runId: string; readonly classifier: Snapshot['classifier'] };
  #checkedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: UseCaseAnalyzerOptions) {
    this.#db = options.db;
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
    this.#useCaseRules = new UseCaseRules(options.useCaseRules);
    this.#inefficiencies = new InefficiencyMemory(this.#clock, options.policies ?? new PolicyBook());
    this.#classifier = { runId: STARTER_RUN_ID, classifier: starterSnapshot().classifier };
    this.directory = new UseCaseDirectory({
      db: this.#db,
      clock: this.#clock,
      useCaseRules: options.useCaseRules ?? [],
      applyEdits: (context) => this.#applyEdits(context),
    });
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
    return this.#answer(window, note, options);
  }

  /** The same answer from the current use cases, without a new run. */
  async patterns(timeframe: string | Timeframe = '1 week', options: AnalyzeOptions = {}): Promise<Analysis> {
    return this.#answer(this.#window(timeframe), null, options);
  }

  /**
   * Slug of the use case that a prompt (or a conversation's last user turns) belongs to. Of the hand-written rules
   * only those can hold that look at nothing but the text.
   */
  async classifyPrompt(prompt: string | readonly PromptMessage[]): Promise<string> {
    const text = toPromptText(prompt);
    const ruled = this.#useCaseRules.match(text);
    if (ruled !== null) return ruled.useCase;
    const { classifier } = await this.#currentClassifier();
    return classifier.classify(classifiedText(text)).useCase;
  }

  #answer(window: Timeframe, note: string | null, { signal }: AnalyzeOptions): Promise<Analysis> {
    return readAnalysis(this.#db, window, { note, signal, inefficiencies: this.#inefficiencies });
  }

  #window(timeframe: string | Timeframe): Timeframe {
    return typeof timeframe === 'string' ? parseTimeframe(timeframe, this.#clock()) : timeframe;
  }

  async #discover(
    timeframe: Timeframe,
    { signal, onProgress }: AnalyzeOptions,
  ): Promise<DiscoveryRun | null> {
    const { embedder = { kind: 'distilled' }, namingModel, logger, seed = SEED } = this.#options;
    const { inWorker = true, sampleMax } = this.#options;
    if (!isEmbedder(embedder) && inWorker && canRunInThread()) {
      const task = { connection: this.#db.connection, embedder, namingModel, timeframe, seed, sampleMax };
      return await runDiscoveryInWorker(task, { logger, signal, onProgress });
    }
    return await runDiscovery({
      ...(await embedderOptions(embedder)),
      nameBy: namerOf(namingModel, { signal, logger }),
      db: this.#db,
      timeframe,
      seed,
      clock: this.#clock,
      signal,
      onProgress,
      sampleMax,
    });
  }

  async #applyEdits({ signal, onProgress }: AnalyzeOptions): Promise<DiscoveryRun | null> {
    const { seed = SEED, inWorker = true, sampleMax } = this.#options;
    this.#checkedAtMs = Number.NEGATIVE_INFINITY;
    if (inWorker && canRunInThread()) {
      const task = { connection: this.#db.connection, seed, sampleMax };
      return await applyEditsInWorker(task, { signal, onProgress });
    }
    return await applyEdits({ db: this.#db, seed, clock: this.#clock, signal, onProgress, sampleMax });
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
}

function isEmbedder(embedder: EmbedderChoice | Embedder): embedder is Embedder {
  return 'embed' in embedder;
}
