import { parseTimeframe } from '../core/timeframe.ts';
import {
  analyzeBody,
  categoriesAnswer,
  errorAnswer,
  idParams,
  jobAnswer,
  patternsAnswer,
  timeframeQuery,
} from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['use cases'];

/** What people ask: the use cases that are known. */
export function mountUseCases(api: ApiServer, deps: ApiDeps): void {
  const { analyzer } = deps;
  api.get(
    '/api/usage/patterns',
    {
      schema: {
        tags,
        summary: 'Use cases seen in a window, and what is inefficient',
        querystring: timeframeQuery,
        response: { 200: patternsAnswer, 400: errorAnswer },
      },
    },
    async ({ query }) => analyzer.patterns(parseTimeframe(query, deps.clock())),
  );

  for (const path of ['/api/usage/categories', '/api/use-cases']) {
    api.get(
      path,
      {
        schema: {
          tags,
          summary: 'All use cases, with what was asked in a window',
          querystring: timeframeQuery,
          response: { 200: categoriesAnswer, 400: errorAnswer },
        },
      },
      async ({ query }) => {
        const { runId, categories } = await analyzer.patterns(parseTimeframe(query, deps.clock()));
        return { runId, categories };
      },
    );
  }
}

/** The analysis that finds the use cases, and the jobs it runs as. */
export function mountAnalysis(api: ApiServer, deps: ApiDeps): void {
  const { jobs } = deps;
  api.post(
    '/api/analyze',
    {
      schema: {
        tags,
        summary: 'Discover use cases now',
        description: 'Starts a job (or joins the one that runs); ask GET /api/jobs/{id} how far it is.',
        body: analyzeBody,
        response: { 202: jobAnswer, 400: errorAnswer },
      },
    },
    async ({ body }, reply) => {
      const timeframe = body?.timeframe;
      if (timeframe !== undefined) parseTimeframe({ timeframe }, deps.clock());
      return reply.code(202).send(deps.startAnalysis(timeframe));
    },
  );

  const job = { params: idParams, response: { 200: jobAnswer, 404: errorAnswer } };
  api.get('/api/jobs/:id', { schema: { tags, summary: 'How far a job is', ...job } }, async ({ params }) =>
    jobs.get(params.id),
  );
  api.delete('/api/jobs/:id', { schema: { tags, summary: 'Stop a job', ...job } }, async ({ params }) =>
    jobs.cancel(params.id),
  );
}
