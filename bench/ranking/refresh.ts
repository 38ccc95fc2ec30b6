import { PolicyBook } from '../../src/core/policy.ts';
import { buildRankings } from '../../src/ranking/build-rankings.ts';
import { encodeBook } from '../../src/ranking/encode-book.ts';
import { createRandom } from '../../src/stats/random.ts';
import { inventedSet, type OutcomeSet } from './data.ts';
import { quantileOf, round, type Section } from './report.ts';
import { bookOf, Tally } from './world.ts';

const SHAPES = [
  [2, 5],
  [10, 10],
  [50, 20],
  [200, 5],
] as const;
const REQUESTS = 300;

/** Time of a refresh from sums in memory, beside that of writing the same sums as JSON. */
export function measureRefresh(seed: number, rounds: number): Section {
  const rows = SHAPES.map(([useCaseCount, modelCount]) => {
    const book = bookOf(...worldOf(useCaseCount, modelCount, seed));
    const policies = new PolicyBook();
    const refreshMs = medianMs(() => buildRankings(book, policies), rounds);
    const encodeMs = medianMs(() => encodeBook(book), rounds);
    return [
      useCaseCount * modelCount,
      `${useCaseCount} × ${modelCount}`,
      round(refreshMs, 1),
      round(encodeMs, 1),
      round(refreshMs / encodeMs, 1),
    ];
  });
  return {
    id: 'refresh',
    title: 'Refresh: all rankings from the sums of a book',
    how: `Invented outcomes, ${REQUESTS} requests a cell; median of ${rounds} rounds. Milliseconds are of this machine and its load; the ratio to writing the book as JSON travels.`,
    seed,
    goal: null,
    columns: ['cells', 'use cases × models', 'refresh, ms', 'book as JSON, ms', 'ratio'],
    rows,
  };
}

function worldOf(useCaseCount: number, modelCount: number, seed: number): [OutcomeSet, Tally[][][]] {
  const random = createRandom(seed);
  const { outcomes: known, ...set } = inventedSet(seed);
  const outcomes = Array.from({ length: useCaseCount }, (_, useCase) =>
    Array.from({ length: modelCount }, (_, model) => known[useCase % known.length]?.[model % 6] ?? []),
  );
  const cells = outcomes.map((models) =>
    models.map((outcome) => {
      const tally = new Tally();
      for (let request = 0; request < REQUESTS; request++) tally.addRequest(outcome, random);
      return [tally];
    }),
  );
  const named = {
    ...set,
    outcomes,
    useCases: outcomes.map((_, at) => `use-case-${at}`),
    modelIds: Array.from({ length: modelCount }, (_, at) => `invented:model-${at}`),
  };
  return [named, cells];
}

function medianMs(work: () => unknown, rounds: number): number {
  work();
  const times = Array.from({ length: rounds }, () => {
    const startedAtMs = performance.now();
    work();
    return performance.now() - startedAtMs;
  });
  return quantileOf(times, 0.5) ?? 0;
}
