import {
  appendFileSync,
  chmodSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Engine, type EngineLimits } from './engine.ts';
import { createEngineServer, type EngineServer } from './engine-http.ts';
import { type StorePaths, storePaths } from './socket-path.ts';

/** How one store process is to live. */
export interface StoreProcessOptions extends EngineLimits {
  readonly dataDir: string;
  /** It ends when nobody has asked for this long. Too short: starts over and over; too long: memory for nobody. */
  readonly idleMs: number;
}

/** What the process tells its starter, one line of JSON, once. */
export type StoreProcessReport =
  | { readonly state: 'ready' }
  /** Another process has the directory: connect to that one. */
  | { readonly state: 'taken' }
  | { readonly state: 'failed'; readonly reason: string };

const STORE_IDLE_MS = 60_000;
const STORE_SERVER_MEMORY_MAX_BYTES = 2 * 1024 * 1024 * 1024;
const STORE_QUERY_MEMORY_MAX_BYTES = 1024 * 1024 * 1024;

/**
 * Of the system's -20 to 19. At 0 the engine takes processors from the gateways whenever it merges or is asked something
 * big; at 19 the log would wait behind anything else that runs on the machine.
 */
const STORE_NICENESS = 5;

/** What the engine says of a directory that another process holds. */
const DIRECTORY_TAKEN = 'Another server instance in same directory is already running';
/** Beyond it the log starts over, with one older part kept. */
const LOG_MAX_BYTES = 1024 * 1024;
/** Running statements get this long after SIGTERM. */
const DRAIN_MS = 30_000;

/**
 * The life of the one process that has the engine open: takes the directory's lock, listens on the socket,
 * ends when idle or told to. The lock decides every race, so a socket file without a living owner is removed
 * by whoever has the lock.
 */
async function runStoreProcess(
  options: StoreProcessOptions,
  report: (report: StoreProcessReport) => void,
): Promise<void> {
  yieldToGateways();
  // The socket, the engine's files and the log hold prompts: this user's eyes only.
  process.umask(0o077);
  const paths = storePaths(options.dataDir);
  const log = openLog(paths.logPath);
  const engine = openEngine(paths, options);
  if (!(engine instanceof Engine)) {
    if (engine.state === 'failed') {
      log('failed', { reason: engine.reason });
      process.exitCode = 1;
    }
    report(engine);
    return;
  }
  if (!isOurs(paths.engineDir)) {
    // Closing would remove the other owner's lock file: leave without touching anything.
    report({ state: 'taken' });
    process.kill(process.pid, 'SIGKILL');
    return;
  }
  const life = new Life(options.idleMs);
  const http = createEngineServer(engine, paths.journalDir, {
    onOpen: () => life.busy(),
    onAllDone: () => life.idle(),
    onFailure: (engineCode) => log('statement failed', { engineCode }),
  });
  await listen(http, paths);
  log('ready', { socketPath: paths.socketPath });
  report({ state: 'ready' });
  life.idle();
  const cause = await life.end;
  log('ending', { cause, openCount: http.openCount });
  // The socket file goes before the lock does: the next owner's file is never removed.
  rmSync(paths.statePath, { force: true });
  await http.close(DRAIN_MS);
  await engine.close();
  log('ended', {});
}

/** Whoever answers people comes first. Threads that are started from here on inherit it. */
function yieldToGateways(): void {
  setPriority(STORE_NICENESS);
  try {
    // Linux shares processors out between sessions first, and this process leads one of its own.
    writeFileSync('/proc/self/autogroup', String(STORE_NICENESS));
  } catch {
    // Another system, or one that has no such groups.
  }
}

function openEngine(paths: StorePaths, limits: EngineLimits): Engine | StoreProcessReport {
  const logFrom = sizeOf(paths.logPath);
  try {
    return Engine.open(paths.engineDir, limits);
  } catch (error) {
    // chDB says why on standard error only, which the starter has led into the log.
    const said =
      sizeOf(paths.logPath) > logFrom ? readFileSync(paths.logPath).subarray(logFrom).toString() : '';
    if (said.includes(DIRECTORY_TAKEN)) return { state: 'taken' };
    const reason = error instanceof Error ? error.message : String(error);
    return { state: 'failed', reason: `${reason} ${said}`.trim().slice(0, 1_000) };
  }
}

/**
 * The engine unlinks its lock file after it has given the lock up. Who took the lock in between holds a file
 * that nobody else can see, and a third process could then take the directory too.
 */
function isOurs(engineDir: string): boolean {
  try {
    return readFileSync(join(engineDir, 'status'), 'utf8').startsWith(`PID: ${process.pid}\n`);
  } catch {
    return false;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** When to end: nobody asks any more, or a signal. */
class Life {
  readonly end: Promise<string>;
  readonly #idleMs: number;
  #isEnding = false;
  #finish: (cause: string) => void = () => undefined;
  #timer: NodeJS.Timeout | null = null;

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
    this.end = new Promise((resolve) => {
      this.#finish = (cause) => {
        this.#isEnding = true;
        this.busy();
        resolve(cause);
      };
    });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        this.#finish(signal);
      });
    }
  }

  busy(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  idle(): void {
    this.busy();
    // The last answers of a process that is ending would otherwise keep it for another idle time.
    if (this.#isEnding) return;
    this.#timer = setTimeout(() => this.#finish('idle'), this.#idleMs);
  }
}

async function listen(http: EngineServer, paths: StorePaths): Promise<void> {
  rmSync(paths.socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    http.server.once('error', reject);
    http.server.listen(paths.socketPath, resolve);
  });
  chmodSync(paths.socketPath, 0o600);
  const state = { pid: process.pid, socketPath: paths.socketPath, startedAt: new Date().toISOString() };
  // Renamed into place, so that nobody reads half of it.
  writeFileSync(`${paths.statePath}.new`, `${JSON.stringify(state)}\n`);
  renameSync(`${paths.statePath}.new`, paths.statePath);
}

function openLog(path: string): (message: string, fields: object) => void {
  return (message, fields) => {
    try {
      if (sizeOf(path) > LOG_MAX_BYTES) renameSync(path, `${path}.1`);
      const line = { at: new Date().toISOString(), pid: process.pid, message, ...fields };
      appendFileSync(path, `${JSON.stringify(line)}\n`);
    } catch {
      // A full disk must not take the store down with its log.
    }
  };
}

function readOptions(args: readonly string[]): StoreProcessOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      'idle-ms': { type: 'string', default: String(STORE_IDLE_MS) },
      'server-memory-bytes': { type: 'string', default: String(STORE_SERVER_MEMORY_MAX_BYTES) },
      'query-memory-bytes': { type: 'string', default: String(STORE_QUERY_MEMORY_MAX_BYTES) },
    },
  });
  const [dataDir] = positionals;
  const idleMs = Number(values['idle-ms']);
  const serverMemoryMaxBytes = Number(values['server-memory-bytes']);
  const queryMemoryMaxBytes = Number(values['query-memory-bytes']);
  if (dataDir === undefined || !(idleMs > 0) || !(serverMemoryMaxBytes > 0) || !(queryMemoryMaxBytes > 0)) {
    throw new RangeError(
      'usage: store-process DATA_DIR [--idle-ms N] [--server-memory-bytes N] [--query-memory-bytes N]',
    );
  }
  return { dataDir, idleMs, serverMemoryMaxBytes, queryMemoryMaxBytes };
}

function isProgram(): boolean {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url);
}

if (isProgram()) {
  // The starter reads one line and goes; writing to a starter that has gone is no failure.
  process.stdout.on('error', () => undefined);
  const tell = (report: StoreProcessReport): void => {
    process.stdout.write(`${JSON.stringify(report)}\n`);
  };
  runStoreProcess(readOptions(process.argv.slice(2)), tell).catch((error: unknown) => {
    tell({ state: 'failed', reason: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
  });
}
