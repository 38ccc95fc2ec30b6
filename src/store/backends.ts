export interface BackendDifference {
  readonly what: string;
  readonly embedded: string;
  readonly server: string;
  readonly cluster: string;
  readonly reason: string;
}

/** All that differs between the backends; whatever is not here is the same SQL on all three. */
export const BACKEND_DIFFERENCES: readonly BackendDifference[] = [
  {
    what: 'connection',
    embedded: 'Unix socket of the store process, mode 0600',
    server: 'URL, user and password',
    cluster: 'URL of any node or of a balancer',
    reason: 'The embedded engine admits one process per directory; the others bring their own server.',
  },
  {
    what: 'after a broken connection',
    embedded: 'the store process is started again and the call repeated',
    server: 'the call is repeated',
    cluster: 'the call is repeated',
    reason:
      'Only the embedded engine is ours to start. Queries, and inserts by their token, may be repeated.',
  },
  {
    what: 'table engines',
    embedded: 'MergeTree family',
    server: 'MergeTree family',
    cluster: 'the Replicated… engines of a database made with ENGINE = Replicated',
    reason: 'There the server itself turns MergeTree into its replicated form and repeats DDL on every node.',
  },
  {
    what: 'deduplication of repeated inserts',
    embedded: 'non_replicated_deduplication_window',
    server: 'non_replicated_deduplication_window',
    cluster: 'replicated_deduplication_window (on by default)',
    reason: 'Each kind of engine has its own memory of tokens and ignores the other setting.',
  },
  {
    what: 'memory',
    embedded: '2 GiB for the engine, 1 GiB for a statement',
    server: "the server's own limits",
    cluster: "the server's own limits",
    reason: 'On a laptop the engine shares the machine with the models.',
  },
  {
    what: 'system log tables',
    embedded: 'none',
    server: "the server's own settings (keep them under a TTL)",
    cluster: "the server's own settings (keep them under a TTL)",
    reason: 'They grow without bound, and nobody reads them on a laptop.',
  },
  {
    what: 'BACKUP and ON CLUSTER',
    embedded: 'refused by the engine',
    server: 'BACKUP works',
    cluster: 'both work',
    reason: 'Embedded stores are backed up as Parquet files with a manifest.',
  },
];
