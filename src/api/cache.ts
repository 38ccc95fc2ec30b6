import { cacheAnswer, emptiedCacheAnswer } from './contract-cache.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['cache'];

/** What the response cache came to, and how to empty it. */
export function mountCache(api: ApiServer, { cache }: ApiDeps): void {
  api.get(
    '/api/cache',
    {
      schema: {
        tags,
        summary: 'What the response cache of this gateway came to since its start',
        response: { 200: cacheAnswer },
      },
    },
    async () => {
      const state = cache.state();
      return state === null ? { isOn: false as const } : { isOn: true as const, ...state };
    },
  );

  api.delete(
    '/api/cache',
    {
      schema: {
        tags,
        summary: 'Forget every answer in the response cache of this gateway',
        response: { 200: emptiedCacheAnswer },
      },
    },
    async () => ({ forgottenCount: cache.empty() }),
  );
}
