import { Cron } from 'croner';
import type { Logger } from '../core/log.ts';

/** What a running program does again and again, until it is closed. */
export class Timetable {
  readonly #logger: Logger;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #schedules: Cron[] = [];
  #isClosed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Runs `work` in steps of time, never twice at once; a failure is said and the next turn tries again. */
  every(intervalMs: number, what: string, work: () => Promise<unknown>): void {
    let isRunning = false;
    const timer = setInterval(() => {
      if (isRunning || this.#isClosed) return;
      isRunning = true;
      work()
        .catch((error: unknown) =>
          this.#logger.warn({ err: error }, `Failed while ${what}; it is tried again.`),
        )
        .finally(() => {
          isRunning = false;
        });
    }, intervalMs);
    timer.unref();
    this.#timers.push(timer);
  }

  /** @param pattern  of cron, UTC; null: never */
  at(pattern: string | null, work: () => void): void {
    if (pattern !== null)
      this.#schedules.push(new Cron(pattern, { timezone: 'UTC', protect: true }, () => work()));
  }

  close(): void {
    this.#isClosed = true;
    for (const schedule of this.#schedules) schedule.stop();
    for (const timer of this.#timers) clearInterval(timer);
  }
}
