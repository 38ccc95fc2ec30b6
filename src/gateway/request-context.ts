import type { IncomingHttpHeaders } from 'node:http';
import type { RequestContext } from '../core/usage-record.ts';
import type { ChatRequest } from './chat.ts';

/** Longest id, name or tag that is kept. Shorter cuts real ids; longer lets a client bloat every row. */
const WORD_LENGTH_MAX = 200;

/** Most tags that are kept of one request. */
const TAGS_MAX = 32;

/** Priorities people use lie in 0..100; beyond this it is not a priority. */
const PRIORITY_MAX = 1_000_000;

/** Where each fact may stand, best first. Clients of several gateways send their own dialect. */
const USER_HEADERS = ['x-user-id', 'helicone-user-id'] as const;
const SESSION_HEADERS = [
  'x-session-id',
  'x-conversation-id',
  'helicone-session-id',
  'x-litellm-session-id',
  'x-claude-code-session-id',
] as const;
const REQUEST_HEADERS = ['x-request-id', 'helicone-request-id'] as const;

const EXPLORE_WORDS: ReadonlySet<string> = new Set(['on', 'true', 'yes', '1']);

const WORDS: Readonly<Record<string, number>> = { low: 25, normal: 50, medium: 50, high: 75, urgent: 100 };

/**
 * Who asks and in which surroundings: from the headers, else from the body's `user` and `metadata`. Values
 * are trimmed, freed of control characters and cut; what is not a text or a number is not known.
 */
export function contextOfRequest(headers: IncomingHttpHeaders, request: ChatRequest): RequestContext {
  const metadata = request.metadata ?? {};
  return {
    userId: firstHeader(headers, USER_HEADERS) ?? toWord(request.user) ?? toWord(metadata['user_id']),
    sessionId:
      firstHeader(headers, SESSION_HEADERS) ??
      toWord(metadata['session_id']) ??
      toWord(metadata['conversation_id']),
    roomId: toWord(headers['x-room-id']) ?? toWord(metadata['room_id']),
    keyId: null,
    tags: toTags(metadata['tags']),
    priority: toPriority(headers['x-priority']) ?? toPriority(metadata['priority']),
    detectedIntent: toWord(metadata['detected_intent']),
    routingRule: null,
    externalId: firstHeader(headers, REQUEST_HEADERS) ?? toWord(metadata['request_id']),
  };
}

/** Whether chance may choose the model: `x-tallyrank-explore` says no, by any word but on, true, yes or 1. */
export function mayExplore(headers: IncomingHttpHeaders): boolean {
  const word = toWord(headers['x-tallyrank-explore'])?.toLowerCase();
  return word === undefined || EXPLORE_WORDS.has(word);
}

function firstHeader(headers: IncomingHttpHeaders, names: readonly string[]): string | null {
  for (const name of names) {
    const value = headers[name];
    if (value === undefined) continue;
    const word = toWord(value);
    if (word !== null) return word;
  }
  return null;
}

function toWord(value: unknown): string | null {
  const text = typeof value === 'number' ? String(value) : Array.isArray(value) ? value[0] : value;
  if (typeof text !== 'string') return null;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  const clean = text.replace(/[\u0000-\u001f\u007f]/g, '').trim();
  return clean === '' ? null : clean.slice(0, WORD_LENGTH_MAX);
}

function toTags(value: unknown): readonly string[] {
  const given = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [];
  const tags = new Set<string>();
  for (const tag of given) {
    if (tags.size >= TAGS_MAX) break;
    const word = typeof tag === 'string' || typeof tag === 'number' ? toWord(tag) : null;
    if (word !== null) tags.add(word);
  }
  return [...tags];
}

function toPriority(value: unknown): number | null {
  const word = toWord(value)?.toLowerCase();
  if (word === undefined) return null;
  const priority = WORDS[word] ?? Number(word);
  return Number.isFinite(priority) && Math.abs(priority) <= PRIORITY_MAX ? Math.trunc(priority) : null;
}
