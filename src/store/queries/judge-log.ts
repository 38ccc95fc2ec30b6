import { encodeSignal, momentOfRequestId } from '../../core/signal.ts';
import type { Database } from '../database.ts';
import type { JudgeText } from './judge-sample.ts';

/** One judgement: a row of `judgements`, and of `signals` where it is the score of an answer. */
export interface Judgement {
  readonly judgedAtMs: number;
  readonly kind: 'score' | 'pair';
  /** Canonical id of the judging model. */
  readonly judge: string;
  readonly outcome: 'judged' | 'malformed' | 'suspect';
  /** The answer that is scored, or the first of the two. */
  readonly request: Omit<JudgeText, 'context' | 'prompt' | 'response'>;
  /** The second of two answers; null where one is scored. */
  readonly other: Pick<JudgeText, 'requestId' | 'modelId'> | null;
  /** score: quality 0..1; pair: 1 the first is better, 0 the other, 0.5 neither; null without a verdict. */
  readonly value: number | null;
  /** The verdict on a pair changed with the order; null where two orders were not asked. */
  readonly isFlipped: boolean | null;
  readonly callCount: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly tokensEstimated: boolean;
  /** null: no price is known. */
  readonly costUsd: number | null;
  /** What the signal says beside its value: numbers of the rubric and the judge's id, no text of the judge's. */
  readonly comment: string | null;
}

/** What judging took since some moment. */
export interface JudgeSpending {
  readonly judgementCount: number;
  readonly callCount: number;
  /** Of judgements with a known price. */
  readonly costUsd: number;
  /** Judgements whose price nobody knows. */
  readonly unpricedCount: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

const SPENDING = `
SELECT
  countIf(call_count > 0) AS judgementCount,
  sum(call_count) AS callCount,
  sum(ifNull(cost_usd, 0)) AS costUsd,
  countIf(isNull(cost_usd)) AS unpricedCount,
  sum(prompt_tokens) AS promptTokens,
  sum(completion_tokens) AS completionTokens
FROM judgements
WHERE judged_at >= {since:DateTime64(3)}`;

/**
 * Writes what was judged: the money first, then the signal. A process that dies in between has paid for a score
 * that the next run asks for again; the other way round a budget would not see what was spent.
 */
export async function writeJudgement(db: Database, judgement: Judgement): Promise<void> {
  const { request, other, kind, value } = judgement;
  await db.insertRows('judgements', [
    {
      judged_at: new Date(judgement.judgedAtMs),
      kind,
      judge: judgement.judge,
      outcome: judgement.outcome,
      request_id: request.requestId,
      other_request_id: other?.requestId ?? null,
      started_at: new Date(momentOfRequestId(request.requestId) ?? 0),
      model_id: request.modelId,
      other_model_id: other?.modelId ?? '',
      prompt_hash: request.promptHash,
      use_case: request.useCase,
      use_case_rule: request.useCaseRule,
      run_id: request.runId,
      value,
      is_flipped: judgement.isFlipped,
      call_count: judgement.callCount,
      prompt_tokens: judgement.promptTokens,
      completion_tokens: judgement.completionTokens,
      tokens_estimated: judgement.tokensEstimated,
      cost_usd: judgement.costUsd,
    },
  ]);
  if (kind !== 'score' || value === null) return;
  const { requestId } = request;
  const { comment, judgedAtMs: atMs } = judgement;
  const signal = encodeSignal({ requestId, kind: 'judge_score', value, comment, source: 'judge', atMs });
  await db.insertLines('signals', Buffer.from(signal), `judge-${requestId}-${atMs}`);
}

/** What has judging taken since then, by whatever judge? Reads `judgements`. */
export async function judgeSpending(db: Database, since: Date): Promise<JudgeSpending> {
  const [row] = await db.query<{ readonly [Field in keyof JudgeSpending]: unknown }>(SPENDING, { since });
  if (row === undefined) throw new RangeError('an aggregate without keys has one row');
  return {
    judgementCount: Number(row.judgementCount),
    callCount: Number(row.callCount),
    costUsd: Number(row.costUsd),
    unpricedCount: Number(row.unpricedCount),
    promptTokens: Number(row.promptTokens),
    completionTokens: Number(row.completionTokens),
  };
}
