import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { EXPLICIT_RATING } from '../explicit-rating.ts';
import { ASKED_FOR, rowsUnderRun } from '../rows-under-run.ts';
import type { StoredQuery } from './stored-query.ts';

/** A discovery run and a half-open window [from, to). The roll-up counts whole hours: those that `from` and `to` lie in are in. */
export interface EvidenceScope {
  readonly runId: string;
  readonly from: Date;
  readonly to: Date;
  /** Age, counted back from `to`, at which evidence counts half; left out: all counts alike. */
  readonly halfLifeMs?: number | null | undefined;
  /** Leaves shadows out: what was asked, and not what a model is like. */
  readonly isAskedForOnly?: boolean | undefined;
}

/** Sums of one model in one use case. */
export interface EvidenceRow {
  readonly useCase: string;
  readonly modelId: string;
  readonly requestCount: number;
  readonly successCount: number;
  readonly failureCount: number;
  readonly sessionCount: number;
  readonly latencyCount: number;
  readonly latencySumMs: number;
  /** Requests per latency bin, without loading a model and waiting for its turn. */
  readonly latencyBins: ReadonlyMap<number, number>;
  /** The same with all that people waited. */
  readonly waitBins: ReadonlyMap<number, number>;
  readonly timing: TimingSums;
  readonly pricedCount: number;
  readonly costSumUsd: number;
  readonly costSquareSum: number;
  readonly tokenCount: number;
  readonly promptTokenSum: number;
  readonly completionTokenSum: number;
  /** The same sums with each hour weighted by its age: 2^(-age / half-life). */
  readonly weighted: {
    readonly successCount: number;
    readonly failureCount: number;
    readonly sessionCount: number;
    readonly latencyBins: ReadonlyMap<number, number>;
    readonly pricedCount: number;
    readonly costSumUsd: number;
    readonly costSquareSum: number;
  };
  /** Sum of the requests' weights over the sum of their squares; 1 where all count alike. */
  readonly weightScale: number;
}

/** Times of successful requests and how many of them they were known of. They add up. */
export interface TimingSums {
  /** Streams, from the request to the first content; without loading and queueing. */
  readonly firstTokenCount: number;
  readonly firstTokenSumMs: number;
  /** Requests whose writing could be timed, and the tokens written in that time. */
  readonly generationCount: number;
  readonly generationSumMs: number;
  readonly generationTokenSum: number;
  /** Requests whose provider said how long it loaded the model. */
  readonly loadCount: number;
  readonly loadSumMs: number;
  /** The same of waiting for its turn. */
  readonly queueCount: number;
  readonly queueSumMs: number;
}

/** What the evidence query answers as it comes from the engine: whole numbers may be strings. */
type StoredEvidenceRow = { readonly [Field in keyof EvidenceRow]: unknown } & {
  readonly useCase: string;
  readonly modelId: string;
  readonly bins: readonly unknown[];
  readonly binCounts: readonly unknown[];
  readonly waitKeys: readonly unknown[];
  readonly waitCounts: readonly unknown[];
  /** In the order of {@link TimingSums}. */
  readonly timings: readonly unknown[];
  readonly weightedBins: readonly unknown[];
  readonly weightedBinCounts: readonly unknown[];
  /** Successes, failures, sessions, priced requests, cost, its squares. */
  readonly weightedSums: readonly unknown[];
};

/** 2^(-age / half-life); what lies after `to` counts whole. */
function ageWeight(moment: string): string {
  return `exp2(-greatest(0, dateDiff('second', ${moment}, {to:DateTime64(3, 'UTC')})) / {halfLifeSeconds:Float64})`;
}

/** Longer than any log: every weight is 1. */
const NO_HALF_LIFE_SECONDS = 1e15;

const EVIDENCE_SQL = `
WITH ${ageWeight('hour')} AS weight
SELECT
  use_case AS useCase,
  model_id AS modelId,
  sum(request_count) AS requestCount,
  sum(success_count) AS successCount,
  sum(failure_count) AS failureCount,
  sum(session_count) AS sessionCount,
  sum(latency_count) AS latencyCount,
  sum(latency_sum_ms) AS latencySumMs,
  mapKeys(sumMap(latency_bins) AS all_bins) AS bins,
  mapValues(all_bins) AS binCounts,
  mapKeys(sumMap(wait_bins) AS all_waits) AS waitKeys,
  mapValues(all_waits) AS waitCounts,
  [
    sum(first_token_count), sum(first_token_sum_ms),
    sum(generation_count), sum(generation_sum_ms), sum(generation_token_sum),
    sum(load_count), sum(load_sum_ms), sum(queue_count), sum(queue_sum_ms)
  ] AS timings,
  sum(priced_count) AS pricedCount,
  sum(cost_sum_usd) AS costSumUsd,
  sum(cost_square_sum) AS costSquareSum,
  sum(token_count) AS tokenCount,
  sum(prompt_token_sum) AS promptTokenSum,
  sum(completion_token_sum) AS completionTokenSum,
  [
    sum(weight * success_count), sum(weight * failure_count), sum(weight * session_count),
    sum(weight * priced_count), sum(weight * cost_sum_usd), sum(weight * cost_square_sum)
  ] AS weightedSums,
  mapKeys(sumMap(mapApply((bin, requests) -> (bin, weight * requests), latency_bins)) AS weighted_bins) AS weightedBins,
  mapValues(weighted_bins) AS weightedBinCounts,
  sum(weight * (success_count + failure_count)) / sum(weight * weight * (success_count + failure_count)) AS weightScale
FROM usage_hourly
WHERE run_id = {runId:String}
  AND hour >= toStartOfHour({from:DateTime64(3, 'UTC')})
  AND hour < {to:DateTime64(3, 'UTC')}
  AND ({useCase:String} = '' OR use_case = {useCase:String})
  AND ({isAskedForOnly:UInt8} = 0 OR ${ASKED_FOR})
GROUP BY useCase, modelId
ORDER BY useCase, modelId`;

/** The question of {@link readRankingEvidence}, about one use case where one is given. */
export function rankingEvidenceQuery(scope: EvidenceScope, useCase = ''): StoredQuery {
  const isAskedForOnly = scope.isAskedForOnly === true ? 1 : 0;
  return { sql: EVIDENCE_SQL, params: { ...scopeParams(scope), useCase, isAskedForOnly } };
}

/** What did every model do in every use case? Reads the hourly roll-up of one run, never raw rows. */
export async function readRankingEvidence(db: Database, scope: EvidenceScope): Promise<EvidenceRow[]> {
  const { sql, params } = rankingEvidenceQuery(scope);
  const rows = await db.query<StoredEvidenceRow>(sql, params);
  return rows.map((row) => ({
    useCase: row.useCase,
    modelId: row.modelId,
    requestCount: Number(row.requestCount),
    successCount: Number(row.successCount),
    failureCount: Number(row.failureCount),
    sessionCount: Number(row.sessionCount),
    latencyCount: Number(row.latencyCount),
    latencySumMs: Number(row.latencySumMs),
    latencyBins: new Map(row.bins.map((bin, at) => [Number(bin), Number(row.binCounts[at])])),
    waitBins: new Map(row.waitKeys.map((bin, at) => [Number(bin), Number(row.waitCounts[at])])),
    timing: timingOf(row.timings.map(Number)),
    pricedCount: Number(row.pricedCount),
    costSumUsd: Number(row.costSumUsd),
    costSquareSum: Number(row.costSquareSum),
    tokenCount: Number(row.tokenCount),
    promptTokenSum: Number(row.promptTokenSum),
    completionTokenSum: Number(row.completionTokenSum),
    ...weightedOf(row),
  }));
}

function timingOf([
  firstTokenCount = 0,
  firstTokenSumMs = 0,
  generationCount = 0,
  generationSumMs = 0,
  generationTokenSum = 0,
  loadCount = 0,
  loadSumMs = 0,
  queueCount = 0,
  queueSumMs = 0,
]: readonly number[]): TimingSums {
  return {
    firstTokenCount,
    firstTokenSumMs,
    generationCount,
    generationSumMs,
    generationTokenSum,
    loadCount,
    loadSumMs,
    queueCount,
    queueSumMs,
  };
}

function weightedOf(row: StoredEvidenceRow): Pick<EvidenceRow, 'weighted' | 'weightScale'> {
  const [
    successCount = 0,
    failureCount = 0,
    sessionCount = 0,
    pricedCount = 0,
    costSumUsd = 0,
    costSquareSum = 0,
  ] = row.weightedSums.map(Number);
  const latencyBins = new Map(
    row.weightedBins.map((bin, at) => [Number(bin), Number(row.weightedBinCounts[at])]),
  );
  // 0 / 0 where nothing counts for or against the model.
  const scale = Number(row.weightScale ?? 1);
  return {
    weighted: {
      successCount,
      failureCount,
      sessionCount,
      latencyBins,
      pricedCount,
      costSumUsd,
      costSquareSum,
    },
    weightScale: Number.isFinite(scale) ? Math.max(1, scale) : 1,
  };
}

/** Requests of one model in one use case whose session or client left one mark. */
export interface QualityEvidenceRow {
  readonly useCase: string;
  readonly modelId: string;
  /** `unseen`: outside any session, so that silence means nothing. */
  readonly mark: 'abandoned' | 'reAsked' | 'thanked' | 'untroubled' | 'unseen';
  /** Requests without explicit feedback. */
  readonly silentCount: number;
  readonly feedbackCount: number;
  readonly feedbackSum: number;
  readonly feedbackSquareSum: number;
  readonly followUpCount: number;
  readonly reAskCount: number;
  /** Those of them in a session. */
  readonly sessionCount: number;
  /**
   * The same counts and sums with each request weighted by its age: 2^(-age / half-life). A rating also weighs less
   * the more its person rated the model.
   */
  readonly weighted: {
    readonly silentCount: number;
    readonly feedbackCount: number;
    readonly feedbackSum: number;
    readonly feedbackSquareSum: number;
    readonly sessionCount: number;
  };
}

const SIGNAL_WINDOW = `started_at >= toStartOfHour({from:DateTime64(3, 'UTC')}) AND started_at < {to:DateTime64(3, 'UTC')}`;

/**
 * Likeness of ratings by one person (intra-class correlation): n of them are worth n / (1 + (n - 1) 0.1), which is 5.3
 * for ten and never more than ten (the design effect of Kish 1965, Survey Sampling, 5.4). 0 counts each rating as a
 * person; 1 counts each person once, and then a team of five never rates enough.
 */
const RATER_LIKENESS = 0.1;

const MARKED_ROWS = rowsUnderRun({
  columns: ['request_id', 'model_id', 'session_id', 'error_code', 'started_at', 'user_id', 'key_id'],
  where: `${SIGNAL_WINDOW} AND (
      error_code = 'caller_cancelled' OR request_id IN (SELECT request_id FROM signals WHERE ${SIGNAL_WINDOW})
    )`,
  // A judge's score of a shadow.
  withShadows: true,
});

/** By rater first: a person who rates much must not outvote the others. Who is the only rater of a use case may. */
const QUALITY_SQL = `
WITH ${ageWeight('marked.started_at')} AS weight
SELECT
  useCase,
  modelId,
  mark,
  sum(silent) AS silentCount,
  sum(rated) AS feedbackCount,
  sum(rating_sum) AS feedbackSum,
  sum(rating_square_sum) AS feedbackSquareSum,
  sum(follow_ups) AS followUpCount,
  sum(re_asks) AS reAskCount,
  sum(sessions) AS sessionCount,
  [
    sum(weights[1]), sum(voice * weights[2]), sum(voice * weights[3]), sum(voice * weights[4]), sum(weights[5])
  ] AS weightedSums
FROM (
  SELECT
    *,
    if(
      rater = '' OR uniqExactIf(rater, rater != '') OVER (PARTITION BY useCase) < 2, 1,
      1 / (1 + {likeness:Float64} * (sum(rated) OVER (PARTITION BY useCase, modelId, rater) - 1))
    ) AS voice
  FROM (
    SELECT
      marked.use_case AS useCase,
      marked.model_id AS modelId,
      multiIf(
        marked.error_code = 'caller_cancelled' OR learnt.abandonments > 0, 'abandoned',
        learnt.re_asks > 0, 'reAsked',
        learnt.thanks > 0, 'thanked',
        marked.session_id != '', 'untroubled',
        'unseen'
      ) AS mark,
      -- Imported scores are nobody's; people who cannot be told apart are taken for different ones.
      if(learnt.is_feedback, if(marked.user_id != '', marked.user_id, toString(marked.key_id)), '') AS rater,
      countIf(isNull(learnt.explicit)) AS silent,
      countIf(isNotNull(learnt.explicit)) AS rated,
      sum(ifNull(learnt.explicit, 0)) AS rating_sum,
      sum(ifNull(learnt.explicit * learnt.explicit, 0)) AS rating_square_sum,
      countIf(learnt.follow_ups > 0) AS follow_ups,
      countIf(learnt.re_asks > 0) AS re_asks,
      countIf(marked.session_id != '') AS sessions,
      [
        sumIf(weight, isNull(learnt.explicit)), sumIf(weight, isNotNull(learnt.explicit)),
        sum(weight * ifNull(learnt.explicit, 0)), sum(weight * ifNull(learnt.explicit * learnt.explicit, 0)),
        sumIf(weight, marked.session_id != '')
      ] AS weights
    FROM ${MARKED_ROWS} AS marked
    LEFT JOIN (
      SELECT
        request_id,
        ${EXPLICIT_RATING} AS explicit,
        countIf(kind = 'feedback') > 0 AS is_feedback,
        countIf(kind IN ('re_ask', 'correction')) AS re_asks,
        countIf(kind = 'thanks') AS thanks,
        countIf(kind = 'abandonment') AS abandonments,
        countIf(kind = 'follow_up') AS follow_ups
      FROM signals FINAL
      WHERE ${SIGNAL_WINDOW}
      GROUP BY request_id
    ) AS learnt ON learnt.request_id = marked.request_id
    GROUP BY useCase, modelId, mark, rater
  )
)
GROUP BY useCase, modelId, mark
ORDER BY useCase, modelId, mark`;

/** The question of {@link readQualityEvidence}. */
export function qualityEvidenceQuery(scope: EvidenceScope): StoredQuery {
  const { runId: run, ...window } = scopeParams(scope);
  return { sql: QUALITY_SQL, params: { run, ...window, likeness: RATER_LIKENESS } };
}

/**
 * What did people say and show of the answers? Reads the signals of the window and the log rows they belong
 * to; requests that nobody said or showed anything of are not among the rows.
 */
export async function readQualityEvidence(db: Database, scope: EvidenceScope): Promise<QualityEvidenceRow[]> {
  const { sql, params } = qualityEvidenceQuery(scope);
  const rows = await db.query<QualityEvidenceRow & { readonly weightedSums: readonly unknown[] }>(
    sql,
    params,
  );
  return rows.map((row) => ({
    useCase: row.useCase,
    modelId: row.modelId,
    mark: row.mark,
    silentCount: Number(row.silentCount),
    feedbackCount: Number(row.feedbackCount),
    feedbackSum: Number(row.feedbackSum),
    feedbackSquareSum: Number(row.feedbackSquareSum),
    followUpCount: Number(row.followUpCount),
    reAskCount: Number(row.reAskCount),
    sessionCount: Number(row.sessionCount),
    weighted: weightedMark(row.weightedSums.map(Number)),
  }));
}

function weightedMark([
  silentCount = 0,
  feedbackCount = 0,
  feedbackSum = 0,
  feedbackSquareSum = 0,
  sessionCount = 0,
]: readonly number[]): QualityEvidenceRow['weighted'] {
  return { silentCount, feedbackCount, feedbackSum, feedbackSquareSum, sessionCount };
}

function scopeParams(scope: EvidenceScope): Record<'runId' | 'from' | 'to', string> & {
  readonly halfLifeSeconds: number;
} {
  const { halfLifeMs = null } = scope;
  return {
    halfLifeSeconds: halfLifeMs === null ? NO_HALF_LIFE_SECONDS : halfLifeMs / 1_000,
    runId: scope.runId,
    from: storedMoment(scope.from.getTime()),
    to: storedMoment(scope.to.getTime()),
  };
}
