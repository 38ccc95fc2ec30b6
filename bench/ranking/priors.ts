import { billionsOfText, familyOfName } from '../../src/core/model-name-facts.ts';
import { type ComparedModel, modelPriors } from '../../src/ranking/model-priors.ts';
import { CrossPool } from '../../src/stats/cross-pool.ts';
import { type Prior, posteriorInterval, posteriorOf } from '../../src/stats/posterior.ts';
import { createRandom, type Random } from '../../src/stats/random.ts';
import { hasFile, readRows } from './data.ts';
import { round, type Section } from './report.ts';

/*
 * How well a new model is foretold by the models that are there: one model at a time is left out of a task, the
 * others (six, twelve, all) have 100 requests each, and what is expected of the new one is compared with what it
 * does, before and after its own first requests.
 */

const SETS = ['zeroeval', 'routerbench_part', 'alpaca_eval1', 'alpaca_eval2', 'routerdc'] as const;
/** Cheats, other prompts or hosts for one model, the best of many answers: no new model is so like a known one. */
const NO_MODELS = /NullModel|gamed|_concise|_verbose|@(together|hyperbolic)|togetherai|best-of/;
const POOL_SIZES = [6, 12, Number.POSITIVE_INFINITY] as const;
const REQUESTS_PER_MODEL = 100;
const OWN_COUNTS = [0, 5, 20] as const;
const CELL_PROMPTS_MIN = 45;
const DRAWS = 10;
/** Only the requests differ. */
const DRAWS_OF_ALL = 2;
/** Where six of the others are all of them, that row is enough. */
const ALL_MODELS_MIN = 7;
const CHARS_PER_TOKEN = 4;

interface Row {
  readonly domain: string;
  readonly model: string;
  readonly score: number;
  readonly no_answer?: number;
  readonly in_chars?: number;
  readonly out_chars?: number;
  readonly cost_usd?: number;
  readonly est_cost_usd?: number;
}

interface Candidate {
  readonly modelId: string;
  readonly usdPerMtok: number | null;
  readonly outcomes: readonly number[];
}

interface Task {
  readonly name: string;
  readonly part: 'quality' | 'success';
  readonly models: readonly Candidate[];
}

/** What is expected of a new model from those that are there. */
type Estimator = (newcomer: ComparedModel, known: readonly ComparedModel[], assumed: Prior) => Prior;

const ASSUMED: Readonly<Record<Task['part'], Prior>> = {
  quality: { mean: 0.8, weight: 10 },
  success: { mean: 0.9, weight: 10 },
};

const ESTIMATORS: Readonly<Record<string, Estimator>> = {
  'all models': (_, known, assumed) => allModels(known, assumed),
  'same family': (newcomer, known, assumed) =>
    weighted(known, assumed, (model) => isSameFamily(newcomer, model)),
  'size or price': (newcomer, known, assumed) =>
    weighted(known, assumed, (model) => scaleKernel(newcomer, model)),
  product: (newcomer, known, assumed) =>
    modelPriors([...known, newcomer], assumed).get(newcomer.modelId) ?? assumed,
};

/** Squared errors, and intervals that hold the truth, by estimator and own requests. */
class Tally {
  readonly #sums = new Map<string, { squares: number; hits: number; count: number; weight: number }>();

  add(
    key: string,
    { error, isHit, weight }: { readonly error: number; readonly isHit: boolean; readonly weight: number },
  ): void {
    const sum = this.#sums.get(key) ?? { squares: 0, hits: 0, count: 0, weight: 0 };
    sum.squares += error * error;
    sum.hits += isHit ? 1 : 0;
    sum.weight += weight;
    sum.count++;
    this.#sums.set(key, sum);
  }

  rmse(key: string): number {
    const sum = this.#sums.get(key);
    return sum === undefined ? Number.NaN : Math.sqrt(sum.squares / sum.count);
  }

  coverage(key: string): number {
    const sum = this.#sums.get(key);
    return sum === undefined ? Number.NaN : sum.hits / sum.count;
  }

  weight(key: string): number {
    const sum = this.#sums.get(key);
    return sum === undefined ? Number.NaN : sum.weight / sum.count;
  }
}

/** Tables of priors for new models; none where the folder has no outcomes. */
export function priorSections({ dir, seed }: { readonly dir: string; readonly seed: number }): Section[] {
  const measured: Measured[] = [];
  for (const task of readTasks(dir)) {
    for (const size of POOL_SIZES) {
      if (task.models.length <= (Number.isFinite(size) ? size : ALL_MODELS_MIN)) continue;
      measured.push({ task, size, tally: measure(task, size, createRandom(seed)) });
    }
  }
  return measured.length === 0 ? [] : [summaryOf(measured, seed), tasksOf(measured, seed)];
}

interface Measured {
  readonly task: Task;
  readonly size: number;
  readonly tally: Tally;
}

/** RouterDC's seven models are all of 7 or 8 billion parameters and free: only names tell them apart. */
function groupOf({ task, size }: Measured): string {
  const models = Number.isFinite(size) ? `${size} models` : 'all models';
  return `${task.part}, ${models}${task.name.startsWith('routerdc') ? ', of one size (RouterDC)' : ''}`;
}

function summaryOf(measured: readonly Measured[], seed: number): Section {
  const groups = new Map<string, Measured[]>();
  for (const one of measured) groups.set(groupOf(one), [...(groups.get(groupOf(one)) ?? []), one]);
  const names = Object.keys(ESTIMATORS).slice(1);
  const ratio = (of: readonly Measured[], name: string, count: number): number | null =>
    round(
      meanOf(
        of.map(({ tally }) => (tally.rmse(`${name} ${count}`) / tally.rmse(`all models ${count}`)) ** 2),
      ),
    );
  const coverage = (of: readonly Measured[], count: number): string =>
    ['all models', 'product']
      .map((name) => round(meanOf(of.map(({ tally }) => tally.coverage(`${name} ${count}`)))))
      .join(', ');
  return {
    id: 'priors',
    title: 'Priors of new models: squared error against the prior of all models',
    how: 'Mean over tasks of the ratio of mean squared errors for a model left out (1: no better), before and after its own first requests; coverage of the 95 % interval by "all models" and by the product.',
    seed,
    goal: 'below 1',
    columns: [
      'part, models',
      'tasks',
      ...names,
      ...OWN_COUNTS.slice(1).map((count) => `product, ${count} own`),
      ...OWN_COUNTS.map((count) => `coverage, ${count} own`),
    ],
    rows: [...groups].map(([group, of]) => [
      group,
      of.length,
      ...names.map((name) => ratio(of, name, 0)),
      ...OWN_COUNTS.slice(1).map((count) => ratio(of, 'product', count)),
      ...OWN_COUNTS.map((count) => coverage(of, count)),
    ]),
  };
}

function tasksOf(measured: readonly Measured[], seed: number): Section {
  const names = Object.keys(ESTIMATORS);
  return {
    id: 'priors-tasks',
    title: 'Priors of new models, by task',
    how: `Root mean squared error of what is expected of a model left out, from the others with ${REQUESTS_PER_MODEL} requests each; ${DRAWS} draws per model.`,
    seed,
    goal: null,
    columns: ['task', 'part', 'models', ...names, "worth of the product's"],
    rows: measured.map(({ task, size, tally }) => [
      task.name,
      task.part,
      Number.isFinite(size) ? size : task.models.length - 1,
      ...names.map((name) => round(tally.rmse(`${name} 0`))),
      round(tally.weight('product 0'), 1),
    ]),
  };
}

function measure(task: Task, size: number, random: Random): Tally {
  const tally = new Tally();
  const draws = Number.isFinite(size) ? DRAWS : DRAWS_OF_ALL;
  for (const newcomer of task.models) {
    const truth = meanOf(newcomer.outcomes);
    const others = task.models.filter((model) => model !== newcomer);
    for (let draw = 0; draw < draws; draw++) {
      random.shuffle(others);
      const known = others.slice(0, size).map((model) => seen(model, REQUESTS_PER_MODEL, random));
      const own = OWN_COUNTS.map((count) => seen(newcomer, count, random));
      for (const [name, estimate] of Object.entries(ESTIMATORS)) {
        const prior = estimate(seen(newcomer, 0, random), known, ASSUMED[task.part]);
        for (const { observed } of own) {
          const posterior = posteriorOf(observed, prior);
          const [low, high] = posteriorInterval(posterior);
          tally.add(`${name} ${observed.count}`, {
            error: posterior.mean - truth,
            isHit: low <= truth && truth <= high,
            weight: prior.weight,
          });
        }
      }
    }
  }
  return tally;
}

function readTasks(dir: string): Task[] {
  const tasks: Task[] = [];
  for (const set of SETS) {
    if (!hasFile(dir, `routing_outcomes_${set}`)) continue;
    const byDomain = new Map<string, Map<string, Row[]>>();
    for (const row of readRows<Row>(dir, `routing_outcomes_${set}`)) {
      if (NO_MODELS.test(row.model)) continue;
      const models = byDomain.get(row.domain) ?? new Map<string, Row[]>();
      const rows = models.get(row.model) ?? [];
      rows.push(row);
      models.set(row.model, rows);
      byDomain.set(row.domain, models);
    }
    for (const [domain, models] of byDomain) {
      const known = [...models].filter(([, rows]) => rows.length >= CELL_PROMPTS_MIN);
      const part = (name: Task['part'], outcomeOf: (row: Row) => number): Task => ({
        name: `${set} ${domain}`,
        part: name,
        models: known.map(([model, rows]) => ({
          modelId: `${set}:${model}`,
          usdPerMtok: usdPerMtokOf(rows),
          outcomes: rows.map(outcomeOf),
        })),
      });
      tasks.push(part('quality', (row) => row.score));
      if (set === 'zeroeval') tasks.push(part('success', (row) => (row.no_answer === 1 ? 0 : 1)));
    }
  }
  return tasks.sort((one, other) => (one.part < other.part ? -1 : one.part > other.part ? 1 : 0));
}

function usdPerMtokOf(rows: readonly Row[]): number | null {
  let costUsd = 0;
  let tokens = 0;
  for (const row of rows) {
    const cost = row.cost_usd ?? row.est_cost_usd;
    if (cost === undefined) continue;
    costUsd += cost;
    tokens += ((row.in_chars ?? 0) + (row.out_chars ?? 0)) / CHARS_PER_TOKEN;
  }
  return tokens > 0 && costUsd > 0 ? (costUsd / tokens) * 1e6 : null;
}

function seen({ modelId, usdPerMtok, outcomes }: Candidate, count: number, random: Random): ComparedModel {
  let sum = 0;
  let squareSum = 0;
  for (let at = 0; at < count; at++) {
    const value = outcomes[random.int(outcomes.length)] ?? 0;
    sum += value;
    squareSum += value * value;
  }
  return { modelId, usdPerMtok, observed: { count, sum, squareSum } };
}

function weighted(
  known: readonly ComparedModel[],
  assumed: Prior,
  weightOf: (model: ComparedModel) => number,
): Prior {
  const all = allModels(known, assumed);
  let weight = 0.3;
  let sum = weight * all.mean;
  for (const model of known) {
    const own = weightOf(model);
    weight += own;
    sum += own * (model.observed.sum / model.observed.count);
  }
  return { mean: sum / weight, weight: all.weight };
}

function isSameFamily(one: ComparedModel, other: ComparedModel): number {
  return familyOf(one) === familyOf(other) ? 1 : 0;
}

function familyOf({ modelId }: ComparedModel): string {
  const name = nameOf(modelId);
  return familyOfName(name) ?? /^[a-z]+/i.exec(name)?.[0]?.toLowerCase() ?? name;
}

/** Nadaraya 1964, Watson 1964: a Gaussian kernel one factor of e wide. */
function scaleKernel(one: ComparedModel, other: ComparedModel): number {
  const scales = [one, other].map(({ modelId, usdPerMtok }) =>
    Math.log(billionsOfText(nameOf(modelId)) ?? (usdPerMtok ?? 0) / 0.0075),
  );
  const [first = 0, second = 0] = scales;
  return scales.every(Number.isFinite) ? Math.exp(-((first - second) ** 2) / 2) : Math.exp(-1);
}

function nameOf(modelId: string): string {
  return modelId.slice(modelId.indexOf(':') + 1);
}

/** One prior for all, as the product takes it for success and speed. */
function allModels(known: readonly ComparedModel[], assumed: Prior): Prior {
  const row = new Map(known.map(({ modelId, observed }) => [modelId, observed]));
  return (
    new CrossPool(new Map([['*', row]]), { kind: 'share', first: assumed, spread: 1 }).priorOfColumn('') ??
    assumed
  );
}

function meanOf(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
