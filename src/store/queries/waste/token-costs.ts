import type { Database } from '../../database.ts';
import { BY_A_MODEL } from '../../rows-under-run.ts';
import type { StoredQuery } from '../stored-query.ts';
import { type WasteFilter, type WasteScope, windowParams } from './waste-scope.ts';

/**
 * Sums of products over the priced requests of one model, from which its prices per token can be had:
 * f tokens of the prompt that were billed as new, c that the provider had cached, o of the answer, usd the cost.
 */
export interface TokenCostRow {
  readonly modelId: string;
  readonly requestCount: number;
  readonly ff: number;
  readonly fc: number;
  readonly fo: number;
  readonly cc: number;
  readonly co: number;
  readonly oo: number;
  readonly fUsd: number;
  readonly cUsd: number;
  readonly oUsd: number;
  readonly usdUsd: number;
}

const TOKEN_COSTS_SQL = `
SELECT
  model_id AS modelId,
  count() AS requestCount,
  sum(f * f) AS ff,
  sum(f * c) AS fc,
  sum(f * o) AS fo,
  sum(c * c) AS cc,
  sum(c * o) AS co,
  sum(o * o) AS oo,
  sum(f * usd) AS fUsd,
  sum(c * usd) AS cUsd,
  sum(o * usd) AS oUsd,
  sum(usd * usd) AS usdUsd
FROM (
  SELECT
    model_id,
    toFloat64(assumeNotNull(prompt_tokens)) AS p,
    least(p, toFloat64(ifNull(cached_tokens, 0))) AS c,
    p - c AS f,
    toFloat64(assumeNotNull(completion_tokens)) AS o,
    assumeNotNull(cost_usd) AS usd
  FROM usage_log
  WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
    AND prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL AND cost_usd > 0
    AND ${BY_A_MODEL}
    AND ({modelId:String} = '' OR model_id = {modelId:String})
)
GROUP BY modelId
ORDER BY modelId
LIMIT 1000`;

export function tokenCostsQuery(scope: WasteScope, filter: WasteFilter = {}): StoredQuery {
  return { sql: TOKEN_COSTS_SQL, params: windowParams(scope, filter) };
}

/** How do a model's costs go with its tokens? Reads narrow columns of the window's rows, in one pass. */
export async function readTokenCosts(db: Database, scope: WasteScope): Promise<TokenCostRow[]> {
  const { sql, params } = tokenCostsQuery(scope);
  return await db.query<TokenCostRow>(sql, params, { signal: scope.signal });
}
