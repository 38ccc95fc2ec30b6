import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { RequestContext } from '../core/usage-record.ts';
import type { ClientRequest } from './protocols/inbound.ts';
import { stringifyRequest } from './protocols/json-body.ts';

/** Who gets an answer again: only who asked before, all who use the same key, or everybody. */
export type CacheScope = 'user' | 'key' | 'all';

/** What a client wants of the cache: an answer from it, a new one that is kept, or to be left out. */
export type CacheWish = 'use' | 'refresh' | 'off';

/** A request as far as the cache looks at it. */
export interface CacheableRequest {
  readonly client: ClientRequest;
  readonly headers: IncomingHttpHeaders;
  readonly context: Pick<RequestContext, 'userId' | 'keyId'>;
}

/** Temperature of providers where the request gives none: 1 at OpenAI and Anthropic, somewhat less at Ollama. */
const TEMPERATURE_DEFAULT = 1;

const NO_WORDS: ReadonlySet<string> = new Set(['off', 'false', 'no', '0']);

/** The client's wish, in our header, in those of other gateways, or in HTTP's own `cache-control`. */
export function cacheWishOf(headers: IncomingHttpHeaders): CacheWish {
  const own = wordOf(headers['x-tallyrank-cache']);
  const control = wordOf(headers['cache-control']);
  const isOff = NO_WORDS.has(own) || NO_WORDS.has(wordOf(headers['helicone-cache-enabled']));
  if (isOff || control.includes('no-store')) return 'off';
  const isForced = wordOf(headers['x-portkey-cache-force-refresh']) === 'true';
  return own === 'refresh' || isForced || control.includes('no-cache') ? 'refresh' : 'use';
}

/**
 * True for requests whose answer may be given again: one answer, left to little or no chance, that the neutral form
 * holds whole. Log probabilities, sound, citations and work of a provider's own tools (a search of today) it does not.
 */
export function isCacheable(
  { protocol, request, body, ownFeatures }: ClientRequest,
  temperatureMax: number,
): boolean {
  return (
    (request.temperature ?? TEMPERATURE_DEFAULT) <= temperatureMax &&
    (request.n ?? 1) === 1 &&
    ownFeatures.length === 0 &&
    // OpenAI keeps Responses unless told otherwise, so that the next request may name one; ours it would not know.
    (protocol !== 'openai-responses' || body['store'] === false) &&
    !UNCACHEABLE.some((field) => isAsked(body[field]))
  );
}

/** Fields that ask for what an answer from the cache would not have, or for an effect at the provider. */
const UNCACHEABLE = ['logprobs', 'top_logprobs', 'audio', 'web_search_options', 'store'] as const;

function isAsked(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== 0;
}

/** Fields of a body that change nothing of what the answer says. */
const SAYS_NOTHING: ReadonlySet<string> = new Set([
  'stream',
  'stream_options',
  'user',
  'metadata',
  'safety_identifier',
  'prompt_cache_key',
]);

/** Our own headers may limit which models answer; these two do not. */
const OWN_HEADERS_LEFT_OUT: ReadonlySet<string> = new Set(['x-tallyrank-cache', 'x-tallyrank-explore']);

const CITATIONS = '"citations":{"enabled":true';

/**
 * SHA-256 over all that the answer depends on, in base64; null where it may not be shared: the user is not known and
 * only the same one may have it, or citations are asked for. The body counts as the client sent it, whatever the order
 * of its fields: what we do not know, the provider may. So protocols do not share answers.
 *
 * @throws {TallyrankError} `bad_request` for a body that is nested too deeply
 */
export function cacheKeyOf({ client, headers, context }: CacheableRequest, scope: CacheScope): string | null {
  if (scope === 'user' && context.userId === null) return null;
  const owner = scope === 'all' ? [] : [context.keyId, scope === 'user' ? context.userId : null];
  const asked = Object.entries(client.body).filter(([field]) => !SAYS_NOTHING.has(field));
  const limits = Object.entries(headers).filter(
    ([name]) => name.startsWith('x-tallyrank-') && !OWN_HEADERS_LEFT_OUT.has(name),
  );
  const text = stringifyRequest(
    [scope, owner, client.protocol, Object.fromEntries(asked), client.headers, Object.fromEntries(limits)],
    inOrder,
  );
  return text.includes(CITATIONS) ? null : createHash('sha256').update(text).digest('base64');
}

/** A replacer that writes the fields of every object in one order. */
function inOrder(_field: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function wordOf(value: string | readonly string[] | undefined): string {
  return String(value ?? '')
    .trim()
    .toLowerCase();
}
