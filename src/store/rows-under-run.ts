/**
 * True for rows of `usage_log` whose own use case is the one they have under run `{run:String}`: a hand-written rule
 * gave it, which holds under every run, or the run's own classifier did.
 */
export const KEEPS_USE_CASE = "(use_case_rule != '' OR run_id = {run:String})";

/**
 * True for rows of `usage_log` that a model answered: all but requests for vectors, and those that the cache answered.
 * They alone are counted in `usage_hourly`, and tell what a model is like.
 */
export const BY_A_MODEL = "source NOT IN ('embedding', 'cache')";

/**
 * True for rows of `usage_log` and `usage_hourly` that somebody asked for an answer: all but shadows and requests for
 * vectors. What people ask counts these alone, and what they wait and pay for those of them that are
 * {@link BY_A_MODEL}; what a model is like, and what it costs, is told by shadows as well.
 */
export const ASKED_FOR = "source NOT IN ('shadow', 'embedding')";

export interface RowsUnderRun {
  /** Shadows too; left out: only what was {@link ASKED_FOR}. */
  readonly withShadows?: boolean;
  /** What the cache answered too; left out: only what was answered {@link BY_A_MODEL}. */
  readonly withCached?: boolean;
  /** A table that has the log's `use_case`, `use_case_rule`, `run_id` and `prompt_hash`; default: the log. */
  readonly from?: 'usage_log' | 'judgements';
  /** Columns of `usage_log` that are wanted. */
  readonly columns: readonly string[];
  /** Condition on `usage_log`. */
  readonly where: string;
  /** Condition on `usage_log` that leaves at least the rows wanted: for few rows, few assignments are read. */
  readonly assignedWhere?: string;
}

/**
 * A subquery: rows of the log with the use case that they have under run `{run:String}`, as `use_case`. That is the
 * row's own where {@link KEEPS_USE_CASE} says so, else what the run assigned to its prompt, else "other". All that
 * asks for use cases, the roll-ups included, reads it here.
 */
export function rowsUnderRun({
  columns,
  where,
  assignedWhere,
  from = 'usage_log',
  withShadows = false,
  withCached = false,
}: RowsUnderRun): string {
  const wanted = columns.join(', ');
  const asked =
    from === 'judgements'
      ? ''
      : `${withShadows ? '' : ` AND ${ASKED_FOR}`}${withCached ? '' : ` AND ${BY_A_MODEL}`}`;
  const narrowed =
    assignedWhere === undefined
      ? ''
      : ` AND prompt_hash IN (SELECT prompt_hash FROM ${from} WHERE NOT ${KEEPS_USE_CASE} AND ${assignedWhere})`;
  return `(
  SELECT
    ${wanted},
    multiIf(keeps_use_case, own_use_case, assigned_use_case != '', assigned_use_case, 'other') AS use_case
  FROM (
    SELECT ${wanted}, ${KEEPS_USE_CASE} AS keeps_use_case, use_case AS own_use_case, prompt_hash AS own_hash
    FROM ${from}
    WHERE (${where})${asked}
  ) AS logged
  LEFT JOIN (
    SELECT prompt_hash AS assigned_hash, use_case AS assigned_use_case
    FROM assignments FINAL
    WHERE run_id = {run:String}${narrowed}
  ) AS assigned ON assigned_hash = own_hash
)`;
}
