import { TallyrankError } from '../core/errors.ts';
import { parseTimeframe } from '../core/timeframe.ts';
import {
  allRankingsAnswer,
  compareAnswer,
  compareQuery,
  errorAnswer,
  performanceAnswer,
  rankingHistoryAnswer,
  rankingHistoryQuery,
  rankingsAnswer,
  refreshAnswer,
  savingsAnswer,
  timeframeQuery,
  useCaseParams,
} from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './plugin.ts';
import { shown } from './usage.ts';

const tags = ['rankings'];

/** Who serves what best, how that changed, and what it would save. */
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
    '/api/rankings/history',
    {
      schema: {
        tags,
        summary: 'Published rankings over time',
        querystring: rankingHistoryQuery,
        response: { 200: rankingHistoryAnswer, 400: errorAnswer },
      },
    },
    async ({ query }) => {
      const { useCase, modelId, ...asked } = query;
      const window = parseTimeframe(asked, deps.clock(), '1 month');
      return {
        window: shown(window),
        points: await ranker.getHistory(useCase ?? null, { modelId, timeframe: asked }),
      };
    },
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

  api.get(
    '/api/savings',
    {
      schema: {
        tags,
        summary: 'What the best model per use case would save',
        querystring: timeframeQuery,
        response: { 200: savingsAnswer, 400: errorAnswer },
      },
    },
    async ({ query }) => ranker.analyzeSavings(isEmpty(query) ? undefined : query),
  );

  // A wildcard: model ids hold slashes and colons, and come encoded or not. The last segment is the use case.
  api.get(
    '/api/performance/*',
    {
      schema: {
        tags,
        summary: 'A model in a use case over time: /api/performance/{modelId}/{useCase}',
        querystring: timeframeQuery,
        response: { 200: performanceAnswer, 400: errorAnswer, 404: errorAnswer },
      },
    },
    async ({ params, query }) => {
      const { '*': path } = params as { '*': string };
      const cut = path.lastIndexOf('/');
      if (cut <= 0 || cut === path.length - 1) {
        throw new TallyrankError(
          'bad_request',
          'Name model and use case: /api/performance/{modelId}/{useCase}.',
        );
      }
      return ranker.getPerformance(
        path.slice(0, cut),
        path.slice(cut + 1),
        isEmpty(query) ? undefined : query,
      );
    },
  );
}

function isEmpty(query: object): boolean {
  return Object.values(query).every((value) => value === undefined);
}
