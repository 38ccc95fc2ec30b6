import type { RewardName } from '../../src/evaluation/off-policy.ts';
import type { Logging } from './off-policy-log.ts';
import type { EstimatorName, TargetName, Tried } from './off-policy-measure.ts';

/** Figures of one row of a table. */
interface Figures {
  readonly n: number;
  readonly meanError: number;
  readonly rootMeanSquare: number;
  readonly coverage: number | null;
  readonly width: number | null;
}

const ESTIMATORS: readonly EstimatorName[] = ['snips', 'doublyRobust', 'direct', 'logged'];
const TARGETS: readonly TargetName[] = [
  'best single',
  'middle single',
  'domain oracle',
  'learnt before',
  'learnt here',
];
const CHANCED: readonly Logging[] = ['uniform 0.1', 'thompson 0.1'];

/** Tables as Markdown, and the same figures as facts. */
export function offPolicySections(
  tried: readonly Tried[],
  { seed, paths }: { readonly seed: string; readonly paths: string },
): { readonly text: string; readonly facts: Readonly<Record<string, unknown>> } {
  const rewards: readonly RewardName[] = ['quality', 'success', 'costUsd'];
  const counts = [...new Set(tried.map(({ count }) => count))].sort((one, other) => one - other);
  const sets = [...new Set(tried.map(({ set }) => set))];
  const answered = tried.filter(({ isRefused }) => !isRefused);
  const rows = rewards.flatMap((reward) =>
    CHANCED.flatMap((logging) =>
      counts.flatMap((count) =>
        ESTIMATORS.map((estimator) => ({
          reward,
          logging,
          count,
          estimator,
          ...figuresOf(
            answered.filter(
              (one) =>
                one.target !== 'learnt here' &&
                one.reward === reward &&
                one.logging === logging &&
                one.count === count &&
                one.estimator === estimator,
            ),
          ),
        })),
      ),
    ),
  );
  const ofQuality = (of: (one: Tried) => boolean, estimator: EstimatorName, from = answered): Figures =>
    figuresOf(from.filter((one) => one.reward === 'quality' && one.estimator === estimator && of(one)));
  const isChanced = ({ logging }: Tried): boolean => CHANCED.includes(logging);
  const byTarget = TARGETS.flatMap((target) =>
    ESTIMATORS.map((estimator) => ({
      target,
      estimator,
      ...ofQuality((one) => isChanced(one) && one.target === target, estimator),
    })),
  );
  const bySet = sets.flatMap((set) =>
    ESTIMATORS.map((estimator) => ({
      set,
      estimator,
      ...ofQuality((one) => isChanced(one) && one.set === set && one.target !== 'learnt here', estimator),
    })),
  );
  const special = (['repeats', 'none', 'wrong'] as const).flatMap((logging) =>
    (['snips', 'doublyRobust'] as const).map((estimator) => ({
      logging,
      estimator,
      ...ofQuality((one) => one.logging === logging && one.target !== 'learnt here', estimator, [...tried]),
    })),
  );
  const refusals = refusalRows(tried, counts);
  const facts = { seed: Number(seed), paths: Number(paths), rows, byTarget, bySet, special, refusals };
  const text = [
    `# Off-policy estimates against the truth (seed ${seed}, ${paths} logs per set, way of exploring and length)`,
    tableOf(
      'By reward, way of exploring and length: all sets, all targets but "learnt here", refused ones left out (cost: errors as shares of the truth)',
      rows,
    ),
    tableOf('By target (quality, both ways of exploring, all lengths)', byTarget),
    tableOf('By set (quality, all targets but "learnt here")', bySet),
    tableOf('Other logs, nothing refused', special),
    tableOf('Refusals', refusals),
  ].join('\n\n');
  return { text: `${text}\n`, facts };
}

/** How often it is refused, and what the refused estimates would have been worth. */
function refusalRows(tried: readonly Tried[], counts: readonly number[]): object[] {
  const all = tried.filter(({ reward, target }) => reward === 'quality' && target !== 'learnt here');
  const own = all.filter(({ estimator }) => estimator === 'doublyRobust');
  // Where nothing was matched there is no estimate at all; the direct model always has one.
  const asked = all.filter(({ estimator }) => estimator === 'direct');
  return (['uniform 0.1', 'thompson 0.1', 'repeats', 'none', 'wrong'] as const).flatMap((logging) =>
    counts.flatMap((count) => {
      const here = own.filter((one) => one.logging === logging && one.count === count);
      const tries = asked.filter((one) => one.logging === logging && one.count === count);
      if (tries.length === 0) return [];
      const refused = here.filter(({ isRefused }) => isRefused);
      const figures = (rows: readonly Tried[]): object => {
        const { rootMeanSquare, coverage } = figuresOf(rows);
        return { rootMeanSquare, coverage };
      };
      const [let1, let2] = [figures(refused), figures(here.filter(({ isRefused }) => !isRefused))] as {
        rootMeanSquare: number;
        coverage: number | null;
      }[];
      return {
        logging,
        count,
        tried: tries.length,
        refused: tries.filter(({ isRefused }) => isRefused).length / tries.length,
        'error if refused': let1?.rootMeanSquare ?? null,
        'coverage if refused': let1?.coverage ?? null,
        'error if not': let2?.rootMeanSquare ?? null,
        'coverage if not': let2?.coverage ?? null,
      };
    }),
  );
}

function figuresOf(rows: readonly Tried[]): Figures {
  const scale = ({ reward, truth }: Tried): number => (reward === 'costUsd' ? Math.max(1e-9, truth) : 1);
  const errors = rows.map((one) => (one.value - one.truth) / scale(one));
  const withInterval = rows.filter(({ interval }) => interval !== null);
  const isIn = (interval: readonly [number, number] | null, truth: number): boolean =>
    interval !== null && interval[0] <= truth && truth <= interval[1];
  return {
    n: rows.length,
    meanError: meanOf(errors),
    rootMeanSquare: Math.sqrt(meanOf(errors.map((error) => error ** 2))),
    coverage:
      withInterval.length === 0
        ? null
        : meanOf(withInterval.map(({ interval, truth }) => Number(isIn(interval, truth)))),
    width:
      withInterval.length === 0
        ? null
        : meanOf(
            withInterval.map((one) => ((one.interval?.[1] ?? 0) - (one.interval?.[0] ?? 0)) / scale(one)),
          ),
  };
}

function tableOf(title: string, rows: readonly object[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    `## ${title}`,
    '',
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map((column) => shown((row as Record<string, unknown>)[column])))),
  ].join('\n');
}

function shown(value: unknown): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (typeof value !== 'number') return String(value);
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
