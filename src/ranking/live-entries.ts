import type { Signal } from '../core/signal.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { countsAgainstModel } from '../core/usage-record.ts';
import type { EvidenceBook, ModelEvidence } from './evidence.ts';
import { addToBook, noEvidence } from './evidence.ts';
import { latencyBin } from './latency-bins.ts';
import type { Signs } from './live-signals.ts';
import { evidenceOfSigns, withSignal } from './live-signals.ts';

/** Something that counts on top of the published evidence. Its evidence is made when it is added up. */
export interface LiveEntry {
  /** When this process saw it, milliseconds since 1970. */
  readonly atMs: number;
  /** The run whose use case it has; null: a hand-written rule gave it, which holds in every run. */
  readonly runId: string | null;
  readonly useCase: string;
  /** Published snapshots that it was not in. */
  survivedCount: number;
  evidence(): ModelEvidence;
}

/** A request without its texts; signals change its signs. */
export interface LiveRequest {
  readonly runId: string | null;
  readonly useCase: string;
  readonly modelId: string;
  readonly isSuccess: boolean;
  readonly isModelFailure: boolean;
  readonly latencyMs: number | null;
  readonly costUsd: number | null;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  signs: Signs;
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
    costUsd: record.costUsd,
    promptTokens: usage.completionTokens === null ? null : usage.promptTokens,
    completionTokens: usage.promptTokens === null ? null : usage.completionTokens,
    signs: {
      hasSession: record.sessionId !== null && record.sessionId !== '',
      isAbandoned: failure?.code === 'caller_cancelled',
      isReAsked: false,
      isFollowedUp: false,
      feedback: null,
      importedScore: null,
    },
  };
}

/** The request as it ended: signals that come later are entries of their own. */
export function requestEntry(request: LiveRequest, atMs: number): LiveEntry {
  const { signs } = request;
  return entryOf(request, atMs, () => evidenceOfRequest(request, signs));
}

/** A model that failed a request which another one then answered: a failure without a request. */
export function failureEntry(request: LiveRequest, modelId: string, atMs: number): LiveEntry {
  return entryOf(request, atMs, () => ({ ...noEvidence(modelId), failureCount: 1 }));
}

/** What a signal changes: the signs after it in place of those before. The request keeps the later ones. */
export function signalEntry(request: LiveRequest, signal: Signal, atMs: number): LiveEntry {
  const { modelId, signs: before } = request;
  const after = withSignal(before, signal);
  request.signs = after;
  return entryOf(request, atMs, () =>
    sumOf(evidenceOfSigns(modelId, before, -1), evidenceOfSigns(modelId, after, 1)),
  );
}

/** The same evidence in one entry per cell, each as late as the latest that it holds. */
export function condense(entries: readonly LiveEntry[]): LiveEntry[] {
  const cells = new Map<string, LiveEntry>();
  for (const entry of entries) {
    const evidence = entry.evidence();
    const key = JSON.stringify([entry.runId, entry.useCase, evidence.modelId]);
    const known = cells.get(key);
    const sum = known === undefined ? evidence : sumOf(known.evidence(), evidence);
    cells.set(key, {
      ...entryOf(entry, Math.max(entry.atMs, known?.atMs ?? entry.atMs), () => sum),
      survivedCount: Math.max(entry.survivedCount, known?.survivedCount ?? 0),
    });
  }
  return [...cells.values()];
}

function entryOf(
  { runId, useCase }: Pick<LiveRequest, 'runId' | 'useCase'>,
  atMs: number,
  evidence: () => ModelEvidence,
): LiveEntry {
  return { atMs, runId, useCase, survivedCount: 0, evidence };
}

function evidenceOfRequest(request: LiveRequest, signs: Signs): ModelEvidence {
  const { modelId, latencyMs, costUsd, promptTokens, completionTokens } = request;
  return {
    ...evidenceOfSigns(modelId, signs, 1),
    requestCount: 1,
    successCount: request.isSuccess ? 1 : 0,
    failureCount: request.isModelFailure ? 1 : 0,
    sessionCount: signs.hasSession ? 1 : 0,
    latencyCount: latencyMs === null ? 0 : 1,
    latencySumMs: latencyMs ?? 0,
    latencyBins: latencyMs === null ? new Map() : new Map([[latencyBin(latencyMs), 1]]),
    pricedCount: costUsd === null ? 0 : 1,
    costSumUsd: costUsd ?? 0,
    costSquareSum: (costUsd ?? 0) ** 2,
    tokenCount: promptTokens === null ? 0 : 1,
    promptTokenSum: promptTokens ?? 0,
    completionTokenSum: completionTokens ?? 0,
  };
}

/** Two evidences of one model, added up. */
function sumOf(one: ModelEvidence, other: ModelEvidence): ModelEvidence {
  const first: EvidenceBook = new Map([['', new Map([[one.modelId, one]])]]);
  return addToBook(first, '', other).get('')?.get(one.modelId) ?? one;
}
