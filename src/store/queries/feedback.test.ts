import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, usageRecord } from '../../../tests/kit/scratch-store.ts';
import { encodeSignal } from '../../core/signal.ts';
import { markFeedbackResolved, requestIdsByReference, unresolvedFeedback } from './feedback.ts';
import { readQualityEvidence } from './ranking-evidence.ts';

const AT = new Date('2026-10-05T10:00:00.250Z');

describe('feedback by reference', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  it('finds the newest request of a response id or an external id', async () => {
    const [first, , third] = await store.insertRequests([
      { responseId: 'chatcmpl-1', externalId: 'mine' },
      { responseId: null, externalId: null },
      { responseId: 'chatcmpl-3', externalId: 'mine', startedAtMs: AT.getTime() },
    ]);
    expect(await requestIdsByReference(store.db, 'response_id', ['chatcmpl-1', 'nobody', ''])).toEqual(
      new Map([['chatcmpl-1', first?.requestId]]),
    );
    expect(await requestIdsByReference(store.db, 'external_id', ['mine'])).toEqual(
      new Map([['mine', third?.requestId]]),
    );
    expect(await requestIdsByReference(store.db, 'external_id', [])).toEqual(new Map());
  });

  it('counts under our own id although the row arrives later', async () => {
    const record = usageRecord({ startedAtMs: AT.getTime(), userId: 'ada' });
    const signal = { requestId: record.requestId, kind: 'feedback', comment: null, source: 'api' } as const;
    const lines = [0.25, 0.75].map((value, at) =>
      encodeSignal({ ...signal, value, atMs: AT.getTime() + at }),
    );
    await store.db.insertLines('signals', Buffer.from(lines.join('\n')), 'early');
    await store.insertRequests([record]);
    const scope = {
      runId: 'starter',
      from: new Date(AT.getTime() - 1_000),
      to: new Date(AT.getTime() + 1_000),
    };
    expect(await readQualityEvidence(store.db, scope)).toMatchObject([
      { mark: 'unseen', feedbackCount: 1, feedbackSum: 0.75, silentCount: 0 },
    ]);
  });

  it('keeps what has no request yet until it is resolved', async () => {
    const row = { reference_kind: 'response_id', comment: '', resolved_at: null };
    await store.db.insertRows('unresolved_feedback', [
      { ...row, reference: 'a', value: 0.5, at: AT },
      { ...row, reference: 'b', value: 1, comment: 'good', at: new Date(AT.getTime() + 1) },
    ]);
    const [a, b] = await unresolvedFeedback(store.db);
    expect(a).toEqual({
      referenceKind: 'response_id',
      reference: 'a',
      value: 0.5,
      comment: null,
      at: AT.toISOString(),
    });
    expect(b).toMatchObject({ reference: 'b', comment: 'good' });
    await markFeedbackResolved(store.db, a === undefined ? [] : [a], new Date());
    expect((await unresolvedFeedback(store.db)).map((left) => left.reference)).toEqual(['b']);
    // Said again, and later: it counts again.
    await store.db.insertRows('unresolved_feedback', [
      { ...row, reference: 'a', value: 0, at: new Date(AT.getTime() + 5_000) },
    ]);
    expect((await unresolvedFeedback(store.db)).map((left) => left.reference)).toEqual(['b', 'a']);
  });
});
