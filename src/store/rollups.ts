import { randomBytes } from 'node:crypto';
import { TallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';
import { STARTER_RUN_ID } from '../core/use-case.ts';
import type { Database } from './database.ts';
import { BY_A_MODEL, rowsUnderRun } from './rows-under-run.ts';

export interface RollupOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

/** A day is rebuilt whole or not at all; one that failed because the store went away is begun again. */
const ATTEMPTS_PER_DAY = 3;
/** Staging tables of rebuilds that died; longer than any rebuild takes. */
const STAGING_KEPT_HOURS = 24;

const DAYS_OF_OTHER_RUNS = `
SELECT toYYYYMMDD(started_at) AS day, count() AS requestCount
FROM usage_log
WHERE run_id != {run:String} AND ${BY_A_MODEL}
GROUP BY day
ORDER BY day`;

const DAYS_THAT_DIFFER = `
SELECT logged.day AS day, logged.request_count AS requestCount
FROM (
  SELECT toYYYYMMDD(started_at) AS day, count() AS request_count
  FROM usage_log
  WHERE run_id != {run:String} AND ${BY_A_MODEL}
  GROUP BY day
) AS logged
LEFT JOIN (
  SELECT toYYYYMMDD(hour) AS day, sum(request_count) AS request_count
  FROM usage_hourly
  WHERE run_id = {run:String} AND is_rebuilt = 1
  GROUP BY day
) AS rolled ON rolled.day = logged.day
WHERE logged.request_count != rolled.request_count
ORDER BY day`;

const ROWS_OF_DAY = 'toYYYYMMDD(started_at) = {day:UInt32} AND run_id != {run:String}';

/** The figures are those of usage_hourly_view, column by column; a test compares the two. */
const fillStaging = (staging: string): string => `
INSERT INTO ${staging}
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
  {run:String} AS run_id,
  toUInt8(1) AS is_rebuilt,
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
FROM ${rowsUnderRun({ columns: COUNTED_COLUMNS, where: ROWS_OF_DAY, withShadows: true })}
GROUP BY hour, use_case, model_id, source`;

const COUNTED_COLUMNS = [
  'started_at',
  'model_id',
  'source',
  'success',
  'fault',
  'error_code',
  'session_id',
  'latency_ms',
  'first_token_ms',
  'load_ms',
  'queue_ms',
  'generation_ms',
  'cost_usd',
  'prompt_tokens',
  'completion_tokens',
  'reasoning_tokens',
  'prompt_length',
  'model_asked',
  'user_id',
  'prompt_hash',
];

/** As failed_attempts_view: models that failed and were stood in for. */
const fillStagingWithFailures = (staging: string): string => `
INSERT INTO ${staging} (run_id, is_rebuilt, hour, use_case, model_id, source, failure_count)
SELECT
  {run:String} AS run_id,
  toUInt8(1) AS is_rebuilt,
  toStartOfHour(toDateTime(started_at, 'UTC')) AS hour,
  use_case,
  failed_model_id AS model_id,
  source,
  count() AS failure_count
FROM ${rowsUnderRun({
  columns: ['started_at', 'source', 'failed_model_ids'],
  where: `${ROWS_OF_DAY} AND notEmpty(failed_model_ids)`,
  withShadows: true,
})}
ARRAY JOIN failed_model_ids AS failed_model_id
GROUP BY hour, use_case, model_id, source`;

const OLD_STAGING = `
SELECT name
FROM system.tables
WHERE database = currentDatabase() AND name LIKE 'usage_hourly_staging_%'
  AND metadata_modification_time < now() - toIntervalHour({hours:UInt32})`;

const PARTITIONS_OF_RUNS = `
SELECT DISTINCT table, partition_id AS partitionId
FROM system.parts
WHERE database = currentDatabase() AND active AND table IN ('usage_hourly', 'assignments')
  AND NOT arrayExists(
    run -> (table = 'assignments' AND partition = run) OR startsWith(partition, concat('(\\'', run, '\\',')),
    {runs:Array(String)}
  )`;

/**
 * Fills the roll-up of run `runId` from rows that carry an earlier run's label: each gets the use case that
 * the run assigned to its prompt ("other" where it never saw the prompt); one that a hand-written rule labelled
 * keeps its own. Day by day; every day is switched at once, so that readers see the old figures or the new ones. May be repeated and run beside inserts;
 * rows that arrive meanwhile are caught by {@link reconcileRollups}.
 *
 * @returns the days rebuilt, as "YYYY-MM-DD"
 * @throws {TallyrankError} `cancelled`; the days done until then stay
 */
export async function rebuildRollups(
  db: Database,
  runId: string,
  options: RollupOptions = {},
): Promise<string[]> {
  await dropOldStaging(db);
  return rebuildDays(db, runId, await db.query<DayRow>(DAYS_OF_OTHER_RUNS, { run: runId }), options);
}

/**
 * Rebuilds the days on which rows with another run's label have arrived (or were not there) since the last
 * rebuild: journal replays, gateways that lag behind. Cheap when there is nothing to mend.
 *
 * @returns the days mended, as "YYYY-MM-DD"
 */
export async function reconcileRollups(
  db: Database,
  runId: string,
  options: RollupOptions = {},
): Promise<string[]> {
  return rebuildDays(db, runId, await db.query<DayRow>(DAYS_THAT_DIFFER, { run: runId }), options);
}

/** Another program may be at work on a run; one that is not done after so long has died. */
const BUILDING_RUNS = `
SELECT run_id AS runId
FROM discovery_runs FINAL
WHERE status = 'building' AND changed_at > now() - toIntervalHour({hours:UInt32})`;

/**
 * Drops the roll-ups and assignments of all runs but `keepRunIds`, those that are being built, and "starter",
 * whose roll-up is what a store without an active run falls back on.
 *
 * @returns the number of partitions dropped
 */
export async function dropOldRuns(db: Database, keepRunIds: readonly string[]): Promise<number> {
  const building = await db.query<{ runId: string }>(BUILDING_RUNS, { hours: STAGING_KEPT_HOURS });
  const rows = await db.query<{ table: string; partitionId: string }>(PARTITIONS_OF_RUNS, {
    runs: [...keepRunIds, ...building.map(({ runId }) => runId), STARTER_RUN_ID],
  });
  for (const { table, partitionId } of rows) {
    const owner = table === 'assignments' ? 'assignments' : 'usage_hourly';
    await db.command(
      `ALTER TABLE ${owner} DROP PARTITION ID {partition:String}`,
      { partition: partitionId },
      { isIdempotent: true },
    );
  }
  return rows.length;
}

interface DayRow {
  /** 20261005 */
  readonly day: number;
  readonly requestCount: number;
}

async function rebuildDays(
  db: Database,
  runId: string,
  days: readonly DayRow[],
  { signal, onProgress }: RollupOptions,
): Promise<string[]> {
  for (const [done, { day }] of days.entries()) {
    if (signal?.aborted) throw new TallyrankError('cancelled', 'Rebuilding the roll-ups was cancelled.');
    onProgress?.('rebuilding roll-ups', done, days.length);
    await rebuildDay(db, runId, day, signal);
  }
  if (days.length > 0) onProgress?.('rebuilding roll-ups', days.length, days.length);
  return days.map(({ day }) => String(day).replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3'));
}

async function rebuildDay(
  db: Database,
  runId: string,
  day: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    // A table of its own for each attempt: a lost one that still fills its table cannot be counted twice.
    const staging = `usage_hourly_staging_${randomBytes(6).toString('hex')}`;
    try {
      await db.command(`CREATE TABLE IF NOT EXISTS ${staging} AS usage_hourly`, {}, { isIdempotent: true });
      await db.command(fillStaging(staging), { run: runId, day }, { signal });
      await db.command(fillStagingWithFailures(staging), { run: runId, day }, { signal });
      await db.command(
        `ALTER TABLE usage_hourly REPLACE PARTITION ({run:String}, 1, {day:UInt32}) FROM ${staging}`,
        { run: runId, day },
        { isIdempotent: true },
      );
      return;
    } catch (error) {
      const isPassing = error instanceof TallyrankError && error.code === 'store_unavailable';
      if (!isPassing || attempt >= ATTEMPTS_PER_DAY) throw error;
    } finally {
      // What cannot be dropped now is dropped by the next rebuild.
      await dropTable(db, staging).catch(() => undefined);
    }
  }
}

async function dropOldStaging(db: Database): Promise<void> {
  const tables = await db.query<{ name: string }>(OLD_STAGING, { hours: STAGING_KEPT_HOURS });
  for (const { name } of tables) await dropTable(db, name);
}

function dropTable(db: Database, name: string): Promise<void> {
  return db.command(`DROP TABLE IF EXISTS ${name} SYNC`, {}, { isIdempotent: true });
}
