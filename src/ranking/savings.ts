import type { PolicyBook } from '../core/policy.ts';
import { viewRanking } from '../core/ranking-view.ts';
import type { UseCaseRanking } from '../core/snapshot.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { Database } from '../store/database.ts';
import { firstRoutingAt } from '../store/queries/first-routing.ts';
import {
  readSavingsEvidence,
  type SavingsEvidenceRow,
  type SavingsScope,
} from '../store/queries/savings-evidence.ts';
import { CostBook, costOf, countOf, type ModelSums } from './cost-book.ts';
import { addForecasts, type Forecast, NO_COST } from './cost-forecast.ts';
import type { RankingsView } from './current-rankings.ts';
import { chooseFlagship, costOfOneModel, type Flagship } from './savings-flagship.ts';
import { type RealisedSavings, realisedSavings, requestsBy } from './savings-realised.ts';

const MONTH_MS = 30 * 86_400_000;

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
  /** 95 %. */
  readonly interval: readonly [low: number, high: number];
  /**
   * Share of the requests whose optimal cost is observed, as the best model answered them itself or nothing is
   * re-priced; that of the others is extrapolated. null without requests.
   */
  readonly observedShare: number | null;
  /** Requests of the best model whose costs the extrapolation rests on; 0 where nothing is re-priced. */
  readonly evidenceCount: number;
  readonly note: string | null;
}

/** What the window's requests would have cost the flagship alone. Dollars. */
export interface FlagshipCost {
  readonly modelId: string;
  /** `default`: the configured default model; `dearest`: the highest price of those in use. */
  readonly chosenAs: Flagship['chosenAs'];
  readonly costUsd: number;
  /** 95 %, of the cost. */
  readonly costInterval: readonly [low: number, high: number];
  /** What the best models per use case save against it. */
  readonly savingsUsd: number;
  readonly interval: readonly [low: number, high: number];
  /** What the models used now save against it already. */
  readonly savedNowUsd: number;
  readonly savedNowInterval: readonly [low: number, high: number];
  /** `savingsUsd` scaled to 30 days, and its interval. */
  readonly monthlyUsd: number;
  readonly monthlyInterval: readonly [low: number, high: number];
  /** Share of the requests that it answered itself; null without requests. */
  readonly observedShare: number | null;
  /** Requests of use cases that it hardly served: priced by its requests everywhere. */
  readonly elsewhereCount: number;
  readonly note: string;
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
  readonly interval: readonly [low: number, high: number];
  /** What the window's money is multiplied with to make a month of 30 days. */
  readonly scaling: number;
  readonly monthly: {
    readonly actualCostUsd: number;
    readonly optimalCostUsd: number;
    readonly savingsUsd: number;
    readonly interval: readonly [low: number, high: number];
  };
  /** Share of the requests whose optimal cost is observed; the others' is extrapolated. null without requests. */
  readonly observedShare: number | null;
  /** Against sending everything to one model; null where no model has enough priced requests. */
  readonly alwaysFlagship: FlagshipCost | null;
  /** What routing has saved up to the end of the window. */
  readonly realised: RealisedSavings;
  readonly perUseCase: readonly UseCaseSavings[];
  /** The snapshot whose rankings say which model is best; null before the first. */
  readonly version: string | null;
}

export interface SavingsFrame {
  readonly window: Timeframe;
  readonly policies: PolicyBook;
  /** The snapshot that the rankings are of; null before the first. */
  readonly version: string | null;
  /** The configured default model, by any of its names. */
  readonly defaultModel: string | null;
  /** When `auto` first chose; null: never. */
  readonly routedSince: Date | null;
}

/**
 * The savings of a window by the rankings of this moment, read from the store.
 *
 * @throws {TallyrankError} `store_unavailable`
 */
export async function readSavings(
  db: Database,
  { runId, rankings, version }: Pick<RankingsView, 'runId' | 'rankings' | 'version'>,
  asked: Pick<SavingsFrame, 'window' | 'policies' | 'defaultModel'>,
): Promise<SavingsAnswer> {
  const routedSince = await firstRoutingAt(db);
  const rows = await readSavingsEvidence(db, scopeOf(runId, asked.window, routedSince));
  return computeSavings(rows, rankings, { ...asked, version, routedSince });
}

/**
 * What has to be read for the savings of a window. Costs are forecast from the window and at least the 30 days before
 * its end: an hour has few requests of the best model. The mix before routing is that of the 30 days before it.
 */
function scopeOf(runId: string, { from, to }: Timeframe, routedSince: Date | null): SavingsScope {
  const monthBefore = (moment: Date): Date => new Date(moment.getTime() - MONTH_MS);
  return {
    runId,
    from,
    to,
    evidenceFrom: new Date(Math.min(from.getTime(), monthBefore(to).getTime())),
    routing:
      routedSince !== null && routedSince < to
        ? { since: routedSince, beforeFrom: monthBefore(routedSince) }
        : null,
  };
}

/**
 * Actual cost against what the best candidates would have cost.
 *
 * Per use case, requests that another model answered are re-priced by the best candidate's own requests there: its own
 * lengths of answers, and these prompts' lengths ({@link forecastCost}); those it answered itself keep their cost. Where no
 * candidate has enough evidence nothing changes. Use cases are taken as independent.
 */
export function computeSavings(
  rows: readonly SavingsEvidenceRow[],
  rankings: ReadonlyMap<string, UseCaseRanking>,
  frame: SavingsFrame,
): SavingsAnswer {
  const { window, version, routedSince } = frame;
  const book = new CostBook(rows);
  const requests = requestsBy(rows, (row) => row.asked);
  const perUseCase = [...requests]
    .map(([useCase, models]) => savingsOf(useCase, models, rankings.get(useCase), { book, ...frame }))
    .sort((one, other) => other.savingsUsd - one.savingsUsd || (one.useCase < other.useCase ? -1 : 1));
  const sum = (of: (part: UseCaseSavings) => number): number =>
    perUseCase.reduce((total, part) => total + of(part), 0);
  const actualUsd = sum((part) => part.actualCostUsd);
  const optimalUsd = sum((part) => part.optimalCostUsd);
  const savingsUsd = actualUsd - optimalUsd;
  const sampleCount = sum((part) => part.requestCount);
  const scaling = MONTH_MS / (window.to.getTime() - window.from.getTime());
  const interval = joined(savingsUsd, perUseCase);
  const flagship = chooseFlagship(rows, book, frame.defaultModel);
  const isRouted = routedSince !== null && routedSince < window.to;
  const sinceMs = isRouted ? window.to.getTime() - routedSince.getTime() : 0;
  const period = isRouted ? { since: routedSince, to: window.to, scaling: MONTH_MS / sinceMs } : null;
  return {
    actualCost: dollars(actualUsd),
    optimalCost: dollars(optimalUsd),
    potentialSavings: dollars(savingsUsd),
    savingsPercent: `${(actualUsd > 0 ? (100 * savingsUsd) / actualUsd : 0).toFixed(1)}%`,
    message: messageOf(savingsUsd * scaling, sampleCount, perUseCase),
    window: { from: window.from.toISOString(), to: window.to.toISOString(), label: window.label },
    sampleCount,
    unpricedCount: rows.reduce(
      (total, { asked }) => total + Math.round(asked.requestCount - asked.pricedCount),
      0,
    ),
    interval,
    scaling,
    monthly: {
      actualCostUsd: actualUsd * scaling,
      optimalCostUsd: optimalUsd * scaling,
      savingsUsd: savingsUsd * scaling,
      interval: scaled(interval, scaling),
    },
    observedShare: shareOf(
      sum((part) => (part.observedShare ?? 0) * part.requestCount),
      sampleCount,
    ),
    alwaysFlagship:
      flagship === null || sampleCount === 0
        ? null
        : againstFlagship(flagship, book, requests, perUseCase, scaling),
    realised: realisedSavings(rows, book, flagship?.modelId ?? null, period),
    perUseCase,
    version,
  };
}

function savingsOf(
  useCase: string,
  models: readonly ModelSums[],
  ranking: UseCaseRanking | undefined,
  { book, policies }: { readonly book: CostBook; readonly policies: PolicyBook },
): UseCaseSavings {
  const requestCount = countOf(models);
  const actualCostUsd = costOf(models);
  const view = viewRanking(ranking?.models ?? [], policies.policyOf('auto', useCase));
  // A candidate that passed no test serves requests, but promises no money.
  const best = view.isProven ? (view.models.find((model) => model.isCandidate) ?? null) : null;
  const own = models.filter(({ modelId }) => modelId === best?.modelId);
  const moved = models.filter(({ modelId }) => modelId !== best?.modelId);
  const forecast = best === null ? null : book.forecast(best.modelId, useCase, moved);
  if (best === null || forecast === null) {
    return {
      useCase,
      bestModelId: null,
      requestCount,
      actualCostUsd,
      optimalCostUsd: actualCostUsd,
      savingsUsd: 0,
      interval: [0, 0],
      observedShare: 1,
      evidenceCount: 0,
      note: `${whyUnchanged(best?.modelId ?? null, view.note)} Counted as it is.`,
    };
  }
  const optimalCostUsd = costOf(own) + forecast.costUsd;
  const savingsUsd = actualCostUsd - optimalCostUsd;
  return {
    useCase,
    bestModelId: best.modelId,
    requestCount,
    actualCostUsd,
    optimalCostUsd,
    savingsUsd,
    interval: [savingsUsd - forecast.aboveUsd, savingsUsd + forecast.belowUsd],
    observedShare: shareOf(countOf(own), requestCount),
    evidenceCount: book.pricedCount(best.modelId, useCase),
    note: savingsUsd < 0 ? `${best.modelId} is better, and dearer than what is used now.` : view.note,
  };
}

function whyUnchanged(bestModelId: string | null, note: string | null): string {
  if (bestModelId !== null) return `${bestModelId} has no request with a known price here lately.`;
  return note ?? 'Too little data to name a best model.';
}

function againstFlagship(
  flagship: Flagship,
  book: CostBook,
  requests: ReadonlyMap<string, readonly ModelSums[]>,
  perUseCase: readonly UseCaseSavings[],
  scaling: number,
): FlagshipCost {
  const { modelId, chosenAs } = flagship;
  const cost = costOfOneModel(modelId, book, requests);
  const all = [...requests.values()].flat();
  const { costUsd, belowUsd, aboveUsd } = addForecasts([...cost.byUseCase.values(), cost.elsewhere]);
  // Where the flagship is the best model, both sides are the same estimate and its error cancels.
  const isSame = new Set(
    perUseCase.filter((part) => part.bestModelId === modelId).map((part) => part.useCase),
  );
  const differing = [...cost.byUseCase].filter(([useCase]) => !isSame.has(useCase)).map(([, one]) => one);
  const against = addForecasts([...differing, cost.elsewhere]);
  const savingsUsd = costUsd - perUseCase.reduce((total, part) => total + part.optimalCostUsd, 0);
  const savedNowUsd = costUsd - costOf(all);
  const interval = joined(
    savingsUsd,
    perUseCase.filter((part) => !isSame.has(part.useCase)),
    against,
  );
  const why = chosenAs === 'default' ? 'the configured default model' : 'the dearest model in use';
  const elsewhere =
    cost.elsewhereCount === 0
      ? ''
      : ` ${cost.elsewhereCount} requests are of use cases that it hardly served, and priced by its requests everywhere.`;
  return {
    modelId,
    chosenAs,
    costUsd,
    costInterval: [costUsd - belowUsd, costUsd + aboveUsd],
    savingsUsd,
    interval,
    savedNowUsd,
    savedNowInterval: [savedNowUsd - belowUsd, savedNowUsd + aboveUsd],
    monthlyUsd: savingsUsd * scaling,
    monthlyInterval: scaled(interval, scaling),
    observedShare: shareOf(cost.observedCount, countOf(all)),
    elsewhereCount: cost.elsewhereCount,
    note: `${modelId} is ${why}.${elsewhere}`,
  };
}

function shareOf(count: number, all: number): number | null {
  return all === 0 ? null : count / all;
}

/** The interval of savings over use cases, each side by its squares, and of what they are held against. */
function joined(
  savingsUsd: number,
  parts: readonly UseCaseSavings[],
  against: Forecast = NO_COST,
): readonly [low: number, high: number] {
  const below = parts.map((part) => part.savingsUsd - part.interval[0]);
  const above = parts.map((part) => part.interval[1] - part.savingsUsd);
  return [
    savingsUsd - Math.hypot(against.belowUsd, ...below),
    savingsUsd + Math.hypot(against.aboveUsd, ...above),
  ];
}

function scaled(
  [low, high]: readonly [number, number],
  factor: number,
): readonly [low: number, high: number] {
  return [low * factor, high * factor];
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
