import {
  allRankingsAnswer,
  compareAnswer,
  compareQuery,
  errorAnswer,
  rankingsAnswer,
  refreshAnswer,
  useCaseParams,
} from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['rankings'];

/** Who serves what best. */
export function mountRankings(api: ApiServer, deps: ApiDeps): void {
  const { answers } = deps;

  api.get(
    '/api/rankings',
    { schema: { tags, summary: 'Rankings of all use cases', response: { 200: allRankingsAnswer } } },
    async (_request, reply) => answers.send(reply, 'allRankings', null),
  );

  api.post(
    '/api/rankings/refresh',
    { schema: { tags, summary: 'Rank anew from all that is logged', response: { 200: refreshAnswer } } },
    async () => deps.refreshRankings(),
  );

  api.get(
    '/api/rankings/compare',
    {
      schema: {
        tags,
        summary: 'Two models in one use case',
        querystring: compareQuery,
        response: { 200: compareAnswer, 400: errorAnswer, 404: errorAnswer },
      },
    },
    async ({ query }, reply) => answers.send(reply, 'compare', query),
  );

  api.get(
    '/api/rankings/:useCase',
    {
      schema: {
        tags,
        summary: 'Ranking of a use case',
        params: useCaseParams,
        response: { 200: rankingsAnswer, 404: errorAnswer },
      },
    },
    async ({ params }, reply) => answers.send(reply, 'rankings', params.useCase),
  );
}
