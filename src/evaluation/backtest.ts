import { TallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';
import type { Embedder } from '../discovery/embedders/embedder.ts';
import { createRandom } from '../stats/random.ts';
import { type PolicyResult, resultsOf, type UseCaseResult, useCaseResults } from './backtest-results.ts';
import { baselines, picked, type Run } from './baselines.ts';
import { banditOutcomes, evidenceOf, hashOf, learnUseCases, type SeenPrompt } from './learn-outcomes.ts';
import type { OutcomeMatrix, OutcomePrompt } from './outcome-file.ts';
import { type Lambda, OutcomeRouter, type Prices, pricesOf, usdPerPoint } from './route-outcomes.ts';

export interface BacktestOptions {
  readonly embedder: Embedder;
  /** Share 0..1 of the prompts that are learnt from. */
  readonly trainShare: number;
  readonly seed: number;
  /** `full`: every model's outcome on a training prompt is seen; `bandit`: one model's, drawn uniformly. */
  readonly feedback: 'full' | 'bandit';
  readonly lambdas: readonly Lambda[];
  /** Prompts at most, drawn by seed; null: all. */
  readonly promptsMax: number | null;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

export interface BacktestReport {
  readonly promptCount: number;
  readonly modelCount: number;
  readonly trainCount: number;
  readonly testCount: number;
  readonly policies: readonly PolicyResult[];
  readonly useCases: readonly UseCaseResult[];
}

/** The report and what a reader has to be told beside it. */
export interface Backtest {
  readonly report: BacktestReport;
  readonly notes: readonly string[];
}

/**
 * What routing by this program would have come to: learns on a part of the prompts of an outcome matrix, routes the
 * others, and compares. Discovery, classifier, ranker, policy and router are those of the gateway.
 *
 * @throws {TallyrankError} `bad_request` when there is too little to learn from, `cancelled`
 */
export async function backtest(matrix: OutcomeMatrix, options: BacktestOptions): Promise<Backtest> {
  const { train, test } = splitPrompts(matrix.prompts, options);
  const random = createRandom(options.seed + 1);
  const seen =
    options.feedback === 'bandit'
      ? banditOutcomes(train, random)
      : train.map((prompt) => ({ prompt, seen: prompt.outcomes }));
  const prices = pricesOf(costMeansOf(seen));
  const notes = notesOf(matrix, seen, prices, options);
  const lambdas = prices.costMeansUsd.size === 0 ? [0] : options.lambdas;
  const learnt = await learnUseCases(train, options);
  const unpriced = new Set(matrix.models.filter((model) => !prices.costMeansUsd.has(model)));
  const book = evidenceOf(seen, matrix.models, learnt, unpriced);
  const router = new OutcomeRouter(learnt, book, { models: matrix.models, prices });
  const runs: Run[] = [];
  let useCases: string[] = [];
  for (const [at, lambda] of lambdas.entries()) {
    options.onProgress?.('routing', at, lambdas.length);
    if (options.signal?.aborted) throw new TallyrankError('cancelled', 'The backtest was cancelled.');
    const choices = await router.route(test, lambda);
    useCases = choices.map((choice, n) => choice?.useCase ?? useCases[n] ?? '');
    runs.push({
      head: { name: 'tallyrank', lambda, usdPerPoint: usdPerPoint(lambda, prices) },
      ...picked(
        test,
        choices.map((choice) => choice?.model ?? null),
      ),
    });
  }
  runs.push(...baselines(matrix, seen, test));
  options.onProgress?.('drawing intervals', 0, null);
  return {
    report: {
      promptCount: train.length + test.length,
      modelCount: matrix.models.length,
      trainCount: train.length,
      testCount: test.length,
      policies: resultsOf(runs, random),
      useCases: useCaseResults(runs, { learnt, train, test, useCases, random }),
    },
    notes,
  };
}

/**
 * Equal texts stay on one side, so that nothing is learnt by heart; which side is decided by the seed alone.
 *
 * @throws {TallyrankError} `bad_request` with fewer than two distinct prompts
 */
export function splitPrompts(
  prompts: readonly OutcomePrompt[],
  {
    trainShare,
    seed,
    promptsMax,
  }: Pick<BacktestOptions, 'trainShare' | 'seed'> & { readonly promptsMax?: number | null },
): { train: OutcomePrompt[]; test: OutcomePrompt[] } {
  const groups = new Map<string, OutcomePrompt[]>();
  for (const prompt of prompts) {
    const hash = hashOf(prompt);
    const group = groups.get(hash);
    if (group === undefined) groups.set(hash, [prompt]);
    else group.push(prompt);
  }
  if (groups.size < 2) {
    throw new TallyrankError(
      'bad_request',
      'A backtest needs two different prompts at least: one to learn from.',
    );
  }
  const order = [...groups.keys()].sort();
  createRandom(seed).shuffle(order);
  if (promptsMax !== null && promptsMax !== undefined) order.length = Math.min(order.length, promptsMax);
  const of = (hashes: readonly string[]): OutcomePrompt[] => hashes.flatMap((hash) => groups.get(hash) ?? []);
  const wanted = Math.round(trainShare * of(order).length);
  let taken = 0;
  let trainCount = 0;
  // One text at least on each side.
  while (trainCount < order.length - 1 && (trainCount === 0 || taken < wanted)) {
    taken += groups.get(order[trainCount] ?? '')?.length ?? 0;
    trainCount++;
  }
  return { train: of(order.slice(0, trainCount)), test: of(order.slice(trainCount)) };
}

function notesOf(
  matrix: OutcomeMatrix,
  seen: readonly SeenPrompt[],
  { costMeansUsd }: Prices,
  { lambdas }: BacktestOptions,
): string[] {
  const notes: string[] = [];
  const whole = matrix.models.length;
  const incomplete = matrix.prompts.filter(({ outcomes }) => outcomes.size < whole).length;
  if (incomplete > 0) {
    notes.push(
      `${incomplete} of ${matrix.prompts.length} prompts have no outcome of some models. On them the others are chosen ` +
        'from; a single model is measured on the prompts that it has.',
    );
  }
  if (matrix.repeatedRowCount > 0) {
    notes.push(
      `${matrix.repeatedRowCount} rows repeat a prompt and model of another row; the mean of them counts.`,
    );
  }
  const unpriced = matrix.models.filter((model) => !costMeansUsd.has(model));
  const isWeighed = lambdas.some((lambda) => lambda > 0);
  if (unpriced.length === whole) {
    notes.push('No cost_usd was seen: costs are unknown, and quality alone decides (lambda 0).');
  } else if (unpriced.length > 0) {
    const listed = `${unpriced.slice(0, 5).join(', ')}${unpriced.length > 5 ? ', …' : ''}`;
    notes.push(
      `${unpriced.length} of ${whole} models have no known cost (${listed}): they take part at lambda 0` +
        (isWeighed ? ', and are kept out above.' : ' only.'),
    );
  }
  const unknown = matrix.prompts.reduce(
    (sum, { outcomes }) =>
      sum +
      [...outcomes].filter(([model, { costUsd }]) => costUsd === null && costMeansUsd.has(model)).length,
    0,
  );
  if (unknown > 0) {
    notes.push(`${unknown} outcomes of models with known costs have none; means are of those that have one.`);
  }
  const unseen = matrix.models.filter((model) => !seen.some(({ seen: outcomes }) => outcomes.has(model)));
  if (unseen.length > 0) notes.push(`${unseen.length} models have no outcome among what is learnt from.`);
  return notes;
}

/** Mean dollars per prompt of the models whose costs were seen. */
export function costMeansOf(seen: readonly SeenPrompt[]): ReadonlyMap<string, number> {
  const sums = new Map<string, { count: number; costUsd: number }>();
  for (const { seen: outcomes } of seen) {
    for (const [model, { costUsd }] of outcomes) {
      if (costUsd === null) continue;
      const known = sums.get(model) ?? { count: 0, costUsd: 0 };
      sums.set(model, { count: known.count + 1, costUsd: known.costUsd + costUsd });
    }
  }
  return new Map([...sums].map(([model, { count, costUsd }]) => [model, costUsd / count]));
}
