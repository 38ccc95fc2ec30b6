import { expect, it, onTestFinished } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import { Tallyrank } from './kit/start-tallyrank.ts';

/* The response cache as an operator meets it: switched on by the configuration, on the compiled program. */

interface Stats {
  readonly total: { readonly requestCount: number };
  readonly cached: {
    readonly requestCount: number;
    readonly avoidedUsd: number | null;
  };
}

interface Listed {
  readonly source: string;
  readonly costUsd: number | null;
}

it('answers from memory, says so in log, figures and metrics, and forgets when it is told to', async () => {
  const provider = await FakeProvider.open({ kind: 'openai', models: ['gpt-a'] });
  onTestFinished(() => provider[Symbol.asyncDispose]());
  await using product = await Tallyrank.start({
    config: {
      providers: [{ id: 'cloud', kind: 'openai', baseUrl: provider.baseUrl }],
      cache: { isOn: true },
      prices: { 'cloud:gpt-a': { inputUsdPerMtok: 1000, outputUsdPerMtok: 1000 } },
    },
  });
  const ask = async (): Promise<string | null> => {
    const messages = [{ role: 'user', content: 'When does the coffee shop open?' }];
    const answer = await product.ask('/v1/chat/completions', { model: 'gpt-a', temperature: 0, messages });
    expect(answer.statusCode).toBe(200);
    return answer.headers.get('x-tallyrank-cache');
  };
  expect([await ask(), await ask(), await ask()]).toEqual(['miss', 'hit', 'hit']);
  expect(provider.calls).toHaveLength(1);
  expect(await product.get('/api/cache')).toMatchObject({
    isOn: true,
    hitCount: 2,
    missCount: 1,
    entryCount: 1,
    maxBytes: 64 * 1024 * 1024,
  });

  await product.flush();
  const { requests } = await product.get<{ requests: Listed[] }>('/api/requests');
  expect(requests.map(({ source }) => source).sort()).toEqual(['cache', 'cache', 'gateway']);
  const paidUsd = requests.find(({ source }) => source === 'gateway')?.costUsd ?? 0;
  expect(paidUsd).toBeGreaterThan(0);
  expect(requests.filter(({ source }) => source === 'cache').map(({ costUsd }) => costUsd)).toEqual([0, 0]);
  const stats = await product.get<Stats>('/api/usage/stats');
  expect(stats.cached.requestCount).toBe(2);
  expect(stats.cached.avoidedUsd).toBeCloseTo(2 * paidUsd, 9);
  expect(stats.total.requestCount).toBe(1);
  const { text } = await product.ask('/metrics');
  expect(text).toContain('tallyrank_cache_hits_total{model="cloud:gpt-a",provider="cloud"} 2');
  expect(text).toMatch(/tallyrank_requests_total\{model="cloud:gpt-a".*\} 1\n/);

  expect(await product.get('/api/cache', undefined, { method: 'DELETE' })).toEqual({ forgottenCount: 1 });
  expect(await ask()).toBe('miss');
  expect(provider.calls).toHaveLength(2);
});

it('is off unless it is switched on', async () => {
  const provider = await FakeProvider.open({ kind: 'openai', models: ['gpt-a'] });
  onTestFinished(() => provider[Symbol.asyncDispose]());
  await using product = await Tallyrank.start({ providers: { cloud: provider } });
  const body = { model: 'gpt-a', temperature: 0, messages: [{ role: 'user', content: 'Once more?' }] };
  for (let at = 0; at < 2; at++) {
    const answer = await product.ask('/v1/chat/completions', body, {
      headers: { 'x-tallyrank-cache': 'on' },
    });
    expect(answer.headers.get('x-tallyrank-cache')).toBeNull();
  }
  expect(provider.calls).toHaveLength(2);
  expect(await product.get('/api/cache')).toEqual({ isOn: false });
});
