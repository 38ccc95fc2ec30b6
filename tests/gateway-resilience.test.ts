import { describe, expect, it } from 'vitest';
import type { RetryTimer } from '../src/gateway/retry.ts';
import type { FakeProvider, FakeReply } from './kit/fake-provider.ts';
import { closedGate } from './kit/gate.ts';
import { fake, gatewayTo, messages, post } from './kit/gateway-calls.ts';
import { wire } from './kit/protocol-streams.ts';
import type { TestGateway } from './kit/start-gateway.ts';

/** A gateway that tries again twice: its pauses take no time and are kept; chance is at its highest. */
async function retrying(
  provider: FakeProvider,
): Promise<{ readonly gateway: TestGateway; readonly waitsMs: number[] }> {
  const waitsMs: number[] = [];
  const retryTimer: RetryTimer = {
    sleep: async (ms) => {
      waitsMs.push(ms);
    },
    random: () => 1,
  };
  const gateway = await gatewayTo({ p: provider }, { settings: { retries: 2 }, deps: { retryTimer } });
  return { gateway, waitsMs };
}

describe('retries', () => {
  it.each<[string, FakeReply, number]>([
    ['429 without a time', { errorStatus: 429 }, 500],
    ['429 with retry-after', { errorStatus: 429, headers: { 'retry-after': '2' } }, 2_500],
    ['500', { errorStatus: 500 }, 500],
    ['529', { errorStatus: 529 }, 500],
    ['503 with a time', { errorStatus: 503, headers: { 'retry-after-ms': '100' } }, 125],
    ['a reset before the first byte', { cutAfterChunks: 0 }, 500],
  ])('ask the model that the caller named again after %s', async (_what, reply, waitMs) => {
    const provider = await fake('openai', 'm1');
    const { gateway, waitsMs } = await retrying(provider);
    for (const isStream of [false, true]) {
      provider.next(reply, { text: 'Yes.' });
      const answer = await post(gateway, { model: 'm1', messages, stream: isStream });
      expect(await answer.text()).toContain('Yes.');
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-tallyrank-attempts')).toBe('2');
    }
    expect(waitsMs).toEqual([waitMs, waitMs]);
    const { outcome } = await gateway.log.record(0);
    expect(outcome).toMatchObject({ attemptCount: 2, failure: null });
    expect(outcome.failedAttempts).toMatchObject([{ modelId: 'p:m1' }]);
  });

  it('end after as many as are allowed', async () => {
    const provider = await fake('openai', 'm1');
    const { gateway, waitsMs } = await retrying(provider);
    provider.next({ errorStatus: 500 }, { errorStatus: 500 }, { errorStatus: 500 });
    const answer = await post(gateway, { model: 'm1', messages });
    expect(answer.status).toBe(502);
    expect(waitsMs).toEqual([500, 1_000]);
    expect(provider.calls).toHaveLength(3);
  });

  it('hand a wait that is too long to the client', async () => {
    const provider = await fake('openai', 'm1');
    const { gateway, waitsMs } = await retrying(provider);
    provider.next({ errorStatus: 429, headers: { 'retry-after': '60' } });
    const answer = await post(gateway, { model: 'm1', messages });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '60']);
    expect([waitsMs, provider.calls.length]).toEqual([[], 1]);
  });

  it('do not repeat what would fail again', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider }, { settings: { retries: 2 } });
    provider.next({ errorStatus: 400 });
    expect((await post(gateway, { model: 'm1', messages })).status).toBe(400);
    expect(provider.calls).toHaveLength(1);
  });

  it('give way to another model that serves at once, unless the wait is short', async () => {
    const provider = await fake('openai', 'm1', 'm2');
    const { gateway, waitsMs } = await retrying(provider);
    provider.next({ errorStatus: 429, headers: { 'retry-after-ms': '200' } });
    await post(gateway, { model: 'auto', messages });
    provider.next({ errorStatus: 429, headers: { 'retry-after': '2' } });
    await post(gateway, { model: 'auto', messages });
    // It said for how long, so it is not asked again before.
    await post(gateway, { model: 'auto', messages });
    expect(provider.calls.map(({ model }) => model)).toEqual(['m1', 'm1', 'm1', 'm2', 'm2']);
    expect(waitsMs).toEqual([250]);
    expect((await gateway.log.record(1)).outcome.failedAttempts).toEqual([
      { modelId: 'p:m1', code: 'upstream_rate_limited' },
    ]);
  });

  it('stop when the caller leaves during a pause', async () => {
    const provider = await fake('openai', 'm1');
    const pausing = closedGate();
    const timer: RetryTimer = {
      sleep: (_ms, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          pausing.open();
        }),
      random: () => 1,
    };
    const gateway = await gatewayTo(
      { p: provider },
      { settings: { retries: 2 }, deps: { retryTimer: timer } },
    );
    provider.next({ errorStatus: 503 });
    const leaving = new AbortController();
    const asked = fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm1', messages }),
      signal: leaving.signal,
    });
    await pausing.opened;
    leaving.abort();
    await expect(asked).rejects.toThrow();
    expect((await gateway.log.record(0)).outcome.failure?.code).toBe('caller_cancelled');
    expect(provider.calls).toHaveLength(1);
  });
});

describe('the circuit breaker', () => {
  it('leaves a failing model alone, passes it over for auto, and lets it back after a probe', async () => {
    const provider = await fake('openai', 'm1', 'm2');
    const clock = { nowMs: 1_000_000 };
    const gateway = await gatewayTo({ p: provider }, { registryClock: () => clock.nowMs });
    for (let at = 0; at < 5; at++) provider.next({ errorStatus: 500 });
    for (let at = 0; at < 5; at++) await post(gateway, { model: 'm1', messages });

    const refused = await post(gateway, { model: 'm1', messages });
    expect(await refused.json()).toMatchObject({ error: { code: 'upstream_paused' } });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(provider.calls).toHaveLength(5);
    expect(gateway.registry.isReachable?.('p:m1')).toBe(false);
    expect(gateway.registry.health()).toMatchObject([{ openCircuits: [{ modelId: 'p:m1', state: 'open' }] }]);

    const routed = await post(gateway, { model: 'auto', messages });
    expect(routed.headers.get('x-tallyrank-model')).toBe('p:m2');
    expect(routed.headers.get('x-tallyrank-attempts')).toBe('1');

    clock.nowMs += 5_000;
    expect((await post(gateway, { model: 'm1', messages })).status).toBe(200);
    expect(gateway.registry.isReachable).toBeUndefined();
    expect(gateway.registry.health()).toMatchObject([{ openCircuits: [] }]);
  });

  it('does not open for a provider that says no', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    for (const errorStatus of [400, 401, 404, 429, 400, 401, 429]) {
      provider.next({ errorStatus });
      await post(gateway, { model: 'm1', messages });
    }
    expect((await post(gateway, { model: 'm1', messages })).status).toBe(200);
  });

  it('closes for a provider that was away and is back', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    const { breakers } = gateway.registry;
    for (let at = 0; at < 5; at++) breakers.noteFailure('p:m1');
    for (let at = 0; at < 5; at++) breakers.noteFailure('other:m1');
    await gateway.registry.refresh();
    expect(breakers.isPassable('p:m1')).toBe(false);
    breakers.closeOf('p');
    expect([breakers.isPassable('p:m1'), breakers.isPassable('other:m1')]).toEqual([true, false]);
    expect((await post(gateway, { model: 'm1', messages })).status).toBe(200);
  });

  it('says why when every model of auto is left alone', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    for (let at = 0; at < 5; at++) provider.next({ cutAfterChunks: 0 });
    for (let at = 0; at < 5; at++) await post(gateway, { model: 'auto', messages });
    const refused = await post(gateway, { model: 'auto', messages });
    expect(await refused.json()).toMatchObject({ error: { code: 'upstream_paused' } });
    expect(provider.calls).toHaveLength(5);
  });
});

describe('limits of time', () => {
  it.each([
    [{ firstTokenTimeoutMs: 40 }, true, 'more than 40 ms for a piece of its answer'],
    [{ totalTimeoutMs: 50 }, false, 'more than 50 ms for its answer'],
  ])('are those of the provider where it has its own: %j', async (settings, isStream, sentence) => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider }, { settings, limits: { totalMs: 60_000 } });
    provider.next({ isSilent: true });
    const answer = await post(gateway, { model: 'm1', messages, stream: isStream });
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({
      error: { code: 'upstream_timeout', message: expect.stringContaining(sentence) },
    });
  });
});

describe('bounded concurrency', () => {
  it('keeps calls waiting for their turn, streams to their end', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider }, { settings: { maxConcurrent: 1, queueMax: 1 } });
    const gate = closedGate();
    provider.next({ chunks: ['a', 'b'], beforeChunk: (index) => (index === 2 ? gate.opened : undefined) });
    const first = await post(gateway, { model: 'm1', messages, stream: true });
    const second = post(gateway, { model: 'm1', messages });
    while (gateway.registry.health()[0]?.calls?.waitingCount !== 1) await new Promise(setImmediate);
    const third = await post(gateway, { model: 'm1', messages });
    expect(await third.json()).toMatchObject({ error: { code: 'provider_busy' } });
    expect(third.status).toBe(503);
    expect(provider.calls).toHaveLength(1);
    gate.open();
    await first.text();
    expect((await second).status).toBe(200);
    expect(gateway.registry.health()).toMatchObject([{ calls: { runningCount: 0, waitingCount: 0 } }]);
  });

  it('gives places back after failures and callers that leave', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider }, { settings: { maxConcurrent: 1, queueMax: 0 } });
    provider.next({ errorStatus: 500 }, { cutAfterChunks: 0 }, { isSilent: true });
    await post(gateway, { model: 'm1', messages });
    await post(gateway, { model: 'm1', messages });
    const leaving = new AbortController();
    const asked = fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm1', messages, stream: true }),
      signal: leaving.signal,
    });
    await provider.waitForCalls(3);
    leaving.abort();
    await expect(asked).rejects.toThrow();
    await gateway.log.record(2);
    expect((await post(gateway, { model: 'm1', messages })).status).toBe(200);
  });
});

describe('signs of life', () => {
  const keepAlive = { deps: { keepAlive: { everyMs: 5 } } };

  async function ask(url: string, body: Record<string, unknown>): Promise<Response> {
    return await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'auto', messages, stream: true, ...body }),
    });
  }

  /** The first piece of an answer, and all of it once `goOn` was called. */
  async function readAll(answer: Response, goOn: () => void): Promise<{ first: string; text: string }> {
    let first = '';
    let text = '';
    const decoder = new TextDecoder();
    for await (const bytes of answer.body ?? []) {
      const piece = decoder.decode(bytes as Uint8Array, { stream: true });
      if (first === '') {
        first = piece;
        goOn();
      }
      text += piece;
    }
    return { first, text };
  }

  it.each([
    ['/v1/chat/completions', ': keep-alive\n\n', {}],
    ['/v1/messages', 'event: ping\ndata: {"type":"ping"}\n\n', { max_tokens: 9 }],
  ])(
    'come before the first content on %s, and another model may still take over',
    async (path, sign, extra) => {
      const provider = await fake('openai', 'm1', 'm2');
      const gateway = await gatewayTo({ p: provider }, keepAlive);
      const loading = closedGate();
      provider.next(
        { text: 'never', beforeChunk: (at) => (at === 0 ? loading.opened : undefined), cutAfterChunks: 1 },
        { text: 'Loaded.' },
      );
      const answer = await ask(gateway.url + path, extra);
      expect([answer.status, answer.headers.get('x-tallyrank-model')]).toEqual([200, 'p:m1']);
      expect(answer.headers.get('content-type')).toContain('text/event-stream');
      const { first, text } = await readAll(answer, loading.open);
      expect(first.startsWith(sign)).toBe(true);
      expect(text).toContain('Loaded.');
      expect(text).toContain('"model":"m2"');
      const { outcome } = await gateway.log.record(0);
      expect(outcome).toMatchObject({ modelId: 'p:m2', attemptCount: 2, failure: null });
    },
  );

  it('are followed by the error when nobody can answer', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider }, keepAlive);
    const loading = closedGate();
    provider.next({
      text: 'x',
      beforeChunk: (at) => (at === 0 ? loading.opened : undefined),
      cutAfterChunks: 1,
    });
    const { text } = await readAll(await ask(`${gateway.url}/v1/chat/completions`, {}), loading.open);
    expect(text).toContain('"code":"upstream_cut"');
    const { outcome } = await gateway.log.record(0);
    expect(outcome).toMatchObject({ statusCode: 502, failure: { code: 'upstream_cut' } });
  });

  it('are not sent where the protocol has none, nor where the first content is in time', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider }, keepAlive);
    provider.next({ text: 'Late.', delayMs: 30 });
    const lines = await (await ask(`${gateway.url}/api/chat`, {})).text();
    expect(
      lines
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as unknown),
    ).not.toEqual([]);
    const quick = await gatewayTo({ p: provider }, { deps: { keepAlive: { everyMs: 60_000 } } });
    expect(await (await ask(`${quick.url}/v1/chat/completions`, {})).text()).not.toContain('keep-alive');
  });
});

describe('Azure OpenAI', () => {
  it('is asked by deployment, with its own header and version, and answers in its own words', async () => {
    const provider = await fake('openai', 'my-router');
    const gateway = await gatewayTo(
      { azure: provider },
      {
        settings: {
          kind: 'azure',
          baseUrl: provider.baseUrl.replace(/\/v1$/, ''),
          models: [{ name: 'my-router', model: 'gpt-4o', contextTokens: 128_000 }],
        },
      },
    );
    provider.next({ recorded: wire('azure-model-router.sse') });
    const answer = await post(gateway, { model: 'my-router', messages, stream: true });
    expect(await answer.text()).toContain('Capital');
    const [call] = provider.calls;
    expect(call?.path).toBe('/openai/deployments/my-router/chat/completions');
    expect(call?.headers['api-key']).toBe('secret-key');
    expect(call?.headers.authorization).toBeUndefined();
    expect(gateway.registry.catalog.get('azure:my-router')).toMatchObject({
      hasImages: true,
      contextTokens: 128_000,
      isChat: true,
    });
    const { outcome } = await gateway.log.record(0);
    expect(outcome).toMatchObject({ modelId: 'azure:my-router', modelReported: 'gpt-5-nano-2025-08-07' });
  });

  it('is asked without a version where it has none', async () => {
    const provider = await fake('openai', 'gpt-4o');
    const baseUrl = provider.baseUrl.replace(/\/v1$/, '');
    const gateway = await gatewayTo(
      { azure: provider },
      { settings: { kind: 'azure', apiVersion: 'v1', baseUrl, models: ['gpt-4o'] } },
    );
    expect((await post(gateway, { model: 'gpt-4o', messages })).status).toBe(200);
    expect(provider.calls[0]?.path).toBe('/openai/v1/chat/completions');
  });
});
