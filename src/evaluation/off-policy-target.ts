import { ModelCatalog, plainModel } from '../core/model-catalog.ts';
import { isAutoName, type PolicyBook } from '../core/policy.ts';
import type { RankedModel, Snapshot } from '../core/snapshot.ts';
import { PlanBook } from '../routing/plan.ts';

/** A policy that leaves nothing to chance: the model for a use case, of those that may serve; null where it has none. */
export type TargetPolicy = (useCase: string, ableIds: readonly string[]) => string | null;

export interface RoutedTarget {
  /** A preset: auto, auto:cheap, … */
  readonly preset: string;
  readonly policies: PolicyBook;
  readonly snapshot: Snapshot;
  readonly defaultModel: string | null;
  typicalCostUsd(modelId: string): number | null;
}

/**
 * What the router would choose by the snapshot's rankings, without exploration and with every provider up.
 *
 * @throws {TallyrankError} `bad_request` for a preset that there is not
 */
export function routedTarget({ preset, policies, snapshot, ...options }: RoutedTarget): TargetPolicy {
  policies.policyOf(preset, null);
  const books = new Map<string, PlanBook>();
  return (useCase, ableIds) => {
    const key = ableIds.join('\n');
    const book = books.get(key) ?? bookOf(ableIds, snapshot, options);
    books.set(key, book);
    return book.plan({ useCase }, policies.policyOf(preset, useCase), undefined)?.modelIds[0] ?? null;
  };
}

/** Always the same model; null where it could not serve. */
export function singleTarget(modelId: string): TargetPolicy {
  return (_useCase, ableIds) => (ableIds.includes(modelId) ? modelId : null);
}

/**
 * The canonical id of a model that somebody named; null for `auto` and its presets.
 *
 * @param modelIds  all that are known
 * @throws {TallyrankError} `unknown_model`, `ambiguous_model`
 */
export function targetModelId(name: string, modelIds: Iterable<string>): string | null {
  if (isAutoName(name)) return null;
  return new ModelCatalog([...new Set(modelIds)].map((modelId) => plainModel(modelId))).resolve(name).modelId;
}

/** What is known of a model in a use case, else of it over all; null for one that was never asked. */
export function rankedIn(
  { rankings, overall }: Pick<Snapshot, 'rankings' | 'overall'>,
  useCase: string,
  modelId: string,
): RankedModel | null {
  const isIt = (model: RankedModel): boolean => model.modelId === modelId;
  return rankings.get(useCase)?.models.find(isIt) ?? overall.models.find(isIt) ?? null;
}

function bookOf(
  ableIds: readonly string[],
  snapshot: Snapshot,
  { defaultModel, typicalCostUsd }: Pick<RoutedTarget, 'defaultModel' | 'typicalCostUsd'>,
): PlanBook {
  const registry = {
    catalog: new ModelCatalog(ableIds.map((modelId) => plainModel(modelId))),
    // `auto` drew from these, so they had a price.
    isPriced: () => true,
    typicalCostUsd,
  };
  return new PlanBook(snapshot, registry, defaultModel);
}
