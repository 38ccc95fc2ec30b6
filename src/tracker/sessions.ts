import type { Signal, SignalKind } from '../core/signal.ts';

/** What the session memory needs of a request. */
export interface SessionRequest {
  readonly requestId: string;
  readonly sessionId: string;
  readonly prompt: string;
  readonly promptHash: string;
  readonly atMs: number;
}

interface LastRequest {
  readonly requestId: string;
  readonly promptHash: string;
  readonly grams: ReadonlySet<string>;
  readonly atMs: number;
}

/** After this silence a session's next request says nothing about the answer before. */
export const SESSION_GAP_MS = 30 * 60_000;
/** Sessions that are remembered; the longest silent is forgotten first. Small: follow-ups are missed. */
const SESSION_COUNT_MAX = 50_000;
/**
 * Share of common character 4-grams (Dice 1945) from which a prompt counts as the same question again.
 * Lower: new questions on the same subject look like complaints. Higher: only literal repeats are seen.
 */
const RE_ASK_SIMILARITY = 0.6;
const COMPARED_LENGTH_MAX = 600;

const THANKS =
  /^\W*(thanks?( you| u)?|thx|ty|danke|merci|gracias|grazie|obrigad[oa]|谢谢|спасибо|perfect|great|awesome)\b[^?]{0,40}$/iu;
const CORRECTION =
  /^\W*(no[,.! ]|nope|wrong\b|that'?s (not|wrong|incorrect)|that is (not|wrong|incorrect)|this is (wrong|incorrect|not)|not what i|you (are|'re) wrong|incorrect\b|i (said|asked|meant)\b|try again|again\b|still (wrong|not)|it (does ?n[o']t|did ?n[o']t) work|doesn'?t work|falsch\b|nein\b|non,|不对|错了)/iu;

/**
 * Derives what a session's next request says about the answer before it: asked again, corrected, thanked, or
 * simply went on. Holds the last request per session in memory.
 */
export class SessionMemory {
  readonly #last = new Map<string, LastRequest>();

  /** The signal about the session's previous request, or null when there is none to judge. */
  observe(request: SessionRequest): Signal | null {
    const grams = fourGrams(request.prompt);
    const last = this.#last.get(request.sessionId);
    this.#last.delete(request.sessionId);
    this.#last.set(request.sessionId, { ...pick(request), grams });
    if (this.#last.size > SESSION_COUNT_MAX) this.#forgetOldest();
    if (!last || last.requestId === request.requestId) return null;
    const gapMs = request.atMs - last.atMs;
    // A clock that jumped back, or a retry after hours, tells nothing.
    if (gapMs < 0 || gapMs > SESSION_GAP_MS) return null;
    return {
      requestId: last.requestId,
      kind: kindOf(request, grams, last),
      value: 1,
      comment: null,
      source: 'session',
      atMs: request.atMs,
    };
  }

  #forgetOldest(): void {
    for (const oldest of this.#last.keys()) {
      this.#last.delete(oldest);
      return;
    }
  }
}

function kindOf(request: SessionRequest, grams: ReadonlySet<string>, last: LastRequest): SignalKind {
  if (request.promptHash === last.promptHash) return 're_ask';
  if (CORRECTION.test(request.prompt)) return 'correction';
  if (THANKS.test(request.prompt)) return 'thanks';
  return dice(grams, last.grams) >= RE_ASK_SIMILARITY ? 're_ask' : 'follow_up';
}

function pick(request: SessionRequest): Omit<LastRequest, 'grams'> {
  return { requestId: request.requestId, promptHash: request.promptHash, atMs: request.atMs };
}

function fourGrams(text: string): ReadonlySet<string> {
  const normal = text
    .slice(0, COMPARED_LENGTH_MAX)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
  const grams = new Set<string>();
  for (let at = 0; at + 4 <= normal.length; at++) grams.add(normal.slice(at, at + 4));
  return grams;
}

function dice(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  if (a.size === 0 || b.size === 0) return 0;
  let common = 0;
  for (const gram of a) if (b.has(gram)) common++;
  return (2 * common) / (a.size + b.size);
}
