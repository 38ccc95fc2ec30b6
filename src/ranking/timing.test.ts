import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { PolicyBook } from '../core/policy.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { NO_TOKEN_USAGE } from '../core/usage-record.ts';
import { readRankingEvidence } from '../store/queries/ranking-evidence.ts';
import { toRankingsAnswer } from './answers.ts';
import { buildRankings } from './build-rankings.ts';
import type { EvidenceBook, ModelEvidence } from './evidence.ts';
import { addToBook, bookOfRows, noEvidence } from './evidence.ts';
import { latencyBin } from './latency-bins.ts';
import { entryOf } from './live-entries.ts';
import { LiveNotes } from './live-notes.ts';
import { LiveSums } from './live-sums.ts';

const LOCAL = 'ollama:mistral:7b';

/** @param completion  tokens, reasoning among them */
function tokens(completion: number | null, reasoning: number | null = null): Partial<UsageRecord> {
  return {
    usage: {
      ...NO_TOKEN_USAGE,
      promptTokens: 10,
      completionTokens: completion,
      reasoningTokens: reasoning,
    },
  };
}

/** What requests can say of their time, the odd cases among them. */
const REQUESTS: readonly Partial<UsageRecord>[] = [
  // A model that was loaded and waited for: 9 s of 10.
  { latencyMs: 10_000, firstTokenMs: 9_200, loadMs: 8_000, queueMs: 1_000, ...tokens(81) },
  // The provider's own clock wins over the stream's.
  { latencyMs: 2_000, firstTokenMs: 200, generationMs: 500, loadMs: 3, ...tokens(50) },
  // Nobody sees the reasoning: it was written before the first token.
  { latencyMs: 5_000, firstTokenMs: 4_000, ...tokens(301, 200) },
  // Loaded for longer than the whole took, by another clock.
  { latencyMs: 100, firstTokenMs: 90, loadMs: 120, ...tokens(2) },
  // One token, no token count, no stream, no times.
  { latencyMs: 300, firstTokenMs: 200, ...tokens(1) },
  { latencyMs: 300, firstTokenMs: 200, ...tokens(null) },
  { latencyMs: 700, ...tokens(70) },
  { latencyMs: null, generationMs: 40, ...tokens(4) },
  // Failures have no speed, however fast.
  {
    latencyMs: 5,
    firstTokenMs: 1,
    loadMs: 1,
    failure: { fault: 'model', code: 'empty_answer', message: '' },
    ...tokens(9),
  },
];

describe('times of answers', () => {
  let store: ScratchStore;
  let records: UsageRecord[];
  let stored: EvidenceBook;
  beforeAll(async () => {
    store = await openScratchStore();
    records = await store.insertRequests(REQUESTS);
    const from = new Date(Date.UTC(2026, 9, 1));
    const to = new Date(Date.UTC(2026, 10, 1));
    stored = bookOfRows(await readRankingEvidence(store.db, { runId: 'starter', from, to }), []);
  });
  afterAll(() => store.dispose());

  it('are the same sums in the roll-up and in memory', () => {
    let live: EvidenceBook = new Map();
    for (const record of records) {
      live = addToBook(live, record.useCase, evidenceOf(record));
    }
    const inMemory = live.get('food_dining')?.get(LOCAL);
    const inStore = stored.get('food_dining')?.get(LOCAL);
    for (const field of ['latencyBins', 'waitBins', 'timing', 'latencyCount', 'latencySumMs'] as const) {
      const [one, other] = [inMemory?.[field], inStore?.[field]];
      expect(one instanceof Map ? sorted(one) : one, field).toEqual(
        other instanceof Map ? sorted(other) : other,
      );
    }
    expect(inStore?.latencyBins.get(latencyBin(1_000))).toBe(1);
    expect(inStore?.waitBins.get(latencyBin(10_000))).toBe(1);
  });

  it('show loading and queueing apart from first token and tokens per second', () => {
    const { rankings } = buildRankings(stored, new PolicyBook());
    const [ranking] = rankings;
    const model = ranking?.models[0];
    expect(model?.timing).toEqual({
      // 200, 197, 4000, 0, 200, 200
      firstTokenMeanMs: expect.closeTo(4_797 / 6),
      firstTokenCount: 6,
      // 80 in 800 ms, 50 in 500, 100 in 1000, 1 in 10, 4 in 40
      tokensPerSecond: expect.closeTo((1_000 * 235) / 2_350),
      generationCount: 5,
      loadMeanMs: expect.closeTo(8_123 / 3),
      loadCount: 3,
      queueMeanMs: 1_000,
      queueCount: 1,
    });
    // What people waited has all of it.
    expect(model?.latencyP95Ms).toBeGreaterThan(9_000);
    expect(model?.latencyMeanMs).toBeCloseTo(18_400 / 7);
    const policy = new PolicyBook().policyOf('auto', 'food_dining');
    const frame = { version: null, liveRequestCount: 0, hold: null, redirectedFrom: null };
    const answer = toRankingsAnswer(
      { useCase: 'food_dining', requestCount: 9, models: ranking?.models ?? [] },
      policy,
      frame,
    );
    expect([answer.best, ...answer.alternatives].find((one) => one !== null)?.timing).toMatchObject({
      firstTokenMeanMs: 799.5,
      tokensPerSecond: 100,
      loadMeanMs: 2_707.7,
    });
  });

  it('give a model that was loaded for long the speed of its answers', () => {
    const cell = (loadMs: number): EvidenceBook => {
      let book: EvidenceBook = new Map();
      for (const record of records.slice(0, 1)) {
        const request = { ...record, loadMs, queueMs: null, latencyMs: 1_000 + loadMs };
        book = addToBook(book, 'food_dining', evidenceOf(request));
      }
      return book;
    };
    const speed = (book: EvidenceBook): number | undefined =>
      buildRankings(book, new PolicyBook()).rankings[0]?.models[0]?.speed.value;
    expect(speed(cell(60_000))).toBe(speed(cell(0)));
  });

  it('are none of a model that was never asked', () => {
    const book: EvidenceBook = new Map([['food_dining', new Map([[LOCAL, noEvidence(LOCAL)]])]]);
    expect(buildRankings(book, new PolicyBook()).rankings[0]?.models[0]?.timing).toMatchObject({
      firstTokenMeanMs: null,
      tokensPerSecond: null,
      loadMeanMs: null,
    });
  });
});

function sorted(bins: ReadonlyMap<number, number>): [number, number][] {
  return [...bins].sort(([one], [other]) => one - other);
}

function evidenceOf(record: UsageRecord): ModelEvidence {
  const notes = new LiveNotes(
    () => 0,
    () => undefined,
  );
  notes.observe(record);
  const sums = new LiveSums();
  for (const event of notes.take()) entryOf(event).addTo(sums);
  return sums.toEvidence(record.modelId);
}
