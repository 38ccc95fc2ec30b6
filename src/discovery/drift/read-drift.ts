import { shownTimeframe, type Timeframe } from '../../core/timeframe.ts';
import type { Database } from '../../store/database.ts';
import { currentRunId } from '../../store/queries/current-run.ts';
import { readUseCaseCounts, type UseCaseCount } from '../../store/queries/drift.ts';
import { computeDrift, type Drift, FALSE_ALARM_RATE, type MixBucket } from './drift.ts';

export interface DriftAnswer extends Drift {
  readonly runId: string;
  readonly window: { readonly from: string; readonly to: string; readonly label: string };
  readonly previousWindow: { readonly from: string; readonly to: string };
  /** Chance that a comparison raises an alarm although nothing changed, at most. */
  readonly falseAlarmRate: number;
}

const HOUR_MS = 3_600_000;
/** More buckets are smaller ones, and with a handful of requests in each their variation says nothing. */
const BUCKETS_MAX = 14;

/**
 * Whether the mix of use cases changed against the window of equal length before. Both are cut at whole hours,
 * and both are labelled by the current run, so that a change of use cases is not mistaken for one of habits.
 */
export async function readDrift(db: Database, timeframe: Timeframe): Promise<DriftAnswer> {
  const runId = await currentRunId(db);
  const toMs = Math.ceil(timeframe.to.getTime() / HOUR_MS) * HOUR_MS;
  const hours = Math.max(1, Math.round((toMs - timeframe.from.getTime()) / HOUR_MS));
  const bucketHours = Math.ceil(hours / BUCKETS_MAX);
  // Days stay whole where the window has whole days, so that nights do not count as change.
  const bucketMs = (bucketHours > 12 ? Math.ceil(bucketHours / 24) * 24 : bucketHours) * HOUR_MS;
  const fromMs = toMs - hours * HOUR_MS;
  const previousFromMs = fromMs - hours * HOUR_MS;
  const scope = { runId, bucketMs };
  const [before, after] = await Promise.all([
    readUseCaseCounts(db, { ...scope, from: new Date(previousFromMs), to: new Date(fromMs) }),
    readUseCaseCounts(db, { ...scope, from: new Date(fromMs), to: new Date(toMs) }),
  ]);
  return {
    runId,
    window: {
      ...shownTimeframe(timeframe),
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
    },
    previousWindow: { from: new Date(previousFromMs).toISOString(), to: new Date(fromMs).toISOString() },
    falseAlarmRate: FALSE_ALARM_RATE,
    ...computeDrift(toBuckets(before), toBuckets(after)),
  };
}

function toBuckets(rows: readonly UseCaseCount[]): MixBucket[] {
  const buckets = new Map<number, Map<string, number>>();
  for (const { bucketStartMs, useCase, requestCount } of rows) {
    const counts = buckets.get(bucketStartMs) ?? new Map<string, number>();
    counts.set(useCase, requestCount);
    buckets.set(bucketStartMs, counts);
  }
  return [...buckets.values()].map((counts) => ({ counts }));
}
