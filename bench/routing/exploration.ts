import { parseArgs } from 'node:util';
import { ModelCatalog, plainModel } from '../../src/core/model-catalog.ts';
import { PolicyBook } from '../../src/core/policy.ts';
import { evidenceOf, hashOf, type SeenPrompt, snapshotOf } from '../../src/evaluation/learn-outcomes.ts';
import type { OutcomePrompt } from '../../src/evaluation/outcome-file.ts';
import type { ExplorationChange } from '../../src/routing/exploration.ts';
import { RoutingEngine } from '../../src/routing/routing-engine.ts';
import { SnapshotHolder } from '../../src/routing/snapshot-holder.ts';
import { createRandom } from '../../src/stats/random.ts';
import { readRoutingSets } from './frontier-sets.ts';

/*
 * What exploring costs and finds: prompts in random order, one outcome seen of each, rankings and choices by the
 * product's own code on quality alone; the data set's domains are the use cases, so that only exploration differs.
 * Regret is counted against the model that is the best of its domain over all prompts of the set.
 */

const HELP = `exploration [--data FOLDER] [--seed 1] [--runs 10] [--prompts 4000] [--sets NAME]
  --data FOLDER   folder of routing_prompts, routing_models and routing_outcomes_* (.jsonl.gz)
  --seed N        of the orders and the draws
  --runs N        orders per set
  --prompts N     prompts of a run, at most
  --sets NAME     the sets whose name contains it (default: all)`;

/** Prompts between two rankings. */
const REFRESH = 50;
const WAYS: readonly (readonly [name: string, given: ExplorationChange])[] = [
  ['none', { share: 0 }],
  ['uniform 0.1', { method: 'uniform', share: 0.1 }],
  ['thompson 0.1', { method: 'thompson', share: 0.1 }],
  ['best-arm 0.1', { method: 'best-arm', share: 0.1 }],
  ['thompson 1', { method: 'thompson', share: 1 }],
];

/** Quality alone; margins and evidence are otherwise those of `auto`, which are of no moment for the best in quality. */
const POLICIES = new PolicyBook({ '*': { weights: { success: 0, speed: 0, cost: 0, quality: 1 } } });

interface Course {
  /** Of all prompts, points of quality (0.01) per prompt. */
  readonly regretPoints: number;
  /** The same of the last quarter: what is left. */
  readonly lastPoints: number;
  readonly exploredShare: number;
  /** Prompts after a model joined until it was the choice for half of the prompts that it is best for; null: never. */
  readonly joinedAfter: number | null;
}

interface Run {
  readonly prompts: readonly OutcomePrompt[];
  readonly models: readonly string[];
  readonly means: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Joins at the middle; null: all are there from the beginning. */
  readonly newcomer: string | null;
  readonly exploration: ExplorationChange;
  readonly seed: number;
}

async function follow({ prompts, models, means, newcomer, exploration, seed }: Run): Promise<Course> {
  const joinAt = newcomer === null ? 0 : Math.floor(prompts.length / 2);
  const free = new Set(models);
  const labels = new Map(prompts.map((prompt) => [hashOf(prompt), domainOf(prompt)]));
  let domain = '';
  const classifier = { classify: () => ({ useCase: domain, confidence: 1 }) };
  const learnt = { useCases: [], classifier, labels };
  const seen: SeenPrompt[] = [];
  const presentAt = (at: number): readonly string[] =>
    models.filter((model) => model !== newcomer || at >= joinAt);
  const snapshot = (at: number) =>
    snapshotOf(learnt, evidenceOf(seen, presentAt(at), learnt, free), POLICIES);
  const snapshots = new SnapshotHolder(snapshot(0));
  let catalog = new ModelCatalog(presentAt(0).map((modelId) => plainModel(modelId)));
  const registry = {
    get catalog() {
      return catalog;
    },
    isPriced: () => true,
    typicalCostUsd: () => 0,
  };
  const engine = new RoutingEngine(registry, {
    snapshots,
    exploration: { ...exploration, budgetUsdPerDay: null },
    policies: POLICIES,
    random: createRandom(seed),
  });
  const bestOf = (name: string, present: readonly string[]): number =>
    Math.max(...present.map((model) => means.get(name)?.get(model) ?? 0));
  const weights = new Map<string, number>();
  for (const prompt of prompts) weights.set(domainOf(prompt), (weights.get(domainOf(prompt)) ?? 0) + 1);
  let [regret, last, exploredCount] = [0, 0, 0];
  let joinedAfter: number | null = null;
  for (const [at, prompt] of prompts.entries()) {
    if (newcomer !== null && at === joinAt)
      catalog = new ModelCatalog(presentAt(at).map((modelId) => plainModel(modelId)));
    domain = domainOf(prompt);
    const decision = await engine.route({ content: 'x', routing: { explicit: false } });
    const model = decision.modelIds[0] ?? '';
    const lost = bestOf(domain, presentAt(at)) - (means.get(domain)?.get(model) ?? 0);
    regret += lost;
    if (at >= prompts.length * 0.75) last += lost;
    exploredCount += Number(decision.isExploration);
    const outcome = prompt.outcomes.get(model);
    if (outcome !== undefined) seen.push({ prompt, seen: new Map([[model, outcome]]) });
    if ((at + 1) % REFRESH !== 0) continue;
    snapshots.replace(snapshot(at + 1));
    if (newcomer === null || at < joinAt || joinedAfter !== null) continue;
    let [won, all] = [0, 0];
    for (const [name, weight] of weights) {
      if ((means.get(name)?.get(newcomer) ?? 0) < bestOf(name, models)) continue;
      domain = name;
      const { modelIds } = await engine.explain({ content: 'x', routing: { explicit: false } });
      all += weight;
      if (modelIds[0] === newcomer) won += weight;
    }
    if (all > 0 && won >= all / 2) joinedAfter = at + 1 - joinAt;
  }
  const count = prompts.length;
  return {
    regretPoints: (100 * regret) / count,
    lastPoints: (100 * last) / (count / 4),
    exploredShare: exploredCount / count,
    joinedAfter,
  };
}

/** Mean quality by domain and model, over all prompts. */
function meansOf(
  prompts: readonly OutcomePrompt[],
  models: readonly string[],
): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const byDomain = new Map<string, OutcomePrompt[]>();
  for (const prompt of prompts)
    byDomain.set(domainOf(prompt), [...(byDomain.get(domainOf(prompt)) ?? []), prompt]);
  return new Map(
    [...byDomain].map(([domain, own]) => [
      domain,
      new Map(
        models.map((model) => [model, mean(own.map(({ outcomes }) => outcomes.get(model)?.score ?? 0))]),
      ),
    ]),
  );
}

function domainOf({ domain }: OutcomePrompt): string {
  return domain ?? 'all';
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean and half a 95 % interval over runs. */
function spread(values: readonly number[]): string {
  const center = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
  return `${center.toFixed(2)} ± ${(1.96 * Math.sqrt(variance / values.length)).toFixed(2)}`;
}

async function measure(options: {
  readonly data: string;
  readonly sets: string;
  readonly seed: number;
  readonly runs: number;
  readonly prompts: number;
}): Promise<void> {
  process.stdout.write(
    '| set | exploration | regret, points a prompt | of the last quarter | explored | a new best model is the choice after |\n|---|---|---|---|---|---|\n',
  );
  for (const { name, hasCosts, matrix } of readRoutingSets(options.data, options.sets)) {
    if (hasCosts && name.includes(',')) continue;
    const { models } = matrix;
    const means = meansOf(matrix.prompts, models);
    const overall = models.map((model) =>
      mean(matrix.prompts.map(({ outcomes }) => outcomes.get(model)?.score ?? 0)),
    );
    const newcomer = models[overall.indexOf(Math.max(...overall))] ?? '';
    for (const [way, exploration] of WAYS) {
      const courses: Course[] = [];
      const joins: (number | null)[] = [];
      for (let run = 0; run < options.runs; run++) {
        const seed = options.seed * 1_000 + run;
        const prompts = [...matrix.prompts];
        createRandom(seed).shuffle(prompts);
        const common = { prompts: prompts.slice(0, options.prompts), models, means, exploration, seed };
        courses.push(await follow({ ...common, newcomer: null }));
        joins.push((await follow({ ...common, newcomer })).joinedAfter);
      }
      const found = joins.flatMap((count) => count ?? []).sort((one, other) => one - other);
      const middle = found[Math.floor(options.runs / 2)];
      const promptCount = Math.min(options.prompts, matrix.prompts.length);
      process.stdout.write(
        `| ${name} (${models.length} models, ${means.size} domains, ${promptCount} prompts) | ${way} ` +
          `| ${spread(courses.map(({ regretPoints }) => regretPoints))} ` +
          `| ${spread(courses.map(({ lastPoints }) => lastPoints))} ` +
          `| ${mean(courses.map(({ exploredShare }) => exploredShare)).toFixed(3)} ` +
          `| ${middle ?? 'not'} (${found.length} of ${options.runs} runs) |\n`,
      );
    }
  }
}

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '../shared/data' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '10' },
    prompts: { type: 'string', default: '4000' },
    sets: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(`${HELP}\n`);
else
  await measure({
    data: values.data,
    sets: values.sets,
    seed: Number(values.seed),
    runs: Number(values.runs),
    prompts: Number(values.prompts),
  });
