import { PolicyBook } from '../../src/core/policy.ts';
import type { UseCaseRanking } from '../../src/core/snapshot.ts';
import { buildRankings } from '../../src/ranking/build-rankings.ts';
import { type ModelEvidence, noEvidence } from '../../src/ranking/evidence.ts';
import { latencyBin } from '../../src/ranking/latency-bins.ts';
import { computeSavings, type SavingsAnswer } from '../../src/ranking/savings.ts';
import type { Random } from '../../src/stats/random.ts';
import {
  addCostSums,
  type CostSums,
  type SavingsEvidenceRow,
  toCostSums,
} from '../../src/store/queries/savings-evidence.ts';
import { costSumsOf } from '../../tests/kit/cost-sums.ts';
import type { PricedOutcome, PricedPrompt, PricedSet } from './savings-sets.ts';

/**
 * How a log comes about: who answers is drawn; short prompts go to the best model more often; or it is drawn and the
 * models count tokens by vocabularies of their own.
 */
export type Scenario = 'random' | 'by length' | 'vocabularies';

/** Of one log; money as a share of the actual cost, or null where nothing was to be compared. */
export interface SavingsRound {
  /** Estimate less truth, of the savings. */
  readonly error: number;
  /** What re-pricing at the best model's mean would have been wrong by. */
  readonly errorOfMean: number;
  readonly trueSavings: number;
  readonly isHeld: boolean;
  /** Re-priced use cases, and how many of their intervals hold the truth. */
  readonly useCaseCount: number;
  readonly heldCount: number;
  /** Requests of the best model per re-priced use case. */
  readonly evidenceMean: number;
  /** Estimate less truth of what the flagship would have cost; its interval. */
  readonly flagshipError: number | null;
  readonly isFlagshipHeld: boolean;
  /** Estimate less truth of what the mix before would have cost; of the cost since. */
  readonly mixError: number | null;
  readonly isMixHeld: boolean;
}

export interface SavingsResult {
  readonly set: PricedSet;
  readonly scenario: Scenario;
  /** Logs with at least one use case re-priced. */
  readonly rounds: readonly SavingsRound[];
}

interface Logged {
  readonly prompt: PricedPrompt;
  readonly modelId: string;
}

const POOL_SIZE = 4;
/** Of the requests, for the best model; the dearest one takes most of the others. */
const BEST_SHARE = 0.2;
const DEAREST_SHARE = 0.7;
/** Vocabularies differ by so much each way. */
const VOCABULARY_SPREAD = 0.15;
/** Of the requests since routing was switched on, that go where they went before. */
const EXPLORED_SHARE = 0.1;
const DAY_MS = 86_400_000;
const NONE = toCostSums([]);

export function measureSavings(options: {
  readonly set: PricedSet;
  readonly scenario: Scenario;
  readonly rounds: number;
  readonly random: Random;
}): SavingsResult {
  const { set, scenario, rounds, random } = options;
  const drawn = Array.from({ length: rounds }, () => drawRound(set, scenario, random));
  return { set, scenario, rounds: drawn.filter((round) => round !== null) };
}

function drawRound(set: PricedSet, scenario: Scenario, random: Random): SavingsRound | null {
  const drawn = [...set.modelIds];
  random.shuffle(drawn);
  const inPool = new Set(drawn.slice(0, POOL_SIZE));
  const pool = set.modelIds.filter((modelId) => inPool.has(modelId));
  const best = pool[random.int(pool.length - 1)] ?? '';
  const prompts = set.prompts.filter(({ outcomes }) => pool.every((modelId) => outcomes.has(modelId)));
  const mix = new Mix(pool, best, scenario, prompts, random);
  const log = prompts.map((prompt): Logged => ({ prompt, modelId: mix.draw(prompt) }));
  // One half stands for the time before routing, the other for the time since, when the best model has nearly all.
  const halves = [...log];
  random.shuffle(halves);
  const before = halves.slice(0, halves.length / 2);
  const routed = halves
    .slice(halves.length / 2)
    .map(({ prompt, modelId }) => ({ prompt, modelId: random.next() < EXPLORED_SHARE ? modelId : best }));
  const rows = rowsOf({ log, before, routed }, drawVocabularies(pool, scenario, random));
  const answer = computeSavings(rows, rankingsFor(rows, best), {
    window: { from: new Date(0), to: new Date(30 * DAY_MS), label: '30 days' },
    policies: new PolicyBook(),
    version: null,
    defaultModel: null,
    routedSince: new Date(15 * DAY_MS),
  });
  const otherwise = routed.map(({ prompt }): Logged => ({ prompt, modelId: mix.draw(prompt) }));
  return compareWithTruth(answer, { log, routed, otherwise }, best);
}

/** The models that requests went to, and how they were shared out. */
class Mix {
  readonly #best: string;
  readonly #others: readonly string[];
  readonly #isByLength: boolean;
  readonly #ranks: ReadonlyMap<PricedPrompt, number>;
  readonly #random: Random;

  /** @param pool  cheapest first */
  constructor(
    pool: readonly string[],
    best: string,
    scenario: Scenario,
    prompts: readonly PricedPrompt[],
    random: Random,
  ) {
    this.#best = best;
    this.#others = pool.filter((modelId) => modelId !== best);
    this.#isByLength = scenario === 'by length';
    this.#ranks = lengthRanks(prompts);
    this.#random = random;
  }

  draw(prompt: PricedPrompt): string {
    const random = this.#random;
    // From 0.42 for the shortest prompt of a use case to 0.02 for its longest.
    const share = this.#isByLength ? 0.02 + 0.4 * (1 - (this.#ranks.get(prompt) ?? 0)) : BEST_SHARE;
    if (random.next() < share) return this.#best;
    const dearest = this.#others.at(-1) ?? '';
    if (random.next() < DEAREST_SHARE) return dearest;
    return this.#others[random.int(this.#others.length)] ?? dearest;
  }
}

/** Rank of each prompt's length in its use case, 0..1. */
function lengthRanks(prompts: readonly PricedPrompt[]): Map<PricedPrompt, number> {
  const ranks = new Map<PricedPrompt, number>();
  for (const useCase of new Set(prompts.map((prompt) => prompt.useCase))) {
    const own = prompts.filter((prompt) => prompt.useCase === useCase);
    own.sort((one, other) => one.promptLength - other.promptLength);
    for (const [at, prompt] of own.entries()) ranks.set(prompt, at / own.length);
  }
  return ranks;
}

function drawVocabularies(
  pool: readonly string[],
  scenario: Scenario,
  random: Random,
): ReadonlyMap<string, number> {
  const draw = (): number =>
    scenario === 'vocabularies' ? 1 + VOCABULARY_SPREAD * (2 * random.next() - 1) : 1;
  return new Map(pool.map((modelId) => [modelId, draw()]));
}

function rowsOf(
  logs: Readonly<Record<'log' | 'before' | 'routed', readonly Logged[]>>,
  vocabularies: ReadonlyMap<string, number>,
): SavingsEvidenceRow[] {
  const sumsOf = (log: readonly Logged[]): Map<string, CostSums> => {
    const cells = new Map<string, CostSums[]>();
    for (const { prompt, modelId } of log) {
      const key = `${prompt.useCase}\n${modelId}`;
      const { costUsd, completionTokens } = outcomeOf(prompt, modelId);
      const promptTokens = Math.round(prompt.promptTokens * (vocabularies.get(modelId) ?? 1));
      const request = { costUsd, completionTokens, promptTokens, promptLength: prompt.promptLength };
      const known = cells.get(key) ?? [];
      known.push(costSumsOf(request));
      cells.set(key, known);
    }
    return new Map([...cells].map(([key, sums]) => [key, addCostSums(sums)]));
  };
  const [asked, before, routed] = [sumsOf(logs.log), sumsOf(logs.before), sumsOf(logs.routed)];
  return [...new Set([...asked.keys(), ...routed.keys()])].map((key): SavingsEvidenceRow => {
    const [useCase = '', modelId = ''] = key.split('\n');
    const own = asked.get(key) ?? NONE;
    return {
      useCase,
      modelId,
      asked: own,
      evidence: own,
      before: before.get(key) ?? NONE,
      routed: routed.get(key) ?? NONE,
    };
  });
}

/** Rankings in which `best` alone is a candidate: whom to choose is measured elsewhere, here what it costs. */
function rankingsFor(rows: readonly SavingsEvidenceRow[], best: string): ReadonlyMap<string, UseCaseRanking> {
  const book = new Map<string, Map<string, ModelEvidence>>();
  for (const { useCase, modelId, evidence } of rows) {
    const models = book.get(useCase) ?? new Map<string, ModelEvidence>();
    models.set(modelId, evidenceOf(modelId, evidence, modelId === best));
    book.set(useCase, models);
  }
  const { rankings } = buildRankings(book, new PolicyBook());
  return new Map(rankings.map((ranking) => [ranking.useCase, ranking]));
}

function evidenceOf(modelId: string, sums: CostSums, isBest: boolean): ModelEvidence {
  const { pricedCount, costSumUsd, costSquareSum } = sums;
  const successCount = isBest ? pricedCount : Math.round(pricedCount / 2);
  return {
    ...noEvidence(modelId),
    requestCount: pricedCount,
    successCount,
    failureCount: pricedCount - successCount,
    latencyCount: successCount,
    latencySumMs: successCount * 1_000,
    latencyBins: new Map([[latencyBin(1_000), successCount]]),
    pricedCount,
    costSumUsd,
    costSquareSum,
  };
}

function compareWithTruth(
  answer: SavingsAnswer,
  logs: Readonly<Record<'log' | 'routed' | 'otherwise', readonly Logged[]>>,
  best: string,
): SavingsRound | null {
  const priced = answer.perUseCase.filter(({ bestModelId }) => bestModelId === best);
  if (priced.length === 0) return null;
  const actualUsd = costOf(logs.log);
  const isPriced = new Set(priced.map(({ useCase }) => useCase));
  let trueSavings = 0;
  let errorUsd = 0;
  let errorOfMeanUsd = 0;
  let heldCount = 0;
  for (const part of priced) {
    const log = logs.log.filter(({ prompt }) => prompt.useCase === part.useCase);
    const own = log.filter(({ modelId }) => modelId === best);
    const trueUsd = costOf(log) - costOf(log.map(({ prompt }) => ({ prompt, modelId: best })));
    const byMeanUsd = costOf(log) - (log.length * costOf(own)) / own.length;
    trueSavings += trueUsd;
    errorUsd += part.savingsUsd - trueUsd;
    errorOfMeanUsd += byMeanUsd - trueUsd;
    if (isWithin(trueUsd, part.interval)) heldCount++;
  }
  const { alwaysFlagship, realised } = answer;
  const flagshipId = alwaysFlagship?.modelId ?? '';
  const flagshipUsd = costOf(logs.log.map(({ prompt }) => ({ prompt, modelId: flagshipId })));
  const mix = realised.againstMixBefore;
  const mixUsd = costOf(logs.otherwise) - costOf(logs.routed);
  // Compared in all use cases, or not at all: the truth is of all.
  const isMixWhole = mix !== null && mix.requestCount === logs.routed.length;
  return {
    error: errorUsd / actualUsd,
    errorOfMean: errorOfMeanUsd / actualUsd,
    trueSavings: trueSavings / actualUsd,
    isHeld: isWithin(trueSavings, answer.interval),
    useCaseCount: isPriced.size,
    heldCount,
    evidenceMean: priced.reduce((sum, part) => sum + part.evidenceCount, 0) / priced.length,
    flagshipError: alwaysFlagship === null ? null : (alwaysFlagship.costUsd - flagshipUsd) / actualUsd,
    isFlagshipHeld: alwaysFlagship !== null && isWithin(flagshipUsd, alwaysFlagship.costInterval),
    mixError: isMixWhole ? (mix.savingsUsd - mixUsd) / costOf(logs.otherwise) : null,
    isMixHeld: isMixWhole && isWithin(mixUsd, mix.interval),
  };
}

function costOf(log: readonly Logged[]): number {
  return log.reduce((total, { prompt, modelId }) => total + outcomeOf(prompt, modelId).costUsd, 0);
}

function outcomeOf(prompt: PricedPrompt, modelId: string): PricedOutcome {
  const outcome = prompt.outcomes.get(modelId);
  if (outcome === undefined) throw new RangeError(`no outcome of ${modelId}`);
  return outcome;
}

/** With room for rounding: estimates that are exact have intervals without width. */
function isWithin(value: number, [low, high]: readonly [number, number]): boolean {
  const room = 1e-9 * Math.max(Math.abs(low), Math.abs(high));
  return value >= low - room && value <= high + room;
}
