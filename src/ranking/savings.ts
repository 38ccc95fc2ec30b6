import type { Curves, PolicyBook } from '../core/policy.ts';
import { viewRanking } from '../core/ranking-view.ts';
import type { RankedModel, UseCaseRanking } from '../core/snapshot.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { SavingsEvidenceRow } from '../store/queries/savings-evidence.ts';
import { costOfValue } from './score.ts';

const MONTH_MS = 30 * 86_400_000;
const Z_95 = 1.959964;

/** Money of one use case in the asked window. Dollars. */
export interface UseCaseSavings {
  readonly useCase: string;
  /** The best candidate; null where nobody is shown to be not worse: nothing is re-priced there. */
  readonly bestModelId: string | null;
  /** Requests whose price is known. */
  readonly requestCount: number;
  readonly actualCostUsd: number;
  readonly optimalCostUsd: number;
  /** Negative where the best model is dearer than what is used now. */
  readonly savingsUsd: number;
  readonly interval: readonly [number, number];
  /** Share of the requests that the best model answered itself: their cost is observed, not estimated. */
  readonly observedShare: number;
  readonly note: string | null;
}

/** Money as the original says it, and what it rests on. The five texts first. */
export interface SavingsAnswer {
  /** Dollars of the asked window, e.g. "124.50". */
  readonly actualCost: string;
  readonly optimalCost: string;
  readonly potentialSavings: string;
  /** Of the actual cost, e.g. "85.4%". */
  readonly savingsPercent: string;
  /** Its figure is per 30 days. */
  readonly message: string;
  readonly window: { readonly from: string; readonly to: string; readonly label: string };
  /** Requests whose price is known. */
  readonly sampleCount: number;
  /** Requests left out because no price is known. */
  readonly unpricedCount: number;
  /** 95 % interval of the savings in the window, dollars. */
  readonly interval: readonly [number, number];
  /** What the window's money is multiplied with to make a month of 30 days. */
  readonly scaling: number;
  readonly monthly: {
    readonly actualCostUsd: number;
    readonly optimalCostUsd: number;
    readonly savingsUsd: number;
    readonly interval: readonly [number, number];
  };
  readonly observedShare: number;
  readonly perUseCase: readonly UseCaseSavings[];
  /** The snapshot whose rankings say which model is best; null before the first. */
  readonly version: string | null;
}

export interface SavingsFrame {
  readonly window: Timeframe;
  readonly policies: PolicyBook;
  /** The snapshot that the rankings are of; null before the first. */
  readonly version: string | null;
}

/**
 * Actual cost against what the best candidates would have cost.
 *
 * Per use case, requests that another model answered are re-priced at the best candidate's own mean cost there
 * (its own token lengths); those it answered itself keep their cost. Where no candidate has enough evidence
 * nothing changes. The interval covers what is estimated: the best model's mean cost, and the spread of that
 * many requests about it; use cases are taken as independent.
 */
export function computeSavings(
  rows: readonly SavingsEvidenceRow[],
  rankings: ReadonlyMap<string, UseCaseRanking>,
  { window, policies, version }: SavingsFrame,
): SavingsAnswer {
  const byUseCase = new Map<string, SavingsEvidenceRow[]>();
  for (const row of rows) byUseCase.set(row.useCase, [...(byUseCase.get(row.useCase) ?? []), row]);
  const perUseCase = [...byUseCase]
    .map(([useCase, models]) => savingsOf(useCase, models, rankings.get(useCase), policies))
    .sort((one, other) => other.savingsUsd - one.savingsUsd || (one.useCase < other.useCase ? -1 : 1));
  const sum = (of: (part: UseCaseSavings) => number): number =>
    perUseCase.reduce((total, part) => total + of(part), 0);
  const actualUsd = sum((part) => part.actualCostUsd);
  const optimalUsd = sum((part) => part.optimalCostUsd);
  const savingsUsd = actualUsd - optimalUsd;
  const halfWidth = Math.sqrt(sum((part) => ((part.interval[1] - part.interval[0]) / 2) ** 2));
  const sampleCount = sum((part) => part.requestCount);
  const scaling = MONTH_MS / (window.to.getTime() - window.from.getTime());
  const interval = [savingsUsd - halfWidth, savingsUsd + halfWidth] as const;
  return {
    actualCost: dollars(actualUsd),
    optimalCost: dollars(optimalUsd),
    potentialSavings: dollars(savingsUsd),
    savingsPercent: `${(actualUsd > 0 ? (100 * savingsUsd) / actualUsd : 0).toFixed(1)}%`,
    message: messageOf(savingsUsd * scaling, sampleCount, perUseCase),
    window: { from: window.from.toISOString(), to: window.to.toISOString(), label: window.label },
    sampleCount,
    unpricedCount: rows.reduce((total, row) => total + row.requestCount - row.pricedCount, 0),
    interval,
    scaling,
    monthly: {
      actualCostUsd: actualUsd * scaling,
      optimalCostUsd: optimalUsd * scaling,
      savingsUsd: savingsUsd * scaling,
      interval: [interval[0] * scaling, interval[1] * scaling],
    },
    observedShare:
      sampleCount === 0 ? 0 : sum((part) => part.observedShare * part.requestCount) / sampleCount,
    perUseCase,
    version,
  };
}

function savingsOf(
  useCase: string,
  models: readonly SavingsEvidenceRow[],
  ranking: UseCaseRanking | undefined,
  policies: PolicyBook,
): UseCaseSavings {
  const requestCount = models.reduce((total, row) => total + row.pricedCount, 0);
  const actualCostUsd = models.reduce((total, row) => total + row.costSumUsd, 0);
  const view = viewRanking(ranking?.models ?? [], policies.policyOf('auto', useCase));
  // A candidate that passed no test serves requests, but promises no money.
  const best = view.isProven ? (view.models.find((model) => model.isCandidate) ?? null) : null;
  const meanUsd = best?.costMeanUsd ?? null;
  if (best === null || meanUsd === null) {
    return {
      useCase,
      bestModelId: null,
      requestCount,
      actualCostUsd,
      optimalCostUsd: actualCostUsd,
      savingsUsd: 0,
      interval: [0, 0],
      observedShare: 1,
      note: `${view.note ?? 'Too little data to name a best model.'} Counted as it is.`,
    };
  }
  const own = models.find((row) => row.modelId === best.modelId);
  const movedCount = requestCount - (own?.pricedCount ?? 0);
  const optimalCostUsd = (own?.costSumUsd ?? 0) + movedCount * meanUsd;
  const halfWidth = Z_95 * Math.sqrt(varianceOfSum(best, movedCount, policies.curvesOf(useCase)));
  const savingsUsd = actualCostUsd - optimalCostUsd;
  return {
    useCase,
    bestModelId: best.modelId,
    requestCount,
    actualCostUsd,
    optimalCostUsd,
    savingsUsd,
    interval: [savingsUsd - halfWidth, savingsUsd + halfWidth],
    observedShare: requestCount === 0 ? 1 : 1 - movedCount / requestCount,
    note: savingsUsd < 0 ? `${best.modelId} is better, and dearer than what is used now.` : view.note,
  };
}

/**
 * Variance of what `count` more requests would cost: of the mean (count^2 times its own variance, taken back
 * from the cost part's interval) and of the single requests about it (count times theirs).
 */
function varianceOfSum(best: RankedModel, count: number, curves: Curves): number {
  const { cost } = best;
  if (cost === null || count === 0) return 0;
  const meanDeviation = (costOfValue(cost.low, curves) - costOfValue(cost.value, curves)) / Z_95;
  const single = meanDeviation ** 2 * Math.max(1, cost.sampleCount);
  return count * count * meanDeviation ** 2 + count * single;
}

function messageOf(monthlyUsd: number, sampleCount: number, parts: readonly UseCaseSavings[]): string {
  if (sampleCount === 0) return 'Nothing to compare yet: no request with a known price in this window.';
  if (parts.every((part) => part.bestModelId === null)) {
    return 'Too little data to name a best model in any use case yet.';
  }
  if (monthlyUsd >= 0.005) {
    return `Could save $${dollars(monthlyUsd)}/month by using best models per use case`;
  }
  if (monthlyUsd <= -0.005) {
    return `The best models per use case would cost $${dollars(-monthlyUsd)}/month more than those used now`;
  }
  return 'The models used now cost as little as the best models per use case';
}

function dollars(usd: number): string {
  const text = usd.toFixed(2);
  return text === '-0.00' ? '0.00' : text;
}
