import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { rowsUnderRun } from '../rows-under-run.ts';
import type { EvidenceScope } from './ranking-evidence.ts';
import type { StoredQuery } from './stored-query.ts';

/** How one model answered in one use case, over its newest successful (or empty) answers there. */
export interface AnswerConduct {
  /** Answers looked at, empty ones among them. */
  readonly answerCount: number;
  readonly emptyCount: number;
  /** Different prompts among those whose answer's text is known by its hash. */
  readonly promptCount: number;
  /** Different prompts that got the text which most of them got. */
  readonly constantPromptCount: number;
  /** Different texts. */
  readonly textCount: number;
  /** Answers of which it is known how much of them stands in the prompt, and those of which at least half does. */
  readonly echoKnownCount: number;
  readonly echoCount: number;
  /** Answers of known length in characters; natural logarithms of it. */
  readonly lengthCount: number;
  readonly logLengthSum: number;
  readonly logLengthSquareSum: number;
  /** Answers that have the most frequent length. */
  readonly modalLengthCount: number;
  /** People who asked, by user or, where no user was named, by key. */
  readonly userCount: number;
}

/** Who rated one model in one use case, and how. Ratings are quality 0..1: feedback, else an imported score. */
export interface RatingConduct {
  readonly ratingCount: number;
  readonly ratingSum: number;
  /** Ratings of the person who gave most of them; people who cannot be told apart are nobody. */
  readonly topRaterCount: number;
  readonly topRaterSum: number;
  /** People who rated any model in the use case. */
  readonly useCaseRaterCount: number;
  /** Equal where all ratings are alike. */
  readonly ratingMin: number;
  readonly ratingMax: number;
  /** Ratings that other models got for the same prompts, and those of them that equal `ratingMin`. */
  readonly otherRatingCount: number;
  readonly otherAlikeCount: number;
  /** Answers with a score of the judge and a rating, the judge's less the people's. */
  readonly judgedCount: number;
  readonly judgeGapSum: number;
  readonly judgeGapSquareSum: number;
}

/** What the signs of gaming are read from. */
export type Conduct = AnswerConduct & RatingConduct;

export interface GamingEvidenceRow {
  readonly useCase: string;
  readonly modelId: string;
  readonly conduct: Conduct;
}

/**
 * Newest answers of a model in a use case that are looked at. More cost memory at every refresh (some 100 bytes each)
 * and say nothing new; fewer miss what is rare.
 */
const ANSWERS_PER_CELL = 1_000;
/**
 * Newest requests of the window that these are looked for among. More cost time at every refresh; fewer leave out use
 * cases that are seldom asked for, which is where nobody looks.
 */
const REQUESTS_MAX = 100_000;
/** An answer at least half of which stands in the prompt is an echo; quotations are shorter. */
const ECHO_SHARE = 0.5;

const WINDOW = `started_at >= toStartOfHour({from:DateTime64(3, 'UTC')}) AND started_at < {to:DateTime64(3, 'UTC')}`;

const NEWEST_ANSWERS = `(
  SELECT * FROM ${rowsUnderRun({
    columns: [
      'started_at',
      'model_id',
      'prompt_hash',
      'response_hash',
      'response_length',
      'echo_share',
      'finish_reason',
      'error_code',
      'user_id',
      'key_id',
    ],
    where: `${WINDOW} AND started_at >= (
      SELECT min(started_at) FROM (
        SELECT started_at FROM usage_log WHERE ${WINDOW} ORDER BY started_at DESC LIMIT {requestsMax:UInt32}
      )
    ) AND (success OR error_code = 'empty_answer')`,
    withShadows: true,
  })}
  ORDER BY started_at DESC
  LIMIT {answersPerCell:UInt32} BY use_case, model_id
)`;

const ANSWERS = `
SELECT
  use_case AS useCase,
  model_id AS modelId,
  sum(answers) AS answerCount,
  sum(empties) AS emptyCount,
  uniqExactIf(prompt_hash, text != 0) AS promptCount,
  arrayMax(mapValues(sumMapIf(map(text, toUInt32(1)), text != 0))) AS constantPromptCount,
  uniqExactIf(text, text != 0) AS textCount,
  sum(echo_known) AS echoKnownCount,
  sum(echoes) AS echoCount,
  sumIf(answers, length > 0) AS lengthCount,
  sumIf(answers * log(length), length > 0) AS logLengthSum,
  sumIf(answers * pow(log(length), 2), length > 0) AS logLengthSquareSum,
  arrayMax(mapValues(sumMapIf(map(length, answers), length > 0))) AS modalLengthCount,
  uniqExactArray(users) AS userCount
FROM (
  -- An answer that was repeated for the same prompt counts once where prompts are counted.
  SELECT
    use_case,
    model_id,
    prompt_hash,
    reinterpretAsUInt64(unhex(response_hash)) AS text,
    count() AS answers,
    countIf(error_code = 'empty_answer' OR (response_length = 0 AND finish_reason != 'tool_calls')) AS empties,
    countIf(isNotNull(echo_share)) AS echo_known,
    countIf(echo_share >= {echoShare:Float64}) AS echoes,
    -- Equal texts are equally long.
    max(ifNull(response_length, 0)) AS length,
    groupUniqArrayIf(if(user_id != '', user_id, toString(key_id)), user_id != '' OR key_id != '') AS users
  FROM ${NEWEST_ANSWERS}
  GROUP BY use_case, model_id, prompt_hash, text
)
GROUP BY useCase, modelId
ORDER BY useCase, modelId`;

const RATED = `(
  SELECT
    asked.use_case AS use_case,
    asked.model_id AS model_id,
    asked.prompt_hash AS prompt_hash,
    -- Who imports a score has not asked.
    if(isNull(said.feedback), '', if(asked.user_id != '', asked.user_id, toString(asked.key_id))) AS rater,
    assumeNotNull(coalesce(said.feedback, said.imported)) AS rating,
    -- A key of maps, which must be whole.
    toUInt16(round(1000 * rating)) AS level,
    said.judged - rating AS gap
  FROM ${rowsUnderRun({
    columns: ['request_id', 'model_id', 'prompt_hash', 'user_id', 'key_id'],
    where: `${WINDOW} AND request_id IN (
      SELECT request_id FROM signals WHERE kind IN ('feedback', 'imported_score') AND ${WINDOW}
    )`,
  })} AS asked
  INNER JOIN (
    SELECT
      request_id,
      anyIf(toNullable(value), kind = 'feedback') AS feedback,
      anyIf(toNullable(value), kind = 'imported_score') AS imported,
      anyIf(toNullable(value), kind = 'judge_score') AS judged
    FROM signals FINAL
    WHERE ${WINDOW}
    GROUP BY request_id
    HAVING isNotNull(feedback) OR isNotNull(imported)
  ) AS said ON said.request_id = asked.request_id
)`;

// Read once, and counted along several ways: the same rows are asked for by rater, by prompt and by model.
const RATINGS = `
SELECT
  use_case AS useCase,
  model_id AS modelId,
  count() AS ratingCount,
  sum(rating) AS ratingSum,
  maxIf(own_count, rater != '') AS topRaterCount,
  -- Of two who rated equally often, the same one every time.
  argMaxIf(own_sum, (own_count, rater), rater != '') AS topRaterSum,
  any(rater_count) AS useCaseRaterCount,
  min(rating) AS ratingMin,
  max(rating) AS ratingMax,
  round(sum(arraySum(mapValues(prompt_levels)) / model_prompt_count)) - ratingCount AS otherRatingCount,
  round(sum(arrayElement(prompt_levels, lowest) / model_prompt_count)) - countIf(level = lowest) AS otherAlikeCount,
  countIf(isNotNull(gap)) AS judgedCount,
  sum(ifNull(gap, 0)) AS judgeGapSum,
  sum(ifNull(gap * gap, 0)) AS judgeGapSquareSum
FROM (
  SELECT
    *,
    count() OVER (PARTITION BY use_case, model_id, rater) AS own_count,
    sum(rating) OVER (PARTITION BY use_case, model_id, rater) AS own_sum,
    min(level) OVER (PARTITION BY use_case, model_id) AS lowest,
    uniqExactIf(rater, rater != '') OVER (PARTITION BY use_case) AS rater_count,
    sumMap(map(level, toUInt64(1))) OVER (PARTITION BY use_case, prompt_hash) AS prompt_levels,
    count() OVER (PARTITION BY use_case, prompt_hash, model_id) AS model_prompt_count
  FROM ${RATED}
)
GROUP BY useCase, modelId
ORDER BY useCase, modelId`;

const NO_RATINGS: RatingConduct = {
  ratingCount: 0,
  ratingSum: 0,
  topRaterCount: 0,
  topRaterSum: 0,
  useCaseRaterCount: 0,
  ratingMin: 0,
  ratingMax: 0,
  otherRatingCount: 0,
  otherAlikeCount: 0,
  judgedCount: 0,
  judgeGapSum: 0,
  judgeGapSquareSum: 0,
};

function gamingEvidenceQueries(scope: EvidenceScope): Record<'answers' | 'ratings', StoredQuery> {
  const window = {
    run: scope.runId,
    from: storedMoment(scope.from.getTime()),
    to: storedMoment(scope.to.getTime()),
  };
  return {
    answers: {
      sql: ANSWERS,
      params: {
        ...window,
        answersPerCell: ANSWERS_PER_CELL,
        requestsMax: REQUESTS_MAX,
        echoShare: ECHO_SHARE,
      },
    },
    ratings: { sql: RATINGS, params: window },
  };
}

/**
 * How did every model answer and who rated it, per use case? Reads the window's rows of the log (no texts: hashes,
 * lengths and shares), of the newest 100,000 requests the newest 1,000 answers of each model in each use case; and the
 * rated requests with their signals. Once per refresh. A model without answers that succeeded or were empty is not among the rows.
 */
export async function readGamingEvidence(db: Database, scope: EvidenceScope): Promise<GamingEvidenceRow[]> {
  const queries = gamingEvidenceQueries(scope);
  const [answerRows, ratingRows] = await Promise.all([
    db.query<Names & AnswerConduct>(queries.answers.sql, queries.answers.params),
    db.query<Names & RatingConduct>(queries.ratings.sql, queries.ratings.params),
  ]);
  const ratings = new Map<string, RatingConduct>();
  for (const { useCase, modelId, ...conduct } of ratingRows) ratings.set(`${useCase}\n${modelId}`, conduct);
  return answerRows.map(({ useCase, modelId, ...conduct }) => ({
    useCase,
    modelId,
    conduct: numbersOf({ ...conduct, ...(ratings.get(`${useCase}\n${modelId}`) ?? NO_RATINGS) }),
  }));
}

interface Names {
  readonly useCase: string;
  readonly modelId: string;
}

/** Whole numbers may come as strings. */
function numbersOf<T extends object>(row: T): T {
  return Object.fromEntries(Object.entries(row).map(([field, value]) => [field, Number(value)])) as T;
}
