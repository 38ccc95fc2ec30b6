import type { Database } from '../../database.ts';
import type { StoredQuery } from '../stored-query.ts';
import { type WasteFilter, type WasteScope, windowParams } from './waste-scope.ts';

/** Attempts of one model that failed with one code before the gateway asked another model. */
export interface FailedAttemptRow {
  readonly modelId: string;
  /** Error code of docs/errors.md; '' where nobody noted it. */
  readonly code: string;
  readonly attemptCount: number;
}

const ATTEMPTS_SQL = `
SELECT
  failed_model_ids[place] AS modelId,
  failed_codes[place] AS code,
  count() AS attemptCount
FROM usage_log
ARRAY JOIN arrayEnumerate(failed_model_ids) AS place
WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
  AND notEmpty(failed_model_ids)
  AND ({modelId:String} = '' OR failed_model_ids[place] = {modelId:String})
GROUP BY modelId, code
ORDER BY attemptCount DESC, modelId, code
LIMIT 1000`;

export function failedAttemptsQuery(scope: WasteScope, filter: WasteFilter = {}): StoredQuery {
  return { sql: ATTEMPTS_SQL, params: windowParams(scope, filter) };
}

/** Which models did the gateway try in vain, and why? Reads two narrow columns of the window's rows. */
export async function readFailedAttempts(db: Database, scope: WasteScope): Promise<FailedAttemptRow[]> {
  const { sql, params } = failedAttemptsQuery(scope);
  const rows = await db.query<FailedAttemptRow>(sql, params, { signal: scope.signal });
  return rows.map((row) => ({ ...row, attemptCount: Number(row.attemptCount) }));
}
