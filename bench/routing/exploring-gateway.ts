import { ModelCatalog, plainModel } from '../../src/core/model-catalog.ts';
import { PolicyBook } from '../../src/core/policy.ts';
import { starterSnapshot } from '../../src/core/starter-snapshot.ts';
import { evidenceOf, hashOf, type SeenPrompt, snapshotOf } from '../../src/evaluation/learn-outcomes.ts';
import type { OutcomePrompt } from '../../src/evaluation/outcome-file.ts';
import type { ExplorationChange } from '../../src/routing/exploration.ts';
import { RoutingEngine } from '../../src/routing/routing-engine.ts';
import { SnapshotHolder } from '../../src/routing/snapshot-holder.ts';
import { createRandom } from '../../src/stats/random.ts';

/** Prompts between two rankings. */
const REFRESH = 50;
/** Quality alone; margins and evidence are otherwise those of `auto`, which are of no moment for the best in quality. */
const POLICIES = new PolicyBook({ '*': { weights: { success: 0, speed: 0, cost: 0, quality: 1 } } });
const MESSAGE = { content: 'x', routing: { explicit: false } };

/** What was chosen for one prompt. */
interface Answered {
  readonly model: string;
  readonly isExploration: boolean;
}

/** A gateway over an outcome set: the domain is the use case, one outcome is seen per prompt, all models are free. */
export class ExploringGateway {
  readonly #seen: SeenPrompt[] = [];
  readonly #free: ReadonlySet<string>;
  readonly #learnt: Parameters<typeof snapshotOf>[0] & { readonly labels: ReadonlyMap<string, string> };
  readonly #snapshots = new SnapshotHolder(starterSnapshot());
  readonly #engine: RoutingEngine;
  #models: readonly string[];
  #catalog: ModelCatalog;
  #domain = '';
  #answeredCount = 0;

  constructor(
    prompts: readonly OutcomePrompt[],
    models: readonly string[],
    { exploration, seed }: { readonly exploration: ExplorationChange; readonly seed: number },
  ) {
    this.#free = new Set(prompts.flatMap(({ outcomes }) => [...outcomes.keys()]));
    this.#learnt = {
      useCases: [],
      classifier: { classify: () => ({ useCase: this.#domain, confidence: 1 }) },
      labels: new Map(prompts.map((prompt) => [hashOf(prompt), domainOf(prompt)])),
    };
    this.#models = models;
    this.#catalog = new ModelCatalog(models.map((modelId) => plainModel(modelId)));
    const catalog = (): ModelCatalog => this.#catalog;
    const registry = {
      get catalog() {
        return catalog();
      },
      isPriced: () => true,
      typicalCostUsd: () => 0,
    };
    this.#engine = new RoutingEngine(registry, {
      snapshots: this.#snapshots,
      exploration: { ...exploration, budgetUsdPerDay: null },
      policies: POLICIES,
      random: createRandom(seed),
    });
    this.#rank();
  }

  /** What is offered from now on. */
  offer(models: readonly string[]): void {
    this.#models = models;
    this.#catalog = new ModelCatalog(models.map((modelId) => plainModel(modelId)));
  }

  /** Takes earlier requests into the evidence. */
  learn(seen: readonly SeenPrompt[]): void {
    for (const one of seen) this.#seen.push(one);
    this.#rank();
  }

  /** Routes a prompt and sees its outcome; rankings are refreshed every fifty. */
  async answer(prompt: OutcomePrompt): Promise<Answered> {
    this.#domain = domainOf(prompt);
    const { modelIds, isExploration } = await this.#engine.route(MESSAGE);
    const model = modelIds[0] ?? '';
    const outcome = prompt.outcomes.get(model);
    if (outcome !== undefined) this.#seen.push({ prompt, seen: new Map([[model, outcome]]) });
    if (++this.#answeredCount % REFRESH === 0) this.#rank();
    return { model, isExploration };
  }

  /** What it would take now, without exploration. */
  async choiceIn(domain: string): Promise<string> {
    this.#domain = domain;
    return (await this.#engine.explain(MESSAGE)).modelIds[0] ?? '';
  }

  /** What is believed of each model's quality now, 0..1. */
  qualitiesIn(domain: string): ReadonlyMap<string, number> {
    const models = this.#snapshots.current.rankings.get(domain)?.models ?? [];
    return new Map(models.map(({ modelId, quality }) => [modelId, quality.value]));
  }

  #rank(): void {
    const book = evidenceOf(this.#seen, this.#models, this.#learnt, this.#free);
    this.#snapshots.replace(snapshotOf(this.#learnt, book, POLICIES));
  }
}

export function domainOf({ domain }: OutcomePrompt): string {
  return domain ?? 'all';
}

/** Mean quality by domain and model, over all prompts: the truth. */
export function meansOf(
  prompts: readonly OutcomePrompt[],
  models: readonly string[],
): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const byDomain = new Map<string, OutcomePrompt[]>();
  for (const prompt of prompts) {
    const own = byDomain.get(domainOf(prompt));
    if (own === undefined) byDomain.set(domainOf(prompt), [prompt]);
    else own.push(prompt);
  }
  return new Map(
    [...byDomain].map(([domain, own]) => [
      domain,
      new Map(
        models.map((model) => [model, meanOf(own.map(({ outcomes }) => outcomes.get(model)?.score ?? 0))]),
      ),
    ]),
  );
}

/** Prompts of each domain. */
export function weightsOf(prompts: readonly OutcomePrompt[]): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const prompt of prompts) weights.set(domainOf(prompt), (weights.get(domainOf(prompt)) ?? 0) + 1);
  return weights;
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
