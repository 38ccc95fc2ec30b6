import { describe, expect, it } from 'vitest';
import { usageRecord } from '../../tests/kit/scratch-store.ts';
import { PolicyBook } from '../core/policy.ts';
import type { Signal } from '../core/signal.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { buildRankings } from './build-rankings.ts';
import { decodeBook, encodeBook } from './encode-book.ts';
import type { EvidenceBook, ModelEvidence } from './evidence.ts';
import { noEvidence } from './evidence.ts';
import { LiveNotes } from './live-notes.ts';
import { LiveRankings } from './live-rankings.ts';

const NOW_MS = Date.UTC(2026, 9, 20, 12, 0, 0);
const LOCAL = 'ollama:mistral:7b';
const PAID = 'openai:gpt-4o';

/** Live rankings whose last built book can be looked at. */
function openLive() {
  let nowMs = NOW_MS;
  let book: EvidenceBook = new Map();
  let buildCount = 0;
  const live = new LiveRankings(
    (merged) => {
      book = merged;
      buildCount++;
      return buildRankings(merged, new PolicyBook());
    },
    () => nowMs,
  );
  const notes = new LiveNotes(
    () => nowMs,
    (events) => live.add(events),
  );
  return {
    live,
    observe(record: UsageRecord) {
      notes.observe(record);
      live.add(notes.take());
    },
    observeSignal(signal: Signal): boolean {
      const isKnown = notes.observeSignal(signal);
      live.add(notes.take());
      return isKnown;
    },
    pass(ms: number) {
      nowMs += ms;
    },
    now: () => nowMs,
    buildCount: () => buildCount,
    /** What is counted of a model now; null where nothing is counted on top of the base. */
    evidence(modelId: string, useCase = 'food_dining'): ModelEvidence | null {
      return live.overlay === null ? null : (book.get(useCase)?.get(modelId) ?? null);
    },
    rebase(untilMs: number, counts: Partial<ModelEvidence> = {}, runId = 'starter') {
      const evidence = { ...noEvidence(LOCAL), requestCount: 100, successCount: 90, ...counts };
      live.rebase({ runId, untilMs, book: new Map([['food_dining', new Map([[LOCAL, evidence]])]]) });
    },
  };
}

function signal(record: UsageRecord, kind: Signal['kind'], value = 1): Signal {
  return { requestId: record.requestId, kind, value, comment: null, source: 'api', atMs: NOW_MS };
}

describe('LiveRankings', () => {
  it('is nothing on top of nothing', () => {
    const { live, rebase, observe } = openLive();
    expect(live.overlay).toBeNull();
    observe(usageRecord());
    expect(live.overlay).toBeNull();
    rebase(NOW_MS - 1);
    expect(live.overlay?.rankings.get('food_dining')?.requestCount).toBe(101);
  });

  it('counts a finished request with all that it tells, and the models that failed it', () => {
    const { live, rebase, evidence, observe } = openLive();
    rebase(NOW_MS - 1_000);
    observe(
      usageRecord({
        modelId: PAID,
        latencyMs: 2_000,
        costUsd: 0.03,
        sessionId: 'room',
        failedAttempts: [{ modelId: LOCAL, code: 'upstream_failed' }],
      }),
    );
    expect(evidence(PAID)).toMatchObject({
      requestCount: 1,
      successCount: 1,
      failureCount: 0,
      sessionCount: 1,
      latencySumMs: 2_000,
      costSumUsd: 0.03,
      tokenCount: 1,
      promptTokenSum: 10,
      completionTokenSum: 5,
      marks: { untroubled: { silentCount: 1 } },
    });
    expect(evidence(PAID)?.latencyBins).toEqual(new Map([[87, 1]]));
    expect(evidence(LOCAL)).toMatchObject({ requestCount: 100, failureCount: 1 });
    expect(live.requestCount).toBe(1);
  });

  it("holds a caller's failure against nobody, and knows no latency, price or tokens where there are none", () => {
    const { rebase, evidence, observe } = openLive();
    rebase(NOW_MS - 1_000);
    observe(
      usageRecord({
        modelId: PAID,
        failure: { fault: 'caller', code: 'caller_cancelled', message: 'The caller left.' },
        costUsd: null,
        usage: { ...usageRecord().usage, completionTokens: null },
      }),
    );
    expect(evidence(PAID)).toMatchObject({
      requestCount: 1,
      successCount: 0,
      failureCount: 0,
      latencyCount: 0,
      pricedCount: 0,
      tokenCount: 0,
      promptTokenSum: 0,
      marks: { abandoned: { silentCount: 1 } },
    });
  });

  it('drops what the next published evidence contains, and keeps what came after', () => {
    const { live, rebase, evidence, pass, now, observe } = openLive();
    rebase(now() - 1);
    observe(usageRecord({ modelId: LOCAL }));
    pass(5_000);
    const untilMs = now();
    pass(1_000);
    observe(usageRecord({ modelId: LOCAL }));
    expect(evidence(LOCAL)).toMatchObject({ requestCount: 102, successCount: 92 });
    rebase(untilMs, { requestCount: 101, successCount: 91 });
    expect(evidence(LOCAL)).toMatchObject({ requestCount: 102, successCount: 92 });
    pass(1_000);
    rebase(now(), { requestCount: 102, successCount: 92 });
    expect(live.overlay).toBeNull();
    expect(live.isUsed).toBe(false);
  });

  it('counts nothing twice for ever when the clock was set back', () => {
    const { live, rebase, pass, now, evidence, observe } = openLive();
    rebase(now() - 1);
    observe(usageRecord({ modelId: LOCAL }));
    pass(-3_600_000);
    for (let refresh = 0; refresh < 5; refresh++) rebase(now() + refresh);
    expect(evidence(LOCAL)).toMatchObject({ requestCount: 101 });
    rebase(now() + 5);
    expect(live.overlay).toBeNull();
  });

  it("leaves out use cases of another run's classifier, and takes those that a rule gave", () => {
    const { rebase, evidence, observe } = openLive();
    rebase(NOW_MS - 1, {}, 'run-2');
    observe(usageRecord({ modelId: LOCAL, runId: 'run-1' }));
    observe(usageRecord({ modelId: LOCAL, runId: 'run-1', useCaseRule: 'by hand' }));
    observe(usageRecord({ modelId: LOCAL, runId: 'run-2' }));
    expect(evidence(LOCAL)).toMatchObject({ requestCount: 102 });
  });

  it('moves a request from mark to mark as signals come, and the last feedback counts', () => {
    const { rebase, evidence, observe, observeSignal } = openLive();
    rebase(NOW_MS - 1);
    const record = usageRecord({ modelId: PAID, sessionId: 'room' });
    expect(observeSignal(signal(record, 're_ask'))).toBe(false);
    observe(record);
    expect(observeSignal(signal(record, 're_ask'))).toBe(true);
    observeSignal(signal(record, 'correction'));
    observeSignal(signal(record, 'imported_score', 0.75));
    observeSignal(signal(record, 'feedback', 0.25));
    observeSignal(signal(record, 'feedback', 0));
    observeSignal(signal(record, 'follow_up'));
    expect(evidence(PAID)).toMatchObject({
      requestCount: 1,
      reAskCount: 1,
      followUpCount: 1,
      marks: {
        untroubled: { silentCount: 0, feedbackCount: 0 },
        reAsked: { silentCount: 0, feedbackCount: 1, feedbackSum: 0, feedbackSquareSum: 0 },
      },
    });
  });

  it('lets a late signal change a request that is in the published evidence already', () => {
    const { rebase, evidence, pass, now, observe, observeSignal } = openLive();
    rebase(now() - 1);
    const record = usageRecord({ modelId: LOCAL, sessionId: 'room' });
    observe(record);
    pass(10_000);
    const { marks } = noEvidence(LOCAL);
    const contained = { ...marks, untroubled: { ...marks.untroubled, silentCount: 8 } };
    rebase(now(), { marks: contained });
    pass(1);
    observeSignal(signal(record, 're_ask'));
    expect(evidence(LOCAL)?.marks).toMatchObject({
      untroubled: { silentCount: 7 },
      reAsked: { silentCount: 1 },
    });
    expect(evidence(LOCAL)?.requestCount).toBe(100);
  });

  it('rebuilds once a second at most, and not at all while nothing changes', () => {
    const { live, rebase, buildCount, pass, observe } = openLive();
    rebase(NOW_MS - 1);
    observe(usageRecord());
    const first = live.overlay;
    observe(usageRecord());
    expect(live.overlay).toBe(first);
    pass(999);
    expect(live.overlay).toBe(first);
    pass(1);
    expect(live.overlay).not.toBe(first);
    pass(60_000);
    expect(live.overlay?.rankings.get('food_dining')?.requestCount).toBe(102);
    expect(buildCount()).toBe(2);
  });

  it('adds the older half up when nothing is published for long, and loses nothing', () => {
    const { live, rebase, evidence, pass, observe } = openLive();
    rebase(NOW_MS - 1);
    const [local, paid] = [usageRecord({ modelId: LOCAL }), usageRecord({ modelId: PAID })];
    for (let at = 0; at < 150_000; at++) observe(at % 3 === 0 ? paid : local);
    expect(evidence(LOCAL)).toMatchObject({ requestCount: 100_100 });
    expect(evidence(PAID)).toMatchObject({ requestCount: 50_000, latencyCount: 50_000 });
    pass(1_000);
    rebase(NOW_MS);
    expect(live.isUsed).toBe(false);
  });

  it('has no rankings of its own under a version that carries no evidence', () => {
    const { live, rebase, observe } = openLive();
    rebase(NOW_MS - 1);
    observe(usageRecord());
    live.rebase(null);
    expect(live.overlay).toBeNull();
    expect(live.hasBase).toBe(false);
    rebase(NOW_MS - 1);
    expect(live.overlay?.rankings.get('food_dining')?.requestCount).toBe(101);
  });
});

describe('an evidence book as text', () => {
  it('comes back as it was', () => {
    const evidence = { ...noEvidence(LOCAL), requestCount: 3, latencyBins: new Map([[87, 2.5]]) };
    const book: EvidenceBook = new Map([['food "dining"', new Map([[LOCAL, evidence]])]]);
    expect(decodeBook(encodeBook(book))).toEqual(book);
    expect(decodeBook(encodeBook(new Map()))).toEqual(new Map());
  });

  it('takes what an older program did not know for nothing', () => {
    const { faded: _unknownThen, ...known } = { ...noEvidence(LOCAL), requestCount: 3 };
    const older = encodeBook(new Map([['food_dining', new Map([[LOCAL, known as ModelEvidence]])]]));
    expect(older).not.toContain('faded');
    expect(decodeBook(older).get('food_dining')?.get(LOCAL)).toEqual({
      ...noEvidence(LOCAL),
      requestCount: 3,
    });
  });
});
