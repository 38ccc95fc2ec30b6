import { CURVES, PolicyBook } from '../../src/core/policy.ts';
import { viewRanking } from '../../src/core/ranking-view.ts';
import type { UseCaseRanking } from '../../src/core/snapshot.ts';
import { buildRankings } from '../../src/ranking/build-rankings.ts';
import { Pool } from '../../src/ranking/pool.ts';
import {
  isEstablishedAbove,
  type ScoreSequence,
  type SeenParts,
  scoreSequences,
} from '../../src/ranking/standing.ts';
import { createRandom, type Random } from '../../src/stats/random.ts';
import { type OutcomeSet, themesOfSet } from './data.ts';
import { Share } from './report.ts';
import { bookOf, kendallTau, Tally, Traffic, type Truth, trueScore, truthsOf } from './world.ts';

const POLICIES = new PolicyBook();
const POLICY = POLICIES.policyOf('auto', null);

export const PARTS = ['score', 'success', 'speed', 'cost', 'quality'] as const;
type Part = (typeof PARTS)[number];

/** Requests of a cell, from; the last is open. */
export const SIZES = [5, 20, 50, 100, 200, 500, 1_000, 2_000] as const;
/** Requests per cell, on average, at which rankings are looked at. */
export const LOOKS = [
  3, 5, 8, 12, 20, 30, 50, 75, 110, 160, 230, 330, 480, 700, 1_000, 1_400, 2_000,
] as const;
export const BEST_BINS = [0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.99] as const;

export interface Accuracy {
  readonly set: OutcomeSet;
  readonly pathCount: number;
  /** Whether the shown interval holds the truth, by part, by size of the cell. */
  readonly coverage: Readonly<Record<Part, readonly Share[]>>;
  /** The same where the truth lies above the interval: the two sides ought to be alike. */
  readonly above: Readonly<Record<Part, Share>>;
  /** Half-width of the score's interval, points, by size: sums and counts. */
  readonly widths: readonly { sum: number; count: number }[];
  /** A use case of a path: whether an order was ever established wrongly at any look. */
  readonly everWrongOrder: Share;
  /** A path: the same in any of its use cases. */
  readonly everWrongPath: Share;
  /** Orders called established at a look: whether they are wrong. */
  readonly wrongOrder: Share;
  /** True orders of all use cases at a look: whether they are established. */
  readonly established: readonly Share[];
  /** Candidates by the not-worse rule: whether a deficit truly exceeds the margin. */
  readonly wrongCandidate: Share;
  readonly everWrongCandidate: Share;
  /** How far wrong ones lie beyond the margin. */
  readonly excess: number[];
  /** Models truly within both margins, at a look: whether they are candidates. */
  readonly foundCandidate: readonly Share[];
  /** Models with a probability of being the best in a bin: whether they are. */
  readonly best: readonly Share[];
  readonly bestStated: readonly { sum: number }[];
  /** Mean tau of use cases by look: score and quality. */
  readonly tau: readonly { score: number[]; quality: number[] }[];
}

/** Many paths of one set, each looked at seventeen times; everything that single rankings can be held to. */
export function measureAccuracy(
  set: OutcomeSet,
  { pathCount, seed }: { readonly pathCount: number; readonly seed: number },
): Accuracy {
  const shares = (count: number): Share[] => Array.from({ length: count }, () => new Share());
  const ofParts = <Value>(make: () => Value): Record<Part, Value> => ({
    score: make(),
    success: make(),
    speed: make(),
    cost: make(),
    quality: make(),
  });
  const facts: Accuracy = {
    set,
    pathCount,
    coverage: ofParts(() => shares(SIZES.length)),
    above: ofParts(() => new Share()),
    widths: SIZES.map(() => ({ sum: 0, count: 0 })),
    everWrongOrder: new Share(),
    everWrongPath: new Share(),
    wrongOrder: new Share(),
    established: shares(LOOKS.length),
    wrongCandidate: new Share(),
    everWrongCandidate: new Share(),
    excess: [],
    foundCandidate: shares(LOOKS.length),
    best: shares(BEST_BINS.length),
    bestStated: BEST_BINS.map(() => ({ sum: 0 })),
    tau: LOOKS.map(() => ({ score: [], quality: [] })),
  };
  const truths = truthsOf(set);
  const random = createRandom(seed);
  for (let path = 0; path < pathCount; path++) walk(facts, truths, random);
  return facts;
}

/** What has ever gone wrong in one use case of one path. */
interface Ever {
  order: boolean;
  candidate: boolean;
}

function walk(facts: Accuracy, truths: readonly (readonly Truth[])[], random: Random): void {
  const { set } = facts;
  const themes = themesOfSet(set);
  const ever: Ever[] = set.useCases.map(() => ({ order: false, candidate: false }));
  for (const [look, cells] of looksOf(set, random, LOOKS)) {
    const book = bookOf(set, cells);
    const { rankings, calibration } = buildRankings(book, POLICIES, { themes });
    const pool = new Pool(book, { calibration, curves: CURVES, themes });
    for (const ranking of rankings) {
      const useCase = set.useCases.indexOf(ranking.useCase);
      const truth = new Map(set.modelIds.map((modelId, at) => [modelId, truths[useCase]?.[at] as Truth]));
      addCoverage(facts, ranking, truth);
      const seen = ever[useCase];
      if (seen === undefined) continue;
      const rows = [...(book.get(ranking.useCase)?.values() ?? [])].map((model) => pool.seenOf(model));
      addOrders(facts, { rows, truth, look, seen });
      addCandidates(facts, { ranking, truth, look, seen });
      addBest(facts, ranking, truth);
      addTau(facts, ranking, truth, look);
    }
  }
  for (const { order, candidate } of ever) {
    facts.everWrongOrder.add(order);
    facts.everWrongCandidate.add(candidate);
  }
  facts.everWrongPath.add(ever.some(({ order }) => order));
}

/** Requests come in, each for a use case by Zipf's law and a model at random; yields the sums at each look. */
export function* looksOf(
  set: OutcomeSet,
  random: Random,
  looks: readonly number[],
): Generator<readonly [look: number, cells: readonly (readonly (readonly Tally[])[])[]]> {
  const traffic = new Traffic(set.useCases.length, random);
  const cells = set.useCases.map(() => set.modelIds.map(() => [new Tally()]));
  const cellCount = set.useCases.length * set.modelIds.length;
  let sent = 0;
  for (const [look, perCell] of looks.entries()) {
    for (; sent < perCell * cellCount; sent++) {
      const useCase = traffic.draw(random);
      const model = random.int(set.modelIds.length);
      cells[useCase]?.[model]?.[0]?.addRequest(set.outcomes[useCase]?.[model] ?? [], random);
    }
    yield [look, cells];
  }
}

function addCoverage(facts: Accuracy, ranking: UseCaseRanking, truth: ReadonlyMap<string, Truth>): void {
  for (const model of ranking.models) {
    const real = truth.get(model.modelId);
    const size = SIZES.findLastIndex((from) => model.success.sampleCount >= from);
    if (real === undefined || size < 0) continue;
    const add = (part: Part, value: number, interval: { low: number; high: number } | null): void => {
      if (interval === null) return;
      // Rounding alone may put a truth of exactly 0 or 1 outside.
      const isAbove = value > interval.high + 1e-6;
      facts.coverage[part][size]?.add(!isAbove && value >= interval.low - 1e-6);
      facts.above[part].add(isAbove);
    };
    const { scoreLow, scoreHigh } = model;
    if (scoreLow !== null && scoreHigh !== null) {
      add('score', trueScore(real, POLICY.weights), { low: scoreLow, high: scoreHigh });
      const width = facts.widths[size];
      if (width !== undefined) {
        width.sum += (scoreHigh - scoreLow) / 2;
        width.count++;
      }
    }
    add('success', real.success, model.success);
    add('speed', real.speed, model.speed);
    add('cost', real.cost, model.cost);
    add('quality', real.quality, model.quality);
  }
}

interface Look {
  readonly truth: ReadonlyMap<string, Truth>;
  readonly look: number;
  readonly seen: Ever;
}

/** Asks of every pair what the product asks for the ranks that it shows. */
function addOrders(
  facts: Accuracy,
  { rows, truth, look, seen }: Look & { readonly rows: readonly SeenParts[] },
): void {
  const scoreOf = ({ modelId }: ScoreSequence): number => {
    const real = truth.get(modelId);
    return real === undefined ? 0 : trueScore(real, POLICY.weights);
  };
  const family = { modelCount: rows.length };
  const sequences = [...scoreSequences(rows, POLICY.weights).values()];
  for (const one of sequences) {
    for (const other of sequences) {
      const [higher, lower] = [scoreOf(one), scoreOf(other)];
      if (one === other || higher === lower) continue;
      const isCalled = isEstablishedAbove(one, other, family);
      const isTrue = higher > lower;
      if (isTrue) facts.established[look]?.add(isCalled);
      if (!isCalled) continue;
      facts.wrongOrder.add(!isTrue);
      seen.order ||= !isTrue;
    }
  }
}

function addCandidates(
  facts: Accuracy,
  { ranking, truth, look, seen }: Look & { readonly ranking: UseCaseRanking },
): void {
  const { models, isProven } = viewRanking(ranking.models, POLICY);
  const judged = models.filter(({ hasEnoughEvidence }) => hasEnoughEvidence);
  const best = (part: 'success' | 'quality'): number =>
    Math.max(...judged.map(({ modelId }) => truth.get(modelId)?.[part] ?? 0));
  const [success, quality] = [best('success'), best('quality')];
  for (const model of judged) {
    const real = truth.get(model.modelId);
    if (real === undefined) continue;
    const excess = Math.max(
      success - real.success - POLICY.successMargin,
      quality - real.quality - POLICY.qualityMargin,
    );
    const isGood = excess <= 0;
    if (isGood) facts.foundCandidate[look]?.add(model.isCandidate && isProven);
    if (!model.isCandidate || !isProven) continue;
    facts.wrongCandidate.add(!isGood);
    seen.candidate ||= !isGood;
    if (!isGood) facts.excess.push(excess);
  }
}

function addBest(facts: Accuracy, ranking: UseCaseRanking, truth: ReadonlyMap<string, Truth>): void {
  const scoreOf = (modelId: string): number => {
    const real = truth.get(modelId);
    return real === undefined ? 0 : trueScore(real, POLICY.weights);
  };
  const most = Math.max(...ranking.models.map(({ modelId }) => scoreOf(modelId)));
  for (const { modelId, probabilityBest } of ranking.models) {
    if (probabilityBest === null) continue;
    const bin = BEST_BINS.findLastIndex((from) => probabilityBest >= from);
    facts.best[bin]?.add(scoreOf(modelId) === most);
    const stated = facts.bestStated[bin];
    if (stated !== undefined) stated.sum += probabilityBest;
  }
}

function addTau(
  facts: Accuracy,
  { models }: UseCaseRanking,
  truth: ReadonlyMap<string, Truth>,
  look: number,
): void {
  const real = models.flatMap(({ modelId }) => truth.get(modelId) ?? []);
  const byScore = kendallTau(
    models.map(({ score }) => score ?? 0),
    real.map((one) => trueScore(one, POLICY.weights)),
  );
  const byQuality = kendallTau(
    models.map(({ quality }) => quality.value),
    real.map(({ quality }) => quality),
  );
  if (byScore !== null) facts.tau[look]?.score.push(byScore);
  if (byQuality !== null) facts.tau[look]?.quality.push(byQuality);
}
