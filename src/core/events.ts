import type { AbStatus } from './ab-test.ts';
import type { Decision } from './decision.ts';
import type { UsageRecord } from './usage-record.ts';

/** What happened, for whoever watches live. Closed set: `GET /api/events` sends each as an SSE event. */
export interface AppEvents {
  request: { readonly record: UsageRecord; readonly decision: Decision | null };
  ranking: { readonly version: string };
  job: { readonly jobId: string; readonly status: string };
  /** A test began, ended or went, or its verdict changed; `verdict` is the sentence, null where it did not. */
  'ab-test': {
    readonly name: string;
    readonly status: AbStatus | 'removed';
    readonly verdict: string | null;
  };
}

export type AppEventName = keyof AppEvents;

type Listener = (name: AppEventName, payload: AppEvents[AppEventName]) => void;

/** Hands events to live listeners. A listener that throws is a programming mistake and is let through. */
export class EventBus {
  readonly #listeners = new Set<Listener>();

  emit<Name extends AppEventName>(name: Name, payload: AppEvents[Name]): void {
    for (const listener of this.#listeners) listener(name, payload);
  }

  /** @returns the function that ends the subscription */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }
}
