export interface Point {
  readonly quality: number;
  readonly costUsd: number;
}

/** What was measured with one split of one set. */
export interface SeedResult {
  readonly set: string;
  readonly seed: number;
  readonly hasCosts: boolean;
  readonly modelCount: number;
  readonly trainCount: number;
  readonly testCount: number;
  readonly useCaseCount: number;
  /** Outcomes that bandit feedback was learnt from. */
  readonly banditCount: number;
  /** Quality alone is the first point of ours and of the neighbours, the last of Avengers-Pro. */
  readonly frontiers: readonly { readonly name: string; readonly points: readonly Point[] }[];
}

const OURS = ['tallyrank', 'tallyrank bandit', 'tallyrank bandit, all'];
const GAP_POINTS = 50;

/** Two tables, quality alone and the whole frontier, and the figures of every seed. */
export function frontierSections(
  results: readonly SeedResult[],
  seeds: readonly number[],
): { text: string; facts: unknown } {
  const sets = [...new Set(results.map(({ set }) => set))];
  const names = [...new Set(results.flatMap(({ frontiers }) => frontiers.map(({ name }) => name)))];
  const of = (set: string): SeedResult[] => results.filter((result) => result.set === set);
  const alone = names.map((name) => [
    name,
    ...sets.map((set) => spread(of(set).flatMap((result) => qualityAlone(result, name) ?? []))),
  ]);
  const head = sets.map((set) => {
    const [first] = of(set);
    return `${set} (${first?.modelCount} models, ${first?.testCount} prompts)`;
  });
  const priced = sets.filter((set) => of(set)[0]?.hasCosts);
  const gaps = OURS.flatMap((name) =>
    names
      .filter((other) => other.startsWith('avengers') || other.startsWith('nearest'))
      .map((other) => [
        `${name} over ${other}`,
        ...priced.map((set) =>
          spread(
            of(set).flatMap((result) => frontierGap(result, name, other) ?? []),
            true,
          ),
        ),
      ]),
  ).filter((row) => row.slice(1).some((cell) => cell !== '–'));
  const text = [
    `\n## Quality alone\n\nMean score of the held-out prompts in points of 100, mean of the splits (their standard deviation). ` +
      `Seeds ${seeds.join(', ')}.\n\n${table(['', ...head], alone)}`,
    `\n## Cost-quality frontier\n\nPoints of quality above the other frontier at equal cost, mean over costs from its cheapest to ` +
      `its best point (logarithmic), frontiers as upper hulls.\n\n${table(['', ...priced], gaps)}`,
    `\n## What was learnt from\n\n${table(
      ['set', 'training prompts', 'use cases found', 'bandit outcomes', 'a model and use case'],
      sets.map((set) => {
        const [first] = of(set);
        const cells = (first?.modelCount ?? 1) * (first?.useCaseCount ?? 1);
        return [
          set,
          String(first?.trainCount),
          of(set)
            .map(({ useCaseCount }) => useCaseCount)
            .join(', '),
          String(first?.banditCount),
          ((first?.banditCount ?? 0) / cells).toFixed(1),
        ];
      }),
    )}`,
  ].join('\n');
  return { text: `${text}\n`, facts: { seeds, results } };
}

/** One split in a line, for whoever waits. */
export function seedLine(result: SeedResult | undefined): string {
  if (result === undefined) return '';
  const of = (name: string): string => (100 * (qualityAlone(result, name) ?? 0)).toFixed(1);
  const shown = result.frontiers.map(({ name }) => `${name} ${of(name)}`);
  return `${result.set}, seed ${result.seed}: ${shown.join(', ')}`;
}

function qualityAlone({ frontiers }: SeedResult, name: string): number | null {
  const points = frontiers.find((frontier) => frontier.name === name)?.points;
  return points === undefined
    ? null
    : ((name.startsWith('avengers') ? points.at(-1) : points[0])?.quality ?? null);
}

/** Mean distance in quality, 0..1, of one frontier above another over the costs that both reach. */
function frontierGap({ frontiers, hasCosts }: SeedResult, name: string, other: string): number | null {
  const own = frontiers.find((frontier) => frontier.name === name)?.points;
  const theirs = frontiers.find((frontier) => frontier.name === other)?.points;
  if (!hasCosts || own === undefined || theirs === undefined) return null;
  const best = theirs.reduce((one, point) => (point.quality > one.quality ? point : one));
  const cheapest = (points: readonly Point[]): number => Math.min(...points.map(({ costUsd }) => costUsd));
  const from = Math.max(cheapest(own), cheapest(theirs));
  const to = Math.max(from, best.costUsd);
  let sum = 0;
  for (let at = 0; at <= GAP_POINTS; at++) {
    const costUsd = from * (to / from) ** (at / GAP_POINTS);
    sum += qualityAt(own, costUsd) - qualityAt(theirs, costUsd);
  }
  return sum / (GAP_POINTS + 1);
}

/** The best quality at a mean cost, mixing two points of the frontier where that is better than one. */
function qualityAt(points: readonly Point[], costUsd: number): number {
  const within = points.filter((point) => point.costUsd <= costUsd + 1e-15);
  const above = points.filter((point) => point.costUsd > costUsd + 1e-15);
  let best = Math.max(0, ...within.map(({ quality }) => quality));
  for (const low of within) {
    for (const high of above) {
      const share = (costUsd - low.costUsd) / (high.costUsd - low.costUsd);
      best = Math.max(best, low.quality + share * (high.quality - low.quality));
    }
  }
  return best;
}

/** "52.1 (0.4)" in points; signed where it is a difference. */
function spread(values: readonly number[], isSigned = false): string {
  if (values.length === 0) return '–';
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance =
    values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  const sign = isSigned && mean >= 0 ? '+' : '';
  return `${sign}${(100 * mean).toFixed(1)} (${(100 * Math.sqrt(variance)).toFixed(1)})`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n');
}
