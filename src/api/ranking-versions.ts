import { errorAnswer } from './contract.ts';
import {
  diffAnswer,
  diffQuery,
  releaseAnswer,
  rollbackAnswer,
  rollbackBody,
  versionsAnswer,
  versionsQuery,
} from './contract-rankings.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['rankings'];

/** Published rankings as they were. Mounted before the rankings by use case. */
export function mountRankingVersions(api: ApiServer, deps: ApiDeps): void {
  const { answers } = deps;
  const refusals = { 400: errorAnswer, 404: errorAnswer };

  api.get(
    '/api/rankings/versions',
    {
      schema: {
        tags,
        summary: 'Published versions that are kept, newest first',
        querystring: versionsQuery,
        response: { 200: versionsAnswer, 400: errorAnswer },
      },
    },
    async ({ query }, reply) => answers.send(reply, 'versions', query.limit),
  );

  api.get(
    '/api/rankings/diff',
    {
      schema: {
        tags,
        summary: 'What differs between two published versions',
        querystring: diffQuery,
        response: { 200: diffAnswer, ...refusals },
      },
    },
    async ({ query }, reply) => answers.send(reply, 'diff', query),
  );

  api.post(
    '/api/rankings/rollback',
    {
      schema: {
        tags,
        summary: 'Publish an earlier version again, and hold it',
        description: 'Refreshes change nothing until POST /api/rankings/release.',
        body: rollbackBody,
        response: { 200: rollbackAnswer, ...refusals },
      },
    },
    async ({ body }, reply) => {
      const useIt = async (): Promise<void> => {
        await deps.followRankings();
        const { version } = deps.snapshots.current;
        if (version !== null) deps.events.emit('ranking', { version });
      };
      return answers.send(reply, 'rollback', body, body.dryRun ? undefined : useIt);
    },
  );

  api.post(
    '/api/rankings/release',
    {
      schema: {
        tags,
        summary: 'Let go of the held version, and rank anew',
        response: { 200: releaseAnswer },
      },
    },
    async () => {
      const { released } = await deps.ranker.versions.release('api');
      const { version } = await deps.refreshRankings();
      return { released, version };
    },
  );
}
