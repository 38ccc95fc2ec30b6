import { ModelCatalog, plainModel } from '../../src/core/model-catalog.ts';
import type { RankedModel, ScorePart, Snapshot } from '../../src/core/snapshot.ts';
import { starterSnapshot } from '../../src/core/starter-snapshot.ts';
import type { ModelRegistry } from '../../src/routing/plan.ts';
import { rankedModel } from './ranked-model.ts';

/** The models of `costsUsd` at those costs of a typical request, null for one without a price; those of `away` are away. */
export function registryOf(
  costsUsd: Readonly<Record<string, number | null>>,
  away: ReadonlySet<string> = new Set(),
): ModelRegistry {
  return {
    catalog: new ModelCatalog(Object.keys(costsUsd).map((modelId) => plainModel(modelId))),
    isPriced: (modelId) => (costsUsd[modelId] ?? null) !== null,
    typicalCostUsd: (modelId) => costsUsd[modelId] ?? null,
    health: (modelId) => !away.has(modelId),
  };
}

/** A row of a ranking: equal in all but quality, so `spread` of it is what is open. */
export function rowOf(
  modelId: string,
  given: {
    readonly quality: number;
    /** Half of its 95 % interval. */
    readonly spread: number;
    readonly requestCount?: number;
    readonly success?: number;
    readonly costUsd?: number;
  } & Partial<Pick<RankedModel, 'rankWorst' | 'warnings'>>,
): RankedModel {
  const { quality, spread, requestCount = 500, success = 0.95, costUsd = 0, ...rest } = given;
  const part = (value: number, half: number): ScorePart => ({
    value,
    low: Math.max(0, value - half),
    high: Math.min(1, value + half),
    sampleCount: requestCount,
    isAssumed: false,
  });
  const half = Math.min(0.3, spread);
  return rankedModel(
    modelId,
    {
      success: part(success, half / 4),
      speed: part(0.8, 0.01),
      cost: part(0.9, 0.01),
      quality: part(quality, half),
    },
    { requestCount, ratingCount: requestCount, costMeanUsd: costUsd, ...rest },
  );
}

/** One use case, "coffee", for every prompt. */
export function snapshotOf(rows: readonly RankedModel[]): Snapshot {
  return {
    ...starterSnapshot(),
    version: '20261123T130000123Z-ab12',
    rankings: new Map([['coffee', { useCase: 'coffee', requestCount: 1_000, models: rows }]]),
    overall: { useCase: '*', requestCount: 1_000, models: rows },
    classifier: { classify: () => ({ useCase: 'coffee', confidence: 0.9 }) },
  };
}
