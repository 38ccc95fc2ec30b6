-- One row per discovery run; the newest version of a row counts.
CREATE TABLE IF NOT EXISTS discovery_runs (
  run_id String,
  created_at DateTime64(3, 'UTC'),
  status LowCardinality(String),
  window_from DateTime64(3, 'UTC'),
  window_to DateTime64(3, 'UTC'),
  embedder LowCardinality(String),
  request_count UInt64,
  distinct_prompt_count UInt64,
  use_case_count UInt32,
  report String CODEC(ZSTD(3)),
  changed_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(changed_at)
ORDER BY run_id;

CREATE TABLE IF NOT EXISTS use_cases (
  run_id LowCardinality(String),
  slug String,
  name String,
  keywords Array(String),
  example_prompts Array(String),
  sample_count UInt64,
  distinct_prompt_count UInt64,
  typical_length Nullable(Float64),
  centroid Array(Float32),
  created_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(created_at)
ORDER BY (run_id, slug);

-- Use case of every distinct prompt, per discovery run. Raw rows are never relabelled in place.
CREATE TABLE IF NOT EXISTS assignments (
  run_id LowCardinality(String),
  prompt_hash String,
  use_case LowCardinality(String),
  confidence Nullable(Float32)
) ENGINE = ReplacingMergeTree
PARTITION BY run_id
-- The partition's column is in the key as well: FINAL merges equal keys across partitions.
ORDER BY (run_id, prompt_hash);

CREATE TABLE IF NOT EXISTS embeddings (
  embedder LowCardinality(String),
  prompt_hash String,
  vector Array(Float32) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
ORDER BY (embedder, prompt_hash);

-- The trained hot-path classifier of a run, as bytes in base64.
CREATE TABLE IF NOT EXISTS classifiers (
  run_id String,
  bytes String CODEC(ZSTD(1)),
  created_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(created_at)
ORDER BY run_id;
