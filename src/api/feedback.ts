import type { Database } from '../store/database.ts';
import type { ReferenceKind } from '../store/queries/feedback.ts';
import {
  markFeedbackResolved,
  requestIdsByReference,
  unresolvedFeedback,
} from '../store/queries/feedback.ts';
import type { UsageTracker } from '../tracker/usage-tracker.ts';
import type { FeedbackBody } from './contract.ts';
import { errorAnswer, feedbackAnswer, feedbackBody } from './contract.ts';
import type { ApiDeps } from './deps.ts';
import type { ApiServer } from './server-type.ts';

/** How well an answer served: by our id, the answer's, or the client's own; late and repeated is fine. */
export function mountFeedback(api: ApiServer, deps: ApiDeps): void {
  api.post(
    '/api/feedback',
    {
      schema: {
        tags: ['feedback'],
        summary: 'Say how well an answer served',
        description: 'The last word counts: feedback on the same request replaces what was said before.',
        body: feedbackBody,
        response: { 200: feedbackAnswer, 400: errorAnswer },
      },
    },
    async ({ body }) => {
      const value = qualityOf(body);
      const comment = body.comment ?? null;
      const requestId = await resolve(deps, body);
      if (requestId !== null) {
        deps.tracker.addSignal({
          requestId,
          kind: 'feedback',
          value,
          comment,
          source: 'api',
          atMs: deps.clock(),
        });
        return { status: 'stored' as const, requestId };
      }
      deps.tracker.addUnresolvedFeedback({ ...referenceOf(body), value, comment });
      return { status: 'waiting' as const, requestId: null };
    },
  );
}

/**
 * Gives feedback that waited to the requests that have arrived since.
 *
 * @returns how many found their request
 */
export async function resolveFeedback(db: Database, tracker: UsageTracker, nowMs: number): Promise<number> {
  const waiting = await unresolvedFeedback(db);
  if (waiting.length === 0) return 0;
  let foundCount = 0;
  for (const kind of ['response_id', 'external_id'] as const) {
    const asked = waiting.filter(({ referenceKind }) => referenceKind === kind);
    const references = asked.map(({ reference }) => reference);
    const requestIds = await requestIdsByReference(db, kind, references);
    const found = asked.filter(({ reference }) => requestIds.has(reference));
    for (const { reference, value, comment, at } of found) {
      const requestId = requestIds.get(reference) ?? '';
      tracker.addSignal({ requestId, kind: 'feedback', value, comment, source: 'api', atMs: Date.parse(at) });
    }
    if (found.length === 0) continue;
    // The signals first: if this process dies in between, the feedback is only resolved once more.
    await tracker.flush();
    await markFeedbackResolved(db, found, new Date(nowMs));
    foundCount += found.length;
  }
  return foundCount;
}

async function resolve(deps: ApiDeps, body: FeedbackBody): Promise<string | null> {
  if (body.requestId !== undefined) return body.requestId;
  const { referenceKind, reference } = referenceOf(body);
  const recent = deps.tracker.recentRequestId(reference);
  return recent ?? (await requestIdsByReference(deps.db, referenceKind, [reference])).get(reference) ?? null;
}

function referenceOf(body: FeedbackBody): { referenceKind: ReferenceKind; reference: string } {
  if (body.responseId !== undefined) return { referenceKind: 'response_id', reference: body.responseId };
  return { referenceKind: 'external_id', reference: body.externalId ?? '' };
}

/** Quality 0..1. */
function qualityOf(body: FeedbackBody): number {
  if (body.thumbs !== undefined) return body.thumbs === 'up' ? 1 : 0;
  return ((body.score ?? 1) - 1) / 4;
}
