-- Use cases keep their identity over time. A run has two layers: what was found in the prompts (matched to the
-- run before), and what the operator made of it (renamed, merged, split, pinned). The first is kept beside the
-- second, so that an edit can be undone and every later run starts from what was found.
ALTER TABLE use_cases ADD COLUMN IF NOT EXISTS theme String;
ALTER TABLE use_cases ADD COLUMN IF NOT EXISTS is_pinned Bool;
-- what is asked, in a sentence or two; '' where its words may not be shown
ALTER TABLE use_cases ADD COLUMN IF NOT EXISTS description String;

-- The use case before operator edits.
ALTER TABLE assignments ADD COLUMN IF NOT EXISTS found_use_case LowCardinality(String) DEFAULT use_case;

-- What a run found, before operator edits. similarity_min: a prompt less similar to the centre is "other".
CREATE TABLE IF NOT EXISTS found_use_cases (
  run_id LowCardinality(String),
  slug String,
  name String,
  -- a model's, '' where words made the name
  description String,
  prompt_count UInt64,
  similarity_min Float32,
  centroid Array(Float32),
  created_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(created_at)
ORDER BY (run_id, slug);

-- What became of use cases from one run to the next: birth, death, merge, split.
CREATE TABLE IF NOT EXISTS use_case_events (
  run_id LowCardinality(String),
  kind LowCardinality(String),
  from_slugs Array(String),
  to_slugs Array(String),
  -- share of the prompts known to both runs that moved; NULL where the two share none
  share Nullable(Float64),
  at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(at)
ORDER BY (run_id, kind, from_slugs, to_slugs);

-- What the operator did, never changed: every run is edited by all of it that was not undone.
CREATE TABLE IF NOT EXISTS use_case_edits (
  edit_id String,
  at DateTime64(3, 'UTC'),
  kind LowCardinality(String),
  slug String,
  to_slug String,
  name String,
  pattern String,
  undoes String,
  changed_by String
) ENGINE = MergeTree
ORDER BY (at, edit_id)
SETTINGS non_replicated_deduplication_window = 1000;
