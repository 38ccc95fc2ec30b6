import type { Database } from '../../store/database.ts';
import type { PromptWindow } from '../../store/queries/distinct-prompts.ts';
import { type PromptRhythm, readPromptRhythms } from '../../store/queries/prompt-rhythm.ts';

/** A text that a clock asks: it counts, and says nothing of what people want. */
export interface ScheduledPrompt {
  readonly promptHash: string;
  readonly requestCount: number;
  readonly intervalMs: number;
  /** "every 15 minutes". */
  readonly rhythm: string;
}

/** Requests of a text from which its rhythm is looked at. */
const SCHEDULE_REPEATS_MIN = 6;
/** Shorter pauses are a person who tries again, or a loop. */
const INTERVAL_MIN_MS = 30_000;
/** A person's pauses are a multiple of their median within a tenth about every fourth time; a clock's always. */
const REGULAR_SHARE_MIN = 0.8;

/** The texts of the window that come by the clock. Reads the log. */
export async function readScheduledPrompts(db: Database, window: PromptWindow): Promise<ScheduledPrompt[]> {
  return findScheduledPrompts(await readPromptRhythms(db, { ...window, repeatsMin: SCHEDULE_REPEATS_MIN }));
}

/** The texts among `rhythms` that come by the clock; of several askers of one text the most frequent speaks. */
export function findScheduledPrompts(rhythms: readonly PromptRhythm[]): ScheduledPrompt[] {
  const found = new Map<string, ScheduledPrompt>();
  for (const { promptHash, requestCount, intervalMs, regularShare } of rhythms) {
    if (requestCount < SCHEDULE_REPEATS_MIN || intervalMs < INTERVAL_MIN_MS) continue;
    if (regularShare < REGULAR_SHARE_MIN) continue;
    const known = found.get(promptHash);
    if (known === undefined) {
      found.set(promptHash, { promptHash, requestCount, intervalMs, rhythm: rhythmText(intervalMs) });
    } else {
      found.set(promptHash, { ...known, requestCount: known.requestCount + requestCount });
    }
  }
  return [...found.values()].sort((a, b) => b.requestCount - a.requestCount);
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const;

/** "every day", "every 15 minutes". */
function rhythmText(intervalMs: number): string {
  for (const [unit, unitMs] of UNITS) {
    const count = Math.round(intervalMs / unitMs);
    // 90 minutes are not "every 2 hours".
    if (count >= 1 && Math.abs(intervalMs / unitMs - count) <= 0.1 * count) {
      return count === 1 ? `every ${unit}` : `every ${count} ${unit}s`;
    }
  }
  return `every ${Math.round(intervalMs / 1_000)} seconds`;
}
