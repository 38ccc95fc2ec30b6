-- The tables people know by name, with all that was learnt later joined in. For reading by hand; the
-- program's own questions go to the roll-ups.
CREATE VIEW IF NOT EXISTS current_run AS
SELECT if(count() = 0, 'starter', argMax(run_id, created_at)) AS run_id
FROM discovery_runs FINAL
WHERE status = 'active';

CREATE VIEW IF NOT EXISTS model_usage_log AS
SELECT
  usage.* EXCEPT (use_case, shadow_of),
  usage.use_case AS classified_use_case,
  -- as rows-under-run.ts has it for the program; a test compares the two
  multiIf(
    usage.use_case_rule != '' OR usage.run_id = (SELECT run_id FROM current_run), usage.use_case,
    assigned.assigned_use_case != '', assigned.assigned_use_case,
    'other'
  ) AS discovered_use_case,
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
) AS learnt ON learnt.learnt_id = usage.request_id
-- What people asked: shadows and embeddings are in usage_log alone.
WHERE usage.source NOT IN ('shadow', 'embedding');

-- Those that no run found, but a hand-written rule gave, are named by their slug.
CREATE VIEW IF NOT EXISTS model_use_cases AS
SELECT
  if(found.slug != '', found.slug, seen.use_case) AS category_slug,
  if(found.slug != '', found.name, initcapUTF8(replaceAll(seen.use_case, '_', ' '))) AS category_name,
  found.keywords AS keywords,
  found.example_prompts AS example_prompts,
  if(found.slug != '', found.sample_count, seen.request_count) AS sample_count,
  if(found.slug != '', found.distinct_prompt_count, seen.prompt_count) AS distinct_prompt_count,
  if(found.slug != '', found.typical_length, seen.length_mean) AS typical_length,
  seen.latency_mean_ms AS typical_response_time_ms,
  current_run.run_id AS run_id,
  if(found.slug != '', found.created_at, NULL) AS created_at
FROM (SELECT * FROM use_cases FINAL WHERE run_id = (SELECT run_id FROM current_run)) AS found
FULL OUTER JOIN (
  SELECT
    toString(use_case) AS use_case,
    sum(request_count) AS request_count,
    uniqMerge(prompts) AS prompt_count,
    if(request_count = 0, NULL, sum(prompt_length_sum) / request_count) AS length_mean,
    if(sum(latency_count) = 0, NULL, sum(latency_sum_ms) / sum(latency_count)) AS latency_mean_ms
  FROM usage_hourly
  WHERE run_id = (SELECT run_id FROM current_run) AND source NOT IN ('shadow', 'embedding')
  GROUP BY use_case
) AS seen ON seen.use_case = found.slug
CROSS JOIN current_run;

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
