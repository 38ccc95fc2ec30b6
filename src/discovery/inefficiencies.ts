import type { RankedModel } from '../core/snapshot.ts';
import { OTHER_USE_CASE } from '../core/use-case.ts';
import type { RepeatedPrompts } from '../store/queries/distinct-prompts.ts';
import type { EvidenceRow } from '../store/queries/ranking-evidence.ts';

export type InefficiencyType =
  /** A paid model on a use case that asks little of a model. */
  | 'expensive_for_casual'
  /** A dearer model where a cheaper one is not worse. */
  | 'expensive_for_use_case'
  /** A free model that gets next to nothing while others are paid. */
  | 'local_idle'
  /** The same text paid for again and again. */
  | 'duplicate_prompts'
  | 'frequent_failures';

export interface Inefficiency {
  readonly type: InefficiencyType;
  readonly modelId: string;
  /** null: it concerns the model everywhere. */
  readonly useCase: string | null;
  readonly requestCount: number;
  /** What these requests cost, US dollars; null where no price is known. */
  readonly costUsd: number | null;
  /** What of it could have been saved, US dollars; null where that cannot be said. */
  readonly wastedUsd: number | null;
  readonly message: string;
  readonly suggestion: string;
}

/** Mean explicit feedback of a model in a use case, 0..1. */
export interface FeedbackRow {
  readonly useCase: string;
  readonly modelId: string;
  readonly feedbackCount: number;
  readonly feedbackSum: number;
}

/** Of a published ranking, whom it lets serve. */
export interface JudgedUseCase {
  readonly useCase: string;
  readonly models: readonly Pick<RankedModel, 'modelId' | 'hasEnoughEvidence' | 'isCandidate'>[];
}

export interface InefficiencyEvidence {
  readonly rows: readonly EvidenceRow[];
  readonly feedback: readonly FeedbackRow[];
  readonly repeated: readonly RepeatedPrompts[];
  /** The published rankings of the same run, where there are any: what they refuse is not suggested. */
  readonly rankings?: readonly JudgedUseCase[] | undefined;
}

/** Use cases in which small models do as well: the original's observation, and ours on day zero. */
const SIMPLE_USE_CASES: ReadonlySet<string> = new Set([
  'casual_chat',
  'quick_lookup',
  'food_dining',
  'entertainment',
  'home_devices',
  'news_events',
  'shopping_prices',
]);

/** Requests of a model in a use case before it is judged. */
const JUDGED_MIN = 20;
/** The cheaper one costs at most this share: smaller differences are lost in the length of answers. */
const CHEAPER_SHARE = 0.7;
/** As the ranking's: how much worse still counts as not worse, and how sure that must be. */
const MARGIN = 0.05;
/** Standard normal quantile of 0.9. */
const CERTAINTY_Z = 1.2816;
const IDLE_SHARE_MAX = 0.05;
const FAILURE_RATE_MIN = 0.1;
/** Below this, a finding costs more to read than to leave. */
const WASTED_USD_MIN = 0.01;
const FOUND_MAX = 50;

/** What the window's traffic paid for without need; most money first. */
export function findInefficiencies(evidence: InefficiencyEvidence): Inefficiency[] {
  const found = [
    ...findExpensive(evidence),
    ...findIdle(evidence.rows),
    ...findDuplicates(evidence.repeated),
    ...findFailures(evidence.rows),
  ];
  return found
    .sort((a, b) => (b.wastedUsd ?? 0) - (a.wastedUsd ?? 0) || b.requestCount - a.requestCount)
    .slice(0, FOUND_MAX);
}

function findExpensive({ rows, feedback, rankings = [] }: InefficiencyEvidence): Inefficiency[] {
  const overall = overallRows(rows);
  const found: Inefficiency[] = [];
  for (const row of rows) {
    // "Other" is no use case: its requests have nothing in common that a model could be good at.
    if (row.useCase === OTHER_USE_CASE) continue;
    const costMean = costMeanUsd(row);
    if (row.requestCount < JUDGED_MIN || costMean === null || costMean <= 0) continue;
    const isSimple = SIMPLE_USE_CASES.has(row.useCase);
    const here = rows.filter((other) => other.useCase === row.useCase && other.modelId !== row.modelId);
    // In a simple use case a model may stand on its record everywhere: that is how day zero can say anything.
    const elsewhere = isSimple
      ? overall.filter(
          (other) =>
            other.modelId !== row.modelId &&
            !here.some((known) => known.modelId === other.modelId && counted(known) >= JUDGED_MIN),
        )
      : [];
    const better = [...here, ...elsewhere]
      .filter((other) => counted(other) >= JUDGED_MIN && isCheaper(other, costMean))
      .filter((other) => isNotWorse(other, row) && isLikedAsMuch(other, row, feedback))
      .filter((other) => !isRefused(other.modelId, row.useCase, rankings))
      .sort((a, b) => (costMeanUsd(a) ?? 0) - (costMeanUsd(b) ?? 0))[0];
    if (!better) continue;
    const betterCost = costMeanUsd(better) ?? 0;
    const wastedUsd = (costMean - betterCost) * row.requestCount;
    if (wastedUsd < WASTED_USD_MIN) continue;
    found.push({
      type: isSimple ? 'expensive_for_casual' : 'expensive_for_use_case',
      modelId: row.modelId,
      useCase: row.useCase,
      requestCount: row.requestCount,
      costUsd: row.costSumUsd,
      wastedUsd,
      message: `${row.modelId} used for ${row.requestCount} ${row.useCase} queries (${perRequest(costMean)})`,
      suggestion: `Route ${row.useCase} to ${better.modelId} (${betterCost === 0 ? 'free' : perRequest(betterCost)})`,
    });
  }
  return found;
}

function findIdle(rows: readonly EvidenceRow[]): Inefficiency[] {
  const overall = overallRows(rows);
  const total = overall.reduce((sum, row) => sum + row.requestCount, 0);
  const paidUsd = overall.reduce((sum, row) => sum + row.costSumUsd, 0);
  if (paidUsd < WASTED_USD_MIN || total < 2 * JUDGED_MIN) return [];
  return overall
    .filter((row) => row.pricedCount > 0 && row.costSumUsd === 0 && row.requestCount < IDLE_SHARE_MAX * total)
    .map((row) => ({
      type: 'local_idle' as const,
      modelId: row.modelId,
      useCase: null,
      requestCount: row.requestCount,
      costUsd: 0,
      wastedUsd: null,
      message: `${row.modelId} is free and answered only ${percent(row.requestCount / total)} of requests, while others cost $${paidUsd.toFixed(2)}`,
      suggestion: `Send simple use cases to ${row.modelId}, or let auto explore it`,
    }));
}

function findDuplicates(repeated: readonly RepeatedPrompts[]): Inefficiency[] {
  return repeated
    .filter((row) => row.repeatedCostUsd >= WASTED_USD_MIN)
    .map((row) => ({
      type: 'duplicate_prompts' as const,
      modelId: row.modelId,
      useCase: null,
      requestCount: row.requestCount,
      costUsd: row.costUsd,
      wastedUsd: row.repeatedCostUsd,
      message: `${row.modelId} answered the same ${row.promptCount === 1 ? 'prompt' : `${row.promptCount} prompts`} ${row.requestCount} times ($${row.costUsd.toFixed(2)})`,
      suggestion: `Cache the answers of repeated prompts of ${row.modelId}`,
    }));
}

function findFailures(rows: readonly EvidenceRow[]): Inefficiency[] {
  return rows
    .filter((row) => counted(row) >= JUDGED_MIN)
    .flatMap((row) => {
      const rate = row.failureCount / counted(row);
      const deviation = Math.sqrt((rate * (1 - rate)) / counted(row));
      if (rate < FAILURE_RATE_MIN || rate - CERTAINTY_Z * deviation < FAILURE_RATE_MIN / 2) return [];
      return [
        {
          type: 'frequent_failures' as const,
          modelId: row.modelId,
          useCase: row.useCase,
          requestCount: row.requestCount,
          costUsd: row.pricedCount === 0 ? null : row.costSumUsd,
          wastedUsd: null,
          message: `${row.modelId} failed in ${percent(rate)} of ${counted(row)} ${row.useCase} queries`,
          suggestion: `Look at its errors, or route ${row.useCase} to another model`,
        },
      ];
    });
}

/** Requests that count for or against the model. */
function counted(row: EvidenceRow): number {
  return row.successCount + row.failureCount;
}

function costMeanUsd(row: EvidenceRow): number | null {
  return row.pricedCount === 0 ? null : row.costSumUsd / row.pricedCount;
}

function isCheaper(other: EvidenceRow, costMean: number): boolean {
  const otherMean = costMeanUsd(other);
  return otherMean !== null && otherMean <= CHEAPER_SHARE * costMean;
}

/** True when the ranking has enough evidence of the model in the use case and keeps it from `auto`. */
function isRefused(modelId: string, useCase: string, rankings: readonly JudgedUseCase[]): boolean {
  const ranking = rankings.find((one) => one.useCase === useCase);
  const ranked = ranking?.models.find((model) => model.modelId === modelId);
  return ranked?.hasEnoughEvidence === true && !ranked.isCandidate;
}

/** P(the other's success rate is at most MARGIN lower) >= 0.9, by the normal limit of two Beta(1, 1) posteriors. */
function isNotWorse(other: EvidenceRow, row: EvidenceRow): boolean {
  const [otherMean, otherVariance] = betaMoments(other.successCount, other.failureCount);
  const [rowMean, rowVariance] = betaMoments(row.successCount, row.failureCount);
  return otherMean - rowMean + MARGIN >= CERTAINTY_Z * Math.sqrt(otherVariance + rowVariance);
}

/** Where people said what they think of both, the cheaper one must not please less; silence says nothing. */
function isLikedAsMuch(other: EvidenceRow, row: EvidenceRow, feedback: readonly FeedbackRow[]): boolean {
  const ofModel = (modelId: string): FeedbackRow | undefined =>
    feedback.find((entry) => entry.modelId === modelId && entry.useCase === row.useCase);
  const otherSaid = ofModel(other.modelId);
  const rowSaid = ofModel(row.modelId);
  if (!otherSaid || !rowSaid || otherSaid.feedbackCount < 5 || rowSaid.feedbackCount < 5) return true;
  // Feedback is rare: asking for certainty would silence every finding, so the posterior means decide.
  const [otherMean] = betaMoments(otherSaid.feedbackSum, otherSaid.feedbackCount - otherSaid.feedbackSum);
  const [rowMean] = betaMoments(rowSaid.feedbackSum, rowSaid.feedbackCount - rowSaid.feedbackSum);
  return otherMean >= rowMean - MARGIN;
}

function betaMoments(good: number, bad: number): [mean: number, variance: number] {
  const a = 1 + Math.max(0, good);
  const b = 1 + Math.max(0, bad);
  return [a / (a + b), (a * b) / ((a + b) ** 2 * (a + b + 1))];
}

function overallRows(rows: readonly EvidenceRow[]): EvidenceRow[] {
  const byModel = new Map<string, EvidenceRow>();
  for (const row of rows) {
    const known = byModel.get(row.modelId);
    byModel.set(row.modelId, known ? addRows(known, row) : { ...row, useCase: '*' });
  }
  return [...byModel.values()];
}

function addRows(a: EvidenceRow, b: EvidenceRow): EvidenceRow {
  return {
    ...a,
    requestCount: a.requestCount + b.requestCount,
    successCount: a.successCount + b.successCount,
    failureCount: a.failureCount + b.failureCount,
    pricedCount: a.pricedCount + b.pricedCount,
    costSumUsd: a.costSumUsd + b.costSumUsd,
  };
}

function perRequest(usd: number): string {
  return `$${usd >= 0.001 ? usd.toFixed(3) : usd.toPrecision(2)}/req`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
