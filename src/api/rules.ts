import type { z } from 'zod';
import { unknownModelWarnings } from '../routing/routing-rules.ts';
import { errorAnswer } from './contract.ts';
import { dryRunAnswer, dryRunBody, rulesAnswer, rulesBody } from './contract-rules.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['routing'];

/** The operator's routing rules: shown, replaced, and tried on what was logged. */
export function mountRules(api: ApiServer, deps: ApiDeps): void {
  api.get(
    '/api/rules',
    { schema: { tags, summary: 'All rules, highest priority first', response: { 200: rulesAnswer } } },
    async () => answerOf(deps),
  );

  api.put(
    '/api/rules',
    {
      schema: {
        tags,
        summary: 'Replace the operator’s rules',
        description: 'The whole list. Kept over restarts; it wins over the configuration until DELETE.',
        body: rulesBody,
        response: { 200: rulesAnswer, 400: errorAnswer },
      },
    },
    async ({ body }) => {
      await deps.setRules(body.rules);
      return answerOf(deps);
    },
  );

  api.delete(
    '/api/rules',
    {
      schema: { tags, summary: 'Go back to the rules of the configuration', response: { 200: rulesAnswer } },
    },
    async () => {
      await deps.setRules(null);
      return answerOf(deps);
    },
  );

  api.post(
    '/api/rules/dry-run',
    {
      schema: {
        tags,
        summary: 'What rules would have changed of the logged decisions',
        body: dryRunBody,
        response: { 200: dryRunAnswer, 400: errorAnswer },
      },
    },
    async ({ body }) => {
      await deps.tracker.flush();
      const { alone, ...answer } = await deps.dryRunRules(body);
      return { ...answer, alone: [...alone] };
    },
  );
}

function answerOf({ router, rules, catalog }: ApiDeps): z.infer<typeof rulesAnswer> {
  const { origin, rules: declared } = rules();
  return {
    origin,
    rules: router.rules().map((rule) => ({ ...rule })),
    declared: declared.map((rule) => ({ ...rule })),
    warnings: unknownModelWarnings(declared, catalog()),
  };
}
