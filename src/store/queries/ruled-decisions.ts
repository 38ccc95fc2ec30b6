import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { rowsUnderRun } from '../rows-under-run.ts';
import type { EvidenceScope } from './ranking-evidence.ts';

/** A logged decision with all that a routing rule may look at, as far as it was kept, and what came of it. */
export interface RuledDecision {
  /** Under the run asked for. */
  readonly useCase: string;
  /** The preset that chose. */
  readonly policy: string;
  /** As the caller wrote it: "auto", "auto:cheap", … */
  readonly modelAsked: string;
  readonly cause: string;
  /** '' where no rule had a say. */
  readonly ruleName: string;
  readonly isExploration: boolean;
  /** The model that was chosen; another may have answered in its place. */
  readonly modelId: string;
  readonly answeredId: string;
  /** The chosen model and the order of fallback; where that was too long to be logged, also models with a row of their own. */
  readonly listedIds: readonly string[];
  /** null where the texts were not kept, or nobody asked for them. Of a long one head and tail, as rules read it. */
  readonly prompt: string | null;
  readonly keyId: string;
  readonly roomId: string;
  readonly userId: string;
  readonly tags: readonly string[];
  readonly promptTokens: number | null;
  /** True where tokens of prompt and answer are known. */
  readonly hasTokens: boolean;
  readonly costUsd: number | null;
  /** 0 or 1; null where nobody's fault counts against the model. */
  readonly success: number | null;
}

/** How many decisions a window has. */
export interface DecisionCounts {
  readonly decisionCount: number;
  /** All models that were chosen or stood in an order of fallback. */
  readonly modelIds: readonly string[];
}

/** Signs of a long prompt's head and of its tail: twice what any pattern reads of it. */
const EDGE_LENGTH = 4_000;

/** Names that a decision logs in the order of fallback, the chosen model among them. */
const LISTED_MAX = 10;

const WINDOW = `started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}`;
const SLICE = `${WINDOW} AND cityHash64(request_id) % {sliceCount:UInt32} = 0`;

const COUNT = `
SELECT
  count() AS decisionCount,
  arraySort(groupUniqArrayArray(arrayConcat([model_id], fallback_model_ids))) AS modelIds
FROM decisions
WHERE ${WINDOW}`;

/** @param prompt  SQL of the prompt, so that the column is not even read where no rule needs it */
function decisionsSql(prompt: string, columns: readonly string[]): string {
  const logged = rowsUnderRun({ columns: [...COLUMNS, ...columns], where: SLICE, assignedWhere: SLICE });
  return `
SELECT
  logged.use_case AS useCase,
  decided.policy AS policy,
  logged.model_asked AS modelAsked,
  decided.cause AS cause,
  decided.rule_name AS ruleName,
  decided.is_exploration AS isExploration,
  decided.model_id AS modelId,
  logged.model_id AS answeredId,
  decided.listed AS listedIds,
  ${prompt} AS prompt,
  logged.key_id AS keyId,
  logged.room_id AS roomId,
  logged.user_id AS userId,
  logged.tags AS tags,
  logged.prompt_tokens AS promptTokens,
  CAST(logged.prompt_tokens IS NOT NULL AND logged.completion_tokens IS NOT NULL AS Bool) AS hasTokens,
  logged.cost_usd AS costUsd,
  multiIf(logged.success, 1, logged.fault IN ('provider', 'model'), 0, NULL) AS success
FROM ${logged} AS logged
INNER JOIN (
  SELECT
    request_id,
    policy,
    cause,
    rule_name,
    is_exploration,
    model_id,
    arrayDistinct(arrayConcat([model_id], fallback_model_ids)) AS ordered,
    if(
      length(ordered) < {listedMax:UInt32},
      ordered,
      arrayDistinct(arrayConcat(
        ordered,
        arrayMap(row -> JSONExtractString(row, 'modelId'), JSONExtractArrayRaw(candidates))
      ))
    ) AS listed
  FROM decisions
  WHERE ${SLICE}
) AS decided ON decided.request_id = logged.request_id`;
}

const COLUMNS = [
  'request_id',
  'model_id',
  'model_asked',
  'key_id',
  'room_id',
  'user_id',
  'tags',
  'prompt_tokens',
  'completion_tokens',
  'cost_usd',
  'success',
  'fault',
];

const WITHOUT_PROMPT = decisionsSql('CAST(NULL AS Nullable(String))', []);
const WITH_PROMPT = decisionsSql(
  `multiIf(
    logged.prompt = '' AND logged.prompt_length > 0, NULL,
    lengthUTF8(logged.prompt) > 2 * ${EDGE_LENGTH}, concat(
      substringUTF8(logged.prompt, 1, ${EDGE_LENGTH}), '\\n', substringUTF8(logged.prompt, -${EDGE_LENGTH})
    ),
    logged.prompt
  )`,
  ['prompt', 'prompt_length'],
);

/** How many decisions were logged in a window, and between which models? Reads `decisions`. */
export async function countDecisions(
  db: Database,
  { from, to }: Pick<EvidenceScope, 'from' | 'to'>,
): Promise<DecisionCounts> {
  const [row] = await db.query<{ decisionCount: unknown; modelIds: readonly string[] }>(COUNT, {
    from: storedMoment(from.getTime()),
    to: storedMoment(to.getTime()),
  });
  return {
    decisionCount: Number(row?.decisionCount ?? 0),
    modelIds: row?.modelIds ?? [],
  };
}

/**
 * What could a rule have seen of each decision, and what came of it? Reads `decisions` and the log
 * rows of the same requests under the run, in blocks and in no order. One of `sliceCount`, the same each time.
 */
export async function* streamRuledDecisions(
  db: Database,
  scope: EvidenceScope,
  { sliceCount, readsPrompt }: { readonly sliceCount: number; readonly readsPrompt: boolean },
): AsyncIterable<readonly RuledDecision[]> {
  yield* db.stream<RuledDecision>(readsPrompt ? WITH_PROMPT : WITHOUT_PROMPT, {
    from: storedMoment(scope.from.getTime()),
    to: storedMoment(scope.to.getTime()),
    run: scope.runId,
    sliceCount,
    listedMax: LISTED_MAX,
  });
}
