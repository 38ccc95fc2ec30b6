import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { encodeSignal } from '../core/signal.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { loadLatestSnapshot, readLatestVersion } from '../store/queries/snapshots.ts';
import { ModelRanker } from './model-ranker.ts';

const HOUR_MS = 3_600_000;
const LOCAL = 'ollama:mistral:7b';
const PAID = 'openai:gpt-4o';

let store: ScratchStore;
let nowMs: number;

beforeEach(async () => {
  store = await openScratchStore();
  nowMs = Date.now() - HOUR_MS;
});
afterEach(() => store.dispose());

function open(given: Partial<ConstructorParameters<typeof ModelRanker>[0]> = {}): ModelRanker {
  return new ModelRanker({ db: store.db, clock: () => nowMs, ...given });
}

/** `count` finished requests, in the log. */
async function log(count: number, given: Partial<UsageRecord>): Promise<UsageRecord[]> {
  return await store.insertRequests(Array.from({ length: count }, () => ({ startedAtMs: nowMs, ...given })));
}

/** Every value of an answer by its path. */
function leavesOf(value: unknown, path = ''): Map<string, unknown> {
  if (typeof value !== 'object' || value === null) return new Map([[path, value]]);
  return new Map(Object.entries(value).flatMap(([key, child]) => [...leavesOf(child, `${path}.${key}`)]));
}

const FAILED = {
  failure: { fault: 'model', code: 'empty_answer', message: 'The answer was empty.' },
} as const;

describe('two gateways on one store', () => {
  it('see their own requests at once and agree after a refresh', async () => {
    const [one, other] = [open(), open()];
    await log(60, { modelId: LOCAL });
    await log(60, { modelId: PAID, costUsd: 0.03 });
    await one.refreshAll();
    await other.follow();
    nowMs += 1_000;
    const failures = await log(40, { modelId: LOCAL, ...FAILED });
    for (const record of failures) one.observe(record);
    const [rated] = await log(1, { modelId: PAID, sessionId: 'room', costUsd: 0.03 });
    if (rated === undefined) throw new Error('no request');
    other.observe(rated);
    const signal = { requestId: rated.requestId, kind: 'feedback', value: 0, comment: null } as const;
    await store.db.insertLines(
      'signals',
      Buffer.from(encodeSignal({ ...signal, source: 'api', atMs: nowMs })),
      'signal',
    );
    expect(other.observeSignal({ ...signal, source: 'api', atMs: nowMs })).toBe(true);
    nowMs += 3_000;

    const [mine, theirs] = [await one.getRankings('food_dining'), await other.getRankings('food_dining')];
    expect(mine.version).toBe(theirs.version);
    expect([mine.liveRequestCount, theirs.liveRequestCount]).toEqual([40, 1]);
    expect(mine.best?.modelId).toBe(PAID);
    const ratedHere = [theirs.best, ...theirs.alternatives].find((model) => model?.modelId === PAID);
    expect(ratedHere?.parts.quality).toMatchObject({ sampleCount: 1, isAssumed: false });
    expect(one.rankingsOfMoment?.rankings.get('food_dining')?.requestCount).toBe(160);
    expect(one.rankingsOfMoment).toBe(one.rankingsOfMoment);
    expect(other.rankingsOfMoment?.rankings.get('food_dining')?.requestCount).toBe(121);

    nowMs += 1_000;
    await one.refreshAll();
    await other.follow();
    const agreed = await one.getRankings('food_dining');
    expect(await other.getRankings('food_dining')).toEqual(agreed);
    expect(agreed.liveRequestCount).toBe(0);
    expect([agreed.best, ...agreed.alternatives].map((model) => model?.totalRequests).sort()).toEqual([
      100, 61,
    ]);
    expect(one.rankingsOfMoment).toBeNull();
    expect(other.rankingsOfMoment).toBeNull();
  });

  it('count in memory what a refresh of the same moment would count', async () => {
    const [one, fresh] = [open(), open()];
    await log(30, { modelId: LOCAL });
    await one.refreshAll();
    nowMs += 1_000;
    const records = [
      ...(await log(7, { modelId: PAID, costUsd: 0.03, latencyMs: 4_200, sessionId: 'a' })),
      ...(await log(3, { modelId: PAID, costUsd: null, ...FAILED })),
      ...(await log(2, { modelId: LOCAL, failedAttempts: [{ modelId: PAID, code: 'upstream_failed' }] })),
      ...(await log(2, {
        modelId: LOCAL,
        failure: { fault: 'caller', code: 'caller_cancelled', message: 'The caller left.' },
      })),
    ];
    for (const record of records) one.observe(record);
    const signals = records
      .slice(0, 4)
      .flatMap(({ requestId }, at) => [
        { requestId, kind: 're_ask', value: 1, comment: null, source: 'session', atMs: nowMs } as const,
        { requestId, kind: 'feedback', value: at / 4, comment: null, source: 'api', atMs: nowMs } as const,
      ]);
    for (const signal of signals) one.observeSignal(signal);
    await store.db.insertLines('signals', Buffer.from(signals.map(encodeSignal).join('\n')), 'signals');
    nowMs += 1;
    const inMemory = (await one.getAllRankings()).rankings;
    await fresh.refreshAll();
    const published = (await fresh.getAllRankings()).rankings;
    const shown = ({ best, alternatives }: (typeof published)[number]) =>
      [best, ...alternatives].map((model) => leavesOf({ ...model, notCandidateReason: '' }));
    const [mine, theirs] = [inMemory.flatMap(shown), published.flatMap(shown)];
    expect(mine.map((leaves) => [...leaves.keys()])).toEqual(theirs.map((leaves) => [...leaves.keys()]));
    for (const [at, leaves] of mine.entries()) {
      for (const [path, value] of leaves) {
        const other = theirs[at]?.get(path);
        // What the store has is a moment older, and age takes a little off it.
        if (typeof value === 'number')
          expect(value / Number(other || 1), path).toBeCloseTo(other === 0 ? 0 : 1, 2);
        else expect(value, path).toBe(other);
      }
    }
  });
});

describe('versions', () => {
  it('are listed, compared by name and by time, and name what changed', async () => {
    const ranker = open();
    await expect(ranker.versions.diff('previous', 'latest')).rejects.toMatchObject({ code: 'not_found' });
    await log(60, { modelId: LOCAL });
    await log(60, { modelId: PAID, costUsd: 0.03 });
    const first = await ranker.refreshAll();
    const firstAt = new Date(nowMs).toISOString();
    nowMs += HOUR_MS / 2;
    await log(60, { modelId: LOCAL, ...FAILED });
    await log(30, { modelId: PAID, useCase: 'technical_code' });
    const second = await ranker.refreshAll();

    const { versions, hold } = await ranker.versions.list(10);
    expect(hold).toBeNull();
    expect(versions.map(({ version, isCurrent }) => [version, isCurrent])).toEqual([
      [second.version, true],
      [first.version, false],
    ]);
    expect(versions[1]).toMatchObject({ createdAt: firstAt, useCaseCount: 1, requestCount: 120 });

    const diff = await ranker.versions.diff('previous', 'latest');
    expect(diff).toMatchObject({
      a: { version: first.version },
      b: { version: second.version },
      addedUseCases: ['technical_code'],
      removedUseCases: [],
      unchangedCount: 0,
      note: null,
    });
    const [food] = diff.changedUseCases;
    expect(food).toMatchObject({ useCase: 'food_dining', bestA: LOCAL, bestB: PAID });
    expect(food?.models.find(({ modelId }) => modelId === LOCAL)).toMatchObject({
      a: { place: 1, isCandidate: true, totalRequests: 60 },
      b: { isCandidate: false, totalRequests: 120 },
      isOtherCandidate: true,
      isScoreShifted: true,
    });
    for (const asked of [first.version, '20 minutes ago', firstAt]) {
      expect((await ranker.versions.diff(asked, second.version)).a.version).toBe(first.version);
    }
    expect((await ranker.versions.diff('latest', 'latest')).changedUseCases).toEqual([]);
    await expect(ranker.versions.diff('3 days ago', 'latest')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining(first.version),
    });
    await expect(ranker.versions.diff('soon', 'latest')).rejects.toMatchObject({
      code: 'bad_request',
      param: 'a',
    });
    await expect(ranker.versions.diff('x ago', 'latest')).rejects.toMatchObject({ code: 'bad_timeframe' });
  });

  it('come back when rolled back to, and stay whoever refreshes, until released', async () => {
    const [ranker, elsewhere] = [open(), open()];
    await log(60, { modelId: LOCAL });
    await log(60, { modelId: PAID, costUsd: 0.03 });
    const first = await ranker.refreshAll();
    const good = (await ranker.getRankings('food_dining')).best;
    nowMs += 10_000;
    await log(80, { modelId: LOCAL, ...FAILED });
    const second = await ranker.refreshAll();
    expect((await ranker.getRankings('food_dining')).best?.modelId).toBe(PAID);

    const tried = await ranker.versions.rollback('previous', { isDryRun: true, by: 'test' });
    expect(tried).toMatchObject({ version: null, rolledBackTo: first.version, hold: null });
    expect(tried.diff.changedUseCases[0]).toMatchObject({ bestA: PAID, bestB: LOCAL });
    expect(await readLatestVersion(store.db)).toBe(second.version);

    nowMs += 10_000;
    const { version, hold } = await ranker.versions.rollback(first.version, { by: 'test' });
    expect(hold).toMatchObject({ version, rolledBackTo: first.version, heldBy: 'test' });
    for (const one of [ranker, elsewhere, open()]) {
      nowMs += 2_000;
      expect((await one.refreshAll()).hold).toEqual(hold);
      const answer = await one.getRankings('food_dining');
      expect(answer).toMatchObject({ version, hold, best: good });
      expect((await one.getAllRankings()).hold).toEqual(hold);
    }
    expect(await loadLatestSnapshot(store.db)).toMatchObject({ version });

    const [late] = await log(1, { modelId: LOCAL });
    if (late !== undefined) elsewhere.observe(late);
    await elsewhere.follow();
    expect(elsewhere.rankingsOfMoment).toBeNull();
    expect((await elsewhere.getRankings('food_dining')).liveRequestCount).toBe(0);

    expect(await ranker.versions.release('test')).toEqual({ released: hold });
    expect(await ranker.versions.release('test')).toEqual({ released: null });
    nowMs += 2_000;
    expect((await elsewhere.refreshAll()).hold).toBeNull();
    expect((await ranker.getRankings('food_dining')).best?.modelId).toBe(PAID);
    const listed = (await ranker.versions.list(10)).versions.find((one) => one.version === version);
    expect(listed).toMatchObject({ rolledBackTo: first.version, isCurrent: false });
    nowMs += 2_000;
    const again = await ranker.versions.rollback(version ?? '', { isDryRun: true, by: 'test' });
    expect(again.rolledBackTo).toBe(first.version);
  });

  it('hold against a refresh that was under way when they were rolled back to', async () => {
    const slow = open({
      sinks: [{ name: 'never', publish: async () => undefined }],
    });
    await log(30, { modelId: LOCAL });
    const first = await slow.refreshAll();
    nowMs += 1_000;
    await log(30, { modelId: PAID });
    const [, rolledBack] = await Promise.all([
      slow.refreshAll(),
      open().versions.rollback(first.version, { by: 'test' }),
    ]);
    nowMs += 3_000;
    expect((await open().getAllRankings()).version).toBe(rolledBack.version);
    expect((await slow.getAllRankings()).version).toBe(rolledBack.version);
  });
});

describe('a slug that has become another one', () => {
  it('answers with what it became', async () => {
    const ranker = open({ slugNow: async (slug) => (slug === 'eating' ? 'food_dining' : 'gone_too') });
    await log(30, { modelId: LOCAL });
    await ranker.refreshAll();
    expect(await ranker.getRankings('eating')).toMatchObject({
      useCase: 'food_dining',
      redirectedFrom: 'eating',
      best: { modelId: LOCAL },
    });
    expect((await ranker.getRankings('food_dining')).redirectedFrom).toBeNull();
    expect(await ranker.getBestModel('eating')).toBe(LOCAL);
    expect((await ranker.getPerformance('mistral', 'eating')).useCase).toBe('food_dining');
    await expect(ranker.getRankings('nonsense')).rejects.toMatchObject({ code: 'unknown_use_case' });
  });
});
