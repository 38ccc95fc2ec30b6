import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { TallyrankError } from '../core/errors.ts';

/** Where the store process of one data directory keeps its things. */
export interface StorePaths {
  readonly dataDir: string;
  /** Below it lie the journals of all programs that log to this store. */
  readonly journalDir: string;
  /** The engine's own files; only the store process opens them. */
  readonly engineDir: string;
  readonly socketPath: string;
  /** Process id and start of the running store process, for operators and tests. */
  readonly statePath: string;
  readonly logPath: string;
}

/** The kernel takes 103 bytes (macOS) or 107 (Linux); beyond that, bind fails with a name nobody recognises. */
const SOCKET_PATH_MAX_BYTES = 100;

/**
 * The one place that knows the layout, for whoever connects and for the process itself. Creates the folders
 * with mode 0700.
 *
 * @throws {TallyrankError} `store_unavailable` when the folder cannot be made or the short one is not ours
 */
export function storePaths(dataDir: string): StorePaths {
  try {
    const storeDir = join(resolve(dataDir), 'store');
    mkdirSync(storeDir, { recursive: true, mode: 0o700 });
    chmodSync(storeDir, 0o700);
    // Two spellings of one directory (a link, a relative path) must meet at one socket.
    const realDir = realpathSync(storeDir);
    return {
      dataDir: resolve(dataDir),
      journalDir: join(resolve(dataDir), 'journal'),
      engineDir: join(realDir, 'engine'),
      socketPath: socketPathIn(realDir),
      statePath: join(realDir, 'store.json'),
      logPath: join(realDir, 'engine.log'),
    };
  } catch (error) {
    if (error instanceof TallyrankError) throw error;
    throw new TallyrankError(
      'store_unavailable',
      `The data directory ${resolve(dataDir)} cannot be used (${codeOf(error)}): it must be writable by this user.`,
      { cause: error },
    );
  }
}

function socketPathIn(storeDir: string): string {
  const path = join(storeDir, 'engine.sock');
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES) return path;
  const { uid } = userInfo();
  const shortDir = join(tmpdir(), `tallyrank-${uid}`);
  mkdirSync(shortDir, { recursive: true, mode: 0o700 });
  // The temporary folder is everybody's: a folder that somebody else made there would hand them our prompts.
  const found = lstatSync(shortDir);
  if (!found.isDirectory() || (uid >= 0 && found.uid !== uid) || (found.mode & 0o077) !== 0) {
    throw new TallyrankError(
      'store_unavailable',
      `${shortDir} belongs to somebody else or is open to others; remove it, or choose a shorter data directory.`,
    );
  }
  return join(shortDir, `${createHash('sha256').update(storeDir).digest('hex').slice(0, 24)}.sock`);
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'unknown';
}
