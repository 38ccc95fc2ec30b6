import { momentOfRequestId } from '../../core/signal.ts';
import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { rowsUnderRun } from '../rows-under-run.ts';

/** What is drawn from, and by which order of chance: the same seed draws the same. */
export interface SampleScope {
  readonly runId: string;
  /** Half-open window [from, to). */
  readonly from: Date;
  readonly to: Date;
  readonly seed: number;
  /** Name of the judging model without provider and vendor; answers of a model of that name are left out. '' leaves none out. */
  readonly excludedName: string;
}

/** An answer that may be judged. */
export interface JudgeCandidate {
  readonly requestId: string;
  readonly useCase: string;
  readonly modelId: string;
  /** Somebody gave explicit feedback: it tells how well the judge agrees. */
  readonly isRated: boolean;
}

/** Two answers to the same prompt by different models. */
export interface CandidatePair {
  readonly useCase: string;
  readonly requestId: string;
  readonly modelId: string;
  readonly otherRequestId: string;
  readonly otherModelId: string;
}

/** What the judge is shown of a request. */
export interface JudgeText {
  readonly requestId: string;
  readonly modelId: string;
  readonly promptHash: string;
  /** As its row has it, with the rule ('' for none) or the run that gave it. */
  readonly useCase: string;
  readonly useCaseRule: string;
  readonly runId: string;
  /** Up to two user turns before the prompt; '' for none. */
  readonly context: string;
  readonly prompt: string;
  readonly response: string;
}

/** Unreadable verdicts on the same answer before it is left alone. */
const MALFORMED_MAX = 2;

/** Requests among which equal prompts are looked for at once: the join holds them in memory. */
const PAIRED_ROWS_MAX = 300_000;

/** Candidates as they come from the engine. */
type StoredCell = Pick<JudgeCandidate, 'useCase' | 'modelId'> & {
  readonly isRated: unknown;
  readonly requestIds: readonly string[];
};

const WINDOW = `started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}`;

/** An answer whose text is kept has a length; calls of tools have no text to judge. */
const JUDGEABLE = `${WINDOW} AND success AND response_length > 0 AND prompt_length > 0 AND finish_reason != 'tool_calls'
      AND ({excludedName:String} = '' OR replaceRegexpOne(model_id, '^[^:]*:(.*/)?(.*?)(:latest)?$', '\\\\2') != {excludedName:String})`;

const ANSWERS = rowsUnderRun({
  columns: ['request_id', 'model_id', 'prompt_hash'],
  where: JUDGEABLE,
  withShadows: true,
});

// The least hashes are kept as rows are read: sorting the answers of a busy week takes much memory.
const CANDIDATES = `
SELECT
  answers.use_case AS useCase,
  answers.model_id AS modelId,
  learnt.explicit_count > 0 AS isRated,
  arrayMap(
    drawn -> drawn.2,
    groupArraySorted({perCellMax:UInt32})(
      (cityHash64(answers.request_id, {seed:UInt64}), toString(answers.request_id))
    )
  ) AS requestIds
FROM ${ANSWERS} AS answers
LEFT JOIN (
  SELECT
    request_id,
    countIf(kind IN ('feedback', 'imported_score')) AS explicit_count,
    countIf(kind = 'judge_score') AS score_count
  FROM signals
  WHERE ${WINDOW} AND kind IN ('feedback', 'imported_score', 'judge_score')
  GROUP BY request_id
) AS learnt ON learnt.request_id = answers.request_id
WHERE learnt.score_count = 0
  AND answers.request_id NOT IN (
    SELECT request_id FROM judgements
    WHERE kind = 'score' AND outcome != 'judged'
    GROUP BY request_id
    HAVING sum(if(outcome = 'suspect', {malformedMax:UInt32}, 1)) >= {malformedMax:UInt32}
  )
GROUP BY useCase, modelId, isRated
ORDER BY useCase, modelId, isRated`;

const COUNT = `SELECT count() AS count FROM usage_log WHERE ${WINDOW}`;

/** Of busy windows a slice of the prompts, another one with each seed. */
const SLICED_ANSWERS = rowsUnderRun({
  columns: ['request_id', 'model_id', 'prompt_hash'],
  where: `${JUDGEABLE} AND cityHash64(prompt_hash, {seed:UInt64}) % {sliceCount:UInt32} = 0`,
  withShadows: true,
});

const PAIRS = `
WITH sampled AS (
  SELECT prompt_hash, use_case, model_id, argMin(request_id, cityHash64(request_id, {seed:UInt64})) AS request_id
  FROM ${SLICED_ANSWERS} AS answers
  GROUP BY prompt_hash, use_case, model_id
)
SELECT
  one.use_case AS useCase,
  toString(one.request_id) AS requestId,
  one.model_id AS modelId,
  toString(other.request_id) AS otherRequestId,
  other.model_id AS otherModelId
FROM sampled AS one
INNER JOIN sampled AS other ON other.prompt_hash = one.prompt_hash AND other.use_case = one.use_case
WHERE one.model_id < other.model_id
  AND (one.prompt_hash, one.model_id, other.model_id) NOT IN (
    SELECT prompt_hash, toString(model_id), toString(other_model_id) FROM judgements WHERE kind = 'pair'
  )
ORDER BY cityHash64(one.request_id, {seed:UInt64}), one.request_id, other.request_id
LIMIT {perCellMax:UInt32} BY useCase, modelId, otherModelId`;

const TEXTS = `
SELECT
  toString(request_id) AS requestId,
  model_id AS modelId,
  prompt_hash AS promptHash,
  use_case AS useCase,
  use_case_rule AS useCaseRule,
  run_id AS runId,
  context,
  prompt,
  response
FROM usage_log
WHERE ${WINDOW} AND request_id IN ({requestIds:Array(UUID)})`;

/**
 * Which answers may be judged, by chance at most `perCellMax` per use case, model and whether they are rated?
 * Successful answers with a text that have no score yet. Reads `usage_log`, `signals`, `judgements`.
 */
export async function drawJudgeCandidates(
  db: Database,
  scope: SampleScope,
  perCellMax: number,
): Promise<JudgeCandidate[]> {
  const params = { ...paramsOf(scope), perCellMax, malformedMax: MALFORMED_MAX };
  const cells = await db.query<StoredCell>(CANDIDATES, params);
  return cells.flatMap(({ useCase, modelId, isRated, requestIds }) =>
    requestIds.map((requestId) => ({ requestId, useCase, modelId, isRated: Number(isRated) === 1 })),
  );
}

/**
 * Which two models answered the same prompt, one pair of answers each, in an order of chance, at most
 * `perCellMax` per use case and two models? Prompts that were compared for the two are left out. Of windows with
 * more than some 300,000 requests, a random part of the prompts is looked at. Reads `usage_log`, `judgements`.
 */
export async function drawJudgePairs(
  db: Database,
  scope: SampleScope,
  perCellMax: number,
): Promise<CandidatePair[]> {
  const { from, to, ...others } = paramsOf(scope);
  const [row] = await db.query<{ count: unknown }>(COUNT, { from, to });
  const sliceCount = Math.max(1, Math.ceil(Number(row?.count ?? 0) / PAIRED_ROWS_MAX));
  return await db.query<CandidatePair>(PAIRS, { ...others, from, to, perCellMax, sliceCount });
}

/** Texts of these requests, by id; those that the log does not have are not in the map. Reads `usage_log`. */
export async function readJudgeTexts(
  db: Database,
  requestIds: readonly string[],
): Promise<Map<string, JudgeText>> {
  const moments = requestIds.map(momentOfRequestId).filter((ms) => ms !== null);
  if (moments.length === 0) return new Map();
  const rows = await db.query<JudgeText>(TEXTS, {
    requestIds: requestIds.filter((id) => momentOfRequestId(id) !== null),
    from: storedMoment(Math.max(0, Math.min(...moments) - 1_000)),
    to: storedMoment(Math.max(...moments) + 1_000),
  });
  return new Map(rows.map((row) => [row.requestId, row]));
}

function paramsOf({ runId, from, to, seed, excludedName }: SampleScope): {
  readonly run: string;
  readonly from: string;
  readonly to: string;
  readonly seed: number;
  readonly excludedName: string;
} {
  return {
    run: runId,
    from: storedMoment(from.getTime()),
    to: storedMoment(to.getTime()),
    seed,
    excludedName,
  };
}
