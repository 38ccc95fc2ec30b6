-- One immutable row per finished request. '' stands for "nobody said" in text columns, NULL in numbers.
-- Ordered by time: the id carries its time (UUID version 7), so a look-up by id reads one granule, and
-- the newest requests are read from the end. Everything grouped is answered by the roll-ups.
CREATE TABLE IF NOT EXISTS usage_log (
  request_id UUID,
  started_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1)),
  -- gateway, library, import; shadow: nobody asked and nobody saw the answer, whose request shadow_of names;
  -- embedding: vectors were asked for, and no answer; cache: the answer to an equal request was given again
  source LowCardinality(String),
  shadow_of Nullable(UUID),
  model_asked LowCardinality(String),
  model_id LowCardinality(String),
  provider LowCardinality(String),
  model_reported LowCardinality(String),
  is_stream Bool,
  prompt String CODEC(ZSTD(3)),
  context String CODEC(ZSTD(3)),
  prompt_length UInt32,
  prompt_hash String CODEC(ZSTD(1)),
  conversation String CODEC(ZSTD(3)),
  response String CODEC(ZSTD(3)),
  response_length Nullable(UInt32),
  -- equal for equal answers; the share of the answer that stands in the prompt
  response_hash String CODEC(ZSTD(1)),
  echo_share Nullable(Float32),
  response_id String,
  prompt_tokens Nullable(UInt32),
  completion_tokens Nullable(UInt32),
  cached_tokens Nullable(UInt32),
  cache_write_tokens Nullable(UInt32),
  reasoning_tokens Nullable(UInt32),
  tokens_estimated Bool,
  latency_ms Nullable(Float64),
  first_token_ms Nullable(Float64),
  -- parts of latency_ms by the provider's own clock: loading a model, waiting for its turn, writing the answer
  load_ms Nullable(Float64),
  queue_ms Nullable(Float64),
  generation_ms Nullable(Float64),
  overhead_ms Nullable(Float64),
  cost_usd Nullable(Float64),
  price_version LowCardinality(String),
  -- what an answer from the cache, which cost nothing, would have cost anew
  avoided_usd Nullable(Float64),
  user_id String,
  session_id String,
  room_id LowCardinality(String),
  key_id LowCardinality(String),
  tags Array(LowCardinality(String)),
  priority Nullable(Int32),
  routing_rule LowCardinality(String),
  external_id String,
  detected_intent LowCardinality(String),
  success Bool,
  fault LowCardinality(String),
  error_code LowCardinality(String),
  error_message String,
  finish_reason LowCardinality(String),
  status_code Nullable(UInt16),
  attempt_count UInt8,
  -- models that were tried before and failed by their own or their provider's fault, with the error codes
  failed_model_ids Array(LowCardinality(String)),
  failed_codes Array(LowCardinality(String)),
  use_case LowCardinality(String),
  use_case_confidence Nullable(Float32),
  -- the hand-written rule that gave the use case, which then holds under every run; '' where the classifier did
  use_case_rule LowCardinality(String),
  run_id LowCardinality(String),
  snapshot_version LowCardinality(String),
  INDEX response_id_index response_id TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX external_id_index external_id TYPE bloom_filter(0.01) GRANULARITY 4,
  INDEX session_id_index session_id TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(started_at)
ORDER BY (started_at, request_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1;

-- What was learnt about a request later. The newest signal of a kind counts.
CREATE TABLE IF NOT EXISTS signals (
  request_id UUID,
  kind LowCardinality(String),
  value Float64,
  comment String,
  source LowCardinality(String),
  at DateTime64(3, 'UTC'),
  -- The request's own time, from its id: signals lie in the partition of their request.
  started_at DateTime64(3, 'UTC') MATERIALIZED UUIDv7ToDateTime(request_id)
) ENGINE = ReplacingMergeTree(at)
PARTITION BY toYYYYMMDD(started_at)
ORDER BY (request_id, kind)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1;

-- Feedback by a response id or a client's own id whose request is not in the log yet.
CREATE TABLE IF NOT EXISTS unresolved_feedback (
  reference_kind LowCardinality(String),
  reference String,
  value Float64,
  comment String,
  at DateTime64(3, 'UTC'),
  resolved_at Nullable(DateTime64(3, 'UTC'))
) ENGINE = ReplacingMergeTree(at)
PARTITION BY toYYYYMM(at)
ORDER BY (reference_kind, reference)
TTL toDateTime(at) + INTERVAL 90 DAY;

-- Why a model was chosen, one row per routed request.
CREATE TABLE IF NOT EXISTS decisions (
  request_id UUID,
  started_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  cause LowCardinality(String),
  rule_name LowCardinality(String),
  policy LowCardinality(String),
  use_case LowCardinality(String),
  use_case_confidence Nullable(Float32),
  model_id LowCardinality(String),
  fallback_model_ids Array(LowCardinality(String)),
  candidates String CODEC(ZSTD(3)),
  propensity Float64,
  is_exploration Bool,
  -- the arm that an A/B test gave the request, '' where it is in none
  ab_test LowCardinality(String),
  ab_arm LowCardinality(String),
  snapshot_version LowCardinality(String),
  reason String CODEC(ZSTD(3))
) ENGINE = MergeTree
PARTITION BY toYYYYMMDD(started_at)
ORDER BY (started_at, request_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1;
