import { parseArgs } from 'node:util';
import { classifiedText } from '../../src/core/prompt-text.ts';
import type { Embedder } from '../../src/discovery/embedders/embedder.ts';
import { openEmbedder } from '../../src/discovery/embedders/open-embedder.ts';
import { costMeansOf, splitPrompts } from '../../src/evaluation/backtest.ts';
import { baselines } from '../../src/evaluation/baselines.ts';
import {
  banditOutcomes,
  evidenceOf,
  type LearntUseCases,
  learnUseCases,
  type SeenPrompt,
} from '../../src/evaluation/learn-outcomes.ts';
import type { OutcomePrompt } from '../../src/evaluation/outcome-file.ts';
import { FRONTIER, OutcomeRouter, pricesOf } from '../../src/evaluation/route-outcomes.ts';
import { toUnitVectors } from '../../src/stats/k-means.ts';
import { createRandom } from '../../src/stats/random.ts';
import {
  AVENGERS,
  avengersFrontier,
  type Embedded,
  type Frontier,
  neighbourFrontier,
  selectEmbedded,
} from './frontier-baselines.ts';
import { frontierSections, type SeedResult, seedLine } from './frontier-report.ts';
import { hasRoutingData, type RoutingSet, readRoutingSets } from './frontier-sets.ts';

const HELP = `npm run bench:frontier -- [--data FOLDER] [--seeds 1,2,3] [--sets NAME] [--json]
  --data FOLDER   folder of routing_prompts, routing_models and routing_outcomes_* (.jsonl.gz)
  --seeds LIST    splits, one a seed
  --sets NAME     the sets whose name contains it (default: all)
  --json          all figures as JSON to stdout, tables to stderr`;

const TRAIN_SHARE = 0.7;
const NEIGHBOUR_COUNTS = [10, 100] as const;
const COMPARED: ReadonlySet<string> = new Set(['best-single', 'domain-oracle', 'oracle']);
/** Outcomes per model and use case, on average, that bandit feedback is measured after where the set is large enough. */
const CELL_OUTCOMES = 30;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: '../shared/data' },
      seeds: { type: 'string', default: '1,2,3' },
      sets: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  if (!hasRoutingData(values.data)) {
    throw new Error(
      `No routing_prompts.jsonl.gz in ${values.data}; give the folder of the outcome sets by --data.`,
    );
  }
  const seeds = values.seeds.split(',').map(Number);
  const embedder = await openEmbedder();
  const results: SeedResult[] = [];
  for (const set of readRoutingSets(values.data, values.sets)) {
    const embedded = await embed(set, embedder);
    for (const seed of seeds) {
      results.push(await measure(set, embedded, embedder, seed));
      process.stderr.write(`${seedLine(results.at(-1))}\n`);
    }
  }
  const sections = frontierSections(results, seeds);
  (values.json ? process.stderr : process.stdout).write(sections.text);
  if (values.json) process.stdout.write(`${JSON.stringify(sections.facts, null, 1)}\n`);
}

async function embed({ matrix }: RoutingSet, embedder: Embedder): Promise<Embedded> {
  const texts = matrix.prompts.map(({ prompt }) => classifiedText({ prompt, context: '' }));
  return { prompts: matrix.prompts, vectors: toUnitVectors(await embedder.embed(texts)) };
}

async function measure(
  set: RoutingSet,
  all: Embedded,
  embedder: Embedder,
  seed: number,
): Promise<SeedResult> {
  const { models } = set.matrix;
  const split = splitPrompts(set.matrix.prompts, { trainShare: TRAIN_SHARE, seed });
  const positions = new Map(all.prompts.map(({ promptId }, at) => [promptId, at]));
  const of = (prompts: readonly OutcomePrompt[]): Embedded =>
    selectEmbedded(
      all,
      prompts.map(({ promptId }) => positions.get(promptId) ?? 0),
    );
  const [train, test] = [of(split.train), of(split.test)];
  const learnt = await learnUseCases(split.train, { embedder, seed });
  const full = split.train.map((prompt) => ({ prompt, seen: prompt.outcomes }));
  const bandit = banditOutcomes(split.train, createRandom(seed + 1));
  const early = set.isLarge ? earlyOutcomes(bandit, learnt, models.length) : bandit;
  const route = (seen: readonly SeenPrompt[]): Promise<Frontier> =>
    routeByProduct(set, seen, learnt, split.test);
  const compared = baselines(set.matrix, full, split.test).filter(({ head }) => COMPARED.has(head.name));
  const dearestUsd = Math.max(0, ...pricesOf(costMeansOf(full)).costMeansUsd.values());
  const prices = set.hasCosts
    ? [0, ...Array.from({ length: 20 }, (_, at) => (0.005 / dearestUsd) * 1.5 ** at)]
    : [0];
  const frontiers: [string, Frontier][] = [
    ['tallyrank', await route(full)],
    ['tallyrank bandit', await route(early)],
    ...(set.isLarge ? [['tallyrank bandit, all', await route(bandit)] as [string, Frontier]] : []),
    ...Object.entries(AVENGERS).map(([name, settings]): [string, Frontier] => [
      name,
      avengersFrontier(train, test, models, settings, { seed, hasCosts: set.hasCosts }),
    ]),
    ...NEIGHBOUR_COUNTS.map((count): [string, Frontier] => [
      `nearest ${count}`,
      neighbourFrontier(train, test, models, count, prices),
    ]),
    ...compared.map(({ head, models: chosen }): [string, Frontier] => [
      head.name,
      [chosen.map((model) => model ?? '')],
    ]),
  ];
  return {
    set: set.name,
    seed,
    hasCosts: set.hasCosts,
    modelCount: models.length,
    trainCount: train.prompts.length,
    testCount: test.prompts.length,
    useCaseCount: learnt.useCases.length,
    banditCount: early.length,
    frontiers: frontiers.map(([name, frontier]) => ({
      name,
      points: frontier.map((chosen) => pointOf(test.prompts, chosen)),
    })),
  };
}

async function routeByProduct(
  { matrix, hasCosts }: RoutingSet,
  seen: readonly SeenPrompt[],
  learnt: LearntUseCases,
  test: readonly OutcomePrompt[],
): Promise<Frontier> {
  const prices = pricesOf(costMeansOf(seen));
  const unpriced = new Set(matrix.models.filter((model) => !prices.costMeansUsd.has(model)));
  const book = evidenceOf(seen, matrix.models, learnt, unpriced);
  const router = new OutcomeRouter(learnt, book, { models: matrix.models, prices });
  const frontier: string[][] = [];
  for (const lambda of hasCosts ? FRONTIER : [0]) {
    frontier.push((await router.route(test, lambda)).map((choice) => choice?.model ?? ''));
  }
  return frontier;
}

/** The training prompts that were asked until each model has thirty outcomes in each use case, on average. */
function earlyOutcomes(
  seen: readonly SeenPrompt[],
  { labels }: LearntUseCases,
  modelCount: number,
): readonly SeenPrompt[] {
  return seen.slice(0, CELL_OUTCOMES * modelCount * new Set(labels.values()).size);
}

function pointOf(
  prompts: readonly OutcomePrompt[],
  chosen: readonly string[],
): { quality: number; costUsd: number } {
  let [quality, costUsd] = [0, 0];
  prompts.forEach(({ outcomes }, at) => {
    const outcome = outcomes.get(chosen[at] ?? '');
    quality += outcome?.score ?? 0;
    costUsd += outcome?.costUsd ?? 0;
  });
  return { quality: quality / prompts.length, costUsd: costUsd / prompts.length };
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error instanceof Error ? error.stack : error)}\n`);
  process.exitCode = 1;
});
