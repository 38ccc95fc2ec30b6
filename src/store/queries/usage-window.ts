import type { Timeframe } from '../../core/timeframe.ts';
import { storedMoment } from '../../core/usage-record.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Up to here the log itself answers, by the minute; beyond it the roll-up, by the hour. */
const RAW_WINDOW_MAX_MS = 6 * HOUR_MS;

/**
 * Longest window and the width of its buckets. Narrower ones make a line that nobody can read and an answer
 * that grows; wider ones hide what happened.
 */
const BUCKETS: readonly (readonly [windowMaxMs: number, bucketMs: number])[] = [
  [HOUR_MS, MINUTE_MS],
  [RAW_WINDOW_MAX_MS, 5 * MINUTE_MS],
  [4 * DAY_MS, HOUR_MS],
  [15 * DAY_MS, 6 * HOUR_MS],
  [400 * DAY_MS, DAY_MS],
];
const WIDEST_BUCKET_MS = 7 * DAY_MS;

/** How `USAGE_BETWEEN` is asked for a timeframe. */
export interface UsageWindow {
  /** Its parameters and those of the buckets, ready to be bound. */
  readonly params: Readonly<
    Record<'from' | 'to' | 'rolledFrom' | 'rolledTo' | 'bucketSeconds', string | number>
  >;
  readonly bucketMs: number;
  /** Starts of all buckets that the window touches, in order; milliseconds since 1970. */
  readonly bucketStartsMs: readonly number[];
}

/**
 * Splits a timeframe into the whole hours that the roll-up answers and the rest that the log answers, so that
 * counts are exact for any window (as far back as the log is kept; the roll-up goes further).
 */
export function usageWindow(timeframe: Timeframe): UsageWindow {
  const fromMs = timeframe.from.getTime();
  const toMs = timeframe.to.getTime();
  const lengthMs = toMs - fromMs;
  const isRaw = lengthMs <= RAW_WINDOW_MAX_MS;
  // Without rolled hours both ends meet at `to`: everything before it is the log's.
  const rolledFromMs = isRaw ? Math.ceil(toMs / 1_000) * 1_000 : Math.ceil(fromMs / HOUR_MS) * HOUR_MS;
  const rolledToMs = isRaw ? rolledFromMs : Math.floor(toMs / HOUR_MS) * HOUR_MS;
  const bucketMs = BUCKETS.find(([windowMaxMs]) => lengthMs <= windowMaxMs)?.[1] ?? WIDEST_BUCKET_MS;
  const bucketStartsMs: number[] = [];
  for (let at = Math.floor(fromMs / bucketMs) * bucketMs; at < toMs; at += bucketMs) bucketStartsMs.push(at);
  return {
    params: {
      from: storedMoment(fromMs),
      to: storedMoment(toMs),
      rolledFrom: storedMoment(rolledFromMs).slice(0, 19),
      rolledTo: storedMoment(rolledToMs).slice(0, 19),
      bucketSeconds: bucketMs / 1_000,
    },
    bucketMs,
    bucketStartsMs,
  };
}

/** "YYYY-MM-DD HH:MM:SS.mmm" of the store as ISO 8601. */
export function isoOfStored(moment: string): string {
  return `${moment.replace(' ', 'T')}${moment.length === 19 ? '.000' : ''}Z`;
}
