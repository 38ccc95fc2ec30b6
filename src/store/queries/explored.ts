import type { Database } from '../database.ts';

/** What was explored since some moment. */
export interface Explored {
  readonly exploredCount: number;
  /** Dollars beyond what the models not taken cost on average in the same use case since then. */
  readonly spentUsd: number;
}

const EXPLORED = `
SELECT
  count() AS exploredCount,
  sum(greatest(0, ifNull(taken.cost_usd, 0) - ifNull(other.cost_mean_usd, 0))) AS spentUsd
FROM usage_log AS taken
INNER JOIN (
  SELECT request_id, use_case, fallback_model_ids[1] AS other_model_id
  FROM decisions
  WHERE started_at >= {since:DateTime64(3)} AND is_exploration
) AS drawn ON taken.request_id = drawn.request_id
LEFT JOIN (
  SELECT use_case, model_id, avg(cost_usd) AS cost_mean_usd
  FROM usage_log
  WHERE started_at >= {since:DateTime64(3)} AND cost_usd IS NOT NULL
  GROUP BY use_case, model_id
) AS other ON drawn.use_case = other.use_case AND drawn.other_model_id = other.model_id
WHERE taken.started_at >= {since:DateTime64(3)}`;

/**
 * How many decisions since then chose another model than without exploration, and what did that cost? Reads `decisions`
 * and `usage_log`.
 */
export async function exploredSince(db: Database, since: Date): Promise<Explored> {
  const [row] = await db.query<Explored>(EXPLORED, { since });
  return row ?? { exploredCount: 0, spentUsd: 0 };
}
