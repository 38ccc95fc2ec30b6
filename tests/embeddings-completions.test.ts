import { Ollama } from 'ollama';
import { describe, expect, it } from 'vitest';
import { vectorOf } from './kit/fake-wire.ts';
import { failure, fake, gatewayTo } from './kit/gateway-calls.ts';

const INPUT = ['opening hours', 'coffee'];

describe.each([['openai'], ['ollama']] as const)('embeddings by %s', (kind) => {
  it('come to a client of OpenAI’s, in 32 bits as its SDK asks for them, or as numbers', async () => {
    const provider = await fake(kind, 'embed-1');
    const gateway = await gatewayTo({ p: provider });
    const { embeddings } = gateway.client;
    const { data, response } = await embeddings.create({ model: 'embed-1', input: INPUT }).withResponse();
    expect(data).toMatchObject({
      object: 'list',
      model: 'embed-1',
      data: INPUT.map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text) })),
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-request-id': 'request-1',
      'x-tallyrank-model': 'p:embed-1',
      'x-tallyrank-cost-usd': '0.000007',
    });
    const plain = await embeddings.create({ model: 'p:embed-1', input: 'coffee', encoding_format: 'float' });
    expect(plain.data[0]?.embedding).toEqual(vectorOf('coffee'));
    await embeddings.create({ model: 'embed-1', input: 'coffee', dimensions: 2 });
    expect(provider.calls.at(-1)?.body['dimensions']).toBe(2);
  });

  it('come to a client of Ollama’s, by the new path and the old', async () => {
    const provider = await fake(kind, 'embed-1');
    const client = new Ollama({ host: (await gatewayTo({ p: provider })).url });
    const answer = await client.embed({ model: 'embed-1', input: INPUT, dimensions: 3 });
    expect(answer).toMatchObject({
      model: 'embed-1',
      embeddings: INPUT.map(vectorOf),
      prompt_eval_count: 7,
      total_duration: expect.any(Number),
    });
    expect(provider.calls.at(-1)?.body['dimensions']).toBe(3);
    const old = await client.embeddings({ model: 'embed-1', prompt: 'coffee' });
    expect(old).toEqual({ embedding: vectorOf('coffee') });
  });

  it('are logged as what they are, with tokens and cost, and asked of no router', async () => {
    const provider = await fake(kind, 'embed-1');
    const gateway = await gatewayTo({ p: provider });
    const headers = { 'x-session-id': 's1', 'x-user-id': 'ann' };
    const call = { model: 'embed-1', input: INPUT, metadata: { tags: ['index'] } };
    await gateway.client.embeddings.create(call, { headers });
    expect(provider.calls[0]?.body).not.toHaveProperty('metadata');
    expect(gateway.routed).toEqual([]);
    expect(gateway.log.records).toMatchObject([
      {
        facts: {
          source: 'embedding',
          modelId: 'p:embed-1',
          prompt: { prompt: '', context: '' },
          sessionId: null,
          userId: 'ann',
          tags: ['index'],
        },
        outcome: {
          modelId: 'p:embed-1',
          response: null,
          usage: { promptTokens: 7, completionTokens: 0 },
          modelReported: 'embed-1',
          statusCode: 200,
          failure: null,
        },
        decision: null,
      },
    ]);
  });

  it('fail in the words of their client’s protocol, and are logged', async () => {
    const provider = await fake(kind, 'embed-1');
    const gateway = await gatewayTo({ p: provider });
    const call = { model: 'embed-1', input: 'coffee' };
    provider.next({ errorStatus: 400 });
    const error = await failure(gateway.client.embeddings.create(call));
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining('fake error 400') });
    provider.next({ errorStatus: 500 });
    const client = new Ollama({ host: gateway.url });
    await expect(client.embed(call)).rejects.toMatchObject({ name: 'ResponseError', status_code: 502 });
    provider.next({ recorded: '{"object":"list"}' });
    expect(await failure(gateway.client.embeddings.create(call))).toMatchObject({
      code: 'upstream_malformed',
    });
    const codes = gateway.log.records.map(({ outcome }) => outcome.failure?.code);
    expect(codes).toEqual(['upstream_rejected', 'upstream_failed', 'upstream_malformed']);
  });

  it('are not waited for when their client has left', async () => {
    const provider = await fake(kind, 'embed-1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ isSilent: true });
    const leave = new AbortController();
    const call = gateway.client.embeddings.create(
      { model: 'embed-1', input: 'coffee' },
      { signal: leave.signal },
    );
    await provider.waitForCalls(1);
    leave.abort();
    await expect(call).rejects.toThrow();
    await provider.waitForAborts(1);
    expect((await gateway.log.record(0)).outcome.failure?.code).toBe('caller_cancelled');
  });
});

describe('the model of an embedding', () => {
  it('is the only one for "auto", and is asked for where there are several', async () => {
    const ollama = await fake('ollama', 'chatty', 'nomic-embed-text:latest');
    const openai = await fake('openai', 'text-embedding-3-small', 'whisper-1');
    const call = { model: 'auto:latest', input: 'coffee' };
    const one = await gatewayTo({ ollama });
    expect((await one.client.embeddings.create(call)).model).toBe('nomic-embed-text:latest');
    const many = await gatewayTo({ ollama, openai });
    expect(await failure(many.client.embeddings.create(call))).toMatchObject({
      status: 400,
      param: 'model',
      message: expect.stringMatching(
        /name one, e\.g\. ollama:nomic-embed-text:latest, openai:text-embedding-3-small\./,
      ),
    });
    const none = await gatewayTo({ chat: await fake('openai', 'gpt-4o') });
    expect((await failure(none.client.embeddings.create(call))).message).toContain('No embedding model');
  });

  it('must be of a provider that makes any, and is no guess', async () => {
    const gateway = await gatewayTo({ anthropic: await fake('anthropic', 'claude-x') });
    const { embeddings } = gateway.client;
    expect((await failure(embeddings.create({ model: 'claude-x', input: 'coffee' }))).message).toContain(
      'makes no embeddings',
    );
    expect((await failure(embeddings.create({ model: 'nobody', input: 'coffee' }))).status).toBe(404);
  });

  it('reads tokens only where its provider does', async () => {
    const openai = await fake('openai', 'embed-1');
    const ollama = await fake('ollama', 'embed-2');
    const { client } = await gatewayTo({ openai, ollama });
    await client.embeddings.create({ model: 'embed-1', input: [[1, 2], [3]] });
    expect(openai.calls.at(-1)?.body['input']).toEqual([[1, 2], [3]]);
    expect((await failure(client.embeddings.create({ model: 'embed-2', input: [1, 2] }))).message).toContain(
      'takes no tokens',
    );
  });
});

describe.each([['openai'], ['anthropic'], ['ollama']] as const)('text completions by %s', (kind) => {
  const request = { model: 'm1', prompt: 'The shop opens at', max_tokens: 8 };

  it('are carried over as a chat', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: ' eight.', usage: { promptTokens: 4, completionTokens: 2 } });
    expect(await gateway.client.completions.create({ ...request, prompt: [request.prompt] })).toMatchObject({
      object: 'text_completion',
      model: 'm1',
      choices: [{ index: 0, text: ' eight.', finish_reason: 'stop', logprobs: null }],
      usage: { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 },
    });
    expect(provider.calls[0]?.prompt).toBe('The shop opens at');
    expect(gateway.log.records).toMatchObject([
      { facts: { prompt: { prompt: 'The shop opens at' } }, outcome: { response: ' eight.', failure: null } },
    ]);
  });

  it('are streamed, with the usage when asked', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({
      text: 'eight in May',
      finishReason: 'length',
      usage: { promptTokens: 4, completionTokens: 8 },
    });
    const stream = await gateway.client.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    const reasons: unknown[] = [];
    let usage: unknown;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.text ?? '';
      if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe('eight in May');
    expect(reasons).toEqual(['length']);
    expect(usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 8 });
  });
});

describe('what a chat cannot carry of a text completion', () => {
  const OWN: [string, object][] = [
    ['several prompts', { prompt: ['one', 'two'] }],
    ['a prompt of tokens', { prompt: [1, 2, 3] }],
    ['suffix', { suffix: 'the end' }],
    ['echo', { echo: true }],
    ['logprobs', { logprobs: 2 }],
    ['best_of', { best_of: 3 }],
    ['n', { n: 2 }],
  ];

  it.each(OWN)(
    '%s: goes on to servers that have the path, and is refused for others',
    async (words, more) => {
      const openai = await fake('openai', 'coder');
      const ollama = await fake('ollama', 'chatty');
      const { client } = await gatewayTo({ openai, ollama });
      const call = { prompt: 'Hello', ...more };
      const answer = await client.completions.create({ model: 'coder', ...call });
      expect(answer).toMatchObject({ id: 'cmpl-fake', choices: [{ text: 'Hello from coder' }] });
      expect(openai.calls).toMatchObject([{ path: '/v1/completions', body: { model: 'coder', ...call } }]);
      expect(await failure(client.completions.create({ model: 'chatty', ...call }))).toMatchObject({
        status: 400,
        message: expect.stringContaining(`asks for ${words},`),
      });
      expect(ollama.calls).toEqual([]);
    },
  );

  it('is streamed as it comes, with the end held back', async () => {
    const provider = await fake('openai', 'coder');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: 'while b: swap', usage: { promptTokens: 4, completionTokens: 8 } });
    const stream = await gateway.client.completions.create({
      model: 'coder',
      prompt: 'def gcd(a, b):',
      suffix: 'return a',
      stream: true,
    });
    let text = '';
    const reasons: unknown[] = [];
    for await (const chunk of stream) {
      expect(chunk.id).toBe('cmpl-fake');
      text += chunk.choices[0]?.text ?? '';
      if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
    }
    expect([text, reasons]).toEqual(['while b: swap', ['stop']]);
    expect(gateway.log.records).toMatchObject([
      { outcome: { response: 'while b: swap', usage: { promptTokens: 4, completionTokens: 8 } } },
    ]);
  });

  it.each([
    [{ prompt: [] }, 'prompt', /missing/],
    [{ model: 'auto', prompt: [1, 2] }, 'prompt', /belong to one model/],
    [{ temperature: 'hot' }, 'temperature', /a number/],
  ])('is refused at once: %j', async (more, param, sentence) => {
    const { client } = await gatewayTo({ p: await fake('openai', 'm1') });
    const call = client.completions.create({ model: 'm1', prompt: 'Hello', ...more } as never);
    expect(await failure(call)).toMatchObject({
      status: 400,
      param,
      message: expect.stringMatching(sentence),
    });
  });

  it('is nothing where it says what is so anyway', async () => {
    const provider = await fake('openai', 'm1');
    const { client } = await gatewayTo({ p: provider });
    const call = {
      model: 'auto',
      prompt: 'Hello',
      suffix: null,
      echo: false,
      best_of: 1,
      n: 1,
      logprobs: null,
    };
    expect((await client.completions.create(call)).choices[0]?.text).toBe('Hello from m1');
    expect(provider.calls[0]?.path).toBe('/v1/chat/completions');
  });
});
