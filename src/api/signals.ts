import { errorAnswer } from './contract.ts';
import { signalsAnswer, signalsQuery } from './contract-signals.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

/** What people said and showed of answers, each kind by itself. */
export function mountSignals(api: ApiServer, deps: ApiDeps): void {
  api.get(
    '/api/signals',
    {
      schema: {
        tags: ['feedback'],
        summary: 'What each kind of signal is worth against explicit ratings',
        querystring: signalsQuery,
        response: { 200: signalsAnswer, 400: errorAnswer, 404: errorAnswer },
      },
    },
    async ({ query }, reply) => deps.answers.send(reply, 'signals', query),
  );
}
