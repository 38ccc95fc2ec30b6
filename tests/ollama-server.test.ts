import { Ollama } from 'ollama';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import { Tallyrank } from './kit/start-tallyrank.ts';

/*
 * The product in the place of an Ollama: the paths of both lie side by side, and one key opens both.
 */

const KEY = 'the-key-of-this-test';

describe('Tallyrank in the place of an Ollama', () => {
  const open: AsyncDisposable[] = [];
  let product: Tallyrank;
  let client: Ollama;

  beforeAll(async () => {
    const models = ['mistral:7b', 'nomic-embed-text:latest'];
    const ollama = await FakeProvider.open({ kind: 'ollama', models });
    open.push(ollama);
    const env = { TALLYRANK_ADMIN_KEY: KEY };
    product = await Tallyrank.start({ providers: { ollama }, env, key: KEY });
    open.push(product);
    client = new Ollama({ host: product.url, headers: { authorization: `Bearer ${KEY}` } });
  });
  afterAll(async () => {
    for (const each of open.reverse()) await each[Symbol.asyncDispose]();
  });

  it('says that it is there, to whoever knocks', async () => {
    expect((await fetch(product.url, { method: 'HEAD' })).status).toBe(200);
    expect((await fetch(product.url)).status).toBe(200);
  });

  it('wants the key for everything else, and says so in the words of the protocol', async () => {
    for (const [method, path] of [
      ['GET', '/api/tags'],
      ['GET', '/api/version'],
      ['GET', '/api/ps'],
      ['POST', '/api/chat'],
      ['POST', '/api/embed'],
      ['POST', '/api/pull'],
    ] as const) {
      const response = await fetch(product.url + path, { method });
      expect([path, response.status]).toEqual([path, 401]);
      expect(await response.json()).toEqual({ error: expect.stringContaining('needs a key') });
    }
  });

  it('has both lists of models, each in its own words', async () => {
    const { models } = await client.list();
    expect(models.map(({ name }) => name)).toContain('mistral:7b');
    const own = await product.get<{ models: { modelId: string }[] }>('/api/models');
    expect(own.models.map(({ modelId }) => modelId)).toContain('ollama:mistral:7b');
  });

  it('answers by "auto" and logs the question', async () => {
    const stream = await client.chat({
      model: 'auto:latest',
      messages: [{ role: 'user', content: 'When does the coffee shop open?' }],
      stream: true,
    });
    let text = '';
    for await (const part of stream) text += part.message.content;
    expect(text).toBe('Hello from mistral:7b');
    await product.flush();
    const { requests } = await product.get<{ requests: { prompt: string; modelAsked: string }[] }>(
      '/api/requests?limit=5',
    );
    expect(requests).toMatchObject([
      { prompt: 'When does the coffee shop open?', modelAsked: 'auto:latest', source: 'gateway' },
    ]);
  });

  it('makes vectors, which are counted apart from questions', async () => {
    const { embeddings } = await client.embed({ model: 'auto', input: ['one', 'three'] });
    expect(embeddings).toHaveLength(2);
    await product.flush();
    const stats = await product.get('/api/usage/stats?timeframe=1%20hour');
    expect(stats).toMatchObject({
      total: { requestCount: 1 },
      embedding: { requestCount: 1, pricedCount: 1, costSumUsd: 0, promptTokenSum: 7 },
    });
  });
});
