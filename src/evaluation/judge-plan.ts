import type { RankingsAnswer } from '../ranking/answers.ts';
import type { CandidatePair, JudgeCandidate } from '../store/queries/judge-sample.ts';

/** What is judged next, in this order. */
export interface JudgePlan {
  readonly scores: readonly JudgeCandidate[];
  readonly pairs: readonly CandidatePair[];
}

export interface PlanOptions {
  /** Judgements that may still be made: answers scored and pairs compared together. */
  readonly limit: number;
  /** Share of them that compare two answers, where there are such, 0..1. */
  readonly pairShare: number;
  /** Requests that have a score and explicit feedback already. */
  readonly pairedCount: number;
}

/**
 * Requests that have both a score and feedback from which on the correlation is known within about 0.1. Until then half
 * of the sample goes to rated answers, without which the judge's agreement, and so its weight, stays unknown; after
 * that a tenth, which notices when the agreement changes.
 */
const PAIRED_ENOUGH = 200;
const RATED_SHARE_BEFORE = 0.5;
const RATED_SHARE_AFTER = 0.1;
/** An order that is not established is worth twice the width alone. */
const TIED_WEIGHT = 2;
/** Width of a quality of which nothing is known. */
const UNKNOWN_WIDTH = 1;

/** How much it helps to judge an answer of this model in this use case, > 0. */
type NeedOf = (useCase: string, modelId: string) => number;

/**
 * Chooses from what was drawn, in the order of chance inside a use case and model. Each gets answers in proportion to
 * its need: the width of its quality interval, doubled where that overlaps another model's of the use case (the
 * order is open), times the square root of the use case's share of requests. That is a power allocation, between even
 * and proportional (Bankier 1988, The American Statistician 42, 174-177).
 */
export function planJudging(
  candidates: readonly JudgeCandidate[],
  pairs: readonly CandidatePair[],
  rankings: readonly RankingsAnswer[],
  { limit, pairShare, pairedCount }: PlanOptions,
): JudgePlan {
  const need = needsOf(rankings);
  const pairNeed = (pair: CandidatePair): number =>
    need(pair.useCase, pair.modelId) + need(pair.useCase, pair.otherModelId);
  const wantedPairs = Math.min(pairs.length, Math.floor(limit * pairShare));
  const chosenPairs = spread(
    pairs,
    wantedPairs,
    ({ useCase, modelId, otherModelId }) => `${useCase}\n${modelId}\n${otherModelId}`,
    pairNeed,
  );
  const left = limit - chosenPairs.length;
  const ratedShare = pairedCount < PAIRED_ENOUGH ? RATED_SHARE_BEFORE : RATED_SHARE_AFTER;
  const cellOf = ({ useCase, modelId }: JudgeCandidate): string => `${useCase}\n${modelId}`;
  const needOf = ({ useCase, modelId }: JudgeCandidate): number => need(useCase, modelId);
  const silent = candidates.filter(({ isRated }) => !isRated);
  const rated = candidates.filter(({ isRated }) => isRated);
  const ratedCount = Math.max(Math.ceil(left * ratedShare), left - silent.length);
  // The rated ones are spread evenly: they measure the judge, not the models.
  const chosenRated = spread(rated, ratedCount, cellOf, () => 1);
  const chosenSilent = spread(silent, left - chosenRated.length, cellOf, needOf);
  return { scores: alternating(chosenRated, chosenSilent), pairs: chosenPairs };
}

function needsOf(rankings: readonly RankingsAnswer[]): NeedOf {
  const requestsOf = (models: readonly { readonly totalRequests: number }[]): number =>
    models.reduce((sum, model) => sum + model.totalRequests, 0);
  const needs = new Map<string, number>();
  const shares = new Map<string, number>();
  const all = rankings.map(({ useCase, best, alternatives }) => ({
    useCase,
    models: best === null ? alternatives : [best, ...alternatives],
  }));
  const total = all.reduce((sum, { models }) => sum + requestsOf(models), 0);
  for (const { useCase, models } of all) {
    const share = Math.sqrt(requestsOf(models) / Math.max(1, total));
    shares.set(useCase, share);
    for (const model of models) {
      const [low, high] = model.parts.quality.interval;
      const isTied = models.some(
        ({ modelId, parts: { quality } }) =>
          modelId !== model.modelId && quality.interval[0] <= high && quality.interval[1] >= low,
      );
      needs.set(`${useCase}\n${model.modelId}`, share * (high - low) * (isTied ? TIED_WEIGHT : 1));
    }
  }
  // A use case without a ranking is as common as the rarest that has one.
  const leastShare = Math.min(1, ...shares.values());
  return (useCase, modelId) =>
    needs.get(`${useCase}\n${modelId}`) ?? UNKNOWN_WIDTH * (shares.get(useCase) ?? leastShare);
}

/** `count` items from groups in proportion to their needs (highest averages, Sainte-Lague); inside a group in their order. */
function spread<Item>(
  items: readonly Item[],
  count: number,
  groupOf: (item: Item) => string,
  needOf: (item: Item) => number,
): Item[] {
  const groups = new Map<string, { readonly items: Item[]; readonly need: number; taken: number }>();
  for (const item of items) {
    const name = groupOf(item);
    const group = groups.get(name);
    if (group) group.items.push(item);
    else groups.set(name, { items: [item], need: Math.max(needOf(item), 1e-9), taken: 0 });
  }
  const chosen: Item[] = [];
  while (chosen.length < count) {
    let best: { readonly items: Item[]; readonly need: number; taken: number } | null = null;
    for (const group of groups.values()) {
      if (group.taken >= group.items.length) continue;
      const average = group.need / (2 * group.taken + 1);
      if (best === null || average > best.need / (2 * best.taken + 1)) best = group;
    }
    if (best === null) break;
    chosen.push(best.items[best.taken] as Item);
    best.taken++;
  }
  return chosen;
}

/** Both kinds from the beginning: a budget that ends early leaves neither out. */
function alternating<Item>(some: readonly Item[], others: readonly Item[]): Item[] {
  const mixed: Item[] = [];
  for (let at = 0; at < Math.max(some.length, others.length); at++) {
    mixed.push(...some.slice(at, at + 1), ...others.slice(at, at + 1));
  }
  return mixed;
}
