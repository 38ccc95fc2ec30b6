import { errorAnswer, explainAnswer, explainBody } from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['routing'];

/** Which model would be chosen, and why. */
export function mountRouting(api: ApiServer, deps: ApiDeps): void {
  const { router } = deps;

  api.post(
    '/api/route/explain',
    {
      schema: {
        tags,
        summary: 'Decide for a prompt without calling a model',
        body: explainBody,
        response: { 200: explainAnswer, 400: errorAnswer },
      },
    },
    async ({ body }) => {
      const { prompt, messages, model, ...context } = body;
      return router.explain({ ...context, content: prompt ?? messages ?? '', model: model ?? null });
    },
  );
}
