import type { InefficiencyEvidence } from './evidence.ts';
import { findExpensive, findIdle } from './expensive.ts';
import { findFailures, findTimeouts } from './failures.ts';
import type { Inefficiency } from './inefficiency.ts';
import { findOversizedContexts } from './oversized-context.ts';
import { findDuplicates, findFailedAttempts, findRetries } from './repeats.ts';

/** More is a report that nobody reads, and each carries its query. */
const FOUND_MAX = 50;

/** What the window's traffic paid for or waited for without need; most money first, then most requests. */
export function findInefficiencies(evidence: InefficiencyEvidence): Inefficiency[] {
  return [
    ...findExpensive(evidence),
    ...findIdle(evidence),
    ...findRetries(evidence),
    ...findFailedAttempts(evidence),
    ...findOversizedContexts(evidence),
    ...findDuplicates(evidence),
    ...findTimeouts(evidence),
    ...findFailures(evidence),
  ]
    .sort((a, b) => (b.wastedUsd ?? 0) - (a.wastedUsd ?? 0) || b.requestCount - a.requestCount)
    .slice(0, FOUND_MAX);
}
