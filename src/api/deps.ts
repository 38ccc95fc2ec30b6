import type { EventBus } from '../core/events.ts';
import type { ModelCatalog } from '../core/model-catalog.ts';
import type { PriceBook } from '../core/price-book.ts';
import type { UseCaseAnalyzer } from '../discovery/use-case-analyzer.ts';
import type { Judge, JudgeTask } from '../evaluation/judge.ts';
import type { PolicyEvaluation } from '../evaluation/off-policy-report.ts';
import type { ModelRanker } from '../ranking/model-ranker.ts';
import type { RefreshAnswer } from '../ranking/refresh-answer.ts';
import type { Exploration } from '../routing/exploration.ts';
import type { RoutingEngine } from '../routing/routing-engine.ts';
import type { SnapshotSource } from '../routing/snapshot-holder.ts';
import type { Database } from '../store/database.ts';
import type { UsageTracker } from '../tracker/usage-tracker.ts';
import type { EvaluateBody } from './contract-evaluate.ts';
import type { Job, JobBoard } from './jobs.ts';

/** State of a provider as the API shows it; who runs the gateway hands it in. */
export interface ProviderState {
  readonly id: string;
  readonly kind: string;
  readonly isUp: boolean | null;
  readonly checkedAtMs: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly modelCount: number;
}

/** What the endpoints look in on. */
export interface ApiDeps {
  readonly db: Database;
  readonly tracker: UsageTracker;
  readonly analyzer: UseCaseAnalyzer;
  readonly ranker: ModelRanker;
  readonly judge: Judge;
  readonly router: RoutingEngine;
  readonly exploration: Exploration;
  readonly snapshots: SnapshotSource;
  readonly jobs: JobBoard;
  readonly events: EventBus;
  readonly prices: PriceBook;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  catalog(): ModelCatalog;
  providerHealth(): readonly ProviderState[];
  startAnalysis(timeframe: string | undefined): Job;
  startJudging(task: Omit<JudgeTask, 'signal' | 'onProgress'>): Job;
  /** @throws {TallyrankError} `bad_request` for settings that are none */
  evaluatePolicy(question: EvaluateBody): Promise<PolicyEvaluation>;
  refreshRankings(): Promise<RefreshAnswer>;
  /** Uses at once what was published, and not only at the next poll. */
  followRankings(): Promise<void>;
}
