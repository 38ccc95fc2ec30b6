import type { Database } from '../database.ts';
import { CLASSIFIED_BY_TEXT, type PromptWindow } from './distinct-prompts.ts';

export interface PromptAssignment {
  readonly promptHash: string;
  /** What is shown: after operator edits. */
  readonly useCase: string;
  /** What was found: before them. */
  readonly foundUseCase: string;
  /** Cosine to the centre of the use case where it was clustered, else the classifier's probability; 0..1 or null. */
  readonly confidence: number | null;
}

/** Rows of one insert: one partition, and a few megabytes of JSON. */
const ASSIGNMENTS_PER_INSERT = 10_000;

export async function writeAssignments(
  db: Database,
  runId: string,
  assignments: readonly PromptAssignment[],
): Promise<void> {
  for (let from = 0; from < assignments.length; from += ASSIGNMENTS_PER_INSERT) {
    await db.insertRows(
      'assignments',
      assignments.slice(from, from + ASSIGNMENTS_PER_INSERT).map((assignment) => ({
        run_id: runId,
        prompt_hash: assignment.promptHash,
        use_case: assignment.useCase,
        found_use_case: assignment.foundUseCase,
        confidence: assignment.confidence,
      })),
    );
  }
}

/** The same sample as `readDistinctPrompts` draws: the hash decides. */
const SAMPLED_SQL = `
SELECT
  prompt_hash AS promptHash,
  use_case AS useCase,
  found_use_case AS foundUseCase,
  confidence
FROM assignments FINAL
WHERE run_id = {runId:String} AND prompt_hash IN (
  SELECT prompt_hash
  FROM usage_log
  WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')} AND ${CLASSIFIED_BY_TEXT}
  GROUP BY prompt_hash
  ORDER BY cityHash64(prompt_hash)
  LIMIT {limit:UInt32}
)`;

/** What did a run make of the distinct prompts that the window's sample holds? By prompt hash. */
export async function readSampledAssignments(
  db: Database,
  { runId, from, to, limit, signal }: PromptWindow & { readonly runId: string; readonly limit: number },
): Promise<Map<string, PromptAssignment>> {
  const rows = await db.query<PromptAssignment>(SAMPLED_SQL, { runId, from, to, limit }, { signal });
  return new Map(rows.map((row) => [row.promptHash, row]));
}

const ALL_SQL = `
SELECT prompt_hash AS promptHash, found_use_case AS foundUseCase, confidence
FROM assignments FINAL
WHERE run_id = {runId:String}`;

/** What did a run find every prompt to be? In blocks. */
export function streamAssignments(
  db: Database,
  runId: string,
): AsyncIterable<Omit<PromptAssignment, 'useCase'>[]> {
  return db.stream(ALL_SQL, { runId });
}

const USERS_SQL = `
SELECT prompt_hash AS promptHash, arrayMap(id -> toString(id), groupUniqArray(8)(cityHash64(user_id))) AS users
FROM usage_log
WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
  AND ${CLASSIFIED_BY_TEXT} AND user_id != ''
GROUP BY prompt_hash
ORDER BY cityHash64(prompt_hash)
LIMIT {limit:UInt32}`;

/** Who asked the distinct prompts of the window: up to eight named users each, as numbers that name nobody. */
export async function readPromptUsers(
  db: Database,
  { from, to, limit, signal }: PromptWindow & { readonly limit: number },
): Promise<Map<string, readonly string[]>> {
  const rows = await db.query<{ promptHash: string; users: string[] }>(
    USERS_SQL,
    { from, to, limit },
    { signal },
  );
  return new Map(rows.map(({ promptHash, users }) => [promptHash, users]));
}

/** How a run's assignments become those of a run that differs by operator edits. */
export interface Relabelling {
  readonly fromRunId: string;
  readonly toRunId: string;
  /** New shown slug of each found one; what is not listed is shown as it was found. */
  readonly shownOfFound: ReadonlyMap<string, string>;
  /**
   * Found slug of what the earlier run showed: for prompts that only its classifier saw. What is not listed was
   * found as it is shown.
   */
  readonly foundOfShown: ReadonlyMap<string, string>;
  /** Found slugs whose prompts are decided by their text: left out here. */
  readonly byText: readonly string[];
}

/** All prompts of a run with what was found: those it assigned, and those that its classifier saw later. */
const FOUND_OF_RUN = `
  SELECT prompt_hash, toString(found_use_case) AS found, confidence
  FROM assignments FINAL
  WHERE run_id = {fromRunId:String}
  UNION ALL
  SELECT
    prompt_hash,
    transform(toString(label), {shownBefore:Array(String)}, {foundBefore:Array(String)}, toString(label)) AS found,
    CAST(NULL, 'Nullable(Float32)') AS confidence
  FROM (
    SELECT prompt_hash, argMax(usage_log.use_case, started_at) AS label
    FROM usage_log
    WHERE run_id = {fromRunId:String} AND use_case_rule = '' AND prompt_hash != ''
      AND prompt_hash NOT IN (SELECT prompt_hash FROM assignments WHERE run_id = {fromRunId:String})
    GROUP BY prompt_hash
  )`;

const COPY_SQL = `
INSERT INTO assignments (run_id, prompt_hash, use_case, found_use_case, confidence)
SELECT
  {toRunId:String},
  prompt_hash,
  transform(found, {foundSlugs:Array(String)}, {shownSlugs:Array(String)}, found),
  found,
  confidence
FROM (${FOUND_OF_RUN})
WHERE NOT has({byText:Array(String)}, found)`;

/** Copies a run's assignments under another run id with other shown slugs, inside the engine. */
export async function copyAssignments(db: Database, relabelling: Relabelling): Promise<void> {
  await db.command(COPY_SQL, paramsOf(relabelling), { isIdempotent: true });
}

const BY_TEXT_SQL = `
SELECT
  known.prompt_hash AS promptHash,
  known.found AS foundUseCase,
  known.confidence AS confidence,
  asked.text AS prompt,
  asked.earlier AS context
FROM (SELECT * FROM (${FOUND_OF_RUN}) WHERE has({byText:Array(String)}, found)) AS known
LEFT JOIN (
  SELECT
    prompt_hash,
    any(if(
      length(usage_log.prompt) > 8000,
      concat(substringUTF8(usage_log.prompt, 1, 3000), '\\n', substringUTF8(usage_log.prompt, -3000)),
      usage_log.prompt
    )) AS text,
    any(substringUTF8(usage_log.context, 1, 8000)) AS earlier
  FROM usage_log
  WHERE usage_log.prompt != ''
  GROUP BY prompt_hash
) AS asked ON asked.prompt_hash = known.prompt_hash`;

export interface FoundPrompt {
  readonly promptHash: string;
  readonly foundUseCase: string;
  readonly confidence: number | null;
  /** '' where texts are not kept. */
  readonly prompt: string;
  readonly context: string;
}

/** The prompts that {@link copyAssignments} leaves out, with their texts, in blocks. */
export function streamFoundPrompts(
  db: Database,
  relabelling: Relabelling,
  signal?: AbortSignal,
): AsyncIterable<FoundPrompt[]> {
  return db.stream<FoundPrompt>(BY_TEXT_SQL, paramsOf(relabelling), { signal });
}

function paramsOf(relabelling: Relabelling): Record<string, unknown> {
  const { fromRunId, toRunId, shownOfFound, foundOfShown, byText } = relabelling;
  return {
    fromRunId,
    toRunId,
    // The engine's transform() wants at least one pair.
    foundSlugs: ['', ...shownOfFound.keys()],
    shownSlugs: ['', ...shownOfFound.values()],
    shownBefore: ['', ...foundOfShown.keys()],
    foundBefore: ['', ...foundOfShown.values()],
    byText,
  };
}
