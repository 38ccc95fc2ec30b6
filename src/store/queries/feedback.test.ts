import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { markFeedbackResolved, requestIdsByReference, unresolvedFeedback } from './feedback.ts';

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
