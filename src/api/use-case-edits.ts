import { TallyrankError } from '../core/errors.ts';
import type { UseCaseChange } from '../discovery/edits/use-case-directory.ts';
import type { UseCaseEdit } from '../store/queries/use-case-edits.ts';
import { errorAnswer } from './contract.ts';
import { editAnswer, mergeBody, renameBody, slugParams, splitBody, undoBody } from './contract-use-cases.ts';
import type { ApiDeps } from './deps.ts';
import type { Job } from './jobs.ts';
import type { ApiServer } from './server-type.ts';

const tags = ['use cases'];

/** What an operator may do to use cases; every later run honours it. */
export function mountUseCaseEdits(api: ApiServer, deps: ApiDeps): void {
  const response = { 202: editAnswer, 200: editAnswer, 400: errorAnswer, 404: errorAnswer, 409: errorAnswer };

  api.patch(
    '/api/use-cases/:slug',
    {
      schema: {
        tags,
        summary: 'Rename, pin or unpin a use case',
        description: 'The change is written at once; a job brings figures and classifier up to date.',
        params: slugParams,
        body: renameBody,
        response,
      },
    },
    async ({ params: { slug }, body: { name, slug: toSlug, isPinned, dryRun } }, reply) => {
      const changes: UseCaseChange[] = [];
      if (isPinned !== undefined) changes.push({ kind: isPinned ? 'pin' : 'unpin', slug });
      if (name !== undefined || toSlug !== undefined) changes.push({ kind: 'rename', slug, name, toSlug });
      const answer = await edit(deps, changes, dryRun);
      return reply.code(answer.job === null ? 200 : 202).send(answer);
    },
  );

  api.post(
    '/api/use-cases/:slug/merge',
    {
      schema: {
        tags,
        summary: 'Merge a use case into another',
        params: slugParams,
        body: mergeBody,
        response,
      },
    },
    async ({ params: { slug }, body: { into, dryRun } }, reply) => {
      const answer = await edit(deps, [{ kind: 'merge', slug, into }], dryRun);
      return reply.code(answer.job === null ? 200 : 202).send(answer);
    },
  );

  api.post(
    '/api/use-cases/:slug/split',
    {
      schema: {
        tags,
        summary: 'Split prompts off a use case by keywords or a pattern',
        params: slugParams,
        body: splitBody,
        response,
      },
    },
    async ({ params: { slug }, body: { dryRun, slug: toSlug, ...wanted } }, reply) => {
      const answer = await edit(deps, [{ kind: 'split', slug, toSlug, ...wanted }], dryRun);
      return reply.code(answer.job === null ? 200 : 202).send(answer);
    },
  );

  api.post(
    '/api/use-cases/undo',
    { schema: { tags, summary: 'Undo the last edit that holds', body: undoBody, response } },
    async ({ body }, reply) => {
      const answer = await edit(deps, [{ kind: 'undo' }], body?.dryRun);
      return reply.code(answer.job === null ? 200 : 202).send(answer);
    },
  );
}

/** An edit as the API shows it. */
export function shownEdit({ atMs, ...edit }: UseCaseEdit): object {
  return { ...edit, at: new Date(atMs).toISOString() };
}

/** All changes are checked before the first is written. */
async function edit(
  deps: ApiDeps,
  changes: readonly UseCaseChange[],
  isDryRun: boolean | undefined,
): Promise<{ edits: object[]; job: Job | null }> {
  const { directory } = deps.analyzer;
  const planned: UseCaseEdit[] = [];
  for (const change of changes) planned.push(await directory.plan(change, 'api'));
  const edits = planned.map(shownEdit);
  if (isDryRun === true) return { edits, job: null };
  // Nothing is awaited between this look and the start: two edits cannot share a job.
  const running = deps.jobs.running('analyze') ?? deps.jobs.running('edit');
  if (running !== null) {
    throw new TallyrankError(
      'conflict',
      `Use cases are being worked on by job ${running.id}: try again when it has ended.`,
    );
  }
  const job = deps.jobs.start('edit', async (context) => {
    await deps.tracker.flush();
    const run = await directory.apply(planned, context);
    const { version } = await deps.refreshRankings();
    return { runId: run?.runId ?? null, version };
  });
  return { edits, job };
}
