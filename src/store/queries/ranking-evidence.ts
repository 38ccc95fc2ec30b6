import { storedMoment } from '../../core/usage-record.ts';
import { OTHER_USE_CASE } from '../../core/use-case.ts';
import type { Database } from '../database.ts';

/** A discovery run and a half-open window [from, to). The roll-up counts whole hours: those that `from` and `to` lie in are in. */
export interface EvidenceScope {
  readonly runId: string;
  readonly from: Date;
  readonly to: Date;
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
  /** Requests per latency bin. */
  readonly latencyBins: ReadonlyMap<number, number>;
  readonly pricedCount: number;
  readonly costSumUsd: number;
  readonly costSquareSum: number;
  readonly tokenCount: number;
  readonly promptTokenSum: number;
  readonly completionTokenSum: number;
}

/** What the evidence query answers as it comes from the engine: whole numbers may be strings. */
type StoredEvidenceRow = { readonly [Field in keyof EvidenceRow]: unknown } & {
  readonly useCase: string;
  readonly modelId: string;
  readonly bins: readonly unknown[];
  readonly binCounts: readonly unknown[];
};

const EVIDENCE_SQL = `
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
  sum(priced_count) AS pricedCount,
  sum(cost_sum_usd) AS costSumUsd,
  sum(cost_square_sum) AS costSquareSum,
  sum(token_count) AS tokenCount,
  sum(prompt_token_sum) AS promptTokenSum,
  sum(completion_token_sum) AS completionTokenSum
FROM usage_hourly
WHERE run_id = {runId:String}
  AND hour >= toStartOfHour({from:DateTime64(3, 'UTC')})
  AND hour < {to:DateTime64(3, 'UTC')}
GROUP BY useCase, modelId
ORDER BY useCase, modelId`;

/** What did every model do in every use case? Reads the hourly roll-up of one run, never raw rows. */
export async function readRankingEvidence(db: Database, scope: EvidenceScope): Promise<EvidenceRow[]> {
  const rows = await db.query<StoredEvidenceRow>(EVIDENCE_SQL, scopeParams(scope));
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
    pricedCount: Number(row.pricedCount),
    costSumUsd: Number(row.costSumUsd),
    costSquareSum: Number(row.costSquareSum),
    tokenCount: Number(row.tokenCount),
    promptTokenSum: Number(row.promptTokenSum),
    completionTokenSum: Number(row.completionTokenSum),
  }));
}

/** Requests of one model in one use case whose session or client left one mark. */
export interface QualityEvidenceRow {
  readonly useCase: string;
  readonly modelId: string;
  /** `unseen`: outside any session, so that silence means nothing. */
  readonly mark: 'abandoned' | 'reAsked' | 'untroubled' | 'unseen';
  /** Requests without explicit feedback. */
  readonly silentCount: number;
  readonly feedbackCount: number;
  readonly feedbackSum: number;
  readonly feedbackSquareSum: number;
  readonly followUpCount: number;
  readonly reAskCount: number;
  /** Those of them in a session. */
  readonly sessionCount: number;
}

/**
 * The use case is that of the run at hand: the row's own when this run's classifier gave it, else the run's
 * assignment of its prompt. The same rule rebuilds the roll-ups.
 */
const QUALITY_SQL = `
SELECT
  multiIf(
    usage_log.run_id = {runId:String}, usage_log.use_case,
    assigned.use_case != '', assigned.use_case,
    {other:String}
  ) AS useCase,
  usage_log.model_id AS modelId,
  multiIf(
    usage_log.error_code = 'caller_cancelled' OR learnt.abandonments > 0, 'abandoned',
    learnt.re_asks > 0, 'reAsked',
    usage_log.session_id != '', 'untroubled',
    'unseen'
  ) AS mark,
  countIf(isNull(learnt.explicit)) AS silentCount,
  countIf(isNotNull(learnt.explicit)) AS feedbackCount,
  sum(ifNull(learnt.explicit, 0)) AS feedbackSum,
  sum(ifNull(learnt.explicit * learnt.explicit, 0)) AS feedbackSquareSum,
  countIf(learnt.follow_ups > 0) AS followUpCount,
  countIf(learnt.re_asks > 0) AS reAskCount,
  countIf(usage_log.session_id != '') AS sessionCount
FROM (
  SELECT request_id, run_id, use_case, model_id, prompt_hash, session_id, error_code
  FROM usage_log
  WHERE started_at >= toStartOfHour({from:DateTime64(3, 'UTC')})
    AND started_at < {to:DateTime64(3, 'UTC')}
    AND (
      error_code = 'caller_cancelled'
      OR request_id IN (
        SELECT request_id FROM signals
        WHERE started_at >= toStartOfHour({from:DateTime64(3, 'UTC')}) AND started_at < {to:DateTime64(3, 'UTC')}
      )
    )
) AS usage_log
LEFT JOIN (
  SELECT
    request_id,
    coalesce(
      anyIf(toNullable(value), kind = 'feedback'),
      anyIf(toNullable(value), kind = 'imported_score')
    ) AS explicit,
    countIf(kind IN ('re_ask', 'correction')) AS re_asks,
    countIf(kind = 'abandonment') AS abandonments,
    countIf(kind = 'follow_up') AS follow_ups
  FROM signals FINAL
  WHERE started_at >= toStartOfHour({from:DateTime64(3, 'UTC')}) AND started_at < {to:DateTime64(3, 'UTC')}
  GROUP BY request_id
) AS learnt ON learnt.request_id = usage_log.request_id
LEFT JOIN (
  SELECT prompt_hash, use_case FROM assignments FINAL WHERE run_id = {runId:String}
) AS assigned ON assigned.prompt_hash = usage_log.prompt_hash
GROUP BY useCase, modelId, mark
ORDER BY useCase, modelId, mark`;

/**
 * What did people say and show of the answers? Reads the signals of the window and the log rows they belong
 * to; requests that nobody said or showed anything of are not among the rows.
 */
export async function readQualityEvidence(db: Database, scope: EvidenceScope): Promise<QualityEvidenceRow[]> {
  const rows = await db.query<QualityEvidenceRow>(QUALITY_SQL, {
    ...scopeParams(scope),
    other: OTHER_USE_CASE,
  });
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
  }));
}

function scopeParams(scope: EvidenceScope): Record<string, unknown> {
  return {
    runId: scope.runId,
    from: storedMoment(scope.from.getTime()),
    to: storedMoment(scope.to.getTime()),
  };
}
