import type { EventBus } from '../core/events.ts';
import type { ModelCatalog } from '../core/model-catalog.ts';
import type { PriceBook } from '../core/price-book.ts';
import type { KeptRules } from '../core/routing-rules.ts';
import type { UseCaseAnalyzer } from '../discovery/use-case-analyzer.ts';
import type { AbTestBook } from '../evaluation/ab-tests.ts';
import type { Judge, JudgeTask } from '../evaluation/judge.ts';
import type { PolicyEvaluation } from '../evaluation/off-policy-report.ts';
import type { RulesDryRun } from '../evaluation/rules-dry-run.ts';
import type { ModelRanker } from '../ranking/model-ranker.ts';
import type { RefreshAnswer } from '../ranking/refresh-answer.ts';
import type { Exploration } from '../routing/exploration.ts';
import type { RoutingEngine } from '../routing/routing-engine.ts';
import type { SnapshotSource } from '../routing/snapshot-holder.ts';
import type { Database } from '../store/database.ts';
import type { UsageTracker } from '../tracker/usage-tracker.ts';
import type { Answers } from './answers.ts';
import type { CacheState } from './contract-cache.ts';
import type { EvaluateBody } from './contract-evaluate.ts';
import type { DryRunBody } from './contract-rules.ts';
import type { Job, JobBoard } from './jobs.ts';

/** State of a provider as the API shows it; who runs the gateway hands it in. */
export interface ProviderState {
  readonly id: string;
  readonly kind: string;
  readonly isUp: boolean | null;
  readonly checkedAtMs: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly modelCount: number;
  /** Its models that are left alone for now, and until when (milliseconds since 1970). */
  readonly openCircuits: readonly {
    readonly modelId: string;
    readonly state: string;
    readonly probeAtMs: number;
  }[];
}

/** What the endpoints look in on. */
export interface ApiDeps {
  readonly db: Database;
  /** What is read from the store or computed of rankings, without holding up requests. */
  readonly answers: Answers;
  readonly tracker: UsageTracker;
  readonly analyzer: UseCaseAnalyzer;
  readonly ranker: ModelRanker;
  readonly judge: Judge;
  readonly abTests: AbTestBook;
  readonly router: RoutingEngine;
  readonly exploration: Exploration;
  readonly snapshots: SnapshotSource;
  readonly jobs: JobBoard;
  readonly events: EventBus;
  readonly prices: PriceBook;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly cache: {
    /** null: switched off. */
    state(): CacheState | null;
    /** @returns how many answers were forgotten */
    empty(): number;
  };
  catalog(): ModelCatalog;
  providerHealth(): readonly ProviderState[];
  startAnalysis(timeframe: string | undefined): Job;
  startJudging(task: Omit<JudgeTask, 'signal' | 'onProgress'>): Job;
  /** @throws {TallyrankError} `bad_request` for settings that are none */
  evaluatePolicy(question: EvaluateBody): Promise<PolicyEvaluation>;
  /** The operator's rules in use. */
  rules(): KeptRules;
  /**
   * Replaces them, here at once and elsewhere within seconds; null goes back to the configuration's.
   *
   * @throws {TallyrankError} `bad_request` with every fault
   */
  setRules(rules: unknown): Promise<void>;
  /** @throws {TallyrankError} `bad_request` for rules that are none */
  dryRunRules(question: DryRunBody): Promise<RulesDryRun>;
  /** Routes by the A/B tests of the store at once, and not only at the next poll. */
  followAbTests(): Promise<void>;
  refreshRankings(): Promise<RefreshAnswer>;
  /** Uses at once what was published, and not only at the next poll. */
  followRankings(): Promise<void>;
}
