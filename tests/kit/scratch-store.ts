import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TestRunner } from 'vitest';
import { type Decision, encodeDecision } from '../../src/core/decision.ts';
import type { UsageRecord } from '../../src/core/usage-record.ts';
import { encodeUsageRecord, NO_CONTEXT, NO_TOKEN_USAGE } from '../../src/core/usage-record.ts';
import { type Database, type OpenDatabaseOptions, openDatabase } from '../../src/store/database.ts';
import { decisionOf } from './decisions.ts';

/** A decision about a request; what is left out takes {@link decisionOf}'s defaults. */
export interface DecisionRow extends Partial<Decision> {
  readonly requestId: string;
  readonly startedAtMs: number;
}

/** A database of a test's own, in a folder of its own, on the real engine. */
export interface ScratchStore extends AsyncDisposable {
  readonly db: Database;
  readonly dataDir: string;
  /** Another connection to the same store, as a second program would have it. */
  reopen(): Promise<Database>;
  /** Writes rows through the normal path; what is left out takes {@link usageRecord}'s defaults. */
  insertRequests(rows: readonly Partial<UsageRecord>[], deduplicationToken?: string): Promise<UsageRecord[]>;
  /** Writes rows of `decisions` through the normal path. */
  insertDecisions(rows: readonly DecisionRow[]): Promise<void>;
  /** Process id of the store process. */
  pid(): Promise<number>;
  /** Call when the test has failed: the folder then stays. */
  keep(): void;
  /** Ends the store process; removes the folder, unless {@link keep} was called. */
  dispose(): Promise<void>;
}

/** Opens a scratch store. Disposed of in a test that has failed (or its `afterEach`), it leaves its folder. */
export async function openScratchStore(options: Partial<OpenDatabaseOptions> = {}): Promise<ScratchStore> {
  // Short: the socket's path has to fit into a hundred bytes.
  const dataDir = await mkdtemp(join(tmpdir(), 'tr-'));
  const open = (): Promise<Database> => openDatabase({ idleMs: 20_000, ...options, dataDir });
  const databases = [await open()];
  let isKept = false;
  const store: ScratchStore = {
    db: databases[0] as Database,
    dataDir,
    async reopen() {
      const db = await open();
      databases.push(db);
      return db;
    },
    async insertRequests(rows, deduplicationToken = randomUUID()) {
      const records = rows.map((row) => usageRecord(row));
      await store.db.insertLines(
        'usage_log',
        Buffer.from(records.map(encodeUsageRecord).join('\n')),
        deduplicationToken,
      );
      return records;
    },
    async insertDecisions(rows) {
      const lines = rows.map(({ requestId, startedAtMs, ...given }) =>
        encodeDecision(requestId, startedAtMs, decisionOf(given)),
      );
      await store.db.insertLines('decisions', Buffer.from(lines.join('\n')), randomUUID());
    },
    pid: () => storePid(dataDir),
    keep() {
      isKept = true;
    },
    async dispose() {
      for (const db of databases) await db.close();
      await endStore(dataDir);
      const hasFailed = TestRunner.getCurrentTest()?.result?.state === 'fail';
      if (!isKept && !hasFailed) await rm(dataDir, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => store.dispose(),
  };
  return store;
}

const FIRST_MS = Date.UTC(2026, 9, 5, 10, 0, 0);

/** A finished request with defaults for all that a test does not care about. */
export function usageRecord(given: Partial<UsageRecord> = {}): UsageRecord {
  const startedAtMs = given.startedAtMs ?? FIRST_MS;
  const prompt = given.prompt ?? 'When does the coffee shop open?';
  return {
    ...NO_CONTEXT,
    requestId: uuidAt(startedAtMs),
    startedAtMs,
    source: 'gateway',
    shadowOf: null,
    modelAsked: 'auto',
    modelId: 'ollama:mistral:7b',
    isStream: false,
    prompt,
    context: '',
    promptLength: prompt.length,
    promptHash: 'aaaaaaaaaaaaaaaa',
    conversation: null,
    response: 'At eight.',
    responseHash: 'bbbbbbbbbbbbbbbb',
    echoShare: 0,
    usage: { ...NO_TOKEN_USAGE, promptTokens: 10, completionTokens: 5 },
    latencyMs: 1_000,
    firstTokenMs: null,
    loadMs: null,
    queueMs: null,
    generationMs: null,
    overheadMs: 0.5,
    finishReason: 'stop',
    modelReported: 'mistral:7b',
    responseId: null,
    statusCode: 200,
    attemptCount: 1,
    failedAttempts: [],
    failure: null,
    costUsd: 0.001,
    priceVersion: 'free',
    useCase: 'food_dining',
    useCaseConfidence: null,
    useCaseRule: null,
    runId: 'starter',
    snapshotVersion: null,
    ...given,
  };
}

/** A version-7 UUID whose time is `ms`. */
export function uuidAt(ms: number): string {
  const time = Math.floor(ms).toString(16).padStart(12, '0');
  const chance = randomUUID();
  return `${time.slice(0, 8)}-${time.slice(8)}-7${chance.slice(15)}`;
}

async function storePid(dataDir: string): Promise<number> {
  const state = JSON.parse(await readFile(join(dataDir, 'store', 'store.json'), 'utf8')) as { pid: number };
  return state.pid;
}

/** Ends the store process of a folder and waits until it has gone. */
export async function endStore(dataDir: string): Promise<void> {
  for (;;) {
    const pid = await storePid(dataDir).catch(() => null);
    if (pid === null || !(await endProcess(pid))) return;
  }
}

/** @returns false when it was not running any more */
async function endProcess(pid: number): Promise<boolean> {
  const isAlive = (): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  if (!isAlive()) return false;
  process.kill(pid, 'SIGTERM');
  // It is nobody's child any more, so there is no event to wait for.
  for (let round = 0; isAlive() && round < 400; round++) await delay(25);
  if (isAlive()) process.kill(pid, 'SIGKILL');
  return true;
}
