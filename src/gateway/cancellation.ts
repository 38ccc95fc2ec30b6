/** Told once when a call is to end; an object, so that listening costs no closure. */
export interface CancelListener {
  handleEvent(): void;
}

/** What ends a call: an `AbortSignal`, or the much cheaper {@link Cancellation}. */
export interface CancelSignal {
  readonly aborted: boolean;
  /** Undefined until it is aborted. */
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: CancelListener): void;
  removeEventListener(type: 'abort', listener: CancelListener): void;
}

/**
 * Ends the calls of one request. Node gives each `AbortSignal` a shape of its own, which makes whatever looks at one
 * slow: with a request each that was 3 % of the gateway's time. This looks the same to its listeners, and becomes one
 * of those where somebody needs it.
 */
export class Cancellation implements CancelSignal {
  aborted = false;
  reason: unknown = undefined;
  /** Mostly none or one. */
  readonly #listeners: CancelListener[] = [];

  /** Tells all listeners, once; nothing happens the second time. */
  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    // They may leave while they are told.
    for (const listener of this.#listeners.splice(0)) listener.handleEvent();
  }

  addEventListener(_type: 'abort', listener: CancelListener): void {
    if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: CancelListener): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }
}

/** For what takes nothing but an `AbortSignal`, e.g. Node's timers; to be called once in a while, not per request. */
export function abortSignalOf(signal: CancelSignal): AbortSignal {
  if (signal instanceof AbortSignal) return signal;
  const own = new AbortController();
  const handleEvent = (): void => own.abort(signal.reason);
  if (signal.aborted) handleEvent();
  else signal.addEventListener('abort', { handleEvent });
  return own.signal;
}
