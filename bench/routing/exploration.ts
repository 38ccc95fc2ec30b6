import { parseArgs } from 'node:util';
import type { OutcomePrompt } from '../../src/evaluation/outcome-file.ts';
import type { ExplorationChange } from '../../src/routing/exploration.ts';
import { createRandom } from '../../src/stats/random.ts';
import { domainOf, ExploringGateway, meanOf, meansOf } from './exploring-gateway.ts';
import { type RoutingSet, readRoutingSets } from './frontier-sets.ts';
import { follow as followNewcomer, modelsThatFit, type Placement } from './newcomer.ts';

/*
 * What exploring costs and finds: prompts in random order, one outcome seen of each, rankings and choices by the
 * product's own code on quality alone; the data set's domains are the use cases, so that only exploration differs.
 * Regret is counted against the model that is the best of its domain over all prompts of the set.
 */

const HELP = `exploration [--data FOLDER] [--seed 1] [--runs 3] [--prompts 4000] [--sets NAME] [--only regret|newcomer]
  --data FOLDER   folder of routing_prompts, routing_models and routing_outcomes_* (.jsonl.gz)
  --seed N        of the orders and the draws
  --runs N        orders per set
  --prompts N     prompts of a run, at most
  --sets NAME     the sets whose name contains it (default: all)
  --only PART     regret from an empty log, or prompts until a new model is placed right`;

const WAYS: readonly (readonly [name: string, given: ExplorationChange])[] = [
  ['none', { share: 0 }],
  ['uniform 0.1', { method: 'uniform', share: 0.1 }],
  ['best-arm 0.1', { method: 'best-arm', share: 0.1 }],
  ['thompson 0.1', { method: 'thompson', share: 0.1 }],
  ['thompson 1', { method: 'thompson', share: 1 }],
];
const QUARTERS = 4;

interface Asked {
  readonly data: string;
  readonly sets: string;
  readonly only: string;
  readonly seed: number;
  readonly runs: number;
  readonly prompts: number;
}

interface Course {
  /** Of all prompts, points of quality (0.01) per prompt. */
  readonly regretPoints: number;
  /** The same of each quarter of the prompts, in their order. */
  readonly quarterPoints: readonly number[];
  readonly exploredShare: number;
}

interface Run {
  readonly prompts: readonly OutcomePrompt[];
  readonly models: readonly string[];
  readonly means: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly exploration: ExplorationChange;
  readonly seed: number;
}

async function follow({ prompts, models, means, exploration, seed }: Run): Promise<Course> {
  const gateway = new ExploringGateway(prompts, models, { exploration, seed });
  const quarters = Array.from({ length: QUARTERS }, () => [] as number[]);
  let exploredCount = 0;
  for (const [at, prompt] of prompts.entries()) {
    const { model, isExploration } = await gateway.answer(prompt);
    const own = means.get(domainOf(prompt)) ?? new Map<string, number>();
    quarters[Math.floor((QUARTERS * at) / prompts.length)]?.push(
      100 * (Math.max(...own.values()) - (own.get(model) ?? 0)),
    );
    exploredCount += Number(isExploration);
  }
  return {
    regretPoints: meanOf(quarters.flat()),
    quarterPoints: quarters.map(meanOf),
    exploredShare: exploredCount / prompts.length,
  };
}

/** Mean and half a 95 % interval over runs. */
function spread(values: readonly number[]): string {
  const center = meanOf(values);
  const variance = values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
  return `${center.toFixed(1)} ± ${(1.96 * Math.sqrt(variance / values.length)).toFixed(1)}`;
}

/** "450 (3 of 3)": the median of the runs, those that never came so far last. */
function middle(counts: readonly (number | null)[]): string {
  const sorted = counts.map((count) => count ?? Number.POSITIVE_INFINITY).sort((one, other) => one - other);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.POSITIVE_INFINITY;
  const found = sorted.filter(Number.isFinite).length;
  return `${Number.isFinite(median) ? median.toLocaleString('en') : 'not'} (${found} of ${sorted.length})`;
}

function* ordersOf(set: RoutingSet, { seed, runs, prompts }: Asked): Generator<[OutcomePrompt[], number]> {
  for (let run = 0; run < runs; run++) {
    const order = [...set.matrix.prompts];
    createRandom(seed * 1_000 + run).shuffle(order);
    yield [order.slice(0, prompts), seed * 1_000 + run];
  }
}

async function measureRegret(set: RoutingSet, asked: Asked): Promise<void> {
  const { prompts: all, models } = set.matrix;
  const means = meansOf(all, models);
  const count = Math.min(asked.prompts, all.length);
  const each = count / (models.length * means.size);
  const name = `${set.name} (${models.length} models, ${means.size} domains, ${count} prompts: ${each.toFixed(1)} a model and domain)`;
  for (const [way, exploration] of WAYS) {
    const courses: Course[] = [];
    for (const [prompts, seed] of ordersOf(set, asked)) {
      courses.push(await follow({ prompts, models, means, exploration, seed }));
    }
    const quarters = Array.from({ length: QUARTERS }, (_, at) =>
      meanOf(courses.map(({ quarterPoints }) => quarterPoints[at] ?? 0)).toFixed(1),
    );
    print(
      name,
      way,
      spread(courses.map(({ regretPoints }) => regretPoints)),
      ...quarters,
      meanOf(courses.map(({ exploredShare }) => exploredShare)).toFixed(3),
    );
  }
}

async function measureNewcomers(set: RoutingSet, asked: Asked): Promise<void> {
  const models = modelsThatFit(set.matrix.prompts.slice(0, asked.prompts), set.matrix.models);
  const domains = meansOf(set.matrix.prompts, models).size;
  const half = Math.ceil(Math.min(asked.prompts, set.matrix.prompts.length) / 2);
  const joined = { best: models[0] ?? '', worst: models.at(-1) ?? '' };
  for (const [way, exploration] of WAYS) {
    const found: Record<keyof typeof joined, Placement[]> = { best: [], worst: [] };
    for (const [prompts, seed] of ordersOf(set, asked)) {
      for (const which of ['best', 'worst'] as const) {
        found[which].push(
          await followNewcomer({ prompts, models, newcomer: joined[which], exploration, seed }),
        );
      }
    }
    print(
      `${set.name} (${models.length} of ${set.matrix.models.length} models, ${domains} domains, ${half} prompts)`,
      way,
      middle(found.best.map(({ knownAfter }) => knownAfter)),
      middle(found.best.map(({ gainedAfter }) => gainedAfter)),
      middle(found.worst.map(({ knownAfter }) => knownAfter)),
      meanOf(found.worst.map(({ takenShare }) => takenShare)).toFixed(3),
    );
  }
}

function print(...cells: readonly string[]): void {
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}

function printHead(...cells: readonly string[]): void {
  print(...cells);
  process.stdout.write(`|${'---|'.repeat(cells.length)}\n`);
}

async function measure(asked: Asked): Promise<void> {
  const sets = [...readRoutingSets(asked.data, asked.sets)].filter(
    ({ name, hasCosts }) => !hasCosts || !name.includes(','),
  );
  if (asked.only !== 'newcomer') {
    const quarters = Array.from({ length: QUARTERS }, (_, at) => `quarter ${at + 1}`);
    printHead('set', 'exploration', 'regret, points a prompt', ...quarters, 'explored');
    for (const set of sets) await measureRegret(set, asked);
    process.stdout.write('\n');
  }
  if (asked.only === 'regret') return;
  printHead(
    'set',
    'exploration',
    'the best: quality known to 5 points for half of the prompts after',
    'half of what it could gain is gained after',
    'the worst: quality known after',
    'the worst: share of the prompts',
  );
  for (const set of sets) await measureNewcomers(set, asked);
}

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '../shared/data' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    prompts: { type: 'string', default: '4000' },
    sets: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(`${HELP}\n`);
else
  await measure({
    data: values.data,
    sets: values.sets,
    only: values.only,
    seed: Number(values.seed),
    runs: Number(values.runs),
    prompts: Number(values.prompts),
  });
