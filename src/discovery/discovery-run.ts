import type { DiscoveryRun } from '../store/queries/discovery-runs.ts';
import type { Clustering } from './clustering/cluster-prompts.ts';
import type { ClusterName } from './naming/name-clusters.ts';
import type { RepeatsReport } from './repeats/repeats-report.ts';

/** What callers may put into a run; each is left out by default. */
export interface DiscoveryHooks {
  /** Words names and descriptions, e.g. by a model: one answer per use case, in order; null leaves what words made. */
  readonly nameBy?: UseCaseNamer | undefined;
}

export type UseCaseNamer = (
  useCases: readonly UnnamedUseCase[],
  onProgress: (done: number, total: number) => void,
) => Promise<readonly (GivenName | null)[]>;

export interface UnnamedUseCase extends ClusterName {
  /** Redacted, the most typical first. */
  readonly texts: readonly string[];
  /** False where it keeps the name that it has, or may not be shown: then it is there to be told apart from. */
  readonly isWanted: boolean;
}

export interface GivenName {
  readonly name: string;
  /** Two sentences at most. */
  readonly description: string;
}

/** What a run says of itself; stored with it as JSON. */
export interface DiscoveryReport {
  readonly embedder: string;
  /** Which embedder it is and why, in a sentence. */
  readonly embedderReason: string;
  /** Vectors that were computed; the others were in the store. */
  readonly embeddedCount: number;
  readonly seed: number;
  readonly requestCount: number;
  readonly distinctPromptCount: number;
  /** Distinct prompts that were looked at, an even sample where there are too many. */
  readonly sampledCount: number;
  /** Those of them that were clustered: of a template only the square root of its prompts. */
  readonly clusteredCount: number;
  /** What programs ask: texts with slots, and texts that come by the clock. */
  readonly repeats: RepeatsReport;
  /** Use cases shown, without "other". */
  readonly useCaseCount: number;
  /** Share of the sampled prompts that fit no use case. */
  readonly otherShare: number;
  /** How well each number of clusters fits: how the number was chosen. */
  readonly modularityCurve: Clustering['curve'];
  /** Of the hot path's classifier on held-out prompts; null when there were too few. */
  readonly classifierAccuracy: number | null;
  readonly classifierBytes: number;
  /** The run that identities were taken over from; null for the first. */
  readonly previousRunId: string | null;
  /** True when the centres of the run before were kept and moved; false when the clusters were found afresh. */
  readonly isContinued: boolean;
  /** Share of the prompts known to both runs that kept their use case; null when none was known. */
  readonly keptShare: number | null;
  /** The run that this one is, but for operator edits; null for a run of discovery. */
  readonly derivedFrom: string | null;
  /** The newest operator edit that is in it; null for none. */
  readonly lastEditId: string | null;
  readonly durationMs: number;
  /** Anything a reader must know, in a sentence; null when there is nothing. */
  readonly note: string | null;
}

/** Told of each step of a run; throws when the run is cancelled. */
export type Step = (name: string, done?: number, total?: number | null) => void;

/** What 2 cores cluster well under a minute; an even sample of more prompts finds the same use cases. */
export const SAMPLE_MAX = 20_000;

/**
 * Id and moment of a new run: never before the current one, since the newest active run is the current one and
 * clocks of several gateways differ.
 */
export function nextRunId(
  nowMs: number,
  active: Pick<DiscoveryRun, 'createdAtMs'> | null,
): { runId: string; createdAtMs: number } {
  const createdAtMs = Math.max(nowMs, (active?.createdAtMs ?? Number.NEGATIVE_INFINITY) + 1);
  return { runId: new Date(createdAtMs).toISOString().replace(/[-:.]/g, ''), createdAtMs };
}
