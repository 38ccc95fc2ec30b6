import { describe, expect, it } from 'vitest';
import type { CacheableRequest, CacheScope } from './cache-key.ts';
import { cacheKeyOf, cacheWishOf, isCacheable } from './cache-key.ts';
import { ANTHROPIC_MESSAGES } from './protocols/anthropic/client.ts';
import type { InboundProtocol } from './protocols/inbound.ts';
import { OLLAMA_CHAT } from './protocols/ollama/client.ts';
import { OPENAI_CHAT } from './protocols/openai/chat-client.ts';
import { OPENAI_RESPONSES } from './protocols/openai/responses-client.ts';

const messages = [{ role: 'user', content: 'When does the coffee shop open?' }];
const question = { model: 'auto', messages, temperature: 0 };

interface Given {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocol?: InboundProtocol;
  readonly userId?: string | null;
  readonly keyId?: string | null;
}

function asked({ body, headers = {}, protocol = OPENAI_CHAT, userId = null, keyId = null }: Given = {}) {
  const bytes = Buffer.from(JSON.stringify({ ...question, ...body }));
  const client = protocol.parse(bytes, headers);
  return { client, headers, context: { userId, keyId } } satisfies CacheableRequest;
}

function keyOf(given: Given = {}, scope: CacheScope = 'key'): string | null {
  return cacheKeyOf(asked(given), scope);
}

describe('the key of an answer', () => {
  it('is the same whatever the order of the fields, and however the answer is sent', () => {
    const tool = { type: 'function', function: { name: 'find', parameters: { type: 'object', a: 1 } } };
    const turned = { function: { parameters: { a: 1, type: 'object' }, name: 'find' }, type: 'function' };
    expect(keyOf({ body: { tools: [turned] } })).toBe(keyOf({ body: { tools: [tool] } }));
    const said = {
      stream: true,
      stream_options: { include_usage: true },
      user: 'ann',
      metadata: { tags: 'x' },
    };
    expect(keyOf({ body: said })).toBe(keyOf());
    expect(keyOf({ headers: { 'x-user-id': 'ann', 'x-tallyrank-explore': 'off' } })).toBe(keyOf());
  });

  it.each<[string, Given]>([
    ['another word', { body: { messages: [{ role: 'user', content: 'When does it open?' }] } }],
    ['another model', { body: { model: 'auto:cheap' } }],
    ['another limit of tokens', { body: { max_tokens: 10 } }],
    ['another seed', { body: { seed: 7 } }],
    ['a field that nobody here knows', { body: { min_p: 0.1 } }],
    ['limits in the body', { body: { tallyrank: { localOnly: true } } }],
    ['limits in a header', { headers: { 'x-tallyrank-deny-models': 'a' } }],
    ['another key', { keyId: 'team-b' }],
    ['another protocol', { protocol: OLLAMA_CHAT }],
    ['a header that goes on to the provider', { protocol: ANTHROPIC_MESSAGES, body: { max_tokens: 10 } }],
  ])('differs with %s', (_what, given) => {
    expect(keyOf(given)).not.toBe(keyOf());
    expect(keyOf(given)).toMatch(/^[\w+/]{43}=$/);
  });

  it('knows what a provider of the same protocol is told beside the body', () => {
    const protocol = ANTHROPIC_MESSAGES;
    const body = { max_tokens: 10 };
    const plain = keyOf({ protocol, body });
    expect(keyOf({ protocol, body, headers: { 'anthropic-beta': 'some-2026' } })).not.toBe(plain);
  });

  it('knows its owner by the scope', () => {
    const ann = { userId: 'ann', keyId: 'team-a' };
    const bob = { userId: 'bob', keyId: 'team-a' };
    const eve = { userId: 'ann', keyId: 'team-b' };
    expect(keyOf(ann, 'all')).toBe(keyOf(eve, 'all'));
    expect(keyOf(ann, 'key')).toBe(keyOf(bob, 'key'));
    expect(keyOf(ann, 'key')).not.toBe(keyOf(eve, 'key'));
    expect(keyOf(ann, 'user')).not.toBe(keyOf(bob, 'user'));
    expect(keyOf(ann, 'user')).not.toBe(keyOf(eve, 'user'));
    expect(keyOf({ keyId: 'team-a' }, 'user')).toBeNull();
  });

  it('is none where citations are asked for, which would be lost', () => {
    const source = { type: 'text', media_type: 'text/plain', data: 'Opens at eight.' };
    const content = [{ type: 'document', source, citations: { enabled: true } }];
    const body = { max_tokens: 10, messages: [{ role: 'user', content }] };
    expect(keyOf({ protocol: ANTHROPIC_MESSAGES, body })).toBeNull();
  });
});

describe('an answer that may be given again', () => {
  it('is one whose temperature is low enough, by the words of each protocol', () => {
    expect(isCacheable(asked().client, 0)).toBe(true);
    expect(isCacheable(asked({ body: { temperature: 0.2 } }).client, 0.1)).toBe(false);
    expect(isCacheable(asked({ body: { temperature: null } }).client, 0.9)).toBe(false);
    expect(isCacheable(asked({ body: { temperature: null } }).client, 1)).toBe(true);
    const ollama = { protocol: OLLAMA_CHAT, body: { temperature: undefined, options: { temperature: 0 } } };
    expect(isCacheable(asked(ollama).client, 0)).toBe(true);
  });

  it('is no stored response, which a next request might name', () => {
    const protocol = OPENAI_RESPONSES;
    const body = { input: 'When does it open?', messages: undefined };
    expect(isCacheable(asked({ protocol, body }).client, 0)).toBe(false);
    expect(isCacheable(asked({ protocol, body: { ...body, store: false } }).client, 0)).toBe(true);
  });
});

describe('the wish of a client', () => {
  it.each([
    [{}, 'use'],
    [{ 'x-tallyrank-cache': 'on' }, 'use'],
    [{ 'x-tallyrank-cache': 'Off' }, 'off'],
    [{ 'x-tallyrank-cache': 'refresh' }, 'refresh'],
    [{ 'cache-control': 'no-cache' }, 'refresh'],
    [{ 'cache-control': 'max-age=0, no-store' }, 'off'],
    [{ 'helicone-cache-enabled': 'false' }, 'off'],
    [{ 'helicone-cache-enabled': 'true' }, 'use'],
    [{ 'x-portkey-cache-force-refresh': 'true' }, 'refresh'],
  ] as const)('in %j is %s', (headers, wish) => {
    expect(cacheWishOf(headers)).toBe(wish);
  });
});
