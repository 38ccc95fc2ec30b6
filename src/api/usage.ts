import {
  commonPromptsAnswer,
  commonPromptsQuery,
  dashboardAnswer,
  errorAnswer,
  timeframeQuery,
  usageStatsAnswer,
} from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['usage'];

/** What was asked, in figures. */
export function mountUsage(api: ApiServer, deps: ApiDeps): void {
  const { answers } = deps;

  api.get(
    '/api/usage/stats',
    {
      schema: {
        tags,
        summary: 'Figures by model and use case',
        querystring: timeframeQuery,
        response: { 200: usageStatsAnswer, 400: errorAnswer },
      },
    },
    async ({ query }, reply) => answers.send(reply, 'usageStats', query),
  );

  api.get(
    '/api/usage/common-prompts',
    {
      schema: {
        tags,
        summary: 'Most frequent prompts',
        querystring: commonPromptsQuery,
        response: { 200: commonPromptsAnswer, 400: errorAnswer },
      },
    },
    async ({ query }, reply) => answers.send(reply, 'commonPrompts', query),
  );

  api.get(
    '/api/usage/dashboard',
    {
      schema: {
        tags,
        summary: 'Everything of a window in one answer',
        querystring: timeframeQuery,
        response: { 200: dashboardAnswer, 400: errorAnswer },
      },
    },
    async ({ query }, reply) => answers.send(reply, 'dashboard', query),
  );
}
