import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordingLogger } from '../../tests/kit/recording-logger.ts';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { PolicyBook } from '../core/policy.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { CurrentRankings } from './current-rankings.ts';
import { GUEST_PACE } from './live-rankings.ts';
import { RankingHere, RankingWork } from './ranking-work.ts';
import { RankingWorker } from './worker.ts';

/*
 * The thread's side is the compiled program: threads cannot load TypeScript.
 */
const DIST = new URL('../../dist/', import.meta.url);
const ENTRY = new URL('ranking/worker-thread.js', DIST);
const HOUR_MS = 3_600_000;
const USE_CASES = 12;
const MODELS = 10;
const HALF_LIFE_MS = 14 * 24 * HOUR_MS;

let store: ScratchStore;
let nowMs: number;
let records: UsageRecord[];

beforeEach(async () => {
  store = await openScratchStore();
  nowMs = Date.now() - HOUR_MS;
  const cells = Array.from({ length: USE_CASES * MODELS }, (_, at) => at);
  records = await store.insertRequests(
    cells.flatMap((at) =>
      Array.from({ length: 3 }, (_, request) => ({
        startedAtMs: nowMs - 1_000 * request,
        useCase: `use_case_${at % USE_CASES}`,
        useCaseRule: 'by hand',
        modelId: `p:model-${Math.floor(at / USE_CASES)}`,
        latencyMs: 100 + 7 * at,
      })),
    ),
  );
});
afterEach(() => store.dispose());

const policies = new PolicyBook({ use_case_1: { evidenceMin: 2 } });

function openWorker(entry = ENTRY): { worker: RankingWorker; logger: ReturnType<typeof recordingLogger> } {
  const logger = recordingLogger();
  const { connection } = store.db;
  const common = { connection, policies: policies.parts, halfLifeMs: HALF_LIFE_MS, config: {} };
  return { worker: new RankingWorker({ ...common, logger, entry }), logger };
}

function openHere(): RankingHere {
  const common = { db: store.db, clock: () => nowMs, logger: recordingLogger(), pace: GUEST_PACE };
  return new RankingHere(new RankingWork({ ...common, policies, halfLifeMs: HALF_LIFE_MS }));
}

function openCurrent(place: RankingHere | RankingWorker): CurrentRankings {
  return new CurrentRankings({ db: store.db, clock: () => nowMs, place, slugNow: async () => null });
}

function window(): Timeframe {
  return { from: new Date(nowMs - 24 * HOUR_MS), to: new Date(nowMs + 1), label: '1 day' };
}

/** Holds this thread still, event loop and all, until a version is published. @returns the version */
function blockUntilPublished(): string {
  const script = `
    const { openDatabase } = await import(${JSON.stringify(new URL('store/database.js', DIST).href)});
    const { readLatestVersion } = await import(${JSON.stringify(new URL('store/queries/snapshots.js', DIST).href)});
    const db = await openDatabase({ dataDir: process.argv[1] });
    for (;;) {
      const version = await readLatestVersion(db);
      if (version !== null) { process.stdout.write(version); break; }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await db.close();`;
  const args = ['--input-type=module', '-e', script, store.dataDir];
  return execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 45_000 });
}

describe('rankings in a thread', () => {
  it('are read, computed and published while this thread stands still', async () => {
    await using worker = openWorker().worker;
    await worker.call('follow', { knownVersion: null }, []);
    const refreshing = worker.call('refresh', { window: window(), nowMs }, []);
    const version = blockUntilPublished();
    expect((await refreshing).value.head?.version).toBe(version);
  });

  it('are those that this thread would have computed', async () => {
    await using worker = openWorker().worker;
    const task = { window: window(), nowMs };
    const { value, rankings } = await worker.call('refresh', task, []);
    const here = openHere();
    expect(rankings).toEqual((await here.call('preview', task, [])).rankings);
    expect(value.answer).toMatchObject({ useCaseCount: USE_CASES, modelCount: MODELS, requestCount: 360 });
    const followed = await here.call('follow', { knownVersion: null }, []);
    expect(followed).toEqual({ value: { hold: null, head: value.head }, rankings });
  });

  it('count what is noted here on top of what somebody else published', async () => {
    await using worker = openWorker().worker;
    const [mine, others] = [openCurrent(worker), openCurrent(openHere())];
    const { snapshot } = await others.refresh(window());
    nowMs += 60_000;
    const [noted] = records;
    if (noted === undefined) throw new Error('no request');
    // More than are handed on at once.
    for (let at = 0; at < 500; at++) mine.observe(noted);
    expect(mine.observeSignal({ ...SIGNAL, requestId: noted.requestId, atMs: nowMs })).toBe(true);
    await mine.follow();
    await mine.count();
    const moment = mine.ofMoment;
    expect(moment?.version).toBe(snapshot?.version);
    expect(moment?.rankings.get('use_case_0')?.requestCount).toBe(530);
    expect(moment?.rankings.get('use_case_1')).toEqual(snapshot?.rankings.find(isUseCase('use_case_1')));
    expect(mine.ofMoment).toBe(moment);
    const rated = moment?.rankings.get('use_case_0')?.models.find(({ ratingCount }) => ratingCount > 0);
    expect(rated).toMatchObject({ modelId: 'p:model-0', ratingCount: 1 });

    nowMs += 60_000;
    await mine.refresh(window());
    expect(mine.ofMoment).toBeNull();
    await mine.count();
    expect(mine.ofMoment).toBeNull();
    expect((await mine.view()).rankings.get('use_case_0')?.requestCount).toBe(30);
  });

  it('refuse what the work refuses, in its words', async () => {
    await using worker = openWorker().worker;
    const request = { success: true, timeMs: -1 };
    const cell = { useCase: 'use_case_0', modelId: 'p:model-0' };
    const task = { ...cell, request, window: window(), asker: 'test' };
    await expect(worker.call('addUnlogged', task, [])).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('updateRanking takes'),
    });
    expect(await worker.call('classifier', { runId: 'starter' }, [])).toEqual({ value: null, rankings: [] });
  });

  it('answer no questions beside, where their entry knows none, and go on', async () => {
    await using worker = openWorker().worker;
    await expect(worker.ask('weather', null)).rejects.toMatchObject({ code: 'internal' });
    expect((await worker.call('follow', { knownVersion: null }, [])).value).toEqual({ hold: null });
  });

  it('tell each asker what it was not told yet', async () => {
    const here = openHere();
    const cell = { useCase: 'use_case_0', modelId: 'p:model-0' };
    await openCurrent(here).refresh(window());
    const request = { success: true, timeMs: 10, cost: 0 };
    const one = await here.call('addUnlogged', { ...cell, request, window: window(), asker: 'one' }, []);
    const again = await here.call('count', { asker: 'one' }, []);
    const other = await here.call('count', { asker: 'other' }, []);
    expect(again.value.overlay).toBe('same');
    expect(other).toEqual(one);
  });
});

const SIGNAL = { kind: 'feedback', value: 0, comment: null, source: 'api' } as const;

function isUseCase(slug: string): (ranking: { readonly useCase: string }) => boolean {
  return ({ useCase }) => useCase === slug;
}

describe('a thread that dies', () => {
  /** Dies of the first call, whatever it is. */
  const DYING = new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from 'node:worker_threads';
      parentPort.on('message', () => { throw new Error('out of luck'); });
    `)}`,
  );

  it('fails the calls under way in words, is logged once, and is started anew by the next call', async () => {
    const { worker, logger } = openWorker(DYING);
    const follow = () => worker.call('follow', { knownVersion: null }, []);
    const failed = await Promise.allSettled([follow(), follow()]);
    for (const one of failed) {
      expect(one).toMatchObject({
        status: 'rejected',
        reason: { code: 'internal', message: expect.stringContaining('The ranking thread ended') },
      });
    }
    expect(logger.messages).toHaveLength(1);
    await expect(follow()).rejects.toMatchObject({ code: 'internal' });
    expect(logger.messages).toHaveLength(2);
    await worker[Symbol.asyncDispose]();
  });

  it('ends with its owner, and fails what was asked of it', async () => {
    const { worker, logger } = openWorker();
    const refreshing = worker.call('refresh', { window: window(), nowMs }, []);
    const failed = expect(refreshing).rejects.toMatchObject({ code: 'shutting_down' });
    await worker[Symbol.asyncDispose]();
    await failed;
    await expect(worker.call('count', { asker: 'test' }, [])).rejects.toMatchObject({
      code: 'shutting_down',
    });
    expect(logger.messages).toEqual([]);
  });
});
