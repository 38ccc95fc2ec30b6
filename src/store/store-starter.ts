import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TallyrankError } from '../core/errors.ts';
import type { StorePaths } from './socket-path.ts';
import type { StoreProcessReport } from './store-process.ts';

/** Bounds of the store process; what is left out takes the process's own defaults. */
export interface StoreProcessLimits {
  /** The process ends when nobody has used it for this long. */
  readonly idleMs?: number | undefined;
  readonly serverMemoryMaxBytes?: number | undefined;
  readonly queryMemoryMaxBytes?: number | undefined;
}

/**
 * Opening takes 0.2 s, and seconds after a crash with many parts; another process may first have to finish
 * what it runs. Too short: a slow disk looks like a failure; too long: callers wait for nothing.
 */
const READY_MAX_MS = 60_000;
const RETRY_MS = 50;
/** A process may be killed while it starts; one that cannot start fails every time. */
const FAILURES_MAX = 3;

/**
 * Returns once a store process listens on the socket, having started one if there was none. Any number of
 * processes may do this at once: the engine's directory lock lets one through, the others connect to it.
 *
 * @throws {TallyrankError} `store_unavailable` with the process's own reason
 */
export async function ensureStoreProcess(paths: StorePaths, limits: StoreProcessLimits): Promise<void> {
  const deadline = performance.now() + READY_MAX_MS;
  let failureCount = 0;
  while (!(await canConnect(paths.socketPath))) {
    const report = await start(paths, limits);
    if (report.state === 'failed' && ++failureCount >= FAILURES_MAX) {
      throw new TallyrankError(
        'store_unavailable',
        `The store process could not open ${paths.engineDir}: ${report.reason} (its log is ${paths.logPath})`,
      );
    }
    // The owner is about to listen, or about to end; both take a moment.
    if (report.state !== 'ready') await delay(RETRY_MS);
    if (performance.now() > deadline) {
      throw new TallyrankError(
        'store_unavailable',
        `Another process holds ${paths.engineDir} but does not answer on ${paths.socketPath}; end it, or look into ${paths.logPath}.`,
      );
    }
  }
}

function canConnect(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function start(paths: StorePaths, limits: StoreProcessLimits): Promise<StoreProcessReport> {
  const args = [programPath(), paths.dataDir];
  if (limits.idleMs !== undefined) args.push('--idle-ms', String(limits.idleMs));
  if (limits.serverMemoryMaxBytes !== undefined)
    args.push('--server-memory-bytes', String(limits.serverMemoryMaxBytes));
  if (limits.queryMemoryMaxBytes !== undefined)
    args.push('--query-memory-bytes', String(limits.queryMemoryMaxBytes));
  // What native code says while it dies belongs into the log too.
  const logFd = openSync(paths.logPath, 'a', 0o600);
  try {
    // Detached, and in its own folder: it outlives its starter and holds no folder that is not its own.
    const child = spawn(process.execPath, args, {
      detached: true,
      cwd: paths.dataDir,
      stdio: ['ignore', 'pipe', logFd],
    });
    const { stdout } = child;
    if (stdout === null) throw new RangeError('the child has a pipe by its options');
    return await new Promise<StoreProcessReport>((resolve) => {
      let said = '';
      stdout.setEncoding('utf8');
      stdout.on('data', (text: string) => {
        said += text;
        const report = /^\{"state":.*\}$/m.exec(said)?.[0];
        if (report === undefined) return;
        resolve(JSON.parse(report) as StoreProcessReport);
        stdout.destroy();
        child.unref();
      });
      child.once('error', (error) => resolve({ state: 'failed', reason: error.message }));
      // After a report this changes nothing any more.
      child.once('close', (code, signal) => {
        resolve({ state: 'failed', reason: `it ended at once (${signal ?? `exit code ${code}`})` });
      });
    });
  } finally {
    closeSync(logFd);
  }
}

/** The compiled program: Node 20 runs no TypeScript, so from sources it is the one in dist. */
function programPath(): string {
  const isSource = import.meta.url.endsWith('.ts');
  const path = fileURLToPath(
    new URL(isSource ? '../../dist/store/store-process.js' : './store-process.js', import.meta.url),
  );
  if (existsSync(path)) return path;
  throw new TallyrankError(
    'store_unavailable',
    `${path} is missing: build the package first (npm run build).`,
  );
}
