import { parseTimeframe, shownTimeframe, type Timeframe, type TimeframeQuery } from '../core/timeframe.ts';
import { commonPrompts } from '../store/queries/common-prompts.ts';
import { listRequests } from '../store/queries/requests.ts';
import { usageStats } from '../store/queries/usage-stats.ts';
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
  const { db } = deps;
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
      return { window: shownTimeframe(window), ...(await usageStats(db, window)) };
    },
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
      return { window: shownTimeframe(window), prompts: await commonPrompts(db, window, query.limit) };
    },
  );
}

const DASHBOARD_PROMPT_COUNT = 20;
const DASHBOARD_REQUEST_COUNT = 20;

/** Everything of a window in one answer, for pages that show it all. */
export function mountDashboard(api: ApiServer, deps: ApiDeps): void {
  const { db, analyzer, ranker } = deps;
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
      const window = parseTimeframe(query, deps.clock());
      const [stats, patterns, prompts, rankings, savings, recent] = await Promise.all([
        usageStats(db, window),
        analyzer.patterns(window),
        commonPrompts(db, window, DASHBOARD_PROMPT_COUNT),
        ranker.getAllRankings(),
        ranker.analyzeSavings(query),
        listRequests(db, window, { limit: DASHBOARD_REQUEST_COUNT }),
      ]);
      return {
        stats: { window: shownTimeframe(window), ...stats },
        patterns,
        commonPrompts: prompts,
        rankings,
        savings,
        recentRequests: recent.requests,
      };
    },
  );
}
