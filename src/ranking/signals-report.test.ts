import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import type { Signal, SignalKind } from '../core/signal.ts';
import { encodeSignal } from '../core/signal.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { ModelRanker } from './model-ranker.ts';
import type { SignalAnswer, SignalsAnswer } from './signals-report.ts';
import { signalsReport } from './signals-report.ts';

const NOW_MS = Date.UTC(2026, 9, 20, 12, 0, 0);
const HOUR_MS = 3_600_000;

describe('signalsReport', () => {
  let store: ScratchStore;
  let ranker: ModelRanker;
  beforeAll(async () => {
    store = await openScratchStore();
    // 60 requests in sessions: 20 re-asked and rated low, 30 rated high, 10 that nobody rated.
    for (let at = 0; at < 60; at++) {
      const isReAsked = at % 3 === 0;
      const isRated = at % 6 !== 5;
      await insert({ sessionId: `s${at}` }, [
        ...(isReAsked ? [['re_ask', 1] as const] : []),
        ...(isRated ? [['feedback', isReAsked ? (at % 2) * 0.5 : 0.75 + (at % 2) * 0.25] as const] : []),
        ...(at < 3 ? [['thanks', 1] as const] : []),
      ]);
    }
    // A batch client: it has no sessions, rates nothing and never asks again.
    await store.insertRequests(Array.from({ length: 500 }, () => ({ startedAtMs: NOW_MS - 10 * HOUR_MS })));
    const gone: Partial<UsageRecord> = {
      sessionId: 'gone',
      failure: { fault: 'caller', code: 'caller_cancelled', message: '' },
    };
    await insert(gone, []);
    await insert({ ...gone, sessionId: null }, []);
    // Scores need no session; one of them has a rating and an imported score.
    for (let at = 0; at < 8; at++) {
      await insert({ useCase: 'email_writing', modelId: 'p:other' }, [
        ['judge_score', at % 2],
        ['feedback', at % 2 === 0 ? 0.25 : 1],
        ...(at === 0 ? [['imported_score', 0.5] as const] : []),
      ]);
    }
    await store.db.insertLines('signals', Buffer.from(signals.join('\n')), 'signals');
    ranker = new ModelRanker({ db: store.db, clock: () => NOW_MS });
    await ranker.refreshAll();
  });
  afterAll(() => store.dispose());

  const signals: string[] = [];
  async function insert(
    given: Partial<UsageRecord>,
    kinds: readonly (readonly [SignalKind, number])[],
  ): Promise<void> {
    const [record] = await store.insertRequests([{ startedAtMs: NOW_MS - 10 * HOUR_MS, ...given }]);
    for (const [kind, value] of kinds) {
      const signal: Signal = {
        requestId: record?.requestId ?? '',
        kind,
        value,
        comment: null,
        source: 'api',
        atMs: NOW_MS - HOUR_MS,
      };
      signals.push(encodeSignal(signal));
    }
  }

  const report = (asked: Parameters<typeof signalsReport>[1] = {}): Promise<SignalsAnswer> =>
    signalsReport({ db: store.db, ranker, clock: () => NOW_MS }, asked);
  const of = (answer: SignalsAnswer, kind: SignalKind): SignalAnswer => {
    const found = answer.signals.find((signal) => signal.kind === kind);
    if (found === undefined) throw new Error(`no ${kind}`);
    return found;
  };

  it('gives every kind by itself, with rates of the requests in sessions', async () => {
    const answer = await report();
    expect(answer).toMatchObject({ requestCount: 570, sessionCount: 61, useCase: null, modelId: null });
    const reAsk = of(answer, 're_ask');
    expect(reAsk).toMatchObject({ count: 20, note: null });
    expect(reAsk.rate).toEqual({
      value: 20 / 61,
      interval: [expect.closeTo(0.223, 3), expect.closeTo(0.4528, 3)],
      sampleCount: 61,
    });
    expect(of(answer, 'abandonment')).toMatchObject({ count: 2, rate: { value: 1 / 61 } });
    expect(answer.signals.map(({ kind }) => kind)).toHaveLength(8);
  });

  it('says how people rated with the event and without, and how much of the ratings it explains', async () => {
    const reAsk = of(await report(), 're_ask');
    expect(reAsk.ratingWith).toMatchObject({ value: 0.25, sampleCount: 20 });
    expect(reAsk.ratingWithout).toMatchObject({ sampleCount: 30 });
    expect(reAsk.ratingWithout?.value).toBeCloseTo((10 * 1 + 20 * 0.75) / 30, 9);
    expect(reAsk.ratingWith?.interval?.[1]).toBeLessThan(reAsk.ratingWithout?.interval?.[0] ?? 0);
    expect(reAsk.correlation.value).toBeLessThan(-0.8);
    expect(reAsk.agreement.value).toBeCloseTo((reAsk.correlation.value ?? 0) ** 2, 9);
    expect(reAsk.agreement.sampleCount).toBe(50);
    expect(reAsk.agreement.interval?.[0]).toBeLessThan(reAsk.agreement.value ?? 0);
    expect(reAsk.agreement.interval?.[1]).toBeGreaterThan(reAsk.agreement.value ?? 1);
  });

  it('compares scores with ratings, and none with itself', async () => {
    const answer = await report({ useCase: 'email_writing' });
    expect(of(answer, 'judge_score')).toMatchObject({
      count: 8,
      ratingWith: null,
      correlation: { value: 1, sampleCount: 8 },
      note: expect.stringMatching(/Too little to judge by: 8 of 20/),
    });
    expect(of(answer, 'feedback').agreement.sampleCount).toBe(1);
    expect(of(answer, 'imported_score').agreement.sampleCount).toBe(1);
  });

  it('says in words where too little is known', async () => {
    const answer = await report();
    expect(of(answer, 'correction')).toMatchObject({ count: 0, note: 'Not seen in this window.' });
    expect(of(answer, 'abandonment').note).toMatch(/never varies/);
    const empty = await report({ timeframe: '1 hour' });
    expect(empty).toMatchObject({ requestCount: 0, sessionCount: 0 });
    expect(of(empty, 're_ask').rate).toEqual({ value: null, interval: null, sampleCount: 0 });
  });

  it('asks about one use case and one model by any name that is clear', async () => {
    expect(await report({ modelId: 'other' })).toMatchObject({ modelId: 'p:other', requestCount: 8 });
    await expect(report({ useCase: 'nothing_such' })).rejects.toMatchObject({ code: 'unknown_use_case' });
    await expect(report({ modelId: 'nobody' })).rejects.toMatchObject({ code: 'unknown_model' });
    await expect(report({ timeframe: 'soon' })).rejects.toMatchObject({ code: 'bad_timeframe' });
  });
});
