import { storedMoment } from '../../core/usage-record.ts';
import type { UseCase } from '../../core/use-case.ts';
import type { Database } from '../database.ts';
import { ASKED_FOR } from '../rows-under-run.ts';

/** `building`: written, not yet read by anybody. The newest `active` run is the current one. */
export type DiscoveryRunStatus = 'building' | 'active' | 'failed';

export interface DiscoveryRun {
  readonly runId: string;
  readonly createdAtMs: number;
  readonly status: DiscoveryRunStatus;
  readonly windowFromMs: number;
  readonly windowToMs: number;
  readonly embedder: string;
  readonly requestCount: number;
  readonly distinctPromptCount: number;
  readonly useCaseCount: number;
  /** What the run says of itself: modularity curve, accuracy, seconds; JSON. */
  readonly report: unknown;
}

/** Writes a run, or its newer state over the older one. */
export async function writeDiscoveryRun(db: Database, run: DiscoveryRun, changedAtMs: number): Promise<void> {
  await db.insertRows('discovery_runs', [
    {
      run_id: run.runId,
      created_at: storedMoment(run.createdAtMs),
      status: run.status,
      window_from: storedMoment(run.windowFromMs),
      window_to: storedMoment(run.windowToMs),
      embedder: run.embedder,
      request_count: run.requestCount,
      distinct_prompt_count: run.distinctPromptCount,
      use_case_count: run.useCaseCount,
      report: JSON.stringify(run.report),
      changed_at: storedMoment(changedAtMs),
    },
  ]);
}

export interface StoredUseCase extends UseCase {
  readonly centroid: Float32Array;
}

export async function writeUseCases(
  db: Database,
  runId: string,
  useCases: readonly StoredUseCase[],
  createdAtMs: number,
): Promise<void> {
  await db.insertRows(
    'use_cases',
    useCases.map((useCase) => ({
      run_id: runId,
      slug: useCase.slug,
      name: useCase.name,
      keywords: useCase.keywords,
      example_prompts: useCase.examplePrompts,
      sample_count: useCase.sampleCount,
      distinct_prompt_count: useCase.distinctPromptCount,
      typical_length: useCase.typicalLength,
      centroid: Array.from(useCase.centroid),
      description: useCase.description ?? '',
      theme: useCase.theme ?? '',
      is_pinned: useCase.isPinned ?? false,
      created_at: storedMoment(createdAtMs),
    })),
  );
}

/** The run's classifier as bytes; `queries/snapshots.ts` reads it. */
export async function writeClassifier(
  db: Database,
  runId: string,
  bytes: Uint8Array,
  createdAtMs: number,
): Promise<void> {
  await db.insertRows('classifiers', [
    { run_id: runId, bytes: Buffer.from(bytes).toString('base64'), created_at: storedMoment(createdAtMs) },
  ]);
}

const RUN_COLUMNS = `
  run_id AS runId,
  toUnixTimestamp64Milli(created_at) AS createdAtMs,
  status,
  toUnixTimestamp64Milli(window_from) AS windowFromMs,
  toUnixTimestamp64Milli(window_to) AS windowToMs,
  embedder,
  request_count AS requestCount,
  distinct_prompt_count AS distinctPromptCount,
  use_case_count AS useCaseCount,
  report`;

const ACTIVE_RUN_SQL = `
SELECT ${RUN_COLUMNS}
FROM discovery_runs FINAL
WHERE status = 'active'
ORDER BY discovery_runs.created_at DESC
LIMIT 1`;

/** Which run is the current one? null before the first: the starter taxonomy holds. */
export async function readActiveRun(db: Database): Promise<DiscoveryRun | null> {
  const [row] = await db.query<DiscoveryRun>(ACTIVE_RUN_SQL);
  return row ? toRun(row) : null;
}

const RUNS_SQL = `
SELECT ${RUN_COLUMNS}
FROM discovery_runs FINAL
ORDER BY discovery_runs.created_at DESC
LIMIT {limit:UInt32}`;

/** Which runs were there, newest first, failed ones included? */
export async function readRuns(db: Database, limit: number): Promise<DiscoveryRun[]> {
  return (await db.query<DiscoveryRun>(RUNS_SQL, { limit })).map(toRun);
}

const STORED_USE_CASES_SQL = `
SELECT
  slug,
  name,
  keywords,
  example_prompts AS examplePrompts,
  sample_count AS sampleCount,
  distinct_prompt_count AS distinctPromptCount,
  typical_length AS typicalLength,
  description,
  theme,
  is_pinned AS isPinned,
  centroid
FROM use_cases FINAL
WHERE run_id = {runId:String}
ORDER BY sample_count DESC, slug`;

/** The use cases of a run with their centres, as they were written. */
export async function readStoredUseCases(db: Database, runId: string): Promise<StoredUseCase[]> {
  const rows = await db.query<StoredUseCase & { readonly centroid: readonly number[] }>(
    STORED_USE_CASES_SQL,
    { runId },
  );
  return rows.map((row) => ({
    ...row,
    sampleCount: Number(row.sampleCount),
    distinctPromptCount: Number(row.distinctPromptCount),
    centroid: Float32Array.from(row.centroid),
  }));
}

const SHARES_SQL = `
SELECT
  use_case AS useCase,
  uniqMerge(prompts) AS promptCount,
  sum(prompt_length_sum) / sum(request_count) AS typicalLength
FROM usage_hourly
WHERE run_id = {runId:String} AND hour >= toStartOfHour({from:DateTime64(3, 'UTC')}) AND hour < {to:DateTime64(3, 'UTC')}
  AND ${ASKED_FOR}
GROUP BY useCase`;

export interface UseCaseShare {
  readonly useCase: string;
  /** Distinct prompts of the window; exact up to tens of thousands, within a percent beyond. */
  readonly promptCount: number;
  /** Mean length of a request's prompt, characters. */
  readonly typicalLength: number;
}

/** How many distinct prompts of the window belong to which use case of a run? Reads the hourly roll-up. */
export async function readUseCaseShares(
  db: Database,
  { runId, from, to }: { readonly runId: string; readonly from: Date; readonly to: Date },
): Promise<UseCaseShare[]> {
  const rows = await db.query<UseCaseShare>(SHARES_SQL, { runId, from, to });
  return rows.map((row) => ({
    useCase: row.useCase,
    promptCount: Number(row.promptCount),
    typicalLength: Number(row.typicalLength),
  }));
}

const ASSIGNED_SQL = `
SELECT asked.text AS prompt, assigned.use_case AS useCase
FROM (SELECT prompt_hash, use_case FROM assignments FINAL WHERE run_id = {runId:String}) AS assigned
INNER JOIN (
  SELECT prompt_hash, any(usage_log.prompt) AS text FROM usage_log WHERE usage_log.prompt != '' GROUP BY prompt_hash
) AS asked ON asked.prompt_hash = assigned.prompt_hash
ORDER BY assigned.prompt_hash`;

/** Every distinct prompt of a run with its use case, in blocks: what `analyze --assignments` writes. */
export function streamAssignedPrompts(
  db: Database,
  runId: string,
): AsyncIterable<{ readonly prompt: string; readonly useCase: string }[]> {
  return db.stream(ASSIGNED_SQL, { runId });
}

function toRun(row: DiscoveryRun): DiscoveryRun {
  return {
    ...row,
    createdAtMs: Number(row.createdAtMs),
    windowFromMs: Number(row.windowFromMs),
    windowToMs: Number(row.windowToMs),
    requestCount: Number(row.requestCount),
    distinctPromptCount: Number(row.distinctPromptCount),
    useCaseCount: Number(row.useCaseCount),
    report: JSON.parse(String(row.report)) as unknown,
  };
}
