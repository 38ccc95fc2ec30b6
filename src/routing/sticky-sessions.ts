import type { Plan } from './plan.ts';

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
/** Sessions that are remembered at most. About 10 MB; fewer, and busy gateways forget open ones. */
const SESSIONS_MAX = 50_000;

/**
 * The model that each open session was given last, in memory: of this gateway, and since its start. Two generations
 * stand for the order of use: when the younger is full the older is forgotten, so a lookup moves nothing.
 */
export class StickySessions {
  readonly switchMargin: number;
  readonly #idleMs: number;
  readonly #generationMax: number;
  #younger = new Map<string, Entry>();
  #older = new Map<string, Entry>();

  /** @throws {RangeError} for a negative margin or time */
  constructor(
    { switchMargin = SWITCH_MARGIN, idleMs = IDLE_MS }: Partial<StickySettings> = {},
    { sessionsMax = SESSIONS_MAX }: { readonly sessionsMax?: number } = {},
  ) {
    if (!(switchMargin >= 0 && idleMs >= 0))
      throw new RangeError(`switch margin and idle time must be 0 or more, not ${switchMargin}, ${idleMs}`);
    this.switchMargin = switchMargin;
    this.#idleMs = idleMs;
    this.#generationMax = Math.max(1, Math.floor(sessionsMax / 2));
  }

  /** The model of a session that is under way by the same policy; null for a new, idle or forgotten one. */
  modelOf(sessionId: string, policy: string, nowMs: number): string | null {
    const entry = this.#younger.get(sessionId) ?? this.#older.get(sessionId);
    if (entry === undefined || entry.policy !== policy) return null;
    return Math.abs(nowMs - entry.atMs) < this.#idleMs ? entry.modelId : null;
  }

  note(sessionId: string, given: { readonly modelId: string; readonly policy: string }, nowMs: number): void {
    if (this.#idleMs === 0) return;
    const known = this.#younger.get(sessionId);
    if (known !== undefined) {
      known.modelId = given.modelId;
      known.policy = given.policy;
      known.atMs = nowMs;
      return;
    }
    if (this.#younger.size >= this.#generationMax) {
      this.#older = this.#younger;
      this.#younger = new Map();
    }
    this.#younger.set(sessionId, { modelId: given.modelId, policy: given.policy, atMs: nowMs });
  }

  /** Sessions that are remembered; one in both generations counts twice. */
  get size(): number {
    return this.#younger.size + this.#older.size;
  }
}

/** Why the first of the open models, for people. */
export function reasonOfBest(plan: Plan, bestId: string): string {
  if (bestId === plan.modelIds[0]) return plan.reason;
  return `${plan.modelIds[0]} is away; ${bestId} is next in the order of fallback.`;
}

/**
 * Whether a session stays with its model: while it is able and, where there are candidates, one of them that lies less
 * than the margin below the best.
 */
export function stayOf(
  heldId: string,
  plan: Plan,
  openIds: readonly string[],
  switchMargin: number,
): { readonly modelId: string; readonly reason: string } {
  const bestId = openIds[0] as string;
  if (heldId === bestId) return { modelId: bestId, reason: reasonOfBest(plan, bestId) };
  const leave = (why: string): { readonly modelId: string; readonly reason: string } => ({
    modelId: bestId,
    reason: `The session leaves ${heldId}, which ${why}. ${reasonOfBest(plan, bestId)}`,
  });
  if (!openIds.includes(heldId)) return leave('cannot serve this request now');
  if (plan.candidateCount === 0) {
    return { modelId: heldId, reason: `The session stays with ${heldId}: there is no evidence against it.` };
  }
  const held = plan.rows.find((row) => row.modelId === heldId && row.isCandidate);
  if (held === undefined) return leave('is no candidate here');
  const best = plan.rows.find((row) => row.modelId === bestId);
  const gain = (best?.score ?? 0) - (held.score ?? 0);
  if (gain >= switchMargin) return leave(`scores ${gain.toFixed(1)} points less`);
  return {
    modelId: heldId,
    reason: `The session stays with ${heldId}: ${bestId} scores ${gain.toFixed(1)} points more (changes over at ${switchMargin}).`,
  };
}
