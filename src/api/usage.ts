import { parseTimeframe, type Timeframe, type TimeframeQuery } from '../core/timeframe.ts';
import { commonPrompts } from '../store/queries/common-prompts.ts';
import { listRequests } from '../store/queries/requests.ts';
import { usageStats } from '../store/queries/usage-stats.ts';
import {
  analyzeBody,
  categoriesAnswer,
  commonPromptsAnswer,
  commonPromptsQuery,
  dashboardAnswer,
  errorAnswer,
  idParams,
  jobAnswer,
  patternsAnswer,
  timeframeQuery,
  usageStatsAnswer,
} from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './plugin.ts';

const tags = ['usage'];
const DASHBOARD_PROMPT_COUNT = 20;
const DASHBOARD_REQUEST_COUNT = 20;

/** What was asked: figures, patterns, common prompts, and the analysis that finds the use cases. */
export function mountUsage(api: ApiServer, deps: ApiDeps): void {
  const { db, analyzer, ranker, jobs } = deps;
  const windowOf = (query: TimeframeQuery, fallback?: string): Timeframe =>
    parseTimeframe(query, deps.clock(), fallback);

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
    async ({ query }) => {
      const window = windowOf(query, '1 hour');
      return { window: shown(window), ...(await usageStats(db, window)) };
    },
  );

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
    async ({ query }) => analyzer.patterns(windowOf(query)),
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
    async ({ query }) => {
      const window = windowOf(query);
      return { window: shown(window), prompts: await commonPrompts(db, window, query.limit) };
    },
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
        const { runId, categories } = await analyzer.patterns(windowOf(query));
        return { runId, categories };
      },
    );
  }

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
    async ({ query }) => {
      const window = windowOf(query);
      const [stats, patterns, prompts, rankings, savings, recent] = await Promise.all([
        usageStats(db, window),
        analyzer.patterns(window),
        commonPrompts(db, window, DASHBOARD_PROMPT_COUNT),
        ranker.getAllRankings(),
        ranker.analyzeSavings(query),
        listRequests(db, window, { limit: DASHBOARD_REQUEST_COUNT }),
      ]);
      return {
        stats: { window: shown(window), ...stats },
        patterns,
        commonPrompts: prompts,
        rankings,
        savings,
        recentRequests: recent.requests,
      };
    },
  );

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
      if (timeframe !== undefined) windowOf({ timeframe });
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

/** A window as answers show it. */
export function shown(window: Timeframe): { from: string; to: string; label: string } {
  return { from: window.from.toISOString(), to: window.to.toISOString(), label: window.label };
}
