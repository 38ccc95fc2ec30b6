import type { CostSums, SavingsEvidenceRow } from '../store/queries/savings-evidence.ts';
import { addCostSums } from '../store/queries/savings-evidence.ts';
import { type CostBook, countOf, type ModelSums, movedOf } from './cost-book.ts';
import { addForecasts, type Forecast, forecastCost, type TokenPrices } from './cost-forecast.ts';
import { costOfOneModel, PRICED_MIN } from './savings-flagship.ts';

/** What requests cost, against what they would have cost otherwise. Dollars, of the requests that could be compared. */
export interface ComparedCost {
  readonly actualCostUsd: number;
  readonly otherwiseCostUsd: number;
  /** Negative where it would have been cheaper. */
  readonly savingsUsd: number;
  /** 95 %, of the savings. */
  readonly interval: readonly [low: number, high: number];
  readonly requestCount: number;
  /** The savings scaled to 30 days, and their interval. */
  readonly monthlyUsd: number;
  readonly monthlyInterval: readonly [low: number, high: number];
}

/** What routing has saved since it was switched on. */
export interface RealisedSavings {
  /** The first decision of `auto` in the log, ISO 8601; null: there is none. */
  readonly since: string | null;
  /** Requests since then that asked for `auto` and whose price is known. */
  readonly requestCount: number;
  readonly actualCostUsd: number;
  /** What the time of these requests is multiplied with to make 30 days; null before routing. */
  readonly scaling: number | null;
  /** Against the models of the 30 days before, in the same shares, use case by use case; null without a before. */
  readonly againstMixBefore: (ComparedCost & { readonly beforeCount: number }) | null;
  /** Against the flagship alone; null without one. */
  readonly againstFlagship: (ComparedCost & { readonly modelId: string }) | null;
  readonly message: string;
}

/** When routing was switched on, and since when the mix before it is looked at. */
export interface RoutingPeriod {
  readonly since: Date;
  readonly to: Date;
  /** What makes 30 days of the time since. */
  readonly scaling: number;
}

/** @param period  null: `auto` never chose, or not before the end of the window */
export function realisedSavings(
  rows: readonly SavingsEvidenceRow[],
  book: CostBook,
  flagshipId: string | null,
  period: RoutingPeriod | null,
): RealisedSavings {
  if (period === null) {
    return {
      since: null,
      requestCount: 0,
      actualCostUsd: 0,
      scaling: null,
      againstMixBefore: null,
      againstFlagship: null,
      message:
        'Routing has not been switched on: no decision of auto in the log up to the end of this window.',
    };
  }
  const routed = requestsBy(rows, (row) => row.routed);
  const all = addCostSums([...routed.values()].flat().map(({ sums }) => sums));
  const { scaling } = period;
  const againstMixBefore = compareWithMix(rows, book, routed, scaling);
  const partial: Omit<RealisedSavings, 'message'> = {
    since: period.since.toISOString(),
    requestCount: all.pricedCount,
    actualCostUsd: all.costSumUsd,
    scaling,
    againstMixBefore,
    againstFlagship: compareWithFlagship(book, routed, flagshipId, scaling),
  };
  return { ...partial, message: messageOf(partial) };
}

/** Requests with a known price by use case and model. */
export function requestsBy(
  rows: readonly SavingsEvidenceRow[],
  of: (row: SavingsEvidenceRow) => CostSums,
): Map<string, ModelSums[]> {
  const byUseCase = new Map<string, ModelSums[]>();
  for (const row of rows) {
    const sums = of(row);
    if (sums.pricedCount === 0) continue;
    const known = byUseCase.get(row.useCase) ?? [];
    known.push({ modelId: row.modelId, sums });
    byUseCase.set(row.useCase, known);
  }
  return byUseCase;
}

/** Use cases that had too few requests before are left out: nobody knows what they would have been sent to. */
function compareWithMix(
  rows: readonly SavingsEvidenceRow[],
  book: CostBook,
  routed: ReadonlyMap<string, readonly ModelSums[]>,
  scaling: number,
): RealisedSavings['againstMixBefore'] {
  const before = requestsBy(rows, (row) => row.before);
  let beforeCount = 0;
  const compared: ModelSums[] = [];
  const forecasts: Forecast[] = [];
  for (const [useCase, requests] of routed) {
    const mix = before.get(useCase) ?? [];
    if (countOf(mix) < PRICED_MIN) continue;
    // Any model's vocabulary will do, as long as it is one.
    const reference = mix[0]?.modelId ?? '';
    const { sums: own } = book.inVocabularyOf(reference, mix);
    const asked = movedOf(book.inVocabularyOf(reference, requests));
    const forecast = forecastCost(own, asked, pricesOfMix(mix, book, reference));
    if (forecast === null) continue;
    beforeCount += own.pricedCount;
    forecasts.push(forecast);
    compared.push(...requests);
  }
  return forecasts.length === 0 ? null : { ...compare(compared, forecasts, scaling), beforeCount };
}

/** One token of `reference` more costs what it costs each model of the mix, by its share of the requests. */
function pricesOfMix(mix: readonly ModelSums[], book: CostBook, reference: string): TokenPrices | null {
  let count = 0;
  let promptUsd = 0;
  let completionUsd = 0;
  for (const { modelId, sums } of mix) {
    const prices = book.pricesOf(modelId);
    if (prices === null) return null;
    count += sums.knownCount;
    promptUsd += sums.knownCount * prices.promptUsd * Math.exp(-book.tokenRatio(reference, modelId).value);
    completionUsd += sums.knownCount * prices.completionUsd;
  }
  return count === 0 ? null : { promptUsd: promptUsd / count, completionUsd: completionUsd / count };
}

function compareWithFlagship(
  book: CostBook,
  routed: ReadonlyMap<string, readonly ModelSums[]>,
  modelId: string | null,
  scaling: number,
): RealisedSavings['againstFlagship'] {
  if (modelId === null || routed.size === 0) return null;
  const { byUseCase, elsewhere } = costOfOneModel(modelId, book, routed);
  const all = [...routed.values()].flat();
  return { modelId, ...compare(all, [...byUseCase.values(), elsewhere], scaling) };
}

function compare(
  requests: readonly ModelSums[],
  forecasts: readonly Forecast[],
  scaling: number,
): ComparedCost {
  const { pricedCount, costSumUsd } = addCostSums(requests.map(({ sums }) => sums));
  const { costUsd: otherwiseCostUsd, belowUsd, aboveUsd } = addForecasts(forecasts);
  const savingsUsd = otherwiseCostUsd - costSumUsd;
  const interval = [savingsUsd - belowUsd, savingsUsd + aboveUsd] as const;
  return {
    actualCostUsd: costSumUsd,
    otherwiseCostUsd,
    savingsUsd,
    interval,
    requestCount: pricedCount,
    monthlyUsd: savingsUsd * scaling,
    monthlyInterval: [interval[0] * scaling, interval[1] * scaling],
  };
}

function messageOf(realised: Omit<RealisedSavings, 'message'>): string {
  const { since, requestCount, againstMixBefore, againstFlagship } = realised;
  if (requestCount === 0) return `auto has chosen since ${since}, but no such request has a known price yet.`;
  const parts = [];
  if (againstMixBefore === null) {
    parts.push(
      `Nothing to compare with: fewer than ${PRICED_MIN} priced requests in every use case in the 30 days before.`,
    );
  } else {
    parts.push(
      `${said(againstMixBefore)} against the mix before (${againstMixBefore.requestCount} of ${requestCount} requests compared).`,
    );
  }
  if (againstFlagship !== null)
    parts.push(`${said(againstFlagship)} against ${againstFlagship.modelId} alone.`);
  return `Since ${since}: ${parts.join(' ')}`;
}

function said({ savingsUsd, interval }: ComparedCost): string {
  const [low, high] = interval;
  const verb = savingsUsd < 0 ? 'spent' : 'saved';
  const more = savingsUsd < 0 ? ' more' : '';
  const [from, to] = savingsUsd < 0 ? [-high, -low] : [low, high];
  return `${verb} $${Math.abs(savingsUsd).toFixed(2)}${more} (95 %: ${from.toFixed(2)} to ${to.toFixed(2)})`;
}
