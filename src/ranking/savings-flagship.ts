import type { SavingsEvidenceRow } from '../store/queries/savings-evidence.ts';
import { addCostSums } from '../store/queries/savings-evidence.ts';
import { type CostBook, costOf, countOf, type ModelSums } from './cost-book.ts';
import { type Forecast, NO_COST } from './cost-forecast.ts';
import { canonicalAmong } from './ranked-names.ts';

/** The one model that everything could have been sent to. */
export interface Flagship {
  readonly modelId: string;
  /** `default`: the configured default model; `dearest`: the highest price of those in use. */
  readonly chosenAs: 'default' | 'dearest';
}

/** Priced requests that a model needs before anybody says what it would cost elsewhere. */
export const PRICED_MIN = 20;

/**
 * The configured default model where it has enough priced requests, else the dearest of those that have: by what the
 * mean request of all would cost at their prices per token, or by their own mean cost where these are not known.
 *
 * @returns null where no model has enough
 */
export function chooseFlagship(
  rows: readonly SavingsEvidenceRow[],
  book: CostBook,
  defaultModel: string | null,
): Flagship | null {
  const modelIds = [...new Set(rows.map(({ modelId }) => modelId))].filter(
    (modelId) => (book.everywhere(modelId)?.pricedCount ?? 0) >= PRICED_MIN,
  );
  const defaultId = defaultModel === null ? null : canonicalAmong(defaultModel, modelIds);
  if (defaultId !== null && modelIds.includes(defaultId)) return { modelId: defaultId, chosenAs: 'default' };
  const all = addCostSums(rows.map(({ evidence }) => evidence));
  const priceUsd = (modelId: string): number => {
    const prices = book.pricesOf(modelId);
    const sums = book.everywhere(modelId);
    if (prices === null || all.knownCount === 0) return (sums?.costSumUsd ?? 0) / (sums?.pricedCount ?? 1);
    return (prices.promptUsd * all.x + prices.completionUsd * all.o) / all.knownCount;
  };
  const [dearest] = modelIds.sort((one, other) => priceUsd(other) - priceUsd(one) || (one < other ? -1 : 1));
  return dearest === undefined ? null : { modelId: dearest, chosenAs: 'dearest' };
}

/** What requests would have cost one model, by use case. */
export interface OneModelCost {
  /** By use case, where it has enough requests of its own; what it answered itself is in it, at its own cost. */
  readonly byUseCase: ReadonlyMap<string, Forecast>;
  /** The use cases where it has not, together, by its requests everywhere. */
  readonly elsewhere: Forecast;
  readonly elsewhereCount: number;
  /** Requests that it answered itself. */
  readonly observedCount: number;
}

/** @param requestsOf  the requests to price, by use case */
export function costOfOneModel(
  modelId: string,
  book: CostBook,
  requestsOf: ReadonlyMap<string, readonly ModelSums[]>,
): OneModelCost {
  const byUseCase = new Map<string, Forecast>();
  const unknown: ModelSums[] = [];
  let observedCount = 0;
  let observedElsewhereUsd = 0;
  for (const [useCase, requests] of requestsOf) {
    const own = requests.filter((one) => one.modelId === modelId);
    const moved = requests.filter((one) => one.modelId !== modelId);
    const ownUsd = costOf(own);
    observedCount += countOf(own);
    const forecast =
      book.pricedCount(modelId, useCase) < PRICED_MIN ? null : book.forecast(modelId, useCase, moved);
    if (forecast === null) {
      unknown.push(...moved);
      observedElsewhereUsd += ownUsd;
      continue;
    }
    byUseCase.set(useCase, { ...forecast, costUsd: ownUsd + forecast.costUsd });
  }
  const elsewhere = book.forecast(modelId, null, unknown) ?? NO_COST;
  return {
    byUseCase,
    elsewhere: { ...elsewhere, costUsd: observedElsewhereUsd + elsewhere.costUsd },
    elsewhereCount: countOf(unknown),
    observedCount,
  };
}
