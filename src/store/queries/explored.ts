import type { Database } from '../database.ts';

/** What was explored since some moment. */
export interface Explored {
  /** Shadows among them. */
  readonly exploredCount: number;
  /** Dollars beyond what the models not taken cost on average in the same use case since then; of shadows, all that they cost. */
  readonly spentUsd: number;
}

const EXPLORED = `
SELECT
  drawn_part.explored_count + shadow_part.shadow_count AS exploredCount,
  drawn_part.drawn_usd + shadow_part.shadow_usd AS spentUsd
FROM (
  SELECT
    count() AS explored_count,
    sum(greatest(0, ifNull(taken.cost_usd, 0) - ifNull(other.cost_mean_usd, 0))) AS drawn_usd
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
  WHERE taken.started_at >= {since:DateTime64(3)}
) AS drawn_part
CROSS JOIN (
  SELECT count() AS shadow_count, sum(ifNull(cost_usd, 0)) AS shadow_usd
  FROM usage_log
  WHERE started_at >= {since:DateTime64(3)} AND source = 'shadow'
) AS shadow_part`;

/**
 * How many decisions since then chose another model than without exploration, and what did that cost? Reads `decisions`
 * and `usage_log`.
 */
export async function exploredSince(db: Database, since: Date): Promise<Explored> {
  const [row] = await db.query<Explored>(EXPLORED, { since });
  return row ?? { exploredCount: 0, spentUsd: 0 };
}
