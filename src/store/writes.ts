/** Settings under which every batch is written, on any backend. */
export interface WriteSettings {
  readonly insert_deduplication_token: string;
  readonly deduplicate_blocks_in_dependent_materialized_views: 1;
  readonly max_partitions_per_insert_block: '0';
  readonly input_format_skip_unknown_fields: 1;
  readonly input_format_null_as_default: 1;
}

/**
 * What makes a batch safe to send again: the token names it, and the roll-ups behind the table look at it too
 * (without that a repeated batch is stored once and counted twice). A batch may touch any number of days,
 * since an import does; 0 lifts ClickHouse's limit of 100 partitions.
 */
export function writeSettings(deduplicationToken: string): WriteSettings {
  return {
    insert_deduplication_token: deduplicationToken,
    deduplicate_blocks_in_dependent_materialized_views: 1,
    max_partitions_per_insert_block: '0',
    // A newer program may have journalled a field that this table does not have yet.
    input_format_skip_unknown_fields: 1,
    input_format_null_as_default: 1,
  };
}
