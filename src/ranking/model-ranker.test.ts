import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, usageRecord } from '../../tests/kit/scratch-store.ts';
import type { Signal } from '../core/signal.ts';
import { encodeSignal } from '../core/signal.ts';
import type { PublishedSnapshot } from '../core/snapshot.ts';
import type { RequestFailure, UsageRecord } from '../core/usage-record.ts';
import { readQualityEvidence, readRankingEvidence } from '../store/queries/ranking-evidence.ts';
import { loadLatestSnapshot } from '../store/queries/snapshots.ts';
import { ModelRanker } from './model-ranker.ts';

const NOW_MS = Date.UTC(2026, 9, 20, 12, 0, 0);
const HOUR_MS = 3_600_000;
const SCOPE = { runId: 'starter', from: new Date(NOW_MS - 30 * 24 * HOUR_MS), to: new Date(NOW_MS) };

const MODEL_FAULT: RequestFailure = {
  fault: 'model',
  code: 'empty_answer',
  message: 'The answer was empty.',
};
const CALLER_FAULT: RequestFailure = {
  fault: 'caller',
  code: 'bad_request',
  message: 'The request was bad.',
};
const CANCELLED: RequestFailure = { fault: 'caller', code: 'caller_cancelled', message: 'The caller left.' };

let store: ScratchStore;
let mistral: UsageRecord[];

/** `count` requests of a model; every `failEvery`th fails by the model's fault. */
function requests(
  count: number,
  given: Partial<UsageRecord> & { readonly failEvery?: number },
): Partial<UsageRecord>[] {
  const { failEvery = Number.POSITIVE_INFINITY, ...record } = given;
  return Array.from({ length: count }, (_, at) => {
    const startedAtMs = NOW_MS - 48 * HOUR_MS + at * 1_000;
    const failure = (at + 1) % failEvery === 0 ? MODEL_FAULT : null;
    return {
      startedAtMs,
      promptHash: `${at}`.padStart(16, '0'),
      ...record,
      failure: record.failure ?? failure,
    };
  });
}

async function insertSignals(signals: readonly Omit<Signal, 'comment' | 'source' | 'atMs'>[]): Promise<void> {
  const lines = signals.map((signal) =>
    encodeSignal({ ...signal, comment: null, source: 'api', atMs: NOW_MS - HOUR_MS }),
  );
  await store.db.insertLines('signals', Buffer.from(lines.join('\n')), `signals ${lines.length}`);
}

function ranker(given: Partial<ConstructorParameters<typeof ModelRanker>[0]> = {}): ModelRanker {
  return new ModelRanker({ db: store.db, clock: () => NOW_MS, ...given });
}

beforeAll(async () => {
  store = await openScratchStore();
});

afterAll(() => store.dispose());

describe('before anything was published', () => {
  it('answers clearly and with nothing', async () => {
    const early = ranker();
    expect(await early.getRankings('food_dining')).toMatchObject({
      useCase: 'food_dining',
      best: null,
      alternatives: [],
      version: null,
    });
    expect(await early.getBestModel('food_dining')).toBeNull();
    expect((await early.getAllRankings()).rankings).toEqual([]);
    expect((await early.analyzeSavings()).potentialSavings).toBe('0.00');
    expect(await loadLatestSnapshot(store.db)).toBeNull();
    await expect(early.getRankings('nonsense')).rejects.toThrow(/There are: .*food_dining/);
  });
});

describe('with two thousand requests in the log', () => {
  beforeAll(async () => {
    mistral = await store.insertRequests(
      requests(1_250, {
        modelId: 'ollama:mistral:7b',
        latencyMs: 2_100,
        costUsd: 0,
        sessionId: 'room',
        failEvery: 20,
      }),
    );
    await store.insertRequests([
      ...requests(400, { modelId: 'openai:gpt-4o', latencyMs: 4_200, costUsd: 0.03, failEvery: 20 }),
      ...requests(40, { modelId: 'openai:gpt-4o', failure: CALLER_FAULT, costUsd: 0.03 }),
      ...requests(10, { modelId: 'openai:gpt-4o', failure: CANCELLED, costUsd: 0.03 }),
      ...requests(11, { modelId: 'anthropic:claude-haiku', latencyMs: 900, costUsd: 0.001 }),
      ...requests(300, { modelId: 'odd:unpriced', costUsd: null, latencyMs: null }),
      ...requests(50, { modelId: 'openai:gpt-4o', useCase: 'technical_code', costUsd: 0.03 }),
    ]);
    await insertSignals([
      ...mistral.slice(0, 200).map(({ requestId }) => ({
        requestId,
        kind: 'feedback' as const,
        value: 1,
      })),
      ...mistral
        .slice(200, 260)
        .map(({ requestId }) => ({ requestId, kind: 'feedback' as const, value: 0.25 })),
      ...mistral.slice(200, 300).map(({ requestId }) => ({ requestId, kind: 're_ask' as const, value: 1 })),
      ...mistral
        .slice(300, 400)
        .map(({ requestId }) => ({ requestId, kind: 'follow_up' as const, value: 1 })),
      ...mistral
        .slice(400, 410)
        .map(({ requestId }) => ({ requestId, kind: 'imported_score' as const, value: 0.5 })),
      ...mistral.slice(400, 405).map(({ requestId }) => ({ requestId, kind: 'feedback' as const, value: 1 })),
    ]);
  });

  it('reads evidence from the roll-up, with faults where they belong', async () => {
    const rows = await readRankingEvidence(store.db, SCOPE);
    const gpt = rows.find((row) => row.useCase === 'food_dining' && row.modelId === 'openai:gpt-4o');
    expect(gpt).toMatchObject({
      requestCount: 450,
      successCount: 380,
      failureCount: 20,
      latencyCount: 380,
      pricedCount: 450,
    });
    expect(gpt?.latencyBins).toEqual(new Map([[96, 380]]));
    expect(gpt?.costSumUsd).toBeCloseTo(13.5, 9);
    const nothing = await readRankingEvidence(store.db, {
      ...SCOPE,
      to: new Date(SCOPE.from.getTime() + HOUR_MS),
    });
    expect(nothing).toEqual([]);
  });

  it('reads what people said and showed, each request once', async () => {
    const rows = await readQualityEvidence(store.db, SCOPE);
    expect(rows).toEqual([
      expect.objectContaining({
        modelId: 'ollama:mistral:7b',
        mark: 'reAsked',
        feedbackCount: 60,
        feedbackSum: 15,
        feedbackSquareSum: 3.75,
        silentCount: 40,
        reAskCount: 100,
        sessionCount: 100,
      }),
      expect.objectContaining({
        modelId: 'ollama:mistral:7b',
        mark: 'untroubled',
        feedbackCount: 210,
        // 200 times 1, then five scores of 0.5 and five that feedback of 1 overrules.
        feedbackSum: 207.5,
        silentCount: 100,
        followUpCount: 100,
        sessionCount: 310,
      }),
      expect.objectContaining({
        modelId: 'openai:gpt-4o',
        mark: 'abandoned',
        silentCount: 10,
        sessionCount: 0,
      }),
    ]);
  });

  it('ranks before it publishes, for savings, where nothing was published yet', async () => {
    const answer = await ranker().analyzeSavings();
    expect(answer.version).toBeNull();
    expect(answer.perUseCase.map(({ useCase }) => useCase).sort()).toEqual(['food_dining', 'technical_code']);
  });

  it('refreshes, publishes to store and sinks, and answers in the words of the original', async () => {
    const published: PublishedSnapshot[] = [];
    const messages: string[] = [];
    const log = (_fields: object, message: string): void => void messages.push(message);
    const logger = { debug: log, info: log, warn: log, error: log };
    const sinks = [
      { name: 'broken', publish: () => Promise.reject(new Error('away')) },
      {
        name: 'kept',
        publish: async (snapshot: PublishedSnapshot) => {
          published.push(snapshot);
        },
      },
    ];
    const one = ranker({ sinks, logger });
    const [answer, same] = await Promise.all([one.refreshAll(), one.refreshAll()]);
    expect(same.version).toBe(answer.version);
    expect(answer).toMatchObject({ useCaseCount: 2, modelCount: 4, requestCount: 2_061, runId: 'starter' });
    expect(answer.signals.pairCount).toBe(270);
    expect(answer.signals.agreementMeasured).toBeGreaterThan(0.5);
    expect(published.map(({ version }) => version)).toEqual([answer.version]);
    expect(messages).toContain('A snapshot sink did not take it.');

    const rankings = await one.getRankings('food_dining');
    expect(rankings.version).toBe(answer.version);
    expect(rankings.best).toMatchObject({
      modelId: 'ollama:mistral:7b',
      successRate: 0.9504,
      avgTimeMs: 2_100,
      avgCost: 0,
      totalRequests: 1_250,
      isCandidate: true,
      followUpRate: 0.08,
      reAskRate: 0.08,
    });
    expect(Math.abs((rankings.best?.score ?? 0) - 92.5)).toBeLessThan(2.5);
    expect(rankings.best?.parts.quality.isAssumed).toBe(false);
    const reasons = rankings.alternatives.map(({ modelId, score, notCandidateReason }) => [
      modelId,
      score === null,
      notCandidateReason,
    ]);
    expect(reasons).toContainEqual(['anthropic:claude-haiku', false, '11 of 20 requests needed']);
    expect(reasons.at(-1)).toEqual(['odd:unpriced', true, 'no price known']);
    expect(await one.getBestModel('food_dining')).toBe('ollama:mistral:7b');
    expect(await one.getRankings('casual_chat')).toMatchObject({ best: null, alternatives: [] });
  });

  it('answers from what another process published', async () => {
    const other = ranker();
    const all = await other.getAllRankings();
    expect(all.rankings.map(({ useCase }) => useCase)).toEqual(['food_dining', 'technical_code']);
    const snapshot = await loadLatestSnapshot(store.db);
    expect(snapshot?.version).toBe(all.version);
    const models = snapshot?.rankings.get('food_dining')?.models ?? [];
    expect(models.filter((model) => model.isCandidate).map(({ modelId }) => modelId)).toEqual([
      'ollama:mistral:7b',
    ]);
    expect(snapshot?.overall.models).toHaveLength(4);
    expect(snapshot?.classifier.classify('When does the coffee shop open?').useCase).toBeTypeOf('string');
  });

  it('publishes ever greater versions, whose numbers make the history', async () => {
    const one = ranker();
    const before = (await one.getAllRankings()).version ?? '';
    const { version } = await one.refreshAll({ timeframe: '30 days' });
    expect(version > before).toBe(true);
    const history = await ranker({ clock: () => NOW_MS + HOUR_MS }).getHistory('food_dining', {
      modelId: 'ollama:mistral:7b',
    });
    expect(history.map(({ snapshotVersion }) => snapshotVersion)).toEqual([before, version]);
    expect(history[0]).toMatchObject({
      createdAt: '2026-10-20T12:00:00.000Z',
      requestCount: 1_250,
      isCandidate: true,
    });
  });

  it('compares two models by any of their names, in a sentence', async () => {
    const answer = await ranker().compare('food_dining', 'mistral', 'gpt-4o');
    expect(answer).toMatchObject({ winner: 'ollama:mistral:7b', useCase: 'food_dining' });
    expect(answer.scoreDifference).toBeGreaterThan(10);
    expect(answer.differenceInterval?.[0]).toBeGreaterThan(0);
    expect(answer.verdict).toMatch(/^ollama:mistral:7b scores \d+\.\d points above openai:gpt-4o\. /);
    const scarce = await ranker().compare('food_dining', 'mistral', 'claude-haiku');
    expect(scarce.winner).toBeNull();
    expect(scarce.verdict).toBe('Too little data: anthropic:claude-haiku has 11 of 20 requests needed.');
    await expect(ranker().compare('food_dining', 'mistral', 'nobody')).rejects.toMatchObject({
      code: 'unknown_model',
      param: 'modelB',
    });
  });

  it('says what the best models would have cost, and per use case which to use', async () => {
    const answer = await ranker().analyzeSavings();
    expect(answer.actualCost).toBe('15.01');
    expect(answer.unpricedCount).toBe(300);
    const routing = await ranker().getOptimalRouting('30 days');
    expect(routing.routes.map(({ useCase, modelId }) => [useCase, modelId])).toEqual([
      ['food_dining', 'ollama:mistral:7b'],
      ['technical_code', 'openai:gpt-4o'],
    ]);
  });

  it('shows how a model did over time', async () => {
    const performance = await ranker().getPerformance('mistral', 'food_dining', '1 week');
    expect(JSON.stringify(performance)).toContain('ollama:mistral:7b');
  });

  it('refuses a timeframe that is none', async () => {
    await expect(ranker().refreshAll({ timeframe: 'soon' })).rejects.toMatchObject({ code: 'bad_timeframe' });
  });

  it('counts an unlogged request at once, here only, and keeps it over a refresh', async () => {
    const live = ranker();
    const before = await live.getRankings('food_dining');
    let answer = before;
    for (let at = 0; at < 12; at++) {
      answer = await live.updateRanking('food_dining', 'claude-haiku', {
        success: true,
        timeMs: 900,
        cost: 0.001,
      });
    }
    const row = [answer.best, ...answer.alternatives].find(
      (one) => one?.modelId === 'anthropic:claude-haiku',
    );
    expect(row).toMatchObject({ totalRequests: 23, hasEnoughEvidence: true });
    await live.refreshAll();
    const after = await live.compare('food_dining', 'claude-haiku', 'mistral');
    expect(after.modelA.totalRequests).toBe(23);
    const elsewhere = await ranker().compare('food_dining', 'claude-haiku', 'mistral');
    expect(elsewhere.modelA.totalRequests).toBe(11);
    await live.updateRanking('board_games', 'ollama:mistral:7b', { success: false, timeMs: null, cost: 0 });
    expect((await live.getRankings('board_games')).alternatives).toHaveLength(1);
    await expect(
      live.updateRanking('food_dining', 'mistral', { success: true, timeMs: -1, cost: 0 }),
    ).rejects.toMatchObject({ code: 'bad_request' });
  });
});

describe('an evidence row', () => {
  it('is that of the run at hand: earlier rows go by the assignment of their prompt', async () => {
    await using other = await openScratchStore();
    const records = await other.insertRequests([
      usageRecord({ startedAtMs: NOW_MS - HOUR_MS, promptHash: 'a'.repeat(16), sessionId: 's' }),
      usageRecord({ startedAtMs: NOW_MS - HOUR_MS, promptHash: 'b'.repeat(16), sessionId: 's' }),
    ]);
    await other.db.insertRows('assignments', [
      { run_id: 'run-2', prompt_hash: 'a'.repeat(16), use_case: 'coffee_hours', confidence: 0.9 },
    ]);
    const lines = records.map(({ requestId }) =>
      encodeSignal({ requestId, kind: 'feedback', value: 1, comment: null, source: 'api', atMs: NOW_MS }),
    );
    await other.db.insertLines('signals', Buffer.from(lines.join('\n')), 'signals');
    const rows = await readQualityEvidence(other.db, { ...SCOPE, runId: 'run-2' });
    expect(rows.map(({ useCase }) => useCase)).toEqual(['coffee_hours', 'other']);
  });
});
