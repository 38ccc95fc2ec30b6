import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpEmbedder } from './http.ts';

let server: Server | null = null;
const asked: {
  url: string | undefined;
  authorization: string | undefined;
  body: { model: string; input: string[] };
}[] = [];

async function serve(answer: (input: string[]) => { status?: number; body: unknown }): Promise<string> {
  asked.length = 0;
  const started = createServer(async (request, response) => {
    const body = JSON.parse(await text(request)) as { model: string; input: string[] };
    asked.push({ url: request.url, authorization: request.headers.authorization, body });
    const { status = 200, body: answered } = answer(body.input);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answered));
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

afterEach(async () => {
  const ended = server;
  server = null;
  await new Promise((resolve) => (ended ? ended.close(resolve) : resolve(undefined)));
});

describe('HttpEmbedder', () => {
  it('asks Ollama in batches', async () => {
    const baseUrl = await serve((input) => ({ body: { embeddings: input.map((item) => [item.length, 1]) } }));
    const embedder = new HttpEmbedder({
      protocol: 'ollama',
      baseUrl,
      model: 'nomic-embed-text',
      batchSize: 2,
    });
    const vectors = await embedder.embed(['a', 'bb', 'ccc']);
    expect(vectors.map((vector) => [...vector])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    expect(asked.map(({ url }) => url)).toEqual(['/api/embed', '/api/embed']);
    expect(embedder.dims).toBe(2);
  });

  it('asks an OpenAI-compatible server and puts its answers in order', async () => {
    const baseUrl = await serve((input) => ({
      body: { data: input.map((item, index) => ({ index, embedding: [item.length] })).reverse() },
    }));
    const embedder = new HttpEmbedder({
      protocol: 'openai',
      baseUrl: `${baseUrl}/v1/`,
      model: 'm',
      apiKey: 'k',
    });
    expect((await embedder.embed(['a', 'bb'])).map((vector) => [...vector])).toEqual([[1], [2]]);
    expect(asked[0]).toMatchObject({ url: '/v1/embeddings', authorization: 'Bearer k' });
  });

  it('says so when the server refuses, sends nonsense or is away', async () => {
    const refused = await serve(() => ({ status: 500, body: {} }));
    const embed = (baseUrl: string): Promise<unknown> =>
      new HttpEmbedder({ protocol: 'ollama', baseUrl, model: 'm' }).embed(['a', 'b']);
    await expect(embed(refused)).rejects.toMatchObject({ code: 'upstream_failed' });
    server?.close();
    const nonsense = await serve(() => ({ body: { embeddings: [[1], ['x']] } }));
    await expect(embed(nonsense)).rejects.toMatchObject({ code: 'upstream_malformed' });
    await expect(embed('http://127.0.0.1:9')).rejects.toMatchObject({ code: 'upstream_unreachable' });
  });
});
