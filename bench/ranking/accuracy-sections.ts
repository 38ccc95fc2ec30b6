import { type Accuracy, BEST_BINS, LOOKS, PARTS, SIZES } from './accuracy.ts';
import { meanOf, round, type Section, type Share } from './report.ts';

/** The looks that tables show. */
const SHOWN_LOOKS = [20, 50, 110, 230, 480, 1_000, 2_000] as const;

export function accuracySections(all: readonly Accuracy[], seed: number): Section[] {
  return [
    coverageSection(all, seed),
    sizeSection(all, seed),
    ordersSection(all, seed),
    candidatesSection(all, seed),
    bestSection(all, seed),
  ];
}

function coverageSection(all: readonly Accuracy[], seed: number): Section {
  return {
    id: 'coverage',
    title: 'Shown 95 % intervals: share that holds the truth, at one look',
    how: 'Cells with 20 requests or more, all looks; requests by Zipf over use cases, models at random, a fifth rated; in brackets the number of intervals; "above" is the share of truths above the interval.',
    seed,
    goal: '0.93 to 0.97',
    columns: ['data set', 'use cases × models', 'paths', ...PARTS, 'score above', 'success above'],
    rows: all.map(({ set, pathCount, coverage, above }) => [
      set.name,
      `${set.useCases.length} × ${set.modelIds.length}`,
      pathCount,
      ...PARTS.map((part) => poolText(coverage[part].slice(1))),
      round(above.score.share),
      round(above.success.share),
    ]),
  };
}

function sizeSection(all: readonly Accuracy[], seed: number): Section {
  const rows = PARTS.filter((part) => part !== 'cost').flatMap((part) =>
    all.map(({ set, coverage }) => [part, set.name, ...coverage[part].map((share) => share.text)]),
  );
  const widths = all.map(({ set, widths: found }) => [
    'half-width of the score, points',
    set.name,
    ...found.map(({ sum, count }) => (count === 0 ? null : round(sum / count, 2))),
  ]);
  return {
    id: 'coverage-by-size',
    title: 'The same by requests of the cell',
    how: 'Cells of a path differ in size by Zipf, so small ones lean on large ones.',
    seed,
    goal: '0.93 to 0.97 from 20 on',
    columns: ['part', 'data set', ...SIZES.map((from, at) => rangeText(from, SIZES[at + 1]))],
    rows: [...rows, ...widths],
  };
}

function ordersSection(all: readonly Accuracy[], seed: number): Section {
  return {
    id: 'orders',
    title: 'Established orders, all looks together',
    how: `${LOOKS.length} looks a path, from ${LOOKS[0]} to ${LOOKS.at(-1)} requests per cell on average. Columns with numbers: share of true orders that are established by then.`,
    seed,
    goal: 'ever wrong below 0.05',
    columns: [
      'data set',
      'ever wrong, of use cases',
      'ever wrong, of paths',
      'called orders that are wrong',
      ...SHOWN_LOOKS.map((look) => `by ${look}`),
    ],
    rows: all.map((facts) => [
      facts.set.name,
      facts.everWrongOrder.text,
      facts.everWrongPath.text,
      facts.wrongOrder.text,
      ...SHOWN_LOOKS.map((look) => round(facts.established[LOOKS.indexOf(look)]?.share ?? null)),
    ]),
  };
}

function candidatesSection(all: readonly Accuracy[], seed: number): Section {
  return {
    id: 'candidates',
    title: 'Candidates by the not-worse rule',
    how: 'Verdicts at all looks, of models with enough evidence where the ranking is proven. Wrong: success or quality truly lies more than 0.05 below the best. Columns with numbers: share of the models truly within both margins that are candidates.',
    seed,
    goal: 'stated certainty 0.9 at one look: at most 0.10 wrong',
    columns: [
      'data set',
      'candidates that are wrong',
      'by how much beyond the margin',
      'ever wrong, of use cases',
      ...SHOWN_LOOKS.map((look) => `by ${look}`),
    ],
    rows: all.map((facts) => [
      facts.set.name,
      facts.wrongCandidate.text,
      round(meanOf(facts.excess)),
      facts.everWrongCandidate.text,
      ...SHOWN_LOOKS.map((look) => round(facts.foundCandidate[LOOKS.indexOf(look)]?.share ?? null)),
    ]),
  };
}

function bestSection(all: readonly Accuracy[], seed: number): Section {
  return {
    id: 'probability-best',
    title: 'Probability of being the best: how often those models are',
    how: 'All looks and use cases; in brackets how many models, before the arrow the mean probability stated.',
    seed,
    goal: 'stated and found alike',
    columns: ['data set', ...BEST_BINS.map((from, at) => `${from}–${BEST_BINS[at + 1] ?? 1}`)],
    rows: all.map(({ set, best, bestStated }) => [
      set.name,
      ...best.map((share, bin) =>
        share.count === 0
          ? null
          : `${((bestStated[bin]?.sum ?? 0) / share.count).toFixed(2)} → ${share.text}`,
      ),
    ]),
  };
}

/** Tau of the product's own rankings by look. */
export function tauSection(all: readonly Accuracy[], seed: number): Section {
  return {
    id: 'tau',
    title: "Kendall's tau of the product's rankings with the truth",
    how: 'Mean over use cases and paths; columns are requests per cell on average.',
    seed,
    goal: null,
    columns: ['data set', 'by', ...SHOWN_LOOKS.map(String)],
    rows: all.flatMap(({ set, tau }) =>
      (['score', 'quality'] as const).map((by) => [
        set.name,
        by,
        ...SHOWN_LOOKS.map((look) => round(meanOf(tau[LOOKS.indexOf(look)]?.[by] ?? []))),
      ]),
    ),
  };
}

function poolText(shares: readonly Share[]): string {
  const count = shares.reduce((sum, share) => sum + share.count, 0);
  const hits = shares.reduce((sum, share) => sum + share.hitCount, 0);
  return count === 0 ? '–' : `${(hits / count).toFixed(3)} (${count.toLocaleString('en')})`;
}

function rangeText(from: number, next: number | undefined): string {
  return next === undefined ? `${from} and more` : `${from}–${next - 1}`;
}
