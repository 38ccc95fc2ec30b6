import { duplicatesQuery } from '../../store/queries/waste/duplicates.ts';
import { failedAttemptsQuery } from '../../store/queries/waste/failed-attempts.ts';
import { retriesQuery } from '../../store/queries/waste/retries.ts';
import { type InefficiencyEvidence, requestsOf } from './evidence.ts';
import {
  dollars,
  type Inefficiency,
  isMoney,
  isWorthReading,
  NOTHING_MORE,
  percent,
  times,
} from './inefficiency.ts';

/**
 * Askers that send the same again at once. After a failure, what failed again was paid for nothing; after a
 * success, all of it was.
 */
export function findRetries({ retries, rows, scope }: InefficiencyEvidence): Inefficiency[] {
  return retries
    .map((row) => {
      const isBlind = row.after === 'failure';
      const finding = {
        ...NOTHING_MORE,
        type: isBlind ? ('retries_after_failure' as const) : ('retries_after_success' as const),
        modelId: row.modelId,
        useCase: null,
        requestCount: row.requestCount,
        pricedCount: row.pricedCount,
        costUsd: row.costUsd,
        // Repeats that did not fail are no waste; those that did and have no price may be.
        wastedUsd: !isBlind ? row.costUsd : row.failedCount === 0 ? 0 : row.failedCostUsd,
        waitedMs: row.waitedMs,
        sampleCount: Math.max(row.requestCount, requestsOf(rows, row.modelId)),
        queries: [retriesQuery(scope, { modelId: row.modelId })],
      };
      const askers = times(row.askerCount, 'asker');
      if (isBlind) {
        return {
          ...finding,
          message: `${askers} sent ${times(row.requestCount, 'request')} to ${row.modelId} again right after a failure, and ${row.failedCount === 0 ? 'none' : row.failedCount} failed again`,
          suggestion: `Let auto fall back on another model instead of asking ${row.modelId} again, and let clients wait longer between tries`,
        };
      }
      return {
        ...finding,
        message: `${askers} sent ${times(row.requestCount, 'request')} to ${row.modelId} again within minutes, although it had answered${money(row.costUsd)}`,
        suggestion: `See whether clients of ${row.modelId} drop its answers, or people are not content with them`,
      };
    })
    .filter(isWorthReading);
}

/** What an exact cache would have answered. Where prices are unknown a finding says how often, without money. */
export function findDuplicates({ duplicates, rows, scope }: InefficiencyEvidence): Inefficiency[] {
  return duplicates
    .map((row) => ({
      ...NOTHING_MORE,
      type: 'duplicate_prompts' as const,
      modelId: row.modelId,
      useCase: null,
      requestCount: row.requestCount,
      pricedCount: row.pricedCount,
      costUsd: row.costUsd,
      wastedUsd: row.costUsd,
      waitedMs: row.waitedMs,
      sampleCount: Math.max(row.requestCount, requestsOf(rows, row.modelId)),
      message: `${row.modelId} answered ${row.promptCount === 1 ? 'the same request' : `the same ${row.promptCount} requests`} ${row.requestCount} more times on the same day${money(row.costUsd)}`,
      suggestion: `Cache the answers of repeated prompts of ${row.modelId} for a day`,
      queries: [duplicatesQuery(scope, { modelId: row.modelId })],
    }))
    .filter((finding) => isMoney(finding.wastedUsd) || finding.wastedUsd === null)
    .filter(isWorthReading);
}

/** Models that the gateway tried in vain. What a failed attempt cost nobody knows: there was no bill in an answer. */
export function findFailedAttempts({ attempts, rows, scope }: InefficiencyEvidence): Inefficiency[] {
  return [...new Set(attempts.map(({ modelId }) => modelId))]
    .map((modelId) => {
      const own = attempts.filter((row) => row.modelId === modelId);
      const attemptCount = own.reduce((sum, row) => sum + row.attemptCount, 0);
      const codes = own.map(({ code, attemptCount: count }) => `${code === '' ? 'unknown' : code} ${count}`);
      const asked = attemptCount + requestsOf(rows, modelId);
      return {
        ...NOTHING_MORE,
        type: 'failed_attempts' as const,
        modelId,
        useCase: null,
        requestCount: attemptCount,
        pricedCount: 0,
        costUsd: null,
        wastedUsd: null,
        sampleCount: asked,
        message: `${modelId} was tried in vain ${attemptCount} times before another model answered, ${percent(attemptCount / asked)} of what it was asked (${codes.join(', ')})`,
        suggestion: `Look at its errors; people wait for every attempt`,
        queries: [failedAttemptsQuery(scope, { modelId })],
      };
    })
    .filter(isWorthReading);
}

function money(usd: number | null): string {
  return usd === null ? '' : ` (${dollars(usd)})`;
}
