-- What the judge was asked and what it cost: one row per judgement, never changed. The score itself is a signal.
CREATE TABLE IF NOT EXISTS judgements (
  judged_at DateTime64(3, 'UTC'),
  -- score: one answer against the rubric; pair: two answers to the same prompt, asked in both orders
  kind LowCardinality(String),
  judge LowCardinality(String),
  -- judged; malformed: no verdict that can be read; suspect: the answer talks to the judge and was not sent
  outcome LowCardinality(String),
  request_id UUID,
  other_request_id Nullable(UUID),
  -- of the request's row, so that evidence is read without the log
  started_at DateTime64(3, 'UTC'),
  model_id LowCardinality(String),
  other_model_id LowCardinality(String),
  prompt_hash String,
  use_case LowCardinality(String),
  use_case_rule LowCardinality(String),
  run_id LowCardinality(String),
  -- score: quality 0..1; pair: 1 the first answer is better, 0 the other one, 0.5 neither
  value Nullable(Float64),
  -- pair: the verdict changed with the order, and so counts as a tie
  is_flipped Nullable(Bool),
  call_count UInt8,
  prompt_tokens UInt32,
  completion_tokens UInt32,
  tokens_estimated Bool,
  cost_usd Nullable(Float64)
) ENGINE = MergeTree
PARTITION BY toYYYYMM(judged_at)
ORDER BY (judged_at, request_id)
TTL toDateTime(judged_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1;
