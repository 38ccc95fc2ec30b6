import { storedModels } from '../store/queries/model-storage.ts';
import { modelsAnswer, storageAnswer } from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['models'];

/** The models that can be asked, the providers behind them, and the files in the bucket. */
export function mountModels(api: ApiServer, deps: ApiDeps): void {
  api.get(
    '/api/models',
    { schema: { tags, summary: 'Providers and models', response: { 200: modelsAnswer } } },
    async () => ({
      providers: deps.providerHealth().map(({ checkedAtMs, openCircuits, ...provider }) => ({
        ...provider,
        checkedAt: checkedAtMs === null ? null : new Date(checkedAtMs).toISOString(),
        openCircuits: openCircuits.map(({ probeAtMs, ...circuit }) => ({
          ...circuit,
          probeAt: new Date(probeAtMs).toISOString(),
        })),
      })),
      models: deps.catalog().models.map((model) => ({
        ...model,
        isPriced: deps.prices.isPriced(model.modelId),
        typicalCostUsd: deps.prices.typicalCostUsd(model.modelId),
      })),
    }),
  );

  api.get(
    '/api/models/storage',
    { schema: { tags, summary: 'Model files in the bucket', response: { 200: storageAnswer } } },
    async () => ({ configured: false, models: await storedModels(deps.db) }),
  );
}
