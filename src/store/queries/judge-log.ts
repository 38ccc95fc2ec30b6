import { encodeSignal } from '../../core/signal.ts';
import type { Database } from '../database.ts';

/** One judgement: a row of `judgements`, and of `signals` where it is the score of an answer. */
export interface Judgement {
  readonly judgedAtMs: number;
  readonly kind: 'score' | 'pair';
  /** Canonical id of the judging model. */
  readonly judge: string;
  readonly outcome: 'judged' | 'malformed' | 'suspect';
  readonly requestId: string;
  readonly otherRequestId: string | null;
  /** As it was when it was judged. */
  readonly useCase: string;
  readonly modelId: string;
  readonly otherModelId: string | null;
  readonly promptHash: string;
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
  await db.insertRows('judgements', [
    {
      judged_at: new Date(judgement.judgedAtMs),
      kind: judgement.kind,
      judge: judgement.judge,
      outcome: judgement.outcome,
      request_id: judgement.requestId,
      other_request_id: judgement.otherRequestId,
      use_case: judgement.useCase,
      model_id: judgement.modelId,
      other_model_id: judgement.otherModelId,
      prompt_hash: judgement.promptHash,
      value: judgement.value,
      is_flipped: judgement.isFlipped,
      call_count: judgement.callCount,
      prompt_tokens: judgement.promptTokens,
      completion_tokens: judgement.completionTokens,
      tokens_estimated: judgement.tokensEstimated,
      cost_usd: judgement.costUsd,
    },
  ]);
  if (judgement.kind !== 'score' || judgement.value === null) return;
  const signal = encodeSignal({
    requestId: judgement.requestId,
    kind: 'judge_score',
    value: judgement.value,
    comment: judgement.comment,
    source: 'judge',
    atMs: judgement.judgedAtMs,
  });
  const token = `judge-${judgement.requestId}-${judgement.judgedAtMs}`;
  await db.insertLines('signals', Buffer.from(signal), token);
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
