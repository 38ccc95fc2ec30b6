import { TallyrankError } from '../core/errors.ts';
import { requestDetails } from '../store/queries/request-details.ts';
import { errorAnswer, idParams, requestAnswer, requestsAnswer, requestsQuery } from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['requests'];

/** The log itself: newest first, and one request with its decision and all that was learnt of it. */
export function mountRequests(api: ApiServer, deps: ApiDeps): void {
  const { db } = deps;

  api.get(
    '/api/requests',
    {
      schema: {
        tags,
        summary: 'Requests, newest first',
        querystring: requestsQuery,
        response: { 200: requestsAnswer, 400: errorAnswer },
      },
    },
    async ({ query }, reply) => {
      const model = query.model === undefined ? undefined : deps.catalog().canonicalId(query.model);
      return deps.answers.send(reply, 'requests', { ...query, model });
    },
  );

  api.get(
    '/api/requests/:id',
    {
      schema: {
        tags,
        summary: 'One request with its decision and signals',
        params: idParams,
        response: { 200: requestAnswer, 404: errorAnswer },
      },
    },
    async ({ params }) => {
      const found = await requestDetails(db, params.id);
      if (found) return { ...found.request, decision: found.decision, signals: found.signals };
      throw new TallyrankError(
        'not_found',
        `There is no request ${params.id.slice(0, 60)} in the log (yet).`,
        {
          param: 'id',
        },
      );
    },
  );
}
