-- The tables people know by name, with all that was learnt later joined in. For reading by hand; the
-- program's own questions go to the roll-ups.
CREATE VIEW IF NOT EXISTS current_run AS
SELECT if(count() = 0, 'starter', argMax(run_id, created_at)) AS run_id
FROM discovery_runs FINAL
WHERE status = 'active';

CREATE VIEW IF NOT EXISTS model_usage_log AS
SELECT
  usage.* EXCEPT (use_case),
  usage.use_case AS classified_use_case,
  if(assigned.assigned_use_case != '', assigned.assigned_use_case, usage.use_case) AS discovered_use_case,
  learnt.feedback AS satisfaction,
  toBool(learnt.is_follow_up) AS had_follow_up,
  toBool(learnt.is_re_ask) AS had_re_ask,
  toBool(learnt.is_abandoned OR usage.error_code = 'caller_cancelled') AS was_abandoned
FROM usage_log AS usage
LEFT JOIN (
  -- Names of its own, so that the columns of the log keep their plain ones.
  SELECT prompt_hash AS assigned_hash, use_case AS assigned_use_case
  FROM assignments FINAL
  WHERE run_id = (SELECT run_id FROM current_run)
) AS assigned ON assigned.assigned_hash = usage.prompt_hash
LEFT JOIN (
  SELECT
    request_id AS learnt_id,
    anyIf(toNullable(value), kind IN ('feedback', 'imported_score')) AS feedback,
    countIf(kind = 'follow_up') > 0 AS is_follow_up,
    countIf(kind = 're_ask') > 0 AS is_re_ask,
    countIf(kind = 'abandonment') > 0 AS is_abandoned
  FROM signals FINAL
  GROUP BY request_id
) AS learnt ON learnt.learnt_id = usage.request_id;

CREATE VIEW IF NOT EXISTS model_use_cases AS
SELECT
  use_cases.slug AS category_slug,
  use_cases.name AS category_name,
  use_cases.keywords AS keywords,
  use_cases.example_prompts AS example_prompts,
  use_cases.sample_count AS sample_count,
  use_cases.distinct_prompt_count AS distinct_prompt_count,
  use_cases.typical_length AS typical_length,
  seen.latency_mean_ms AS typical_response_time_ms,
  use_cases.run_id AS run_id,
  use_cases.created_at AS created_at
FROM (SELECT * FROM use_cases FINAL WHERE run_id = (SELECT run_id FROM current_run)) AS use_cases
LEFT JOIN (
  SELECT use_case, if(sum(latency_count) = 0, NULL, sum(latency_sum_ms) / sum(latency_count)) AS latency_mean_ms
  FROM usage_hourly
  WHERE run_id = (SELECT run_id FROM current_run)
  GROUP BY use_case
) AS seen ON seen.use_case = use_cases.slug;

CREATE VIEW IF NOT EXISTS model_rankings AS
SELECT
  use_case,
  model_id,
  score AS ranking_score,
  score_low,
  score_high,
  success_rate,
  latency_mean_ms AS avg_response_time_ms,
  latency_p95_ms AS p95_response_time_ms,
  cost_mean_usd AS avg_cost_usd,
  follow_up_rate,
  request_count AS total_requests,
  is_candidate,
  not_candidate_reason,
  snapshot_version,
  created_at
FROM rankings
WHERE snapshot_version = (SELECT max(snapshot_version) FROM rankings);

-- Usage of run {run} in [from, to), exact to the millisecond: the roll-up for the whole hours in
-- [rolled_from, rolled_to), the log itself for what is left at both ends, labelled as the roll-up would.
-- With rolled_from = rolled_to = from everything comes from the log, by the minute.
CREATE VIEW IF NOT EXISTS usage_between AS
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
WHERE run_id = {run:String} AND hour >= {rolled_from:DateTime('UTC')} AND hour < {rolled_to:DateTime('UTC')}
UNION ALL
SELECT
  toStartOfMinute(toDateTime(usage.started_at, 'UTC')) AS at,
  multiIf(
    usage.run_id = {run:String}, usage.use_case,
    assigned.use_case != '', assigned.use_case,
    'other'
  ) AS use_case,
  usage.model_id AS model_id,
  usage.source AS source,
  count() AS request_count,
  countIf(usage.success) AS success_count,
  countIf(usage.fault IN ('provider', 'model')) AS failure_count,
  countIf(usage.error_code = 'caller_cancelled') AS abandoned_count,
  countIf(usage.success AND usage.latency_ms IS NOT NULL) AS latency_count,
  sumIf(ifNull(usage.latency_ms, 0), usage.success) AS latency_sum_ms,
  quantilesTDigestStateIf(0.5, 0.95)(ifNull(usage.latency_ms, 0), usage.success AND usage.latency_ms IS NOT NULL)
    AS latency_quantiles,
  countIf(usage.cost_usd IS NOT NULL) AS priced_count,
  sum(ifNull(usage.cost_usd, 0)) AS cost_sum_usd,
  countIf(usage.prompt_tokens IS NOT NULL AND usage.completion_tokens IS NOT NULL) AS token_count,
  sumIf(ifNull(usage.prompt_tokens, 0), usage.completion_tokens IS NOT NULL) AS prompt_token_sum,
  sumIf(ifNull(usage.completion_tokens, 0), usage.prompt_tokens IS NOT NULL) AS completion_token_sum,
  uniqState(usage.user_id) AS users,
  uniqState(usage.prompt_hash) AS prompts
FROM usage_log AS usage
LEFT JOIN (
  SELECT prompt_hash, use_case
  FROM assignments FINAL
  WHERE run_id = {run:String} AND prompt_hash IN (
    SELECT prompt_hash
    FROM usage_log
    WHERE run_id != {run:String}
      AND started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
      AND (started_at < {rolled_from:DateTime('UTC')} OR started_at >= {rolled_to:DateTime('UTC')})
  )
) AS assigned ON assigned.prompt_hash = usage.prompt_hash
WHERE usage.started_at >= {from:DateTime64(3, 'UTC')} AND usage.started_at < {to:DateTime64(3, 'UTC')}
  AND (usage.started_at < {rolled_from:DateTime('UTC')} OR usage.started_at >= {rolled_to:DateTime('UTC')})
GROUP BY at, use_case, model_id, source
UNION ALL
-- Models that failed and were stood in for, as failed_attempts_view counts them.
SELECT
  toStartOfMinute(toDateTime(usage.started_at, 'UTC')) AS at,
  multiIf(
    usage.run_id = {run:String}, usage.use_case,
    assigned.use_case != '', assigned.use_case,
    'other'
  ) AS use_case,
  usage.failed_model_id AS model_id,
  usage.source AS source,
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
FROM (
  SELECT started_at, run_id, use_case, source, prompt_hash, arrayJoin(failed_model_ids) AS failed_model_id
  FROM usage_log
  WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
    AND (started_at < {rolled_from:DateTime('UTC')} OR started_at >= {rolled_to:DateTime('UTC')})
) AS usage
LEFT JOIN (
  SELECT prompt_hash, use_case
  FROM assignments FINAL
  WHERE run_id = {run:String} AND prompt_hash IN (
    SELECT prompt_hash
    FROM usage_log
    WHERE run_id != {run:String}
      AND started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
      AND (started_at < {rolled_from:DateTime('UTC')} OR started_at >= {rolled_to:DateTime('UTC')})
  )
) AS assigned ON assigned.prompt_hash = usage.prompt_hash
GROUP BY at, use_case, model_id, source;
