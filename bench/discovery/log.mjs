// A log of invented requests in a store of its own, for what only the whole product can show.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promptHash } from '../../dist/core/prompt-text.js';
import { encodeUsageRecord, NO_CONTEXT, NO_TOKEN_USAGE } from '../../dist/core/usage-record.js';
import { openDatabase } from '../../dist/index.js';

export const DAY_MS = 86_400_000;
/** The first day of every invented log. */
export const FIRST_MS = Date.UTC(2026, 9, 5);
const ROWS_PER_INSERT = 10_000;
const USER_COUNT = 40;

export const hashOf = (prompt) => promptHash({ prompt, context: '' });

/** A store in a folder of its own; `dispose` ends its process and removes the folder. */
export async function openScratchLog() {
  // Short: the socket's path has to fit into a hundred bytes.
  const dataDir = mkdtempSync(join(tmpdir(), 'tb-'));
  const db = await openDatabase({ dataDir, idleMs: 30_000 });
  return {
    db,
    dataDir,
    async dispose() {
      await db.close();
      await endStore(dataDir);
    },
  };
}

/** Process id of a folder's store process; null when there is none. */
export function storePid(dataDir) {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'store', 'store.json'), 'utf8')).pid;
  } catch {
    return null;
  }
}

/** Ends the store process of a folder by its id, and removes the folder. */
export async function endStore(dataDir) {
  const pid = storePid(dataDir);
  if (pid !== null) {
    try {
      process.kill(pid, 'SIGTERM');
      for (let round = 0; round < 400; round++) {
        process.kill(pid, 0);
        await delay(25);
      }
    } catch {
      // It has gone.
    }
  }
  rmSync(dataDir, { recursive: true, force: true });
}

/**
 * One request for each prompt, through the store's normal path.
 *
 * @param requests  `{ text, atMs }`
 */
export async function insertRequests(db, requests) {
  for (let begin = 0; begin < requests.length; begin += ROWS_PER_INSERT) {
    const lines = requests
      .slice(begin, begin + ROWS_PER_INSERT)
      .map(({ text, atMs }, n) =>
        encodeUsageRecord(requestRecord(text, atMs, `user-${(begin + n) % USER_COUNT}`)),
      );
    await db.insertLines('usage_log', Buffer.from(lines.join('\n')), randomUUID());
  }
}

function requestRecord(prompt, startedAtMs, userId) {
  return {
    ...NO_CONTEXT,
    requestId: uuidAt(startedAtMs),
    startedAtMs,
    userId,
    source: 'gateway',
    modelAsked: 'auto',
    modelId: 'ollama:mistral:7b',
    isStream: false,
    prompt,
    context: '',
    promptLength: prompt.length,
    promptHash: hashOf(prompt),
    conversation: null,
    response: 'An answer.',
    usage: { ...NO_TOKEN_USAGE, promptTokens: 10, completionTokens: 5 },
    latencyMs: 1_000,
    firstTokenMs: null,
    loadMs: null,
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
    useCase: 'other',
    useCaseConfidence: null,
    runId: 'starter',
    snapshotVersion: null,
  };
}

/** A version-7 UUID whose time is `ms`. */
function uuidAt(ms) {
  const time = Math.floor(ms).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
