import { putOperatorSetting } from '../store/queries/operator-settings.ts';
import {
  errorAnswer,
  explainAnswer,
  explainBody,
  explorationAnswer,
  explorationBody,
  rulesAnswer,
} from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['routing'];

/** Which model would be chosen, by which rules, and how much is explored. */
export function mountRouting(api: ApiServer, deps: ApiDeps): void {
  const { router, exploration } = deps;

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

  api.get(
    '/api/rules',
    { schema: { tags, summary: 'Rules, highest priority first', response: { 200: rulesAnswer } } },
    async () => ({ rules: router.rules() }),
  );

  api.get(
    '/api/exploration',
    { schema: { tags, summary: 'How much is explored', response: { 200: explorationAnswer } } },
    async () => ({ share: exploration.share }),
  );

  api.put(
    '/api/exploration',
    {
      schema: {
        tags,
        summary: 'Set how much is explored',
        description: 'Kept over restarts; it wins over the configuration until it is set again.',
        body: explorationBody,
        response: { 200: explorationAnswer, 400: errorAnswer },
      },
    },
    async ({ body }) => {
      const changedAt = new Date(deps.clock());
      await putOperatorSetting(deps.db, { name: 'exploration', value: body, changedAt, changedBy: 'api' });
      exploration.setShare(body.share);
      return { share: exploration.share };
    },
  );
}
