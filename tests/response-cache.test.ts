import Anthropic from '@anthropic-ai/sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TallyrankError } from '../src/core/errors.ts';
import type { ResponseCacheOptions } from '../src/gateway/response-cache.ts';
import { ResponseCache } from '../src/gateway/response-cache.ts';
import type { FakeReply } from './kit/fake-provider.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { closedGate } from './kit/gate.ts';
import { fake, gatewayTo, messages, post } from './kit/gateway-calls.ts';
import type { TestGateway } from './kit/start-gateway.ts';
import { until } from './kit/start-tallyrank.ts';

/* The response cache as clients of the gateway meet it; upstream calls are counted at a fake provider. */

const HOUR_MS = 3_600_000;

function cacheWith(given: Partial<ResponseCacheOptions> = {}): ResponseCache {
  return new ResponseCache({
    ttlMs: HOUR_MS,
    maxBytes: 1_000_000,
    temperatureMax: 0,
    scope: 'key',
    clock: Date.now,
    ...given,
  });
}

const question = { model: 'gpt-a', messages, temperature: 0 };

interface Completion {
  readonly id: string;
  readonly choices: readonly { readonly message: { readonly content: string } }[];
  readonly usage: { readonly cost: number; readonly completion_tokens: number };
}

/** Status of the cache, and the texts of the answer. */
async function statusOf(response: Response): Promise<string | null> {
  await response.text();
  return response.headers.get('x-tallyrank-cache');
}

describe('a request that was answered before', () => {
  it('gets the answer again at no cost, with an id of its own, and is logged as answered by the cache', async () => {
    const provider = await fake('openai', 'gpt-a');
    const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith() });
    const first = await post(gateway, question);
    const firstBody = (await first.json()) as Completion;
    const second = await post(gateway, { ...question, user: 'else', metadata: { tags: 'x' } });
    const secondBody = (await second.json()) as Completion;
    expect(provider.calls).toHaveLength(1);
    expect([first, second].map(({ headers }) => headers.get('x-tallyrank-cache'))).toEqual(['miss', 'hit']);
    expect(secondBody.choices[0]?.message.content).toBe(firstBody.choices[0]?.message.content);
    expect(secondBody.id).not.toBe(firstBody.id);
    expect(secondBody.usage).toMatchObject({ cost: 0, completion_tokens: firstBody.usage.completion_tokens });
    expect(second.headers.get('x-tallyrank-cost-usd')).toBe('0');
    expect(second.headers.get('x-tallyrank-model')).toBe('cloud:gpt-a');
    expect(second.headers.get('x-tallyrank-attempts')).toBe('0');
    expect(gateway.routed).toHaveLength(1);
    const { facts, outcome, decision } = await gateway.log.record(1);
    expect(facts).toMatchObject({ source: 'cache', model: 'gpt-a', userId: 'else' });
    expect(facts.classification).toMatchObject({ useCase: 'casual_chat', runId: 'starter' });
    expect(outcome).toMatchObject({
      modelId: 'cloud:gpt-a',
      failure: null,
      attemptCount: 0,
      statusCode: 200,
    });
    expect(decision).toBeNull();
    expect((await gateway.log.record(0)).facts.source).toBeUndefined();
  });

  it('gets it whole or streamed, whichever it was first', async () => {
    const provider = await fake('openai', 'gpt-a');
    const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith() });
    const read = async (stream: AsyncIterable<{ choices: { delta: { content?: string | null } }[] }>) => {
      let text = '';
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
      return text;
    };
    const asked = { ...question, stream: true as const };
    const streamed = await read(await gateway.client.chat.completions.create(asked));
    const whole = await gateway.client.chat.completions.create(question);
    expect(whole.choices[0]?.message.content).toBe(streamed);
    expect(await read(await gateway.client.chat.completions.create(asked))).toBe(streamed);
    expect(provider.calls).toHaveLength(1);
    const { outcome } = await gateway.log.record(2);
    expect(outcome.firstTokenMs).not.toBeNull();
    expect(outcome.finishReason).toBe('stop');
  });

  it('gets tool calls again, streamed as well', async () => {
    const provider = await fake('openai', 'gpt-a');
    const call = { id: 'call_1', name: 'opening_hours', arguments: '{"shop":"corner"}' };
    provider.next({ toolCalls: [call] });
    const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith() });
    const tools = [
      { type: 'function' as const, function: { name: 'opening_hours', parameters: { type: 'object' } } },
    ];
    await gateway.client.chat.completions.create({ ...question, tools });
    const runner = gateway.client.chat.completions.stream({ ...question, tools });
    const answer = await runner.finalChatCompletion();
    expect(answer.choices[0]?.message.tool_calls).toMatchObject([
      { id: 'call_1', function: { name: 'opening_hours', arguments: '{"shop":"corner"}' } },
    ]);
    expect(answer.choices[0]?.finish_reason).toBe('tool_calls');
    expect(provider.calls).toHaveLength(1);
  });

  it('gets it in each protocol, which do not share answers', async () => {
    const provider = await fake('openai', 'gpt-a');
    const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith() });
    await gateway.client.chat.completions.create(question);
    const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: 'none', maxRetries: 0 });
    const asked = { model: 'gpt-a', max_tokens: 100, temperature: 0, messages };
    const first = await anthropic.messages.create(asked);
    const second = await anthropic.messages.create(asked);
    expect(provider.calls).toHaveLength(2);
    expect(second.content).toEqual(first.content);
    expect(second.usage.output_tokens).toBe(first.usage.output_tokens);
  });

  it('gets it under auto from the model that was chosen for the first', async () => {
    const provider = await fake('openai', 'gpt-a', 'gpt-b');
    const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith() });
    const auto = { ...question, model: 'auto' };
    const first = await post(gateway, auto);
    const limited = await post(gateway, auto, { 'x-tallyrank-max-cost-usd': '1' });
    const again = await post(gateway, auto);
    expect(await statusOf(first)).toBe('miss');
    expect(await statusOf(limited)).toBe('miss');
    expect(await statusOf(again)).toBe('hit');
    expect(again.headers.get('x-tallyrank-model')).toBe(first.headers.get('x-tallyrank-model'));
    const { decision } = await gateway.log.record(2);
    expect(decision).toBeNull();
  });
});

describe('what is never given again', () => {
  it.each([
    ['a temperature above the limit', { temperature: 0.1 }],
    ['no temperature', { temperature: undefined }],
    ['several answers', { n: 2 }],
    ['log probabilities', { logprobs: true }],
    ['a web search', { web_search_options: {} }],
  ])('the answer to a request with %s', async (_what, given) => {
    const provider = await fake('openai', 'gpt-a');
    const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith() });
    expect(await statusOf(await post(gateway, { ...question, ...given }))).toBe('off');
    expect(await statusOf(await post(gateway, { ...question, ...given }))).toBe('off');
    expect(provider.calls).toHaveLength(2);
  });

  it('a failure, a refusal, an answer that was cut', async () => {
    const provider = await fake('openai', 'gpt-a');
    const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith() });
    provider.next(
      { errorStatus: 500 },
      { text: "I'm sorry, but I can't help with that." },
      { text: 'At ei', finishReason: 'length' },
      { text: '' },
      { text: 'At eight.', cutAfterChunks: 0 },
    );
    const statuses: (string | null)[] = [];
    for (let at = 0; at < 5; at++) statuses.push(await statusOf(await post(gateway, question)));
    expect(statuses).toEqual(['miss', 'miss', 'miss', 'miss', 'miss']);
    expect(await statusOf(await post(gateway, question))).toBe('miss');
    expect(await statusOf(await post(gateway, question))).toBe('hit');
    expect(provider.calls).toHaveLength(6);
  });

  it('anything where there is no cache, and no header speaks of one', async () => {
    const provider = await fake('openai', 'gpt-a');
    const gateway = await gatewayTo({ cloud: provider });
    expect(await statusOf(await post(gateway, question))).toBeNull();
    expect(await statusOf(await post(gateway, question))).toBeNull();
    expect(provider.calls).toHaveLength(2);
  });
});

describe('what clients and operators may say', () => {
  it('asks anew and keeps the new answer, or leaves the cache out', async () => {
    const provider = await fake('openai', 'gpt-a');
    provider.next({ text: 'At eight.' }, { text: 'At nine.' }, { text: 'At ten.' });
    const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith() });
    const ask = async (headers: Record<string, string>): Promise<string> => {
      const response = await post(gateway, question, headers);
      const { choices } = (await response.json()) as Completion;
      return `${response.headers.get('x-tallyrank-cache')}: ${choices[0]?.message.content}`;
    };
    expect(await ask({})).toBe('miss: At eight.');
    expect(await ask({ 'cache-control': 'no-cache' })).toBe('refresh: At nine.');
    expect(await ask({})).toBe('hit: At nine.');
    expect(await ask({ 'x-tallyrank-cache': 'off' })).toBe('off: At ten.');
    expect(await ask({})).toBe('hit: At nine.');
  });

  it.each([
    ['user', 'miss', 'off'],
    ['key', 'hit', 'hit'],
    ['all', 'hit', 'hit'],
  ] as const)(
    'scope %s gives another user a %s and nobody in particular a %s',
    async (scope, other, nobody) => {
      const provider = await fake('openai', 'gpt-a');
      const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith({ scope }) });
      await statusOf(await post(gateway, question, { 'x-user-id': 'ann' }));
      expect(await statusOf(await post(gateway, question, { 'x-user-id': 'ann' }))).toBe('hit');
      expect(await statusOf(await post(gateway, question, { 'x-user-id': 'bob' }))).toBe(other);
      expect(await statusOf(await post(gateway, question))).toBe(nobody);
    },
  );

  it('forgets an answer at its age, and everything when it is emptied', async () => {
    let nowMs = 1_000_000;
    const cache = cacheWith({ clock: () => nowMs });
    const provider = await fake('openai', 'gpt-a');
    const gateway = await gatewayTo({ cloud: provider }, { cache });
    const ask = async (): Promise<string | null> => await statusOf(await post(gateway, question));
    expect(await ask()).toBe('miss');
    nowMs += HOUR_MS - 1;
    expect(await ask()).toBe('hit');
    nowMs += 2;
    expect(await ask()).toBe('miss');
    expect(cache.empty()).toBe(1);
    expect(await ask()).toBe('miss');
    expect(cache.counters).toMatchObject({ hitCount: 1, missCount: 3, entryCount: 1, storedCount: 3 });
  });

  it('keeps within its bytes: what was asked for longest ago goes first', async () => {
    const cache = cacheWith({ maxBytes: 30_000 });
    const provider = await fake('openai', 'gpt-a');
    const gateway = await gatewayTo({ cloud: provider }, { cache });
    const ask = async (prompt: string): Promise<string | null> => {
      const asked = { ...question, messages: [{ role: 'user', content: prompt }] };
      return await statusOf(await post(gateway, asked));
    };
    for (const prompt of ['one', 'two']) {
      provider.next({ text: prompt.repeat(2_000) });
      expect(await ask(prompt)).toBe('miss');
    }
    expect(await ask('one')).toBe('hit');
    provider.next({ text: 'three'.repeat(1_000) });
    expect(await ask('three')).toBe('miss');
    expect(cache.counters).toMatchObject({ entryCount: 2, evictedCount: 1 });
    expect(cache.counters.byteCount).toBeLessThanOrEqual(30_000);
    expect(await ask('one')).toBe('hit');
    provider.next({ text: 'x'.repeat(40_000) });
    expect(await ask('huge')).toBe('miss');
    expect(await ask('huge')).toBe('miss');
  });
});

describe('equal requests at the same time', () => {
  it('are one call, whose answer all get', async () => {
    const { provider, gateway, cache, open } = await gated({ text: 'At eight.' });
    const first = post(gateway, { ...question, stream: true });
    await provider.waitForCalls(1);
    const others = Array.from({ length: 20 }, () => post(gateway, question));
    await until('twenty that wait', async () => (cache.counters.waitingCount === 20 ? true : null));
    open();
    const answers = await Promise.all(others);
    expect(await statusOf(await first)).toBe('miss');
    for (const answer of answers) {
      expect(answer.headers.get('x-tallyrank-cache')).toBe('coalesced');
      expect(((await answer.json()) as Completion).choices[0]?.message.content).toBe('At eight.');
    }
    expect(provider.calls).toHaveLength(1);
    expect(cache.counters).toMatchObject({ coalescedCount: 20, missCount: 1, waitingCount: 0 });
    const cached = gateway.log.records.filter(({ facts }) => facts.source === 'cache');
    expect(cached).toHaveLength(20);
    // Waiting for somebody else's call is no time of ours.
    for (const { outcome } of cached) {
      expect(outcome.overheadMs).toBeLessThanOrEqual(outcome.latencyMs ?? 0);
    }
  });

  it('do not wait for one another when they stream', async () => {
    const { provider, gateway, open } = await gated({ text: 'At eight.' });
    const streams = [1, 2].map(() => post(gateway, { ...question, stream: true }));
    await provider.waitForCalls(2);
    open();
    for (const stream of streams) expect(await statusOf(await stream)).toBe('miss');
  });

  it('go on when the one that asked first leaves, until nobody waits', async () => {
    const { provider, gateway, cache, open, lead, follow } = await waitingPair({ text: 'At eight.' });
    lead.abort();
    await expect(lead.done).rejects.toThrow();
    open();
    const answer = await follow.done;
    expect(await statusOf(answer)).toBe('coalesced');
    expect(provider.calls).toHaveLength(1);
    expect(provider.abortedCount).toBe(0);
    // What it cost was paid, and what it came to is known.
    const { outcome } = await until(
      'the first one’s record',
      async () => gateway.log.records.find(({ facts }) => facts.source === undefined) ?? null,
    );
    expect(outcome.failure).toBeNull();
    expect(cache.counters.entryCount).toBe(1);
  });

  it('end when all have left', async () => {
    const { provider, gateway, cache, lead, follow } = await waitingPair({ text: 'At eight.' });
    lead.abort();
    await expect(lead.done).rejects.toThrow();
    follow.abort();
    await expect(follow.done).rejects.toThrow();
    await provider.waitForAborts(1);
    await gateway.log.record(1);
    const codes = gateway.log.records.map(({ outcome }) => outcome.failure?.code);
    expect(codes).toEqual(['caller_cancelled', 'caller_cancelled']);
    expect(cache.counters.entryCount).toBe(0);
  });

  it('each ask for themselves, once, when the first fails', async () => {
    const { provider, lead, follow, open } = await waitingPair({ errorStatus: 500 });
    open();
    expect((await lead.done).status).toBe(502);
    expect(await statusOf(await follow.done)).toBe('miss');
    expect(provider.calls).toHaveLength(2);
  });
});

it('leaves nobody waiting for a request that could not be routed', async () => {
  const provider = await fake('openai', 'gpt-a');
  const decide = (): never => {
    throw new TallyrankError('no_candidate', 'No model can serve this.');
  };
  const gateway = await gatewayTo({ cloud: provider }, { cache: cacheWith(), decide });
  expect((await post(gateway, { ...question, model: 'auto' })).status).toBe(503);
  expect((await post(gateway, { ...question, model: 'auto' })).status).toBe(503);
});

interface Asking {
  readonly done: Promise<Response>;
  abort(): void;
}

interface Gated {
  readonly provider: FakeProvider;
  readonly gateway: TestGateway;
  readonly cache: ResponseCache;
  /** Lets the answers go. */
  readonly open: () => void;
}

/** A gateway with a cache, and a model whose answers wait. */
async function gated(reply: FakeReply): Promise<Gated> {
  const gate = closedGate();
  const provider = await FakeProvider.open({
    kind: 'openai',
    models: ['gpt-a'],
    reply: async () => {
      await gate.opened;
      return reply;
    },
  });
  onTestFinished(() => provider[Symbol.asyncDispose]());
  const cache = cacheWith();
  const gateway = await gatewayTo({ cloud: provider }, { cache });
  return { provider, gateway, cache, open: gate.open };
}

/** Two equal requests, the second of which waits for the first. */
async function waitingPair(
  reply: FakeReply,
): Promise<Gated & { readonly lead: Asking; readonly follow: Asking }> {
  const all = await gated(reply);
  const ask = (): Asking => {
    const left = new AbortController();
    const done = fetch(`${all.gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(question),
      signal: left.signal,
    });
    done.catch(() => undefined);
    return { done, abort: () => left.abort() };
  };
  const lead = ask();
  await all.provider.waitForCalls(1);
  const follow = ask();
  await until('one that waits', async () => (all.cache.counters.waitingCount === 1 ? true : null));
  return { ...all, lead, follow };
}
