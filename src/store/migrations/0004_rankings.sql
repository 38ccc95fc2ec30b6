-- Every published snapshot: what the hot path reads, whole (the classifier lies in `classifiers` by run). Old ones are
-- thinned out when a new one is published, and not by a TTL: the one that is in use may be held for long.
CREATE TABLE IF NOT EXISTS snapshots (
  version String,
  run_id String,
  created_at DateTime64(3, 'UTC'),
  -- the version whose content was published again; '' where the content was new
  rolled_back_to String,
  use_case_count UInt32,
  request_count UInt64,
  body String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree
ORDER BY version;

-- The sums that a snapshot was computed from: gateways add what they see themselves on top. Apart from the snapshot,
-- which many read and which need not grow by it.
CREATE TABLE IF NOT EXISTS snapshot_evidence (
  version String,
  created_at DateTime64(3, 'UTC'),
  body String CODEC(ZSTD(3))
) ENGINE = ReplacingMergeTree
ORDER BY version
TTL toDateTime(created_at) + INTERVAL 1 DAY;

-- The numbers of each published ranking, for trends and comparison.
CREATE TABLE IF NOT EXISTS rankings (
  snapshot_version String,
  run_id LowCardinality(String),
  created_at DateTime64(3, 'UTC'),
  use_case LowCardinality(String),
  model_id LowCardinality(String),
  score Nullable(Float64),
  score_low Nullable(Float64),
  score_high Nullable(Float64),
  success_part Float64,
  speed_part Float64,
  cost_part Nullable(Float64),
  quality_part Float64,
  success_rate Nullable(Float64),
  latency_mean_ms Nullable(Float64),
  latency_p95_ms Nullable(Float64),
  cost_mean_usd Nullable(Float64),
  follow_up_rate Nullable(Float64),
  request_count UInt64,
  is_candidate Bool,
  not_candidate_reason String
) ENGINE = MergeTree
PARTITION BY toYYYYMM(created_at)
ORDER BY (use_case, model_id, created_at)
TTL toDateTime(created_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- Files in the bucket; the newest version of a row counts.
CREATE TABLE IF NOT EXISTS model_storage (
  model_id String,
  model_name String,
  model_version String,
  model_family LowCardinality(String),
  bucket_name LowCardinality(String),
  bucket_path String,
  file_format LowCardinality(String),
  file_size_bytes UInt64,
  quantization LowCardinality(String),
  parameter_count String,
  sha256 String,
  is_downloaded Bool,
  local_path String,
  is_deleted Bool,
  changed_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(changed_at)
ORDER BY (model_id, model_version);

-- What an operator set while the program ran: exploration, rules. The newest version of a row counts.
CREATE TABLE IF NOT EXISTS operator_settings (
  name String,
  value String,
  changed_at DateTime64(3, 'UTC'),
  changed_by String
) ENGINE = ReplacingMergeTree(changed_at)
ORDER BY name;
