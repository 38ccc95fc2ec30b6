import { ModelCatalog, plainModel } from '../core/model-catalog.ts';
import { PolicyBook } from '../core/policy.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { EvidenceBook } from '../ranking/evidence.ts';
import type { ModelRegistry } from '../routing/plan.ts';
import { RoutingEngine } from '../routing/routing-engine.ts';
import { SnapshotHolder } from '../routing/snapshot-holder.ts';
import type { LearntUseCases } from './learn-outcomes.ts';
import { snapshotOf } from './learn-outcomes.ts';
import type { OutcomePrompt } from './outcome-file.ts';

/** The share of quality's weight that cost takes over: 0 is quality alone, 1 is cost alone. */
export type Lambda = number;

/** From quality alone to cost alone; from one to the next the price of a point of quality about halves. */
export const FRONTIER: readonly Lambda[] = [
  0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1,
];

/** What an exchange of quality for money is made with. */
export interface Prices {
  /** Mean dollars per prompt of each model whose costs were seen. */
  readonly costMeansUsd: ReadonlyMap<string, number>;
  /** Where the cost curve is at one half; see {@link COST_HALF_FACTOR}. */
  readonly costHalfUsd: number;
}

/** What was chosen for one prompt. */
export interface Choice {
  readonly model: string;
  readonly useCase: string;
}

/**
 * The cost curve 1 / (1 + c / half) is at one half at so many times the mean cost of the dearest model. There it is
 * near a line between 1 and 0.91, so that a dollar counts about the same everywhere and the best sum of quality and
 * dollars is found. Smaller, and dear models look alike; larger, and lambda does nothing before 0.99.
 */
const COST_HALF_FACTOR = 10;
/** Of a file where everything is free, or no cost was seen. */
const COST_HALF_USUAL_USD = 0.01;

export function pricesOf(costMeansUsd: ReadonlyMap<string, number>): Prices {
  const dearestUsd = Math.max(0, ...costMeansUsd.values());
  return {
    costMeansUsd,
    costHalfUsd: dearestUsd > 0 ? COST_HALF_FACTOR * dearestUsd : COST_HALF_USUAL_USD,
  };
}

/**
 * `auto`'s row of the policy table for one lambda: quality weighs 1 - lambda and cost lambda, and nothing else keeps
 * a model out. What it cannot be asked is decided by the same code as every other row.
 */
function lambdaPolicies(lambda: Lambda, { costHalfUsd }: Prices): PolicyBook {
  return new PolicyBook({
    '*': {
      weights: { success: 0, speed: 0, cost: lambda, quality: 1 - lambda },
      successMargin: 1,
      qualityMargin: 1,
      certainty: 0,
      evidenceMin: 0,
      costHalfUsd,
    },
  });
}

/** Dollars that a lambda pays for one more point of quality (0.01) on a prompt; null where it pays any price. */
export function usdPerPoint(lambda: Lambda, { costHalfUsd }: Prices): number | null {
  return lambda === 0 ? null : (0.01 * (1 - lambda) * costHalfUsd) / lambda;
}

/** Routes prompts as a gateway would that had learnt from the training prompts and explores nothing. */
export class OutcomeRouter {
  readonly #snapshot: Snapshot;
  readonly #prices: Prices;
  readonly #models: readonly string[];

  constructor(
    learnt: LearntUseCases,
    book: EvidenceBook,
    { models, prices }: { readonly models: readonly string[]; readonly prices: Prices },
  ) {
    this.#prices = prices;
    this.#models = models;
    const snapshot = snapshotOf(learnt, book, lambdaPolicies(0, prices));
    // Every policy asks for the same prompts; their use cases are the same each time.
    const known = new Map<string, ReturnType<Snapshot['classifier']['classify']>>();
    const classify: Snapshot['classifier']['classify'] = (text) => {
      const found = known.get(text) ?? snapshot.classifier.classify(text);
      known.set(text, found);
      return found;
    };
    this.#snapshot = { ...snapshot, classifier: { classify } };
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /**
   * The choice for each prompt, among the models that have an outcome on it: the others are taken to be away.
   * Above lambda 0 a model without a known cost is never chosen, as everywhere in the program; null where no other
   * is left.
   */
  async route(prompts: readonly OutcomePrompt[], lambda: Lambda): Promise<(Choice | null)[]> {
    const { costMeansUsd } = this.#prices;
    let present: ReadonlySet<string> = new Set();
    const registry: ModelRegistry = {
      catalog: new ModelCatalog(this.#models.map((modelId) => plainModel(modelId))),
      isPriced: (modelId) => lambda === 0 || costMeansUsd.has(modelId),
      typicalCostUsd: (modelId) => costMeansUsd.get(modelId) ?? null,
      health: (modelId) => present.has(modelId),
    };
    const engine = new RoutingEngine(registry, {
      snapshots: new SnapshotHolder(this.#snapshot),
      policies: lambdaPolicies(lambda, this.#prices),
    });
    const choices: (Choice | null)[] = [];
    for (const { prompt, outcomes } of prompts) {
      present = new Set([...outcomes.keys()].filter((model) => registry.isPriced(model)));
      if (present.size === 0) {
        choices.push(null);
        continue;
      }
      const { modelIds, useCase } = await engine.explain({ content: prompt, routing: { explicit: false } });
      choices.push({ model: modelIds[0] ?? '', useCase });
    }
    return choices;
  }
}
