import { TallyrankError } from '../core/errors.ts';
import type { CancelListener, CancelSignal } from './cancellation.ts';

/** How many calls a provider takes at a time, and how many may wait for their turn. */
export interface ConcurrencySettings {
  /** Named in errors. */
  readonly provider: string;
  /** Calls under way at a time. */
  readonly maxConcurrent: number;
  /** Calls that may wait; the next is refused. */
  readonly queueMax: number;
  /** Milliseconds that a call waits at most. */
  readonly queueWaitMs: number;
}

interface Waiter {
  readonly start: () => void;
}

/** A first-come-first-served bound on calls under way. Each `enter` that resolves must be followed by one `leave`. */
export class ConcurrencyLimit {
  readonly #settings: ConcurrencySettings;
  readonly #waiting = new Set<Waiter>();
  #runningCount = 0;

  constructor(settings: ConcurrencySettings) {
    this.#settings = settings;
  }

  get runningCount(): number {
    return this.#runningCount;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves when the call may begin.
   *
   * @throws {TallyrankError} `provider_busy` when too many wait or it took too long, or the reason of the signal
   */
  async enter(signal: CancelSignal): Promise<void> {
    const { provider, maxConcurrent, queueMax, queueWaitMs } = this.#settings;
    if (signal.aborted) throw signal.reason;
    if (this.#runningCount < maxConcurrent) {
      this.#runningCount++;
      return;
    }
    if (this.#waiting.size >= queueMax) {
      const text = `The provider ${provider} has ${maxConcurrent} calls under way and ${queueMax} waiting, which is all it may have.`;
      throw new TallyrankError('provider_busy', text);
    }
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        start: () => {
          end();
          resolve();
        },
      };
      const onAbort: CancelListener = {
        handleEvent: () => {
          end();
          reject(signal.reason);
        },
      };
      const timer = setTimeout(() => {
        end();
        const text = `The provider ${provider} had no free place for this call within ${queueWaitMs} ms.`;
        reject(new TallyrankError('provider_busy', text));
      }, queueWaitMs);
      signal.addEventListener('abort', onAbort);
      this.#waiting.add(waiter);
    });
  }

  /** A call that entered has ended. */
  leave(): void {
    const [next] = this.#waiting;
    // Its place is handed on, so that nobody who comes now takes it first.
    if (next === undefined) this.#runningCount--;
    else next.start();
  }
}
