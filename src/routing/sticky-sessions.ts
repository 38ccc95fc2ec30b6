/** How long a session stays with its model. */
export interface StickySettings {
  /** Points of the score by which another model must be better before a session changes over. */
  readonly switchMargin: number;
  /** Milliseconds without a request after which a session is free again; 0: sessions are not sticky. */
  readonly idleMs: number;
}

interface Entry {
  modelId: string;
  policy: string;
  atMs: number;
}

/**
 * Providers drop a cached prompt after five to ten minutes without use, and at the latest after an hour. Shorter, and
 * people who think between two questions lose it; longer, and a session is held by a cache that is gone.
 */
const IDLE_MS = 10 * 60_000;
/** A quarter of what the score gives to cost: what a cold cache costs of a long conversation. */
const SWITCH_MARGIN = 5;
/** Sessions that are remembered, the longest silent forgotten first. About 10 MB; fewer: busy gateways forget open ones. */
const SESSIONS_MAX = 50_000;

/** The model that each open session was given last, in memory: of this gateway, and since its start. */
export class StickySessions {
  readonly switchMargin: number;
  readonly #idleMs: number;
  readonly #sessionsMax: number;
  readonly #entries = new Map<string, Entry>();

  /** @throws {RangeError} for a negative margin or time */
  constructor(
    { switchMargin = SWITCH_MARGIN, idleMs = IDLE_MS }: Partial<StickySettings> = {},
    { sessionsMax = SESSIONS_MAX }: { readonly sessionsMax?: number } = {},
  ) {
    if (!(switchMargin >= 0 && idleMs >= 0))
      throw new RangeError(`switch margin and idle time must be 0 or more, not ${switchMargin}, ${idleMs}`);
    this.switchMargin = switchMargin;
    this.#idleMs = idleMs;
    this.#sessionsMax = sessionsMax;
  }

  /** The model of a session that is under way by the same policy; null for a new, idle or forgotten one. */
  modelOf(sessionId: string, policy: string, nowMs: number): string | null {
    const entry = this.#entries.get(sessionId);
    if (entry === undefined || entry.policy !== policy) return null;
    return Math.abs(nowMs - entry.atMs) < this.#idleMs ? entry.modelId : null;
  }

  note(sessionId: string, given: { readonly modelId: string; readonly policy: string }, nowMs: number): void {
    if (this.#idleMs === 0) return;
    this.#entries.delete(sessionId);
    this.#entries.set(sessionId, { ...given, atMs: nowMs });
    if (this.#entries.size <= this.#sessionsMax) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  get size(): number {
    return this.#entries.size;
  }
}
