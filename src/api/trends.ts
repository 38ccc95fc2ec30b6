import { TallyrankError } from '../core/errors.ts';
import {
  errorAnswer,
  performanceAnswer,
  rankingHistoryAnswer,
  rankingHistoryQuery,
  timeframeQuery,
} from './contract.ts';
import { trendsAnswer, trendsQuery } from './contract-rankings.ts';
import { savingsAnswer } from './contract-savings.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['trends'];

/** How rankings and models changed, and what the best ones would save. Mounted before the rankings by use case. */
export function mountTrends(api: ApiServer, deps: ApiDeps): void {
  const { answers } = deps;
  mountRankingTrends(api, deps);

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
    async ({ query: { useCase, modelId, ...asked } }, reply) =>
      answers.send(reply, 'history', { useCase, modelId, asked }),
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
    async ({ query }, reply) => answers.send(reply, 'savings', query),
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
    async ({ params, query }, reply) => {
      const { '*': path } = params as { '*': string };
      const cut = path.lastIndexOf('/');
      if (cut <= 0 || cut === path.length - 1) {
        throw new TallyrankError(
          'bad_request',
          'Name model and use case: /api/performance/{modelId}/{useCase}.',
        );
      }
      const [modelId, useCase] = [path.slice(0, cut), path.slice(cut + 1)];
      return answers.send(reply, 'performance', { modelId, useCase, asked: query });
    },
  );
}

function mountRankingTrends(api: ApiServer, { answers }: ApiDeps): void {
  api.get(
    '/api/rankings/trends',
    {
      schema: {
        tags,
        summary: 'How models did in a use case over time, and when their level moved',
        querystring: trendsQuery,
        response: { 200: trendsAnswer, 400: errorAnswer, 404: errorAnswer },
      },
    },
    async ({ query: { useCase, modelId, ...asked } }, reply) =>
      answers.send(reply, 'trends', { useCase, modelId, asked }),
  );
}
