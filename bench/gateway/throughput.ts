import { setTimeout as delay } from 'node:timers/promises';
import type { Subject } from './processes.ts';
import { cpuMsOf } from './processes.ts';
import type { Product } from './servers.ts';
import type { WrkOptions, WrkResult } from './wrk.ts';
import { runWrk } from './wrk.ts';

/** One run of one server, with the processor time of each process per request. */
export interface Run extends WrkResult {
  readonly name: string;
  /** Microseconds of processor time per request: the server itself. */
  readonly serverUs: number;
  /** The store process; null where there is none. Until the backlog is gone. */
  readonly storeUs: number | null;
  readonly upstreamUs: number;
  /** From the end of the load until the store had the last row; null where there is no store. */
  readonly backlogMs: number | null;
}

/** Each look costs the gateway milliseconds, for it reads all metrics. */
const BACKLOG_POLL_MS = 100;
const BACKLOG_MAX_MS = 120_000;

export async function measure(
  subject: Subject,
  upstream: Subject,
  options: WrkOptions,
  product: Product | null,
): Promise<Run> {
  const pids = [subject.pid, upstream.pid, ...(product ? [product.storePid()] : [])];
  const before = pids.map(cpuMsOf);
  const result = await runWrk(subject, options);
  const backlogMs = product ? await untilShipped(product) : null;
  const usOf = (at: number): number =>
    ((cpuMsOf(pids[at] ?? 0) - (before[at] ?? 0)) * 1_000) / result.requestCount;
  return {
    ...result,
    name: subject.name,
    serverUs: usOf(0),
    upstreamUs: usOf(1),
    storeUs: product ? usOf(2) : null,
    backlogMs,
  };
}

/** Waits until no journal byte waits for the store. */
export async function untilShipped(product: Product): Promise<number> {
  const startedAtMs = performance.now();
  for (;;) {
    const metrics = await (await fetch(`${product.url}/metrics`)).text();
    const waiting = Number(/^tallyrank_log_waiting_bytes (\S+)$/m.exec(metrics)?.[1]);
    const tookMs = performance.now() - startedAtMs;
    if (waiting === 0) return tookMs;
    if (tookMs > BACKLOG_MAX_MS) throw new Error(`${waiting} bytes still wait for the store`);
    await delay(BACKLOG_POLL_MS);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** The value below which a share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
