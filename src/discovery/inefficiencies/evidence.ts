import type { PolicyBook } from '../../core/policy.ts';
import type { RankedModel } from '../../core/snapshot.ts';
import type { EvidenceRow } from '../../store/queries/ranking-evidence.ts';
import type { OversizedContextRow } from '../../store/queries/waste/contexts.ts';
import type { DuplicateRow } from '../../store/queries/waste/duplicates.ts';
import type { FailedAttemptRow } from '../../store/queries/waste/failed-attempts.ts';
import type { FailureRow } from '../../store/queries/waste/failures.ts';
import type { RetryRow } from '../../store/queries/waste/retries.ts';
import type { TokenCostRow } from '../../store/queries/waste/token-costs.ts';
import type { WasteScope } from '../../store/queries/waste/waste-scope.ts';

/** What people said of a model in a use case, each 0..1. */
export interface RatingRow {
  readonly useCase: string;
  readonly modelId: string;
  readonly feedbackCount: number;
  readonly feedbackSum: number;
  readonly feedbackSquareSum: number;
}

/** Of a published ranking, whom it lets serve. */
export interface JudgedUseCase {
  readonly useCase: string;
  readonly models: readonly Pick<RankedModel, 'modelId' | 'hasEnoughEvidence' | 'isCandidate'>[];
}

/** What findings need of a model's record in a use case. */
export type ModelRecord = Pick<
  EvidenceRow,
  | 'useCase'
  | 'modelId'
  | 'requestCount'
  | 'successCount'
  | 'failureCount'
  | 'pricedCount'
  | 'costSumUsd'
  | 'costSquareSum'
>;

/** All that findings are made of, and where it was read. */
export interface InefficiencyEvidence {
  readonly scope: WasteScope;
  /** By which `auto` chooses: what is not worse by its margins is not worse here. */
  readonly policies: Pick<PolicyBook, 'policyOf'>;
  readonly rows: readonly ModelRecord[];
  /** May hold several rows of a model in a use case. */
  readonly ratings: readonly RatingRow[];
  /** The published rankings of the same run, where there are any: what they refuse is not suggested. */
  readonly rankings: readonly JudgedUseCase[];
  readonly retries: readonly RetryRow[];
  readonly duplicates: readonly DuplicateRow[];
  readonly contexts: readonly OversizedContextRow[];
  readonly tokenCosts: readonly TokenCostRow[];
  readonly failures: readonly FailureRow[];
  readonly attempts: readonly FailedAttemptRow[];
}

/** Requests that count for or against the model. */
export function counted(row: ModelRecord): number {
  return row.successCount + row.failureCount;
}

export function costMeanUsd(row: ModelRecord): number | null {
  return row.pricedCount === 0 ? null : row.costSumUsd / row.pricedCount;
}

/** Stands for all use cases together. */
export const OVERALL = '*';

/** Each model over all use cases. */
export function overallRows(rows: readonly ModelRecord[]): ModelRecord[] {
  const byModel = new Map<string, ModelRecord>();
  for (const row of rows) {
    const known = byModel.get(row.modelId);
    byModel.set(row.modelId, known ? addRows(known, row) : { ...row, useCase: OVERALL });
  }
  return [...byModel.values()];
}

/** Requests of a model in the window's whole hours; what a habit is measured against. */
export function requestsOf(rows: readonly ModelRecord[], modelId: string): number {
  return rows.reduce((sum, row) => sum + (row.modelId === modelId ? row.requestCount : 0), 0);
}

function addRows(a: ModelRecord, b: ModelRecord): ModelRecord {
  return {
    ...a,
    requestCount: a.requestCount + b.requestCount,
    successCount: a.successCount + b.successCount,
    failureCount: a.failureCount + b.failureCount,
    pricedCount: a.pricedCount + b.pricedCount,
    costSumUsd: a.costSumUsd + b.costSumUsd,
    costSquareSum: a.costSquareSum + b.costSquareSum,
  };
}
