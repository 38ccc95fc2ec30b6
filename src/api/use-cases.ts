import { parseTimeframe } from '../core/timeframe.ts';
import type { DiscoveryRun } from '../store/queries/discovery-runs.ts';
import type { UseCaseEvent } from '../store/queries/use-case-history.ts';
import {
  analyzeBody,
  categoriesAnswer,
  errorAnswer,
  idParams,
  jobAnswer,
  patternsAnswer,
  timeframeQuery,
} from './contract.ts';
import {
  driftAnswer,
  editsAnswer,
  eventsAnswer,
  historyQuery,
  runsAnswer,
  slugParams,
  useCaseAnswer,
} from './contract-use-cases.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';
import { shownEdit } from './use-case-edits.ts';

const tags = ['use cases'];

/** What people ask: the use cases that are known. */
export function mountUseCases(api: ApiServer, deps: ApiDeps): void {
  const { answers } = deps;
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
    async ({ query }, reply) => answers.send(reply, 'patterns', query),
  );

  api.get(
    '/api/usage/drift',
    {
      schema: {
        tags,
        summary: 'Whether the mix of use cases changed against the window before',
        querystring: timeframeQuery,
        response: { 200: driftAnswer, 400: errorAnswer },
      },
    },
    async ({ query }, reply) => answers.send(reply, 'drift', query),
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
      async ({ query }, reply) => answers.send(reply, 'categories', query),
    );
  }
}

/** How use cases came to be what they are. Mounted before the use cases by slug. */
export function mountUseCaseHistory(api: ApiServer, deps: ApiDeps): void {
  const { directory } = deps.analyzer;

  api.get(
    '/api/use-cases/events',
    {
      schema: {
        tags,
        summary: 'Births, deaths, merges and splits of use cases, newest first',
        querystring: historyQuery,
        response: { 200: eventsAnswer, 400: errorAnswer },
      },
    },
    async ({ query }) => ({ events: (await directory.events(query.limit)).map(shownEvent) }),
  );

  api.get(
    '/api/use-cases/edits',
    { schema: { tags, summary: 'What operators did, newest first', response: { 200: editsAnswer } } },
    async () => ({ edits: (await directory.edits()).map(shownEdit) }),
  );

  api.get(
    '/api/use-cases/runs',
    {
      schema: {
        tags,
        summary: 'Runs of discovery and of edits, newest first',
        querystring: historyQuery,
        response: { 200: runsAnswer, 400: errorAnswer },
      },
    },
    async ({ query }) => {
      const runs = await directory.runs(query.limit);
      const current = runs.find(({ status }) => status === 'active');
      return { runs: runs.map((run) => shownRun(run, run === current)) };
    },
  );

  api.get(
    '/api/use-cases/:slug',
    {
      schema: {
        tags,
        summary: 'One use case with its trend, its events and its edits',
        params: slugParams,
        response: { 200: useCaseAnswer, 404: errorAnswer },
      },
    },
    async ({ params }) => {
      const known = await directory.get(params.slug);
      const { description = null, theme = null, isPinned = false, events, edits, ...detail } = known;
      return {
        ...detail,
        description,
        theme,
        isPinned,
        events: events.map(shownEvent),
        edits: edits.map(shownEdit),
      };
    },
  );
}

function shownEvent({ atMs, ...event }: UseCaseEvent): object {
  return { ...event, at: new Date(atMs).toISOString() };
}

function shownRun(run: DiscoveryRun, isCurrent: boolean): object {
  const { createdAtMs, windowFromMs, windowToMs, ...shown } = run;
  return {
    ...shown,
    isCurrent,
    createdAt: new Date(createdAtMs).toISOString(),
    windowFrom: new Date(windowFromMs).toISOString(),
    windowTo: new Date(windowToMs).toISOString(),
  };
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
