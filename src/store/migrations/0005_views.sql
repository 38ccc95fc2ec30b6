-- The tables people know by name, with all that was learnt later joined in. For reading by hand; the
-- program's own questions go to the roll-ups.
CREATE VIEW IF NOT EXISTS current_run AS
SELECT if(count() = 0, 'starter', argMax(run_id, created_at)) AS run_id
FROM discovery_runs FINAL
WHERE status = 'active';

CREATE VIEW IF NOT EXISTS model_usage_log AS
SELECT
  usage_log.* EXCEPT (use_case),
  usage_log.use_case AS classified_use_case,
  if(assigned.use_case != '', assigned.use_case, usage_log.use_case) AS discovered_use_case,
  learnt.feedback AS satisfaction,
  learnt.is_follow_up AS had_follow_up,
  learnt.is_re_ask AS had_re_ask,
  (learnt.is_abandoned OR usage_log.error_code = 'caller_cancelled') AS was_abandoned
FROM usage_log
LEFT JOIN (
  SELECT prompt_hash, use_case FROM assignments FINAL WHERE run_id = (SELECT run_id FROM current_run)
) AS assigned ON assigned.prompt_hash = usage_log.prompt_hash
LEFT JOIN (
  SELECT
    request_id,
    anyIf(toNullable(value), kind IN ('feedback', 'imported_score')) AS feedback,
    countIf(kind = 'follow_up') > 0 AS is_follow_up,
    countIf(kind = 're_ask') > 0 AS is_re_ask,
    countIf(kind = 'abandonment') > 0 AS is_abandoned
  FROM signals FINAL
  GROUP BY request_id
) AS learnt ON learnt.request_id = usage_log.request_id;

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
