import { TallyrankError } from '../core/errors.ts';
import { errorAnswer, jobAnswer } from './contract.ts';
import { judgeAnswer, judgeBody } from './contract-judge.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['judge'];

/** What the judge found, what that is worth, and judging now. */
export function mountJudge(api: ApiServer, deps: ApiDeps): void {
  api.get(
    '/api/judge',
    { schema: { tags, summary: 'How well the judge agrees with people', response: { 200: judgeAnswer } } },
    async () => deps.judge.status(),
  );

  api.post(
    '/api/judge',
    {
      schema: {
        tags,
        summary: 'Judge a sample of answers now',
        description: 'Starts a job (or joins the one that runs); ask GET /api/jobs/{id} how far it is.',
        body: judgeBody,
        response: { 202: jobAnswer, 400: errorAnswer, 409: errorAnswer },
      },
    },
    async ({ body }, reply) => {
      deps.judge.assertConfigured();
      const { limit, dryRun, pairs } = body ?? {};
      const running = deps.jobs.running('judge');
      if (running !== null && (pairs !== undefined || dryRun === true)) {
        throw new TallyrankError(
          'conflict',
          `The judge works on job ${running.id}: try again when it has ended.`,
        );
      }
      return reply.code(202).send(deps.startJudging({ limit, isDryRun: dryRun, pairs }));
    },
  );
}
