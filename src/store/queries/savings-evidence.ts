import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import type { EvidenceScope } from './ranking-evidence.ts';

/** What one model was paid in one use case. */
export interface SavingsEvidenceRow {
  readonly useCase: string;
  readonly modelId: string;
  readonly requestCount: number;
  /** Requests whose price is known. */
  readonly pricedCount: number;
  readonly costSumUsd: number;
}

const SAVINGS_SQL = `
SELECT
  use_case AS useCase,
  model_id AS modelId,
  sum(request_count) AS requestCount,
  sum(priced_count) AS pricedCount,
  sum(cost_sum_usd) AS costSumUsd
FROM usage_hourly
WHERE run_id = {runId:String}
  AND hour >= toStartOfHour({from:DateTime64(3, 'UTC')})
  AND hour < {to:DateTime64(3, 'UTC')}
GROUP BY useCase, modelId
ORDER BY useCase, modelId`;

/** How many requests did each model answer per use case, and for how much? Reads the hourly roll-up of one run. */
export async function readSavingsEvidence(db: Database, scope: EvidenceScope): Promise<SavingsEvidenceRow[]> {
  const rows = await db.query<SavingsEvidenceRow>(SAVINGS_SQL, {
    runId: scope.runId,
    from: storedMoment(scope.from.getTime()),
    to: storedMoment(scope.to.getTime()),
  });
  return rows.map((row) => ({
    useCase: row.useCase,
    modelId: row.modelId,
    requestCount: Number(row.requestCount),
    pricedCount: Number(row.pricedCount),
    costSumUsd: Number(row.costSumUsd),
  }));
}
