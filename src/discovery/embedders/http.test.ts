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

/** What the server answers; a text as body goes out as it is, null is no answer. */
type Answer = { status?: number; body: unknown; headers?: Record<string, string> } | null;

async function serve(answer: (input: string[]) => Answer): Promise<string> {
  asked.length = 0;
  const started = createServer(async (request, response) => {
    const body = JSON.parse(await text(request)) as { model: string; input: string[] };
    asked.push({ url: request.url, authorization: request.headers.authorization, body });
    const answered = answer(body.input);
    if (answered === null) return;
    response.writeHead(answered.status ?? 200, { 'content-type': 'application/json', ...answered.headers });
    response.end(typeof answered.body === 'string' ? answered.body : JSON.stringify(answered.body));
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

async function stop(): Promise<void> {
  const ended = server;
  server = null;
  ended?.closeAllConnections();
  await new Promise((resolve) => (ended ? ended.close(resolve) : resolve(undefined)));
}

afterEach(stop);

function ollama(baseUrl: string, options: { timeoutMs?: number } = {}): HttpEmbedder {
  return new HttpEmbedder({ protocol: 'ollama', baseUrl, model: 'm', firstPauseMs: 1, ...options });
}

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

  it('tries again after a failure that may pass, and as late as the server asks', async () => {
    const answers = [
      { status: 503, body: {} },
      { status: 429, body: {}, headers: { 'retry-after': '0' } },
      { body: 'torn {' },
      { body: { embeddings: [[1]] } },
    ];
    const baseUrl = await serve(() => answers.shift() ?? { status: 500, body: {} });
    expect(await ollama(baseUrl).embed(['a'])).toEqual([Float32Array.of(1)]);
    expect(asked).toHaveLength(4);
  });

  it('gives up after four calls, and at once on what cannot pass', async () => {
    const failing = await serve(() => ({ status: 500, body: {} }));
    await expect(ollama(failing).embed(['a'])).rejects.toMatchObject({ code: 'upstream_failed' });
    expect(asked).toHaveLength(4);
    await stop();
    const codes: Record<number, string> = {
      400: 'upstream_rejected',
      401: 'upstream_unauthorized',
      404: 'upstream_rejected',
    };
    for (const [status, code] of Object.entries(codes)) {
      const baseUrl = await serve(() => ({ status: Number(status), body: {} }));
      await expect(ollama(baseUrl).embed(['a'])).rejects.toMatchObject({ code });
      expect(asked).toHaveLength(1);
      await stop();
    }
  });

  it('sends smaller batches to a server that finds them too large', async () => {
    const baseUrl = await serve((input) =>
      input.length > 2 ? { status: 413, body: {} } : { body: { embeddings: input.map(() => [1]) } },
    );
    expect(await ollama(baseUrl).embed(['a', 'b', 'c', 'd', 'e'])).toHaveLength(5);
    expect(asked.map(({ body }) => body.input.length)).toEqual([5, 3, 2, 2, 1]);
  });

  it.each([
    ['fewer vectors than texts', { embeddings: [[1]] }],
    ['vectors of two lengths', { embeddings: [[1], [1, 2]] }],
    ['what are no numbers', { embeddings: [[1], ['x']] }],
    ['empty vectors', { embeddings: [[], []] }],
    ['something else', { error: 'no' }],
  ])('refuses an answer with %s', async (_what, body) => {
    const baseUrl = await serve(() => ({ body }));
    await expect(ollama(baseUrl).embed(['a', 'b'])).rejects.toMatchObject({ code: 'upstream_malformed' });
  });

  it('notices when the length of the vectors changes under way', async () => {
    let length = 2;
    const baseUrl = await serve(() => ({ body: { embeddings: [new Array(length).fill(1)] } }));
    const embedder = ollama(baseUrl);
    await embedder.embed(['a']);
    length = 3;
    await expect(embedder.embed(['b'])).rejects.toThrow(/vectors of 3 and of 2/);
  });

  it('says so when nobody answers, in time or at all, and stops when told to', async () => {
    await expect(ollama('http://127.0.0.1:9').embed(['a'])).rejects.toMatchObject({
      code: 'upstream_unreachable',
    });
    const silent = await serve(() => null);
    await expect(ollama(silent, { timeoutMs: 30 }).embed(['a'])).rejects.toMatchObject({
      code: 'upstream_timeout',
    });
    const abort = new AbortController();
    const waiting = ollama(silent).embed(['a'], abort.signal);
    abort.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
  });

  it('sends no half signs and no empty texts', async () => {
    const baseUrl = await serve((input) => ({ body: { embeddings: input.map(() => [1]) } }));
    await ollama(baseUrl).embed(['', 'a\ud83d', `${'x'.repeat(1_999)}😀`]);
    expect(asked[0]?.body.input).toEqual([' ', 'a ', `${'x'.repeat(1_999)} `]);
  });
});
