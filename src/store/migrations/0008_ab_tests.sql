-- A/B tests as they were defined, as JSON; one row each, the newest counts. Who was in which arm stands in decisions.
CREATE TABLE IF NOT EXISTS ab_tests (
  name String,
  definition String,
  is_removed Bool,
  changed_at DateTime64(3, 'UTC'),
  changed_by String
) ENGINE = ReplacingMergeTree(changed_at)
ORDER BY name;
