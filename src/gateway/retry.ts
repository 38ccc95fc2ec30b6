import { setTimeout as delay } from 'node:timers/promises';
import type { TallyrankError } from '../core/errors.ts';

/** How often a failed call is made again, and how long that may take. */
export interface RetrySettings {
  /** Calls after the first, of one model. */
  readonly retries: number;
  /** Milliseconds that one request may spend waiting for the next call, in sum. */
  readonly waitMaxMs: number;
}

export const NO_RETRIES: RetrySettings = { retries: 0, waitMaxMs: 0 };

/** What waiting and chance are made of; handed in so that tests need neither. */
export interface RetryTimer {
  /** Resolves after that many milliseconds; rejects when the signal ends it. */
  sleep(ms: number, signal: AbortSignal): Promise<unknown>;
  /** Uniform in 0..1. */
  random(): number;
}

export const RETRY_TIMER: RetryTimer = {
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
  random: Math.random,
};

/** Wait before the first retry, at most. Smaller hits a server that is just restarting; larger is felt. */
const BASE_MS = 500;
/** No single wait of our own choice is longer. */
const CAP_MS = 8_000;
/** A `retry-after` up to this is waited for even where another model would serve at once. */
export const SHORT_RETRY_AFTER_MS = 250;

/** Connections that broke before the first byte of an answer: the provider was there. */
const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/**
 * True where the same call may well succeed a moment later and nothing of an answer has come: the provider limits our
 * rate (429), failed (5xx, so 503 and 529 too), or broke the connection. Not after a time-out, for the caller has waited long enough,
 * and not where nobody listens.
 */
export function isWorthRetrying(error: TallyrankError): boolean {
  if (error.code === 'upstream_rate_limited' || error.code === 'upstream_failed') return true;
  return error.code === 'upstream_unreachable' && BROKEN.has(codeOf(error.cause));
}

/**
 * Milliseconds to wait before the next call: what the provider asked for, and chance on top of it so that not all come
 * back at once; else exponential with full jitter (M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog,
 * 2015).
 *
 * @param retriesBefore  retries of this model that have failed, 0 before the first
 */
export function retryDelayMs(error: TallyrankError, retriesBefore: number, random: number): number {
  const ceilingMs = Math.min(CAP_MS, BASE_MS * 2 ** retriesBefore);
  if (error.retryAfterMs === null) return random * ceilingMs;
  return error.retryAfterMs + random * Math.min(ceilingMs, error.retryAfterMs / 4);
}

function codeOf(cause: unknown): string {
  const { code } = (cause ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? code : '';
}
