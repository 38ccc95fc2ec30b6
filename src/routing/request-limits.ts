import { TallyrankError } from '../core/errors.ts';
import type { CatalogModel, ModelCatalog } from '../core/model-catalog.ts';
import type { RequestLimits } from '../core/request-limits.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { ModelRegistry, Restriction } from './plan.ts';
import type { Course } from './routing-rules.ts';

/** Where the time and the price of a model are looked up. */
interface Known {
  readonly snapshot: Snapshot;
  readonly registry: ModelRegistry;
  readonly useCase: string;
}

const NO_LIMITS: readonly RequestLimits[] = [];

/** Takes over into `course` what limits demand, each demand for itself so that people read which one left nothing. */
export function restrict(
  course: Pick<Course, 'restrictions'>,
  limits: readonly RequestLimits[] = NO_LIMITS,
  known: Known,
): void {
  for (const one of limits) course.restrictions.push(...restrictionsOf(one, known));
}

function restrictionsOf(limits: RequestLimits, known: Known): Restriction[] {
  const { origin, costMaxUsd, latencyMaxMs } = limits;
  const demands = namedRestrictionsOf(limits);
  if (costMaxUsd !== null) {
    demands.push({
      ruleName: `the price ceiling of ${origin}`,
      isDemand: true,
      // What nobody can price might cost anything.
      permits: (model) => (costOf(model, known) ?? Number.POSITIVE_INFINITY) <= costMaxUsd,
    });
  }
  if (latencyMaxMs !== null) {
    demands.push({
      ruleName: `the latency ceiling of ${origin}`,
      isDemand: true,
      // A model that nobody timed yet may be quick; it would never be timed otherwise.
      permits: (model) => (rowValue(model, known, 'latencyP95Ms') ?? 0) <= latencyMaxMs,
    });
  }
  return demands;
}

/**
 * Lists and localOnly hold for a model that the caller names as well; ceilings are about the choice among many.
 *
 * @throws {TallyrankError} `forbidden`
 */
export function refuseBarred(
  model: CatalogModel,
  limits: readonly RequestLimits[] = NO_LIMITS,
  catalog: ModelCatalog,
): void {
  for (const one of limits) {
    const barring = namedRestrictionsOf(one).find((demand) => !demand.permits(model, catalog));
    if (barring === undefined) continue;
    const text = `The model ${model.modelId} is kept out by ${barring.ruleName}; name another, or "auto".`;
    throw new TallyrankError('forbidden', text, { param: 'model' });
  }
}

function namedRestrictionsOf({ origin, allowModels, denyModels, isLocalOnly }: RequestLimits): Restriction[] {
  const demands: Restriction[] = [];
  if (denyModels !== null) {
    demands.push({
      ruleName: `the denied models of ${origin}`,
      isDemand: true,
      permits: (model, catalog) => !isNamed(model, denyModels, catalog),
    });
  }
  if (allowModels !== null) {
    demands.push({
      ruleName: `the allowed models of ${origin}`,
      isDemand: true,
      permits: (model, catalog) => isNamed(model, allowModels, catalog),
    });
  }
  if (isLocalOnly) {
    demands.push({
      ruleName: `the local-only demand of ${origin}`,
      isDemand: true,
      permits: (model) => model.isLocal,
    });
  }
  return demands;
}

/** A bare name means the models of all providers that have it, "openai:*" all of one. */
function isNamed(model: CatalogModel, names: readonly string[], catalog: ModelCatalog): boolean {
  const { modelId, name, provider, aliases } = model;
  return names.some(
    (given) =>
      given === modelId ||
      given === name ||
      given === `${provider}:*` ||
      aliases.includes(given) ||
      catalog.canonicalId(given) === modelId,
  );
}

/** Dollars of a request: measured here, else measured anywhere, else by the price list for a typical one. */
function costOf(model: CatalogModel, known: Known): number | null {
  return rowValue(model, known, 'costMeanUsd') ?? known.registry.typicalCostUsd(model.modelId);
}

function rowValue(
  { modelId }: CatalogModel,
  { snapshot, useCase }: Known,
  field: 'costMeanUsd' | 'latencyP95Ms',
): number | null {
  const here = snapshot.rankings.get(useCase)?.models.find((row) => row.modelId === modelId)?.[field];
  if (here !== undefined && here !== null) return here;
  return snapshot.overall.models.find((row) => row.modelId === modelId)?.[field] ?? null;
}
