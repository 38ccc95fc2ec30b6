import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { UsageRecord } from '../../src/core/usage-record.ts';
import { encodeUsageRecord, NO_CONTEXT, NO_TOKEN_USAGE } from '../../src/core/usage-record.ts';
import type { ModelRanker } from '../../src/ranking/model-ranker.ts';
import { createRandom, type Random } from '../../src/stats/random.ts';
import type { Database } from '../../src/store/database.ts';
import { type Cell, quantileOf, round, type Section } from './report.ts';

const USE_CASES = 30;
const MODELS = 30;
const REQUESTS_PER_CELL = 30;
const DAY_MS = 86_400_000;
/** Live rankings may be rebuilt again after this pause. */
const PAUSE_MS = 1_100;
const NS_PER_MS = 1e6;

/**
 * What a request would wait for while rankings are refreshed, and while requests are counted on top: delays of this
 * thread's event loop, with the work in this thread and in one of its own. On a store, with the compiled program.
 */
export async function measureLoopDelay(seed: number, rounds: number): Promise<Section> {
  const dist = new URL('../../../dist/', import.meta.url);
  const { openDatabase } = (await import(
    new URL('store/database.js', dist).href
  )) as typeof import('../../src/store/database.ts');
  const { ModelRanker: Ranker } = (await import(
    new URL('ranking/model-ranker.js', dist).href
  )) as typeof import('../../src/ranking/model-ranker.ts');
  const dataDir = mkdtempSync(join(tmpdir(), 'trb-'));
  const db = await openDatabase({ dataDir });
  const rows: Cell[][] = [];
  try {
    const random = createRandom(seed);
    await logRequests(db, random);
    await using here = new Ranker({ db });
    await using thread = new Ranker({ db, inWorker: true });
    const places = { 'this thread': here, 'its own thread': thread };
    for (const ranker of Object.values(places)) await ranker.refreshAll();
    rows.push(['nothing', '–', ...(await measure(rounds, () => () => delay(500)))]);
    for (const [place, ranker] of Object.entries(places)) {
      rows.push(['refresh', place, ...(await measure(rounds, () => () => ranker.refreshAll()))]);
    }
    for (const [place, ranker] of Object.entries(places)) {
      await ranker.follow();
      rows.push(['count', place, ...(await measure(rounds, () => secondOfRequests(ranker, random)))]);
    }
  } finally {
    await db.close();
    const state = JSON.parse(readFileSync(join(dataDir, 'store', 'store.json'), 'utf8')) as { pid: number };
    process.kill(state.pid);
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
  return {
    id: 'loop-delay',
    title: 'What requests wait for while rankings are made',
    how: `${USE_CASES} use cases of ${MODELS} models, ${REQUESTS_PER_CELL} requests a cell, in a store; medians of ${rounds} rounds. "count": a request to every cell, added up on top. A timer of 1 ms looks at the time that this thread was on a core (a busy machine does not change it), and at the clock (which it does).`,
    seed,
    goal: 'the rankings as good as nothing',
    columns: [
      'work',
      'in',
      'took, ms',
      'CPU of this thread, ms',
      'longest stretch, CPU ms',
      'longest delay, ms',
    ],
    rows,
  };
}

/** Medians of the rounds. */
async function measure(rounds: number, prepare: () => () => Promise<unknown>): Promise<Cell[]> {
  const seen: Stretches[] = [];
  for (let at = 0; at < rounds; at++) {
    seen.push(await watch(prepare()));
    await delay(PAUSE_MS);
  }
  const median = (of: (one: Stretches) => number, digits: number): number | null =>
    round(quantileOf(seen.map(of), 0.5), digits);
  return [
    median(({ tookMs }) => tookMs, 0),
    median(({ cpuMs }) => cpuMs, 0),
    median(({ cpuLongestMs }) => cpuLongestMs, 1),
    median(({ delayLongestMs }) => delayLongestMs, 1),
  ];
}

interface Stretches {
  readonly tookMs: number;
  /** Of this thread: whoever else wants the machine's cores does not change it. */
  readonly cpuMs: number;
  /** Between two turns of the event loop. */
  readonly cpuLongestMs: number;
  readonly delayLongestMs: number;
}

/** Runs work, and looks at the thread's time again and again while it runs. */
async function watch(work: () => Promise<unknown>): Promise<Stretches> {
  const startedAtMs = performance.now();
  const cpuBeforeMs = threadCpuMs();
  let [cpuLongestMs, delayLongestMs, cpuMs, atMs] = [0, 0, cpuBeforeMs, startedAtMs];
  const look = (): void => {
    const [cpuNowMs, nowMs] = [threadCpuMs(), performance.now()];
    cpuLongestMs = Math.max(cpuLongestMs, cpuNowMs - cpuMs);
    delayLongestMs = Math.max(delayLongestMs, nowMs - atMs);
    [cpuMs, atMs] = [cpuNowMs, nowMs];
  };
  const timer = setInterval(look, 1);
  await work();
  look();
  clearInterval(timer);
  return {
    tookMs: performance.now() - startedAtMs,
    cpuMs: cpuMs - cpuBeforeMs,
    cpuLongestMs,
    delayLongestMs,
  };
}

/** Time that the main thread was on a core, milliseconds; Linux knows it. */
function threadCpuMs(): number {
  const [onCoreNs] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return Number(onCoreNs) / NS_PER_MS;
}

/** A second of requests, which is noted and counted. */
function secondOfRequests(ranker: ModelRanker, random: Random): () => Promise<void> {
  const records = Array.from({ length: USE_CASES * MODELS }, (_, cell) =>
    requestOf(cell, Date.now(), random),
  );
  return async () => {
    for (const [at, record] of records.entries()) {
      ranker.observe(record);
      if (at % MODELS === 0) await delay(1);
    }
    await ranker.count();
  };
}

async function logRequests(db: Database, random: Random): Promise<void> {
  const nowMs = Date.now() - DAY_MS;
  for (let useCase = 0; useCase < USE_CASES; useCase++) {
    const lines = Array.from({ length: MODELS * REQUESTS_PER_CELL }, (_, at) =>
      encodeUsageRecord(
        requestOf(useCase * MODELS + (at % MODELS), nowMs - Math.floor(5 * DAY_MS * random.next()), random),
      ),
    );
    await db.insertLines('usage_log', Buffer.from(lines.join('\n')), randomUUID());
  }
}

function requestOf(cell: number, startedAtMs: number, random: Random): UsageRecord {
  const hash = (): string =>
    Math.floor(1e15 * random.next())
      .toString(16)
      .padStart(16, '0');
  const useCase = Math.floor(cell / MODELS);
  return {
    ...NO_CONTEXT,
    requestId: randomUUID(),
    startedAtMs,
    source: 'gateway',
    modelAsked: 'auto',
    modelId: `invented:model-${cell % MODELS}`,
    sessionId: hash(),
    isStream: true,
    prompt: '',
    context: '',
    promptLength: 40,
    promptHash: hash(),
    conversation: null,
    response: null,
    responseHash: hash(),
    echoShare: 0,
    usage: { ...NO_TOKEN_USAGE, promptTokens: 100, completionTokens: 200 },
    latencyMs: 200 * (1 + (cell % MODELS)) * (0.5 + random.next()),
    firstTokenMs: 100,
    loadMs: null,
    queueMs: null,
    generationMs: null,
    overheadMs: 1,
    finishReason: 'stop',
    modelReported: null,
    responseId: null,
    statusCode: 200,
    attemptCount: 1,
    failedAttempts: [],
    failure: random.next() < 0.05 ? { fault: 'model', code: 'empty_answer', message: 'empty' } : null,
    costUsd: 0.002 * random.next(),
    priceVersion: 'invented',
    useCase: `use_case_${useCase}`,
    useCaseConfidence: null,
    useCaseRule: 'invented',
    runId: 'starter',
    snapshotVersion: null,
    shadowOf: null,
  };
}
