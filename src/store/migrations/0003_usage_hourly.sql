-- Hourly roll-up per use case and model. Rows labelled by a run's own classifier arrive by the view below
-- (is_rebuilt = 0); rows labelled by an earlier run are added, relabelled, by the rebuild (is_rebuilt = 1),
-- one partition at a time and each replaced whole. The roll-up of run R is everything with run_id = R.
-- latency_bins, wait_bins: eight bins to the octave, bin = floor(8 log2 ms), so any quantile and the mean of any curve
-- can be had within half a bin (4.4 %), and merging is exact.
-- What people waited (latency_sum_ms, latency_quantiles, wait_bins) has everything in it. What a model is judged by
-- (latency_bins, first_token_sum_ms) is without loading a model and waiting for its turn, by the provider's clock.
CREATE TABLE IF NOT EXISTS usage_hourly (
  run_id LowCardinality(String),
  is_rebuilt UInt8,
  hour DateTime('UTC'),
  use_case LowCardinality(String),
  model_id LowCardinality(String),
  source LowCardinality(String),
  request_count SimpleAggregateFunction(sum, UInt64),
  success_count SimpleAggregateFunction(sum, UInt64),
  -- failures that count against the model: the provider's and the model's own
  failure_count SimpleAggregateFunction(sum, UInt64),
  abandoned_count SimpleAggregateFunction(sum, UInt64),
  session_count SimpleAggregateFunction(sum, UInt64),
  latency_count SimpleAggregateFunction(sum, UInt64),
  latency_sum_ms SimpleAggregateFunction(sum, Float64),
  latency_bins SimpleAggregateFunction(sumMap, Map(UInt8, UInt64)),
  wait_bins SimpleAggregateFunction(sumMap, Map(UInt8, UInt64)),
  latency_quantiles AggregateFunction(quantilesTDigest(0.5, 0.95), Float64),
  first_token_count SimpleAggregateFunction(sum, UInt64),
  first_token_sum_ms SimpleAggregateFunction(sum, Float64),
  -- requests whose writing can be timed, how long they wrote, and the tokens that they wrote in that time
  generation_count SimpleAggregateFunction(sum, UInt64),
  generation_sum_ms SimpleAggregateFunction(sum, Float64),
  generation_token_sum SimpleAggregateFunction(sum, UInt64),
  -- requests whose provider said so
  load_count SimpleAggregateFunction(sum, UInt64),
  load_sum_ms SimpleAggregateFunction(sum, Float64),
  queue_count SimpleAggregateFunction(sum, UInt64),
  queue_sum_ms SimpleAggregateFunction(sum, Float64),
  priced_count SimpleAggregateFunction(sum, UInt64),
  cost_sum_usd SimpleAggregateFunction(sum, Float64),
  cost_square_sum SimpleAggregateFunction(sum, Float64),
  token_count SimpleAggregateFunction(sum, UInt64),
  prompt_token_sum SimpleAggregateFunction(sum, UInt64),
  completion_token_sum SimpleAggregateFunction(sum, UInt64),
  prompt_length_sum SimpleAggregateFunction(sum, UInt64),
  -- sums and sums of products of cost, tokens and length, from which costs are forecast: savings-evidence.ts names
  -- them in order; the second has only the requests that asked for auto
  cost_sums AggregateFunction(sumForEach, Array(Float64)),
  routed_cost_sums AggregateFunction(sumForEach, Array(Float64)),
  users AggregateFunction(uniq, String),
  prompts AggregateFunction(uniq, String)
) ENGINE = AggregatingMergeTree
PARTITION BY (run_id, is_rebuilt, toYYYYMMDD(hour))
-- The partition's columns are in the key as well: FINAL merges equal keys across partitions.
ORDER BY (run_id, is_rebuilt, use_case, model_id, source, hour)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_hourly_view TO usage_hourly AS
WITH
  ifNull(load_ms, 0) + ifNull(queue_ms, 0) AS held_ms,
  -- tokens after the first, reasoning (which nobody sees) left out; a provider's own clock counts them all
  if(
    ifNull(generation_ms, 0) > 0,
    toInt64(completion_tokens),
    toInt64(completion_tokens) - toInt64(ifNull(reasoning_tokens, 0)) - 1
  ) AS written_tokens,
  if(ifNull(generation_ms, 0) > 0, generation_ms, latency_ms - first_token_ms) AS writing_ms,
  ifNull(success AND written_tokens > 0 AND writing_ms > 0, false) AS is_writing_timed,
  ifNull(cost_usd, 0) AS usd,
  toFloat64(cost_usd IS NOT NULL AND prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL) AS known,
  known * ifNull(prompt_tokens, 0) AS asked,
  known * ifNull(completion_tokens, 0) AS answered,
  log1p(asked) AS log_asked,
  known * prompt_length AS typed,
  [
    1, toFloat64(cost_usd IS NOT NULL), usd, usd * usd,
    known, asked, answered, known * usd, log_asked, typed,
    asked * asked, asked * answered, answered * answered, asked * usd, answered * usd, known * usd * usd,
    asked * log_asked, log_asked * log_asked, log_asked * usd, typed * typed, typed * asked
  ] AS cost_products
SELECT
  run_id,
  toUInt8(0) AS is_rebuilt,
  toStartOfHour(toDateTime(started_at, 'UTC')) AS hour,
  use_case,
  model_id,
  source,
  count() AS request_count,
  countIf(success) AS success_count,
  countIf(fault IN ('provider', 'model')) AS failure_count,
  countIf(error_code = 'caller_cancelled') AS abandoned_count,
  countIf(session_id != '') AS session_count,
  countIf(success AND latency_ms IS NOT NULL) AS latency_count,
  sumIf(ifNull(latency_ms, 0), success) AS latency_sum_ms,
  sumMapIf(
    map(toUInt8(least(255, floor(8 * log2(greatest(1, ifNull(latency_ms, 1) - held_ms))))), toUInt64(1)),
    success AND latency_ms IS NOT NULL
  ) AS latency_bins,
  sumMapIf(
    map(toUInt8(least(255, floor(8 * log2(greatest(1, ifNull(latency_ms, 1)))))), toUInt64(1)),
    success AND latency_ms IS NOT NULL
  ) AS wait_bins,
  quantilesTDigestStateIf(0.5, 0.95)(ifNull(latency_ms, 0), success AND latency_ms IS NOT NULL) AS latency_quantiles,
  countIf(success AND first_token_ms IS NOT NULL) AS first_token_count,
  sumIf(greatest(0, ifNull(first_token_ms, 0) - held_ms), success) AS first_token_sum_ms,
  countIf(is_writing_timed) AS generation_count,
  sumIf(ifNull(writing_ms, 0), is_writing_timed) AS generation_sum_ms,
  sumIf(toUInt64(ifNull(written_tokens, 0)), is_writing_timed) AS generation_token_sum,
  countIf(success AND load_ms IS NOT NULL) AS load_count,
  sumIf(ifNull(load_ms, 0), success) AS load_sum_ms,
  countIf(success AND queue_ms IS NOT NULL) AS queue_count,
  sumIf(ifNull(queue_ms, 0), success) AS queue_sum_ms,
  countIf(cost_usd IS NOT NULL) AS priced_count,
  sum(ifNull(cost_usd, 0)) AS cost_sum_usd,
  sum(ifNull(cost_usd, 0) * ifNull(cost_usd, 0)) AS cost_square_sum,
  countIf(prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL) AS token_count,
  sumIf(ifNull(prompt_tokens, 0), completion_tokens IS NOT NULL) AS prompt_token_sum,
  sumIf(ifNull(completion_tokens, 0), prompt_tokens IS NOT NULL) AS completion_token_sum,
  sum(prompt_length) AS prompt_length_sum,
  sumForEachState(cost_products) AS cost_sums,
  sumForEachStateIf(cost_products, model_asked = 'auto' OR startsWith(model_asked, 'auto:')) AS routed_cost_sums,
  uniqState(user_id) AS users,
  uniqState(prompt_hash) AS prompts
FROM usage_log
WHERE source NOT IN ('embedding', 'cache')
GROUP BY run_id, hour, use_case, model_id, source;

-- A model that failed and was stood in for: no request of its own, but a failure.
CREATE MATERIALIZED VIEW IF NOT EXISTS failed_attempts_view TO usage_hourly AS
SELECT
  run_id,
  toUInt8(0) AS is_rebuilt,
  toStartOfHour(toDateTime(started_at, 'UTC')) AS hour,
  use_case,
  failed_model_id AS model_id,
  source,
  count() AS failure_count
FROM usage_log
ARRAY JOIN failed_model_ids AS failed_model_id
WHERE source NOT IN ('embedding', 'cache')
GROUP BY run_id, hour, use_case, model_id, source;
