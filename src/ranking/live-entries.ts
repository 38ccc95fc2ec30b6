import type { Signal } from '../core/signal.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { countsAgainstModel } from '../core/usage-record.ts';
import type { LiveRequest } from './live-sums.ts';
import { LiveSums, withSignal } from './live-sums.ts';
import { timingOfRecord, withoutHold } from './live-timing.ts';

/** Something that counts on top of the published evidence: small, since some are made per request. */
export interface LiveEntry {
  /** When this process saw it, milliseconds since 1970. */
  readonly atMs: number;
  /** The run whose use case it has; null: a hand-written rule gave it, which holds in every run. */
  readonly runId: string | null;
  readonly useCase: string;
  readonly modelId: string;
  /** Published snapshots that it was not in. */
  survivedCount: number;
  addTo(sums: LiveSums): void;
}

export function liveRequestOf(record: UsageRecord): LiveRequest {
  const { failure, usage } = record;
  return {
    runId: record.useCaseRule === null ? record.runId : null,
    useCase: record.useCase,
    modelId: record.modelId,
    isSuccess: failure === null,
    isModelFailure: failure !== null && countsAgainstModel(failure.fault),
    latencyMs: failure === null ? record.latencyMs : null,
    answeringMs: failure === null ? withoutHold(record.latencyMs, record) : null,
    timing: failure === null ? timingOfRecord(record) : null,
    costUsd: record.costUsd,
    promptTokens: usage.promptTokens,
    completionTokens: usage.completionTokens,
    signs: {
      hasSession: record.sessionId !== null && record.sessionId !== '',
      isAbandoned: failure?.code === 'caller_cancelled',
      isReAsked: false,
      isThanked: false,
      isFollowedUp: false,
      feedback: null,
      importedScore: null,
    },
  };
}

/** The request as it ended: signals that come later are entries of their own. */
export function requestEntry(request: LiveRequest, atMs: number): LiveEntry {
  const { signs } = request;
  return entryOf(request, atMs, (sums) => sums.addRequest(request, signs));
}

/** A model that failed a request which another one then answered. */
export function failureEntry(request: LiveRequest, modelId: string, atMs: number): LiveEntry {
  return entryOf({ ...request, modelId }, atMs, (sums) => sums.addFailure());
}

/**
 * What a signal changes: the signs after it in place of those before. The request keeps the later ones. null when it
 * changes nothing.
 */
export function signalEntry(request: LiveRequest, signal: Signal, atMs: number): LiveEntry | null {
  const before = request.signs;
  const after = withSignal(before, signal);
  request.signs = after;
  if (before === after) return null;
  return entryOf(request, atMs, (sums) => {
    sums.addSigns(before, -1);
    sums.addSigns(after, 1);
  });
}

/** The same evidence in one entry per cell, each as late as the latest that it holds. */
export function condense(entries: readonly LiveEntry[]): LiveEntry[] {
  const cells = new Map<string, { readonly sums: LiveSums; readonly parts: LiveEntry[] }>();
  for (const entry of entries) {
    const key = JSON.stringify([entry.runId, entry.useCase, entry.modelId]);
    const cell = cells.get(key) ?? { sums: new LiveSums(), parts: [] };
    cells.set(key, cell);
    entry.addTo(cell.sums);
    cell.parts.push(entry);
  }
  return [...cells.values()].flatMap(({ sums, parts: [first, ...others] }) => {
    if (first === undefined) return [];
    const latest = others.reduce((one, other) => (other.atMs > one.atMs ? other : one), first);
    return [
      {
        ...entryOf(latest, latest.atMs, (other) => other.addSums(sums)),
        survivedCount: latest.survivedCount,
      },
    ];
  });
}

function entryOf(
  { runId, useCase, modelId }: Pick<LiveEntry, 'runId' | 'useCase' | 'modelId'>,
  atMs: number,
  addTo: (sums: LiveSums) => void,
): LiveEntry {
  return { atMs, runId, useCase, modelId, survivedCount: 0, addTo };
}
