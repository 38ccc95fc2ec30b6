import { describe, expect, it } from 'vitest';
import { FakeProvider } from '../../tests/kit/fake-provider.ts';
import { SILENT_LOGGER } from '../../tests/kit/start-gateway.ts';
import { ProviderRegistry } from './provider-registry.ts';
import { UpstreamPools } from './upstream.ts';

async function open(baseUrls: Readonly<Record<string, string>>, listTimeoutMs = 5_000) {
  const upstream = new UpstreamPools();
  const registry = new ProviderRegistry({
    settings: Object.entries(baseUrls).map(([id, baseUrl]) => ({
      id,
      kind: 'openai' as const,
      baseUrl,
      models: ['m'],
      isLocal: false,
    })),
    upstream,
    logger: SILENT_LOGGER,
    clock: Date.now,
    listTimeoutMs,
  });
  await registry.refresh();
  return { registry, [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose]() };
}

describe('the reach of providers', () => {
  it('is not asked for while all are there, and lost with a refused connection', async () => {
    const [one, other] = await Promise.all([
      FakeProvider.open({ kind: 'openai', models: ['m'] }),
      FakeProvider.open({ kind: 'openai', models: ['m'] }),
    ]);
    await using opened = await open({ one: one.baseUrl, other: other.baseUrl });
    const { registry } = opened;
    expect(registry.isReachable).toBeUndefined();
    await other[Symbol.asyncDispose]();
    await registry.refresh();
    expect([registry.isReachable?.('one:m'), registry.isReachable?.('other:m')]).toEqual([true, false]);
    await one[Symbol.asyncDispose]();
  });

  it('is not lost with an error, which somebody answered', async () => {
    await using provider = await FakeProvider.open({ kind: 'openai', models: ['m'] });
    // No list of models stands there.
    await using opened = await open({ odd: `${provider.baseUrl}/nowhere` });
    expect(opened.registry.health()[0]).toMatchObject({ isUp: false });
    expect(opened.registry.isReachable).toBeUndefined();
  });
});
