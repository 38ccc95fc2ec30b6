import type { ErrorCode } from '../../../core/errors.ts';
import type { Database } from '../../database.ts';
import { rowsUnderRun } from '../../rows-under-run.ts';
import type { StoredQuery } from '../stored-query.ts';
import { toNumberOrNull, type WasteFilter, type WasteScope, windowParams } from './waste-scope.ts';

/** Failed requests of one model in one use case, timeouts apart. */
export interface FailureRow {
  readonly useCase: string;
  readonly modelId: string;
  readonly isTimeout: boolean;
  readonly requestCount: number;
  readonly pricedCount: number;
  /** Of the priced ones; null without any. */
  readonly costUsd: number | null;
  /** Requests whose latency is known, and its sum: people waited so long for nothing. */
  readonly waitedCount: number;
  readonly waitedMs: number | null;
}

const TIMEOUT_CODE: ErrorCode = 'upstream_timeout';

const FAILED = `started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
      AND NOT success AND fault IN ('provider', 'model')
      AND ({modelId:String} = '' OR model_id = {modelId:String})`;

const FAILED_ROWS = rowsUnderRun({
  columns: ['model_id', 'error_code', 'status_code', 'cost_usd', 'latency_ms'],
  where: FAILED,
  assignedWhere: FAILED,
});

const FAILURES_SQL = `
SELECT
  failed.use_case AS useCase,
  failed.model_id AS modelId,
  error_code = {timeoutCode:String} OR ifNull(status_code IN (408, 504), false) AS isTimeout,
  count() AS requestCount,
  countIf(cost_usd IS NOT NULL) AS pricedCount,
  sumOrNull(cost_usd) AS costUsd,
  countIf(latency_ms >= 0) AS waitedCount,
  sumOrNullIf(latency_ms, latency_ms >= 0) AS waitedMs
FROM ${FAILED_ROWS} AS failed
WHERE {useCase:String} = '' OR failed.use_case = {useCase:String}
GROUP BY useCase, modelId, isTimeout
ORDER BY requestCount DESC, useCase, modelId, isTimeout
LIMIT 10000`;

export function failuresQuery(scope: WasteScope, filter: WasteFilter = {}): StoredQuery {
  return {
    sql: FAILURES_SQL,
    params: {
      ...windowParams(scope, filter),
      run: scope.runId,
      useCase: filter.useCase ?? '',
      timeoutCode: TIMEOUT_CODE,
    },
  };
}

/**
 * What did requests cost that failed by the model's or the provider's fault, and how long did people wait for
 * them? Reads the failed rows of the window, and the run's assignments of their prompts; memory grows with the
 * number of those.
 */
export async function readFailures(db: Database, scope: WasteScope): Promise<FailureRow[]> {
  const { sql, params } = failuresQuery(scope);
  const rows = await db.query<FailureRow>(sql, params, { signal: scope.signal });
  return rows.map((row) => ({
    useCase: row.useCase,
    modelId: row.modelId,
    isTimeout: Boolean(row.isTimeout),
    requestCount: Number(row.requestCount),
    pricedCount: Number(row.pricedCount),
    costUsd: toNumberOrNull(row.costUsd),
    waitedCount: Number(row.waitedCount),
    waitedMs: toNumberOrNull(row.waitedMs),
  }));
}
