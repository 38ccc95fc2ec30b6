import type { RankedModel } from '../core/snapshot.ts';
import type { CostBook, ModelSums } from '../ranking/cost-book.ts';
import { addForecasts, type Forecast, NO_COST } from '../ranking/cost-forecast.ts';
import { betaQuantile } from '../stats/beta.ts';
import type { RuledDecision } from '../store/queries/ruled-decisions.ts';
import { addCostSums, type CostSums, toCostSums } from '../store/queries/savings-evidence.ts';

/** What a rule makes of a logged decision: another model, nobody who may answer, or nothing that can be said. */
export type Fate =
  | { readonly kind: 'moved'; readonly modelId: string }
  | { readonly kind: 'refused' | 'undecided' | 'same' };

/** Dollars of the decisions that would have changed. */
export interface MoneyChange {
  /** What the other models would have cost less what was paid; negative saves. */
  readonly differenceUsd: number;
  /** 95 %. */
  readonly interval: readonly [low: number, high: number];
  readonly actualUsd: number;
  readonly expectedUsd: number;
  /** Changed decisions that this is of; of the others no cost is known, or no model would have answered. */
  readonly sampleCount: number;
}

/** Success, 0..1, of the decisions that would have changed. */
export interface SuccessChange {
  readonly difference: number;
  /** 95 %. */
  readonly interval: readonly [low: number, high: number];
  readonly actualRate: number;
  /** By the rankings. */
  readonly expectedRate: number;
  /** Changed decisions that this is of. */
  readonly sampleCount: number;
}

/** From one model to another, in one use case. */
export interface RuleMove {
  readonly useCase: string;
  readonly fromModelId: string;
  readonly toModelId: string;
  readonly decisionCount: number;
}

/** What rules would have come to. */
export interface RuleOutcome {
  readonly changedCount: number;
  /** Of those: no model was left that may answer. */
  readonly refusedCount: number;
  /** Decisions whose text or headers are not in the log, so that nobody can say. */
  readonly undecidedCount: number;
  /** null where nothing is known of it. */
  readonly money: MoneyChange | null;
  readonly success: SuccessChange | null;
  /** The most frequent first. */
  readonly moves: readonly RuleMove[];
  /** What is left out of money and success, and why, in sentences. */
  readonly notes: readonly string[];
}

export interface OutcomeFrame {
  readonly book: CostBook;
  readonly typicalCostUsd: (modelId: string) => number | null;
  readonly rankedIn: (useCase: string, modelId: string) => RankedModel | null;
  /** One of so many decisions was read. */
  readonly sliceCount: number;
}

interface Group {
  readonly useCase: string;
  readonly modelId: string;
  /** By the model that answered. */
  readonly sums: Map<string, CostSums>;
  count: number;
  unpricedCount: number;
  /** Known to have succeeded or failed by the model. */
  ratedCount: number;
  successCount: number;
}

const MOVES_MAX = 20;
const REACH_95 = 1.959964;

/** Counts what rules would have changed, decision by decision. */
export class OutcomeTally {
  readonly #groups = new Map<string, Group>();
  readonly #moves = new Map<string, RuleMove>();
  #refusedCount = 0;
  #undecidedCount = 0;

  add(decision: RuledDecision, fate: Fate): void {
    if (fate.kind === 'undecided') this.#undecidedCount++;
    else if (fate.kind === 'refused') this.#refusedCount++;
    else if (fate.kind === 'moved') this.#move(decision, fate.modelId);
  }

  /** What it all came to, scaled up to the decisions that were not read. */
  outcome(frame: OutcomeFrame): RuleOutcome {
    const { sliceCount } = frame;
    const groups = [...this.#groups.values()];
    const movedCount = groups.reduce((total, group) => total + group.count, 0);
    const notes: string[] = [];
    const changedCount = (movedCount + this.#refusedCount) * sliceCount;
    if (this.#refusedCount > 0) {
      notes.push(
        `${shownCount(this.#refusedCount * sliceCount)} would have been refused: no model is left. ` +
          'Their cost and success are in no figure.',
      );
    }
    if (this.#undecidedCount > 0) {
      notes.push(
        `Of ${shownCount(this.#undecidedCount * sliceCount)} nobody can say whether a rule holds, as the text ` +
          'or the headers are not in the log. They count as unchanged.',
      );
    }
    return {
      changedCount,
      refusedCount: this.#refusedCount * sliceCount,
      undecidedCount: this.#undecidedCount * sliceCount,
      money: moneyOf(groups, frame, notes),
      success: successOf(groups, frame, notes),
      moves: [...this.#moves.values()]
        .map((move) => ({ ...move, decisionCount: move.decisionCount * sliceCount }))
        .sort((one, other) => other.decisionCount - one.decisionCount)
        .slice(0, MOVES_MAX),
      notes,
    };
  }

  #move(decision: RuledDecision, modelId: string): void {
    const { useCase, modelId: fromModelId, answeredId, costUsd, success } = decision;
    const key = `${useCase}\n${modelId}`;
    const group = this.#groups.get(key) ?? newGroup(useCase, modelId);
    this.#groups.set(key, group);
    group.count++;
    if (costUsd === null) group.unpricedCount++;
    else {
      const before = group.sums.get(answeredId);
      const own = sumsOf(decision, costUsd);
      group.sums.set(answeredId, before === undefined ? own : addCostSums([before, own]));
    }
    if (success !== null) {
      group.ratedCount++;
      group.successCount += success;
    }
    const moveKey = `${key}\n${fromModelId}`;
    const decisionCount = (this.#moves.get(moveKey)?.decisionCount ?? 0) + 1;
    this.#moves.set(moveKey, { useCase, fromModelId, toModelId: modelId, decisionCount });
  }
}

function newGroup(useCase: string, modelId: string): Group {
  return { useCase, modelId, sums: new Map(), count: 0, unpricedCount: 0, ratedCount: 0, successCount: 0 };
}

/** What a forecast needs of one request. */
function sumsOf({ promptTokens, hasTokens }: RuledDecision, costUsd: number): CostSums {
  const sums = {
    ...toCostSums([]),
    requestCount: 1,
    pricedCount: 1,
    costSumUsd: costUsd,
    costSquareSum: costUsd ** 2,
  };
  if (!hasTokens || promptTokens === null) return sums;
  return { ...sums, knownCount: 1, x: promptTokens, l: Math.log1p(promptTokens), c: costUsd };
}

/** What was paid is known; what would have been is forecast, by the model's requests in the use case, else everywhere. */
function moneyOf(groups: readonly Group[], frame: OutcomeFrame, notes: string[]): MoneyChange | null {
  const { book, typicalCostUsd, sliceCount } = frame;
  const forecasts: Forecast[] = [];
  const unknown = new Map<string, number>();
  let actualUsd = 0;
  let sampleCount = 0;
  let unpricedCount = 0;
  let elsewhereCount = 0;
  let drawnVariance = 0;
  for (const { useCase, modelId, sums, unpricedCount: without } of groups) {
    unpricedCount += without;
    const moved = [...sums].map(
      ([answeredId, own]): ModelSums => ({ modelId: answeredId, sums: timesOf(own, sliceCount) }),
    );
    const counted = moved.reduce((total, one) => total + one.sums.pricedCount, 0);
    if (counted === 0) continue;
    const here = book.forecast(modelId, useCase, moved);
    const elsewhere = here ?? book.forecast(modelId, null, moved);
    const forecast = elsewhere ?? (typicalCostUsd(modelId) === 0 ? NO_COST : null);
    if (forecast === null) {
      unknown.set(modelId, (unknown.get(modelId) ?? 0) + counted);
      continue;
    }
    if (here === null && elsewhere !== null) elsewhereCount += counted;
    forecasts.push(forecast);
    sampleCount += counted;
    actualUsd += moved.reduce((total, one) => total + one.sums.costSumUsd, 0);
    drawnVariance += sliceVariance([...sums.values()], forecast.costUsd / counted, sliceCount);
  }
  if (unpricedCount > 0) {
    notes.push(
      `${shownCount(unpricedCount * sliceCount)} changed decisions have no known cost, and are left out of the money.`,
    );
  }
  for (const [modelId, count] of unknown) {
    notes.push(
      `What ${shownCount(count)} would have cost on ${modelId} is not known: it has no request with a known price lately.`,
    );
  }
  if (elsewhereCount > 0) {
    notes.push(`The cost of ${shownCount(elsewhereCount)} is by requests of the model in other use cases.`);
  }
  const { costUsd, belowUsd, aboveUsd } = addForecasts(forecasts);
  if (sampleCount === 0 && groups.length > 0) return null;
  const differenceUsd = costUsd - actualUsd;
  const drawnUsd = REACH_95 * Math.sqrt(drawnVariance);
  return {
    differenceUsd,
    interval: [
      differenceUsd - Math.hypot(belowUsd, drawnUsd),
      differenceUsd + Math.hypot(aboveUsd, drawnUsd),
    ],
    actualUsd,
    expectedUsd: costUsd,
    sampleCount,
  };
}

function timesOf(sums: CostSums, factor: number): CostSums {
  return addCostSums(Array.from({ length: factor }, () => sums));
}

/**
 * Variance of a total that is scaled up from one of k units: k (k - 1) times the sum of squares of what was drawn
 * (Horvitz and Thompson 1952, for draws independent of each other).
 */
function sliceVariance(sums: readonly CostSums[], expectedUsd: number, sliceCount: number): number {
  if (sliceCount === 1) return 0;
  const { costSumUsd, costSquareSum, pricedCount } = addCostSums(sums);
  const squares = costSquareSum - 2 * expectedUsd * costSumUsd + pricedCount * expectedUsd ** 2;
  return sliceCount * (sliceCount - 1) * Math.max(0, squares);
}

/**
 * What was seen against what the rankings expect of the other models; the interval of the difference from those of both
 * sides (MOVER: Zou and Donner 2008, Statistics in Medicine 27, 1693-1702), that of what was seen after Jeffreys.
 */
function successOf(
  groups: readonly Group[],
  { rankedIn, sliceCount }: OutcomeFrame,
  notes: string[],
): SuccessChange | null {
  const unknown = new Map<string, number>();
  const known = groups.flatMap((group) => {
    const ranked = rankedIn(group.useCase, group.modelId);
    if (group.ratedCount === 0) return [];
    if (ranked !== null) return [{ ...group, success: ranked.success }];
    unknown.set(group.modelId, (unknown.get(group.modelId) ?? 0) + group.ratedCount);
    return [];
  });
  for (const [modelId, count] of unknown) {
    notes.push(
      `How ${shownCount(count * sliceCount)} would have ended on ${modelId} is not known: it is in no ranking.`,
    );
  }
  const count = known.reduce((total, one) => total + one.ratedCount, 0);
  if (count === 0) return null;
  const mean = (of: (one: (typeof known)[number]) => number): number =>
    known.reduce((total, one) => total + (one.ratedCount / count) * of(one), 0);
  const reach = (of: (one: (typeof known)[number]) => number): number =>
    Math.hypot(...known.map((one) => (one.ratedCount / count) * of(one)));
  const successCount = known.reduce((total, one) => total + one.successCount, 0);
  const actualRate = successCount / count;
  const expectedRate = mean(({ success }) => success.value);
  const low = successCount === 0 ? 0 : betaQuantile(0.025, successCount + 0.5, count - successCount + 0.5);
  const high =
    successCount === count ? 1 : betaQuantile(0.975, successCount + 0.5, count - successCount + 0.5);
  const difference = expectedRate - actualRate;
  return {
    difference,
    interval: [
      difference -
        Math.hypot(
          reach(({ success }) => success.value - success.low),
          high - actualRate,
        ),
      difference +
        Math.hypot(
          reach(({ success }) => success.high - success.value),
          actualRate - low,
        ),
    ],
    actualRate,
    expectedRate,
    sampleCount: count,
  };
}

/** "4,018". */
export function shownCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}
