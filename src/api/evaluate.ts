import { errorAnswer } from './contract.ts';
import { evaluateAnswer, evaluateBody } from './contract-evaluate.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

/** A policy looked at before it is switched on. */
export function mountEvaluate(api: ApiServer, deps: ApiDeps): void {
  api.post(
    '/api/evaluate',
    {
      schema: {
        tags: ['routing'],
        summary: 'What a policy would have come to on the logged decisions',
        body: evaluateBody,
        response: { 200: evaluateAnswer, 400: errorAnswer, 404: errorAnswer },
      },
    },
    async ({ body }) => {
      await deps.tracker.flush();
      return await deps.evaluatePolicy(body);
    },
  );
}
