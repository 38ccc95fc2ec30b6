import { TallyrankError } from '../core/errors.ts';
import { errorAnswer } from './contract.ts';
import {
  abReportAnswer,
  abTestAnswer,
  abTestBody,
  abTestParams,
  abTestsAnswer,
} from './contract-ab-tests.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['A/B tests'];

/** A/B tests: made, looked at, stopped and removed. */
export function mountAbTests(api: ApiServer, deps: ApiDeps): void {
  mountLooks(api, deps);
  mountChanges(api, deps);
}

function mountLooks(api: ApiServer, { abTests }: ApiDeps): void {
  api.get(
    '/api/ab-tests',
    { schema: { tags, summary: 'All A/B tests', response: { 200: abTestsAnswer } } },
    async () => ({ tests: await abTests.list() }),
  );

  api.get(
    '/api/ab-tests/:name',
    {
      schema: {
        tags,
        summary: 'An A/B test with its verdict by now',
        description: 'Look as often as you like: the verdict is valid at all looks together.',
        params: abTestParams,
        response: { 200: abReportAnswer, 404: errorAnswer },
      },
    },
    async ({ params: { name } }) => abTests.report(name),
  );
}

function mountChanges(api: ApiServer, deps: ApiDeps): void {
  const { abTests } = deps;

  api.post(
    '/api/ab-tests',
    {
      schema: {
        tags,
        summary: 'Make an A/B test',
        description: 'It holds here at once and in other gateways of the store within seconds.',
        body: abTestBody,
        response: { 201: abTestAnswer, 400: errorAnswer, 404: errorAnswer, 409: errorAnswer },
      },
    },
    async ({ body }, reply) => {
      const test = await abTests.create(body, {
        createdBy: 'api',
        modelIdOf: (name) => usableId(deps, name),
      });
      await deps.followAbTests();
      return reply.code(201).send(test);
    },
  );

  api.post(
    '/api/ab-tests/:name/stop',
    {
      schema: {
        tags,
        summary: 'Stop an A/B test; its results stay',
        params: abTestParams,
        response: { 200: abTestAnswer, 404: errorAnswer },
      },
    },
    async ({ params: { name } }) => {
      const test = await abTests.stop(name, 'api');
      await deps.followAbTests();
      return test;
    },
  );

  api.delete(
    '/api/ab-tests/:name',
    {
      schema: {
        tags,
        summary: 'Forget an A/B test; the requests of it stay in the log',
        params: abTestParams,
        response: { 200: abTestAnswer, 404: errorAnswer },
      },
    },
    async ({ params: { name } }) => {
      const test = await abTests.remove(name, 'api');
      await deps.followAbTests();
      return test;
    },
  );
}

/** @throws {TallyrankError} for a model that `auto` may not take, so that no request could be given the arm */
function usableId({ catalog, prices }: ApiDeps, name: string): string {
  const { modelId, isChat, isAutoAllowed } = catalog().resolve(name);
  const why = !isChat
    ? 'is not a chat model'
    : !isAutoAllowed
      ? 'is kept out of auto'
      : prices.isPriced(modelId)
        ? null
        : 'has no known price';
  if (why === null) return modelId;
  throw new TallyrankError(
    'bad_request',
    `arms: ${modelId} ${why}, so no request of auto could be given it.`,
    {
      param: 'arms',
    },
  );
}
