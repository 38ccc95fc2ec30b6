import { PolicyBook } from '../../src/core/policy.ts';
import type { UseCaseRanking } from '../../src/core/snapshot.ts';
import { buildRankings } from '../../src/ranking/build-rankings.ts';
import type { EvidenceBook } from '../../src/ranking/evidence.ts';
import { createRandom } from '../../src/stats/random.ts';
import { looksOf } from './accuracy.ts';
import { type OutcomeSet, themesOfSet } from './data.ts';
import { meanOf, round, type Section } from './report.ts';
import { bookOf, kendallTau, trueScore, truthsOf } from './world.ts';

const POLICIES = new PolicyBook();
const POLICY = POLICIES.policyOf('auto', null);
const LOOKS = [5, 10, 20, 50, 110, 230, 480, 1_000] as const;

type Rank = (book: EvidenceBook, set: OutcomeSet) => readonly UseCaseRanking[];

/** Ways to lean: the product's, and what it could do instead. */
const WAYS: Readonly<Record<string, Rank>> = {
  'the product: weight measured, themes': (book, set) =>
    buildRankings(book, POLICIES, { themes: themesOfSet(set) }).rankings,
  'without themes': (book) => buildRankings(book, POLICIES).rankings,
  'weight 5': (book) => buildRankings(book, POLICIES, { useCaseWeight: 5 }).rankings,
  'weight 20': (book) => buildRankings(book, POLICIES, { useCaseWeight: 20 }).rankings,
  'weight 80': (book) => buildRankings(book, POLICIES, { useCaseWeight: 80 }).rankings,
  'within the theme only': (book, set) =>
    [...new Set(set.themes)].flatMap((theme) => {
      const part = [...book].filter(([useCase]) => set.themes[set.useCases.indexOf(useCase)] === theme);
      return buildRankings(new Map(part), POLICIES).rankings;
    }),
  'none: each use case by itself': (book) =>
    [...book].flatMap((one) => buildRankings(new Map([one]), POLICIES).rankings),
};

/** Kendall's tau of rankings against samples seen, by how they lean on other use cases. */
export function measurePooling(
  sets: readonly OutcomeSet[],
  { pathCount, seed }: { readonly pathCount: number; readonly seed: number },
): Section {
  const rows = sets.flatMap((set) => {
    const taus = new Map<string, number[][]>();
    const truths = truthsOf(set);
    const random = createRandom(seed);
    for (let path = 0; path < pathCount; path++) {
      for (const [look, cells] of looksOf(set, random, LOOKS)) {
        const book = bookOf(set, cells);
        for (const [way, rank] of Object.entries(WAYS)) {
          for (const ranking of rank(book, set)) {
            const truth = truths[set.useCases.indexOf(ranking.useCase)] ?? [];
            for (const by of ['score', 'quality'] as const) {
              const tau = tauOf(ranking, by, set, truth);
              const key = `${by}\n${way}`;
              const known = taus.get(key) ?? LOOKS.map(() => []);
              if (tau !== null) known[look]?.push(tau);
              taus.set(key, known);
            }
          }
        }
      }
    }
    return [...taus].sort().map(([key, found]) => {
      const [by = '', way = ''] = key.split('\n');
      return [set.name, by, way, ...found.map((values) => round(meanOf(values)))];
    });
  });
  return {
    id: 'pooling',
    title: "Kendall's tau of rankings against requests per cell",
    how: `Mean over use cases and ${pathCount} paths; columns are requests per cell on average, use cases by Zipf. Sets with several use cases.`,
    seed,
    goal: null,
    columns: ['data set', 'by', 'leaning', ...LOOKS.map(String)],
    rows,
  };
}

function tauOf(
  { models }: UseCaseRanking,
  by: 'score' | 'quality',
  set: OutcomeSet,
  truths: ReturnType<typeof truthsOf>[number],
): number | null {
  const real = models.flatMap(({ modelId }) => truths[set.modelIds.indexOf(modelId)] ?? []);
  return kendallTau(
    models.map(({ score, quality }) => (by === 'score' ? (score ?? 0) : quality.value)),
    real.map((truth) => (by === 'score' ? trueScore(truth, POLICY.weights) : truth.quality)),
  );
}
