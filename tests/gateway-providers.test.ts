import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProviderSettings } from '../src/gateway/provider-registry.ts';
import { ProviderRegistry } from '../src/gateway/provider-registry.ts';
import type { UpstreamLimits, UpstreamRequest } from '../src/gateway/upstream.ts';
import { UpstreamPools } from '../src/gateway/upstream.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { SILENT_LOGGER } from './kit/start-gateway.ts';

const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

function opened<T extends AsyncDisposable>(resource: T): T {
  open.push(resource);
  return resource;
}

function registryOf(settings: readonly ProviderSettings[], listTimeoutMs = 30_000): ProviderRegistry {
  const upstream = opened(new UpstreamPools({ connectMs: listTimeoutMs }));
  return new ProviderRegistry({
    settings,
    upstream,
    logger: SILENT_LOGGER,
    clock: () => 42,
    listTimeoutMs,
  });
}

describe('ProviderRegistry', () => {
  it('describes the models that providers list', async () => {
    const ollama = opened(
      await FakeProvider.open({
        kind: 'ollama',
        models: [
          {
            name: 'llava:7b',
            capabilities: ['completion', 'vision'],
            contextTokens: 4096,
            parameterSize: '7.2B',
          },
          { name: 'nomic-embed-text:latest', capabilities: ['embedding'] },
        ],
      }),
    );
    const anthropic = opened(await FakeProvider.open({ kind: 'anthropic', models: ['claude-sonnet-4-5'] }));
    const registry = registryOf([
      { id: 'ollama', kind: 'ollama', baseUrl: ollama.baseUrl, isLocal: true },
      { id: 'anthropic', kind: 'anthropic', baseUrl: `${anthropic.baseUrl}/v1/`, isLocal: false },
    ]);
    expect(registry.health()[0]).toMatchObject({ isUp: null, checkedAtMs: null });
    await registry.refresh();
    expect(registry.catalog.models).toMatchObject([
      {
        modelId: 'ollama:llava:7b',
        isLocal: true,
        isChat: true,
        hasImages: true,
        hasTools: false,
        contextTokens: 4096,
        parameterBillions: 7.2,
      },
      { modelId: 'ollama:nomic-embed-text:latest', isChat: false },
      {
        modelId: 'anthropic:claude-sonnet-4-5',
        family: 'claude',
        hasTools: true,
        hasImages: true,
        isLocal: false,
      },
    ]);
    expect(registry.health()).toMatchObject([
      { id: 'ollama', isUp: true, checkedAtMs: 42, error: null, modelCount: 2 },
      { id: 'anthropic', isUp: true, modelCount: 1 },
    ]);
  });

  it('says that a provider is away and does not wait for one that is silent', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const registry = registryOf(
      [
        { id: 'away', kind: 'ollama', baseUrl: 'http://127.0.0.1:1', isLocal: true },
        { id: 'silent', kind: 'openai', baseUrl: `http://127.0.0.1:${port}/v1`, isLocal: false },
      ],
      300,
    );
    await registry.refresh();
    silent.closeAllConnections();
    silent.close();
    expect(registry.catalog.models).toEqual([]);
    expect(registry.health()).toMatchObject([
      { id: 'away', isUp: false, error: { code: 'upstream_unreachable' } },
      { id: 'silent', isUp: false, error: { code: 'upstream_timeout' } },
    ]);
  });

  it('calls the models of a provider again that came back', async () => {
    const listener = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    listener.close();
    await once(listener, 'close');
    const baseUrl = `http://127.0.0.1:${port}/v1`;
    const registry = registryOf([{ id: 'p', kind: 'openai', baseUrl, isLocal: false, models: ['m1'] }]);
    await registry.refresh();
    for (let at = 0; at < 5; at++) registry.breakers.noteFailure('p:m1');
    expect(registry.isReachable?.('p:m1')).toBe(false);
    const back = createServer((_request, response) => response.end('{"data":[]}')).listen(port, '127.0.0.1');
    await once(back, 'listening');
    await registry.refresh();
    back.closeAllConnections();
    back.close();
    expect(registry.isReachable).toBeUndefined();
  });

  it('keeps the models of a provider that went away', async () => {
    const provider = await FakeProvider.open({ kind: 'openai', models: ['m1'] });
    const registry = registryOf([{ id: 'p', kind: 'openai', baseUrl: provider.baseUrl, isLocal: false }]);
    await registry.refresh();
    await provider[Symbol.asyncDispose]();
    await registry.refresh();
    expect(registry.catalog.get('p:m1')).not.toBeNull();
    expect(registry.health()).toMatchObject([{ isUp: false, modelCount: 1 }]);
  });

  it('offers exactly the models that the operator names', async () => {
    const provider = opened(await FakeProvider.open({ kind: 'openai', models: ['m1', 'm2'] }));
    const registry = registryOf([
      {
        id: 'p',
        kind: 'openai',
        baseUrl: provider.baseUrl,
        isLocal: false,
        models: ['m2', { name: 'deploy-7', aliases: ['gpt'], hasTools: true, isAutoAllowed: false }],
      },
    ]);
    expect(registry.catalog.models.map((model) => model.modelId)).toEqual(['p:m2', 'p:deploy-7']);
    await registry.refresh();
    expect(registry.catalog.resolve('gpt')).toMatchObject({
      modelId: 'p:deploy-7',
      hasTools: true,
      isAutoAllowed: false,
    });
  });

  it('refuses ids that would make names ambiguous', () => {
    const settings = { kind: 'ollama', baseUrl: 'http://127.0.0.1:1', isLocal: true } as const;
    for (const id of ['a:b', 'auto'])
      expect(() => registryOf([{ ...settings, id }])).toThrow(/choose another/);
  });
});

describe('UpstreamPools', () => {
  async function serve(
    handler: Parameters<typeof createServer>[1],
    limits: Partial<UpstreamLimits>,
  ): Promise<{ pools: UpstreamPools; request: UpstreamRequest }> {
    const server = createServer(handler as () => void).listen(0, '127.0.0.1');
    await once(server, 'listening');
    opened({
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      },
    });
    const { port } = server.address() as AddressInfo;
    const request: UpstreamRequest = {
      provider: 'p',
      origin: `http://127.0.0.1:${port}`,
      path: '/',
      method: 'POST',
      headers: {},
      body: '{}',
      isStream: true,
      signal: new AbortController().signal,
    };
    return { pools: opened(new UpstreamPools(limits)), request };
  }

  it('gives up on a provider that never begins', async () => {
    const { pools, request } = await serve(() => undefined, { firstTokenMs: 50 });
    await expect(pools.send(request)).rejects.toMatchObject({ code: 'upstream_timeout' });
  });

  it('gives up on a provider that stops in the middle', async () => {
    const { pools, request } = await serve((_request, response) => response.write('begun'), { idleMs: 50 });
    const answer = await pools.send(request);
    await expect(answer.readAll()).rejects.toMatchObject({ code: 'upstream_timeout' });
  });

  it('gives up on an answer that never ends', async () => {
    const { pools, request } = await serve((_request, response) => response.write('begun'), { totalMs: 50 });
    const answer = await pools.send({ ...request, isStream: false });
    await expect(answer.readAll()).rejects.toMatchObject({ code: 'upstream_timeout' });
  });

  it('takes no more than its limit', async () => {
    const { pools, request } = await serve((_request, response) => response.end('x'.repeat(100)), {
      answerMaxBytes: 99,
    });
    const answer = await pools.send(request);
    await expect(answer.readAll()).rejects.toMatchObject({ code: 'upstream_malformed' });
  });

  it('makes the provider pause while nobody reads', async () => {
    const size = 64 * 1024;
    const count = 1_000;
    let written = 0;
    const { pools, request } = await serve(async (_request, response) => {
      for (; written < count && !response.destroyed; written++) {
        if (!response.write(Buffer.alloc(size))) await once(response, 'drain');
      }
      response.end();
    }, {});
    const answer = await pools.send(request);
    // Turns of the event loop in which a provider on the same machine could write everything.
    for (let at = 0; at < 2_000; at++) await turn();
    expect(written).toBeLessThan(count / 2);
    let length = 0;
    for await (const chunk of answer) length += chunk.length;
    expect(length).toBe(size * count);
  });

  it('ends the call when its reader stops or its signal says so', async () => {
    const closed: (() => void)[] = [];
    const { pools, request } = await serve((_request, response) => {
      response.on('close', () => closed.shift()?.());
      response.write('begun');
    }, {});
    const gone = new Promise<void>((resolve) => closed.push(resolve));
    for await (const _chunk of await pools.send(request)) break;
    await gone;
    const cancellation = new AbortController();
    const reason = new Error('left');
    const answer = await pools.send({ ...request, signal: cancellation.signal });
    cancellation.abort(reason);
    await expect(answer.readAll()).rejects.toBe(reason);
    await expect(pools.send({ ...request, signal: cancellation.signal })).rejects.toBe(reason);
  });

  it('refuses a header that cannot be sent, as an error of the provider', async () => {
    const { pools, request } = await serve(() => undefined, {});
    const sent = pools.send({ ...request, headers: { authorization: 'Bearer a\nb' } });
    await expect(sent).rejects.toMatchObject({ code: 'upstream_unreachable' });
  });
});
