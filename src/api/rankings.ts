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
  const { ranker } = deps;

  api.get(
    '/api/rankings',
    { schema: { tags, summary: 'Rankings of all use cases', response: { 200: allRankingsAnswer } } },
    async () => ranker.getAllRankings(),
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
    async ({ query }) => ranker.compare(query.useCase, query.modelA, query.modelB),
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
    async ({ params }) => ranker.getRankings(params.useCase),
  );
}
