import { ASKED_FOR, rowsUnderRun } from '../rows-under-run.ts';

// NOTE: compared with whole seconds (DateTime), the engine skips parts whose rows all lie within the second before.
const AT_THE_ENDS = `started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
      AND (started_at < {rolledFrom:DateTime64(3, 'UTC')} OR started_at >= {rolledTo:DateTime64(3, 'UTC')})`;

const logged = (which: string): string =>
  rowsUnderRun({
    columns: [
      'started_at',
      'model_id',
      'source',
      'success',
      'fault',
      'error_code',
      'latency_ms',
      'cost_usd',
      'prompt_tokens',
      'completion_tokens',
      'user_id',
      'prompt_hash',
    ],
    where: `${AT_THE_ENDS} AND ${which}`,
    assignedWhere: AT_THE_ENDS,
    withShadows: true,
  });

/** Models that failed and were stood in for, as failed_attempts_view counts them. Nobody stands in for a shadow. */
const LOGGED_FAILURES = rowsUnderRun({
  columns: ['started_at', 'source', 'failed_model_ids'],
  where: `notEmpty(failed_model_ids) AND ${AT_THE_ENDS}`,
  assignedWhere: `notEmpty(failed_model_ids) AND ${AT_THE_ENDS}`,
});

/**
 * A subquery: usage of run `run` in [from, to), exact to the millisecond. The roll-up answers for the whole hours in
 * [rolledFrom, rolledTo), the log itself for what is left at both ends, by the minute, labelled as the roll-up would.
 * `usageWindow` makes the parameters.
 */
const usageBetween = (which: string): string => `(
SELECT
  hour AS at,
  use_case,
  model_id,
  source,
  request_count,
  success_count,
  failure_count,
  abandoned_count,
  latency_count,
  latency_sum_ms,
  latency_quantiles,
  priced_count,
  cost_sum_usd,
  token_count,
  prompt_token_sum,
  completion_token_sum,
  users,
  prompts
FROM usage_hourly
WHERE run_id = {run:String} AND hour >= {rolledFrom:DateTime('UTC')} AND hour < {rolledTo:DateTime('UTC')}
  AND ${which}
UNION ALL
SELECT
  toStartOfMinute(toDateTime(started_at, 'UTC')) AS at,
  use_case,
  model_id,
  source,
  count() AS request_count,
  countIf(success) AS success_count,
  countIf(fault IN ('provider', 'model')) AS failure_count,
  countIf(error_code = 'caller_cancelled') AS abandoned_count,
  countIf(success AND latency_ms IS NOT NULL) AS latency_count,
  sumIf(ifNull(latency_ms, 0), success) AS latency_sum_ms,
  quantilesTDigestStateIf(0.5, 0.95)(ifNull(latency_ms, 0), success AND latency_ms IS NOT NULL) AS latency_quantiles,
  countIf(cost_usd IS NOT NULL) AS priced_count,
  sum(ifNull(cost_usd, 0)) AS cost_sum_usd,
  countIf(prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL) AS token_count,
  sumIf(ifNull(prompt_tokens, 0), completion_tokens IS NOT NULL) AS prompt_token_sum,
  sumIf(ifNull(completion_tokens, 0), prompt_tokens IS NOT NULL) AS completion_token_sum,
  uniqState(user_id) AS users,
  uniqState(prompt_hash) AS prompts
FROM ${logged(which)}
GROUP BY at, use_case, model_id, source
UNION ALL
SELECT
  toStartOfMinute(toDateTime(started_at, 'UTC')) AS at,
  use_case,
  failed_model_id AS model_id,
  source,
  toUInt64(0) AS request_count,
  toUInt64(0) AS success_count,
  count() AS failure_count,
  toUInt64(0) AS abandoned_count,
  toUInt64(0) AS latency_count,
  toFloat64(0) AS latency_sum_ms,
  quantilesTDigestStateIf(0.5, 0.95)(toFloat64(0), false) AS latency_quantiles,
  toUInt64(0) AS priced_count,
  toFloat64(0) AS cost_sum_usd,
  toUInt64(0) AS token_count,
  toUInt64(0) AS prompt_token_sum,
  toUInt64(0) AS completion_token_sum,
  uniqStateIf('', false) AS users,
  uniqStateIf('', false) AS prompts
FROM ${LOGGED_FAILURES}
ARRAY JOIN failed_model_ids AS failed_model_id
GROUP BY at, use_case, model_id, source
)`;

/** What people asked for. */
export const USAGE_BETWEEN = usageBetween(ASKED_FOR);

/** What was asked beside it, for knowledge alone. */
export const SHADOWS_BETWEEN = usageBetween("source = 'shadow'");
