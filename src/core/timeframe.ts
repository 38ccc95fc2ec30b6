import { TallyrankError } from './errors.ts';

/** A half-open window of time [from, to), UTC. */
export interface Timeframe {
  readonly from: Date;
  readonly to: Date;
  /** The words it was asked with, e.g. "1 week"; shown back to people. */
  readonly label: string;
}

const MS_PER_UNIT = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  mo: 2_592_000_000,
  y: 31_536_000_000,
} as const;

const UNIT_WORDS: Readonly<Record<string, keyof typeof MS_PER_UNIT>> = {
  s: 's',
  sec: 's',
  second: 's',
  seconds: 's',
  m: 'm',
  min: 'm',
  minute: 'm',
  minutes: 'm',
  h: 'h',
  hr: 'h',
  hour: 'h',
  hours: 'h',
  d: 'd',
  day: 'd',
  days: 'd',
  w: 'w',
  week: 'w',
  weeks: 'w',
  mo: 'mo',
  month: 'mo',
  months: 'mo',
  y: 'y',
  year: 'y',
  years: 'y',
};

/** Beyond ten years a window is a typing mistake, and the store would open every partition for it. */
const LONGEST_MS = 10 * MS_PER_UNIT.y;

const ISO_DURATION =
  /^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?$/;

const HELP = 'Use words like "1 hour", "7 days", "1w", an ISO 8601 duration like "P7D", or from and to.';

/**
 * Milliseconds of "1 hour", "7 days", "1w" or an ISO 8601 duration. A month is 30 days, a year 365.
 *
 * @throws {TallyrankError} `bad_timeframe`
 */
export function parseDurationMs(text: string): number {
  const trimmed = text.trim();
  const ms = parseWords(trimmed) ?? parseIsoDuration(trimmed);
  if (ms === null) throw badTimeframe(`"${clip(text)}" is not a timeframe. ${HELP}`);
  if (ms <= 0) throw badTimeframe(`The timeframe "${clip(text)}" is empty. ${HELP}`);
  if (ms > LONGEST_MS) throw badTimeframe(`The timeframe "${clip(text)}" is longer than ten years. ${HELP}`);
  return ms;
}

export interface TimeframeQuery {
  readonly timeframe?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/**
 * The window that a caller asked for: a duration that ends at `nowMs`, or explicit `from` / `to`
 * (ISO 8601 moments; `to` defaults to now).
 *
 * @throws {TallyrankError} `bad_timeframe` with what is accepted
 */
export function parseTimeframe(
  query: TimeframeQuery | string,
  nowMs: number,
  fallback = '1 week',
): Timeframe {
  const asked = typeof query === 'string' ? { timeframe: query } : query;
  if (asked.from !== undefined || asked.to !== undefined) {
    if (asked.timeframe !== undefined) {
      throw badTimeframe('Give either timeframe or from and to, not both.');
    }
    return parseFromTo(asked, nowMs);
  }
  const label = asked.timeframe ?? fallback;
  const ms = parseDurationMs(label);
  return { from: new Date(nowMs - ms), to: new Date(nowMs), label: label.trim() };
}

/** A window as answers show it: its ends in ISO 8601, and the words it was asked with. */
export function shownTimeframe(window: Timeframe): {
  readonly from: string;
  readonly to: string;
  readonly label: string;
} {
  return { from: window.from.toISOString(), to: window.to.toISOString(), label: window.label };
}

function parseFromTo(asked: TimeframeQuery, nowMs: number): Timeframe {
  if (asked.from === undefined) throw badTimeframe('to needs from: give both, or from alone.');
  const from = parseMoment('from', asked.from);
  const to = asked.to === undefined ? new Date(nowMs) : parseMoment('to', asked.to);
  if (from >= to)
    throw badTimeframe(`from (${from.toISOString()}) must lie before to (${to.toISOString()}).`);
  if (to.getTime() - from.getTime() > LONGEST_MS) throw badTimeframe('from and to span more than ten years.');
  return { from, to, label: `${from.toISOString()}/${to.toISOString()}` };
}

function parseMoment(name: string, text: string): Date {
  // A bare number would be read by Date as a year; people who send one mean an epoch, and must say so in ISO.
  const moment = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text) : new Date(Number.NaN);
  const year = moment.getUTCFullYear();
  if (Number.isNaN(year) || year < 1970 || year > 2100) {
    throw badTimeframe(`${name}="${clip(text)}" is not a moment. Use ISO 8601, e.g. 2026-01-31T08:00:00Z.`);
  }
  return moment;
}

function parseWords(text: string): number | null {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]+)$/i.exec(text);
  if (!match) return null;
  const unit = UNIT_WORDS[(match[2] ?? '').toLowerCase()];
  return unit === undefined ? null : Number(match[1]) * MS_PER_UNIT[unit];
}

function parseIsoDuration(text: string): number | null {
  const match = ISO_DURATION.exec(text.toUpperCase());
  if (!match || text.length < 3) return null;
  const units = ['y', 'mo', 'w', 'd', 'h', 'm', 's'] as const;
  return units.reduce((sum, unit, at) => sum + Number(match[at + 1] ?? 0) * MS_PER_UNIT[unit], 0);
}

function badTimeframe(message: string): TallyrankError {
  return new TallyrankError('bad_timeframe', message, { param: 'timeframe' });
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
