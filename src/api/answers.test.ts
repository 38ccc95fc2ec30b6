import Fastify, { type FastifyInstance } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordingLogger } from '../../tests/kit/recording-logger.ts';
import { openScratchStore, type ScratchStore, usageRecord } from '../../tests/kit/scratch-store.ts';
import { EventBus } from '../core/events.ts';
import { PolicyBook } from '../core/policy.ts';
import { UseCaseAnalyzer } from '../discovery/use-case-analyzer.ts';
import { ModelRanker } from '../ranking/model-ranker.ts';
import { RankingWorker } from '../ranking/worker.ts';
import { Answers } from './answers.ts';
import type { ApiDeps } from './deps.ts';
import { errorHandler } from './error-shape.ts';
import { mountRankingVersions } from './ranking-versions.ts';
import { mountRankings } from './rankings.ts';
import { mountRequests } from './requests.ts';
import type { ApiServer } from './server-type.ts';
import { mountSignals } from './signals.ts';
import { mountTrends } from './trends.ts';
import { mountUsage } from './usage.ts';
import { mountUseCases } from './use-cases.ts';

/*
 * The thread's side is the compiled program: threads cannot load TypeScript.
 */
const ENTRY = new URL('../../dist/api/thread.js', import.meta.url).href;
/** The same, but dies when it is asked for so many versions. */
const DYING_LIMIT = 666;
const MORTAL_ENTRY = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    import ${JSON.stringify(ENTRY)};
    parentPort.on('message', ({ kind, task }) => {
      if (kind === 'ask' && task === ${DYING_LIMIT}) throw new Error('out of luck');
    });
  `)}`,
);
const HOUR_MS = 3_600_000;
const policies = new PolicyBook({ use_case_1: { evidenceMin: 2 } });

let store: ScratchStore;
let threaded: ModelRanker;
let here: ModelRanker;
let analyzer: UseCaseAnalyzer;
let server: FastifyInstance;
let logger: ReturnType<typeof recordingLogger>;
let followedCount = 0;

beforeEach(async () => {
  store = await openScratchStore();
  const nowMs = Date.now() - HOUR_MS;
  await store.insertRequests(
    Array.from({ length: 240 }, (_, at) => ({
      startedAtMs: nowMs - 60_000 * at,
      useCase: `use_case_${at % 4}`,
      useCaseRule: 'by hand',
      modelId: `p:model-${Math.floor(at / 4) % 5}`,
      prompt: `Question ${at % 30}, with “quotes” and 日本語`,
      promptHash: (at % 30).toString(16).padStart(16, '0'),
      latencyMs: 100 + 7 * at,
      costUsd: 0.001 * (1 + (at % 5)),
    })),
  );
  logger = recordingLogger();
  const { db } = store;
  const common = { db, logger, config: { policies } };
  const worker = new RankingWorker({
    connection: db.connection,
    policies: policies.parts,
    halfLifeMs: 14 * 24 * HOUR_MS,
    config: { timeframe: '30 days' },
    logger,
    entry: MORTAL_ENTRY,
  });
  threaded = new ModelRanker(common, worker);
  here = new ModelRanker(common);
  analyzer = new UseCaseAnalyzer({ db, policies, inWorker: false });
  await threaded.refreshAll();
  server = await serverOf(threaded);
});

afterEach(async () => {
  await server.close();
  await threaded[Symbol.asyncDispose]();
  await store.dispose();
});

async function serverOf(ranker: ModelRanker): Promise<FastifyInstance> {
  const { db } = store;
  const made = Fastify();
  made.setValidatorCompiler(validatorCompiler);
  made.setSerializerCompiler(() => (value) => JSON.stringify(value));
  made.setErrorHandler(errorHandler(logger));
  const deps = {
    db,
    analyzer,
    ranker,
    clock: Date.now,
    answers: new Answers({ db, analyzer, ranker, clock: Date.now }),
    events: new EventBus(),
    snapshots: { current: { version: null } },
    followRankings: async () => {
      followedCount++;
    },
  } as unknown as ApiDeps;
  const api = made as unknown as ApiServer;
  for (const mount of [mountUsage, mountUseCases, mountTrends, mountRankingVersions]) mount(api, deps);
  for (const mount of [mountRankings, mountRequests, mountSignals]) mount(api, deps);
  await made.ready();
  return made;
}

async function get(url: string): Promise<{ status: number; json: unknown; contentType: unknown }> {
  const answer = await server.inject({ url });
  return {
    status: answer.statusCode,
    json: answer.json() as unknown,
    contentType: answer.headers['content-type'],
  };
}

/** What JSON makes of a value. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}

function dayAsked(): { readonly from: string; readonly to: string; readonly query: string } {
  const [from, to] = [Date.now() - 24 * HOUR_MS, Date.now()].map((ms) => new Date(ms).toISOString());
  return { from: from ?? '', to: to ?? '', query: `from=${from}&to=${to}` };
}

describe('answers of the thread', () => {
  it('are those of the library', async () => {
    const { query, ...asked } = dayAsked();
    const window = { from: new Date(asked.from), to: new Date(asked.to), label: `${asked.from}/${asked.to}` };
    const useCase = 'use_case_1';
    const analysis = await analyzer.patterns(window);
    const expected: Readonly<Record<string, unknown>> = {
      '/api/rankings': await here.getAllRankings(),
      [`/api/rankings/${useCase}`]: await here.getRankings(useCase),
      [`/api/rankings/compare?useCase=${useCase}&modelA=model-0&modelB=p:model-3`]: await here.compare(
        useCase,
        'model-0',
        'model-3',
      ),
      [`/api/savings?${query}`]: await here.analyzeSavings(asked),
      [`/api/performance/p%3Amodel-2/${useCase}?${query}`]: await here.getPerformance(
        'p:model-2',
        useCase,
        asked,
      ),
      [`/api/rankings/trends?useCase=${useCase}&${query}`]: await here.getTrends(useCase, {
        timeframe: asked,
      }),
      '/api/rankings/versions?limit=10': await here.versions.list(10),
      '/api/rankings/diff?a=latest&b=latest': await here.versions.diff('latest', 'latest'),
      [`/api/usage/patterns?${query}`]: analysis,
      [`/api/usage/categories?${query}`]: { runId: analysis.runId, categories: analysis.categories },
    };
    for (const [url, object] of Object.entries(expected)) {
      const answer = await get(url);
      expect(answer.status, url).toBe(200);
      expect(answer.contentType, url).toBe('application/json; charset=utf-8');
      expect(answer.json, url).toEqual(asJson(object));
    }
  });

  it('are those of a server without a thread, dashboard and all', async () => {
    const { query } = dayAsked();
    const urls = [
      `/api/usage/dashboard?${query}`,
      `/api/usage/stats?${query}`,
      `/api/usage/common-prompts?${query}&limit=7`,
      `/api/usage/drift?${query}`,
      `/api/rankings/history?${query}`,
      `/api/requests?${query}&useCase=use_case_2&limit=3`,
      `/api/signals?${query}&useCase=use_case_0`,
      '/api/rankings/unknown',
      '/api/usage/dashboard?timeframe=soon',
    ];
    const seen = new Map<string, unknown>();
    for (const url of urls) seen.set(url, await get(url));
    await server.close();
    server = await serverOf(here);
    for (const url of urls) expect(await get(url), url).toEqual(seen.get(url));
    expect(seen.get(`/api/usage/dashboard?${query}`)).toMatchObject({
      json: { rankings: { rankings: { length: 4 } }, stats: { total: { requestCount: 240 } } },
    });
  });

  it('refuse what is wrong in the one shape of errors', async () => {
    const refusals = [
      ['/api/usage/stats?timeframe=soon', 400, 'bad_timeframe', 'timeframe'],
      ['/api/savings?from=2026-01-02&to=2026-01-01', 400, 'bad_timeframe', 'timeframe'],
      ['/api/rankings/nobody', 404, 'unknown_use_case', 'useCase'],
      [
        '/api/rankings/compare?useCase=use_case_1&modelA=nobody&modelB=model-1',
        404,
        'unknown_model',
        'modelA',
      ],
      ['/api/rankings/diff?a=20260101T000000000Z-dead', 404, 'not_found', 'a'],
      ['/api/rankings/diff?b=whenever', 400, 'bad_request', 'b'],
    ] as const;
    for (const [url, status, code, param] of refusals) {
      const answer = await get(url);
      expect(answer, url).toMatchObject({ status, json: { error: { code, param } } });
      expect((answer.json as { error: { message: string } }).error.message.length, url).toBeGreaterThan(20);
    }
    expect(logger.messages.filter((message) => message.includes('failed inside'))).toEqual([]);
  });

  it('have what was observed until they were asked for', async () => {
    const before = (await get('/api/rankings/use_case_0')).json as { liveRequestCount: number };
    expect(before.liveRequestCount).toBe(0);
    for (let at = 0; at < 3; at++) {
      threaded.observe(usageRecord({ startedAtMs: Date.now(), useCase: 'use_case_0', modelId: 'p:model-1' }));
    }
    expect((await get('/api/rankings/use_case_0')).json).toMatchObject({ liveRequestCount: 3 });
    // What the thread told its answers, it still tells the router.
    await threaded.count();
    expect(threaded.rankingsOfMoment?.rankings.get('use_case_0')?.requestCount).toBe(63);
  });

  it('show at once what was published, rolled back and released', async () => {
    const first = (await threaded.getAllRankings()).version;
    const { version: second } = await threaded.refreshAll();
    expect((await get('/api/rankings')).json).toMatchObject({ version: second, hold: null });
    const dryRun = await server.inject({
      method: 'POST',
      url: '/api/rankings/rollback',
      payload: { version: first, dryRun: true },
    });
    expect(dryRun.json()).toMatchObject({ version: null, isDryRun: true, rolledBackTo: first });
    expect(followedCount).toBe(0);
    const done = await server.inject({
      method: 'POST',
      url: '/api/rankings/rollback',
      payload: { version: first },
    });
    expect(done.json()).toMatchObject({ rolledBackTo: first, hold: { heldBy: 'api' } });
    expect(followedCount).toBe(1);
    expect(logger.messages).toContain('Rankings were rolled back and are held.');
    const { version } = done.json<{ version: string }>();
    expect((await get('/api/rankings')).json).toMatchObject({ version, hold: { rolledBackTo: first } });
    expect((await threaded.follow())?.version).toBe(version);
    await threaded.versions.release('test');
    expect((await get('/api/rankings')).json).toMatchObject({ version, hold: null });
  });
});

describe('a thread that dies under a question', () => {
  it('fails all who wait, answers 500 in words, and the next question starts another', async () => {
    // Sent in one turn: nobody hears of the death in between.
    const asked = [threaded.ask('versions', DYING_LIMIT), threaded.ask('rankings', 'use_case_1')];
    for (const one of await Promise.allSettled(asked)) {
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'internal' } });
    }
    expect(await get(`/api/rankings/versions?limit=${DYING_LIMIT}`)).toMatchObject({
      status: 500,
      json: { error: { code: 'internal', message: expect.stringContaining('ranking thread ended') } },
    });
    expect(await get('/api/rankings/use_case_1')).toMatchObject({
      status: 200,
      json: asJson(await here.getRankings('use_case_1')) as object,
    });
  });

  it('answers 503 once its owner has closed it', async () => {
    await threaded[Symbol.asyncDispose]();
    expect(await get('/api/rankings')).toMatchObject({
      status: 503,
      json: { error: { code: 'shutting_down' } },
    });
  });
});
