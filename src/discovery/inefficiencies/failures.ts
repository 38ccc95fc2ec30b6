import { rankingEvidenceQuery } from '../../store/queries/ranking-evidence.ts';
import { type FailureRow, failuresQuery } from '../../store/queries/waste/failures.ts';
import { counted, type InefficiencyEvidence, requestsOf } from './evidence.ts';
import { dollars, type Inefficiency, isWorthReading, NOTHING_MORE, percent, times } from './inefficiency.ts';
import { isJudged, shareOf } from './not-worse.ts';

/** More failures than this are worth a look, and half of it is beyond doubt. */
const FAILURE_RATE_MIN = 0.1;

/** Requests that ended in a timeout: what was paid for them, and how long people waited. */
export function findTimeouts({ failures, rows, scope }: InefficiencyEvidence): Inefficiency[] {
  const timeouts = failures.filter(({ isTimeout }) => isTimeout);
  return [...new Set(timeouts.map(({ modelId }) => modelId))]
    .map((modelId) => {
      const lost = lossOf(timeouts.filter((row) => row.modelId === modelId));
      const sampleCount = Math.max(lost.requestCount, requestsOf(rows, modelId));
      const waited = lost.waitedMs === null ? '' : `; people waited ${duration(lost.waitedMs)} for nothing`;
      return {
        ...NOTHING_MORE,
        ...lost,
        type: 'timeouts' as const,
        modelId,
        useCase: null,
        sampleCount,
        message: `${times(lost.requestCount, 'request')} to ${modelId} timed out${paid(lost.costUsd)}${waited}`,
        suggestion: `Give ${modelId} more time or less to do, or let auto fall back on another model`,
        queries: [failuresQuery(scope, { modelId })],
      };
    })
    .filter(isWorthReading);
}

/** Models that fail often in a use case, attempts that another model stood in for included. */
export function findFailures(evidence: InefficiencyEvidence): Inefficiency[] {
  const { rows, failures, scope } = evidence;
  const judged = rows.filter((row) => isJudged(row, evidence));
  return judged.flatMap((row) => {
    const failureRate = shareOf(row.failureCount, row.successCount);
    if (failureRate.value < FAILURE_RATE_MIN || failureRate.interval[0] < FAILURE_RATE_MIN / 2) return [];
    const { useCase, modelId } = row;
    const lost = lossOf(failures.filter((one) => one.useCase === useCase && one.modelId === modelId));
    return [
      {
        ...NOTHING_MORE,
        ...lost,
        type: 'frequent_failures',
        modelId,
        useCase,
        requestCount: row.failureCount,
        sampleCount: counted(row),
        failureRate,
        message: `${modelId} failed in ${percent(failureRate.value)} of ${counted(row)} ${useCase} queries${paid(lost.costUsd)}`,
        suggestion: `Look at its errors, or route ${useCase} to another model`,
        queries: [rankingEvidenceQuery(scope, useCase), failuresQuery(scope, { modelId, useCase })],
      },
    ];
  });
}

type Loss = Pick<Inefficiency, 'requestCount' | 'pricedCount' | 'costUsd' | 'wastedUsd' | 'waitedMs'>;

/** What failed was paid for nothing, all of it. */
function lossOf(rows: readonly FailureRow[]): Loss {
  const sum = (of: (row: FailureRow) => number): number => rows.reduce((all, row) => all + of(row), 0);
  const pricedCount = sum((row) => row.pricedCount);
  const costUsd = pricedCount === 0 ? null : sum((row) => row.costUsd ?? 0);
  return {
    requestCount: sum((row) => row.requestCount),
    pricedCount,
    costUsd,
    wastedUsd: costUsd,
    waitedMs: sum((row) => row.waitedCount) === 0 ? null : sum((row) => row.waitedMs ?? 0),
  };
}

function paid(usd: number | null): string {
  return usd === null || usd === 0 ? '' : ` (${dollars(usd)})`;
}

/** "40 s", "12 min", "3.5 h". */
function duration(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}
