import { Ollama } from 'ollama';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { FakeKind } from './kit/fake-provider.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { closedGate } from './kit/gate.ts';
import { fake, gatewayTo } from './kit/gateway-calls.ts';
import type { TestGateway } from './kit/start-gateway.ts';

const PROMPT = 'When does the coffee shop open?';
const messages = [{ role: 'user', content: PROMPT }];

/** The first bytes of a PNG, enough to be recognised as one. */
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]);

const TOOL = {
  type: 'function',
  function: {
    name: 'opening_hours',
    description: 'Hours of a shop',
    parameters: { type: 'object', required: ['shop'], properties: { shop: { type: 'string' } } },
  },
};

const SCHEMA = {
  type: 'object',
  properties: { hour: { type: 'number' } },
  required: ['hour'],
  additionalProperties: false,
};

/** Chunks of a fake stream after which something has been shown, and more is to come. */
const SHOWN_CHUNKS: Readonly<Record<FakeKind, number>> = { ollama: 2, openai: 3, anthropic: 5 };

function clientOf(gateway: TestGateway): Ollama {
  return new Ollama({ host: gateway.url });
}

async function ask(gateway: TestGateway, path: string, init: RequestInit = {}): Promise<Response> {
  return await fetch(`${gateway.url}${path}`, init);
}

async function postJson(gateway: TestGateway, path: string, body: unknown): Promise<Response> {
  return await ask(gateway, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function collected<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const parts: T[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

function lastBody(provider: FakeProvider): Readonly<Record<string, unknown>> {
  return provider.calls.at(-1)?.body ?? {};
}

describe.each<[FakeKind]>([['openai'], ['anthropic'], ['ollama']])('the ollama package on %s', (kind) => {
  async function open(): Promise<{ provider: FakeProvider; gateway: TestGateway; client: Ollama }> {
    const models = [{ name: 'm1', capabilities: ['completion', 'tools', 'vision'] }];
    const provider = await FakeProvider.open({ kind, models });
    onTestFinished(() => provider[Symbol.asyncDispose]());
    const gateway = await gatewayTo({ p: provider });
    return { provider, gateway, client: clientOf(gateway) };
  }

  it('chats', async () => {
    const { provider, gateway, client } = await open();
    provider.next({ text: 'At eight.', usage: { promptTokens: 10, completionTokens: 5 } });
    const answer = await client.chat({ model: 'm1', messages });
    expect(answer).toMatchObject({
      model: 'm1',
      message: { role: 'assistant', content: 'At eight.' },
      done: true,
      done_reason: 'stop',
      prompt_eval_count: 10,
      eval_count: 5,
      total_duration: expect.any(Number),
    });
    expect(gateway.log.records).toMatchObject([
      {
        facts: { prompt: { prompt: PROMPT }, isStream: false },
        outcome: { modelId: 'p:m1', response: 'At eight.' },
      },
    ]);
  });

  it('streams, thoughts apart, and ends with the counts', async () => {
    const { provider, client } = await open();
    provider.next({
      reasoning: 'Coffee shops…',
      text: 'At eight sharp.',
      usage: { promptTokens: 10, completionTokens: 5 },
    });
    const parts = await collected(await client.chat({ model: 'm1', messages, stream: true }));
    expect(parts.map(({ message }) => message.content).join('')).toBe('At eight sharp.');
    expect(parts.map(({ message }) => message.thinking ?? '').join('')).toBe('Coffee shops…');
    expect(parts.map(({ done }) => done)).toEqual([...parts.slice(1).map(() => false), true]);
    expect(parts.at(-1)).toMatchObject({ done_reason: 'stop', prompt_eval_count: 10, eval_count: 5 });
  });

  it('says that a token limit cut the answer', async () => {
    const { provider, client } = await open();
    provider.next({ text: 'At ei', finishReason: 'length' });
    const answer = await client.chat({
      model: 'm1',
      messages,
      options: { num_predict: 2, temperature: 0.5 },
    });
    expect(answer.done_reason).toBe('length');
    const sent = lastBody(provider);
    expect(kind === 'ollama' ? sent['options'] : sent).toMatchObject({
      [kind === 'ollama' ? 'num_predict' : 'max_tokens']: 2,
      temperature: 0.5,
    });
  });

  it.each([[false], [true]])('calls tools and takes their results (stream: %s)', async (stream) => {
    const { provider, client } = await open();
    const call = { id: 'call_1', name: 'opening_hours', arguments: '{"shop":"Beans"}' };
    provider.next({ toolCalls: [call] });
    const request = { model: 'm1', messages, tools: [TOOL] };
    const parts = stream
      ? await collected(await client.chat({ ...request, stream: true }))
      : [await client.chat(request)];
    const calls = parts.flatMap(({ message }) => message.tool_calls ?? []);
    expect(calls).toMatchObject([{ function: { name: 'opening_hours', arguments: { shop: 'Beans' } } }]);
    expect(parts.at(-1)).toMatchObject({ done: true, done_reason: 'stop' });
    provider.next({ text: 'At eight.' });
    // As clients wrote it before calls had ids.
    const bare = calls.map(({ function: { name, arguments: given } }) => ({
      function: { name, arguments: given },
    }));
    const turns = [
      ...messages,
      { role: 'assistant', content: '', tool_calls: bare },
      { role: 'tool', tool_name: 'opening_hours', content: '8-18' },
    ];
    expect((await client.chat({ model: 'm1', messages: turns, tools: [TOOL] })).message.content).toBe(
      'At eight.',
    );
    const sent = JSON.stringify(lastBody(provider)['messages']);
    expect(sent).toContain('8-18');
    // The result belongs to the call.
    if (kind !== 'ollama') expect(sent.match(/call00000/g)).toHaveLength(2);
  });

  it('asks for JSON that keeps to a schema', async () => {
    const { provider, client } = await open();
    provider.next({ text: '{"hour":8}' });
    const answer = await client.chat({ model: 'm1', messages, format: SCHEMA });
    expect(JSON.parse(answer.message.content)).toEqual({ hour: 8 });
    if (kind === 'ollama') expect(lastBody(provider)['format']).toEqual(SCHEMA);
    if (kind === 'openai') {
      const wanted = { type: 'json_schema', json_schema: { name: 'answer', schema: SCHEMA, strict: true } };
      expect(lastBody(provider)['response_format']).toEqual(wanted);
    }
  });

  it('sends images', async () => {
    const { provider, client } = await open();
    provider.next({ text: 'A shop.' });
    await client.chat({ model: 'm1', messages: [{ role: 'user', content: 'What is this?', images: [PNG] }] });
    const base64 = PNG.toString('base64');
    const { messages: sent } = lastBody(provider) as { messages: [{ content: unknown }] };
    const image = {
      openai: { type: 'image_url', image_url: { url: `data:image/png;base64,${base64}` } },
      anthropic: { type: 'image', source: { type: 'base64', media_type: 'image/png', data: base64 } },
    };
    if (kind === 'ollama') expect(sent[0]).toMatchObject({ images: [base64] });
    else expect(sent[0].content).toContainEqual(image[kind]);
  });

  it.each([[false], [true]])('generates (stream: %s)', async (stream) => {
    const { provider, gateway, client } = await open();
    provider.next({ text: 'At eight.', usage: { promptTokens: 10, completionTokens: 5 } });
    const request = { model: 'm1', prompt: PROMPT, system: 'Be brief.' };
    const parts = stream
      ? await collected(await client.generate({ ...request, stream: true }))
      : [await client.generate(request)];
    expect(parts.map(({ response }) => response).join('')).toBe('At eight.');
    expect(parts.at(-1)).toMatchObject({
      done: true,
      done_reason: 'stop',
      prompt_eval_count: 10,
      eval_count: 5,
    });
    expect(JSON.stringify(lastBody(provider))).toContain('Be brief.');
    expect((await gateway.log.record(0)).facts.prompt.prompt).toBe(PROMPT);
  });

  it('hears of failures in the words of the protocol, before an answer and in the middle of it', async () => {
    const { provider, client } = await open();
    await expect(client.chat({ model: 'nobody', messages })).rejects.toMatchObject({
      name: 'ResponseError',
      status_code: 404,
      message: expect.stringContaining('"nobody" is not known'),
    });
    provider.next({ errorStatus: 400 });
    await expect(client.chat({ model: 'm1', messages, stream: true })).rejects.toMatchObject({
      status_code: 400,
      message: 'fake error 400',
    });
    provider.next({ text: 'At eight sharp.', cutAfterChunks: SHOWN_CHUNKS[kind] });
    const stream = await client.chat({ model: 'm1', messages, stream: true });
    await expect(collected(stream)).rejects.toThrow(/broke off in the middle/);
  });

  it('stops the call of a client that aborts', async () => {
    const { provider, gateway, client } = await open();
    provider.next({
      text: 'At eight sharp.',
      beforeChunk: (at) => (at < SHOWN_CHUNKS[kind] ? undefined : new Promise(() => undefined)),
    });
    const stream = await client.chat({ model: 'm1', messages, stream: true });
    await expect(
      (async () => {
        for await (const _part of stream) client.abort();
      })(),
    ).rejects.toThrow();
    await provider.waitForAborts(1);
    expect((await gateway.log.record(0)).outcome.failure?.code).toBe('caller_cancelled');
  });

  it('is answered by "auto", whatever tag its clients add', async () => {
    const { gateway, client } = await open();
    for (const model of ['auto', 'auto:latest', 'auto:cheap', 'auto:cheap:latest', 'm1:latest', 'p:m1']) {
      expect((await client.chat({ model, messages })).message.content).toBe('Hello from m1');
    }
    expect(gateway.routed.map(({ policy }) => policy)).toEqual([
      'auto',
      'auto',
      'auto:cheap',
      'auto:cheap',
      null,
      null,
    ]);
  });

  it('shows what is known of a model', async () => {
    const { client } = await open();
    const shown = await client.show({ model: 'm1' });
    expect(shown.capabilities).toContain('completion');
    // Only an Ollama tells that its model sees.
    const vision = kind === 'ollama' ? ['vision'] : [];
    expect((await client.show({ model: 'auto' })).capabilities).toEqual(['completion', 'tools', ...vision]);
    await expect(client.show({ model: 'nobody' })).rejects.toMatchObject({ status_code: 404 });
  });
});

describe('requests that go on as they are', () => {
  it('reach an Ollama with all their fields, and its lines come back unchanged', async () => {
    const provider = await fake('ollama', 'mistral:7b');
    const gateway = await gatewayTo({ ollama: provider });
    const line = (more: object): string => `${JSON.stringify({ model: 'mistral:7b', ...more })}\n`;
    const recorded =
      line({ message: { role: 'assistant', content: 'At' }, logprobs: [{ token: 'At' }], done: false }) +
      line({ message: { role: 'assistant', content: ' eight.' }, done: false }) +
      line({
        message: { role: 'assistant', content: '' },
        done: true,
        done_reason: 'stop',
        eval_duration: 7,
      });
    provider.next({ recorded });
    const body = { model: 'mistral', messages, keep_alive: '5m', options: { mirostat: 2 }, logprobs: true };
    const response = await postJson(gateway, '/api/chat', body);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    expect(await response.text()).toBe(recorded);
    expect(lastBody(provider)).toEqual({ ...body, model: 'mistral:7b', stream: true });
    expect((await gateway.log.record(0)).outcome.response).toBe('At eight.');
  });

  it('keeps the last line back until the record is written', async () => {
    const provider = await fake('ollama', 'm1');
    const gateway = await gatewayTo({ p: provider });
    const record = closedGate();
    gateway.log.gate = record.opened;
    const response = await postJson(gateway, '/api/chat', { model: 'm1', messages });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    await gateway.log.finishing;
    while (!text.includes(' m1')) text += (await reader?.read())?.value ?? '';
    expect(text).not.toContain('"done":true');
    record.open();
    for (let next = await reader?.read(); next?.done === false; next = await reader?.read())
      text += next.value;
    expect(text).toContain('"done":true');
  });

  it('leave alone what only an Ollama can do, and say so to others', async () => {
    const ollama = await fake('ollama', 'coder');
    const openai = await fake('openai', 'gpt-x');
    const gateway = await gatewayTo({ ollama, openai });
    const client = clientOf(gateway);
    const request = { prompt: 'def gcd(a, b):', suffix: '    return a' };
    ollama.next({ text: 'while b: a, b = b, a % b' });
    expect((await client.generate({ model: 'coder', ...request })).response).toContain('while b');
    expect(ollama.calls.at(-1)).toMatchObject({ path: '/api/generate', body: request });
    await expect(client.generate({ model: 'gpt-x', ...request })).rejects.toMatchObject({
      status_code: 400,
      message: expect.stringContaining('suffix'),
    });
    expect(openai.calls).toEqual([]);
    // One that was chosen for the caller is passed over.
    ollama.next({ text: 'pass' });
    const decided = await gatewayTo(
      { ollama, openai },
      { decide: () => ({ modelIds: ['openai:gpt-x', 'ollama:coder'] }) },
    );
    expect((await clientOf(decided).generate({ model: 'auto', ...request })).response).toBe('pass');
  });

  it('has an Ollama load a model without asking it anything', async () => {
    const ollama = await fake('ollama', 'm1');
    const openai = await fake('openai', 'gpt-x');
    const gateway = await gatewayTo({ ollama, openai });
    ollama.next({ recorded: '{"model":"m1","done":true,"done_reason":"load"}' });
    const loaded = await (await postJson(gateway, '/api/generate', { model: 'm1', keep_alive: -1 })).text();
    expect(loaded).toBe('{"model":"m1","done":true,"done_reason":"load"}\n');
    expect(lastBody(ollama)).toEqual({ model: 'm1', keep_alive: -1, stream: false });
    const other = { model: 'gpt-x', messages: [], keep_alive: 0 };
    expect(await (await postJson(gateway, '/api/chat', other)).json()).toMatchObject({
      message: { role: 'assistant', content: '' },
      done: true,
      done_reason: 'unload',
    });
    expect(openai.calls).toEqual([]);
    expect(gateway.log.openCount + gateway.log.records.length).toBe(0);
  });
});

describe('models as an Ollama lists them', () => {
  it('has the presets, an Ollama’s own names, and all others by their ids', async () => {
    const ollama = await fake('ollama', 'mistral:7b', 'nomic-embed-text:latest');
    const openai = await fake('openai', 'gpt-4o', 'text-embedding-3-small', 'whisper-1');
    const gateway = await gatewayTo({ ollama, openai });
    const { models } = await clientOf(gateway).list();
    expect(models.map(({ name }) => name)).toEqual([
      'auto:latest',
      'auto:cheap',
      'auto:fast',
      'auto:best',
      'mistral:7b',
      'nomic-embed-text:latest',
      'openai:gpt-4o',
      'openai:text-embedding-3-small',
    ]);
    expect(models.find(({ name }) => name === 'mistral:7b')).toMatchObject({
      size: 4_000_000_000,
      digest: 'sha256:mistral:7b',
      modified_at: '2026-01-01T00:00:00Z',
    });
    for (const model of models) {
      expect(model).toMatchObject({
        model: model.name,
        size: expect.any(Number),
        digest: expect.stringMatching(/^.{12,}$/),
        modified_at: expect.stringMatching(/^\d{4}-/),
        details: { family: expect.any(String), parameter_size: expect.any(String) },
      });
      // Whatever is listed can be asked for.
      await clientOf(gateway).show({ model: model.name });
    }
    const shown = await clientOf(gateway).show({ model: 'openai:text-embedding-3-small' });
    expect(shown.capabilities).toEqual(['embedding']);
  });

  it('names a model of two Ollama servers by its id, and tells what both have in memory', async () => {
    const one = await fake('ollama', 'm1');
    const two = await fake('ollama', 'm1', 'm2');
    const gateway = await gatewayTo({ one, two });
    const client = clientOf(gateway);
    const names = (await client.list()).models.map(({ name }) => name);
    expect(names.slice(4)).toEqual(['one:m1', 'two:m1', 'm2']);
    expect((await client.ps()).models.map(({ name }) => name)).toEqual(['one:m1', 'two:m1', 'm2']);
    await one[Symbol.asyncDispose]();
    expect((await client.ps()).models.map(({ name }) => name)).toEqual(['two:m1', 'm2']);
  });

  it('tells a version that clients can compare', async () => {
    const gateway = await gatewayTo({});
    const { version } = await clientOf(gateway).version();
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it.each([
    ['POST', '/api/pull'],
    ['POST', '/api/push'],
    ['POST', '/api/create'],
    ['POST', '/api/copy'],
    ['DELETE', '/api/delete'],
    ['POST', '/api/blobs/sha256:abc'],
  ])('refuses %s %s in words', async (method, path) => {
    const gateway = await gatewayTo({});
    const response = await ask(gateway, path, { method, body: 'x' });
    expect(response.status).toBe(501);
    expect(await response.json()).toEqual({ error: expect.stringContaining('does not manage models') });
  });
});

describe('bodies of all kinds', () => {
  it('takes what curl sends, and no form of a web page', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    const body = JSON.stringify({ model: 'm1', prompt: PROMPT, stream: false });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await ask(gateway, '/api/generate', { method: 'POST', body, headers });
    expect(await answer.json()).toMatchObject({ response: 'Hello from m1' });
    for (const name of ['origin', 'referer']) {
      const init = { method: 'POST', body, headers: { ...headers, [name]: 'http://elsewhere.example' } };
      expect((await ask(gateway, '/api/generate', init)).status).toBe(415);
    }
    const plain = { method: 'POST', body, headers: { 'content-type': 'text/plain' } };
    expect((await ask(gateway, '/api/generate', plain)).status).toBe(415);
  });

  it.each([
    ['/api/chat', '{', /not valid JSON/],
    ['/api/chat', { messages }, /model is missing/],
    ['/api/chat', { model: 'm1', messages: 'Hello' }, /messages must be a list/],
    ['/api/chat', { model: 'm1', messages: [{ content: 'Hello' }] }, /role must be/],
    ['/api/chat', { model: 'm1', messages, think: 'very' }, /think must be/],
    ['/api/chat', { model: 'm1', messages: [{ role: 'user', images: ['%'] }] }, /not base64/],
    ['/api/generate', { model: 'm1', prompt: 7 }, /prompt must be a text/],
    ['/api/embed', { model: 'm1', input: [] }, /input must be/],
    ['/api/embeddings', { model: 'm1' }, /prompt must be/],
    ['/api/show', {}, /model is missing/],
  ])('%s refuses %j', async (path, body, sentence) => {
    const gateway = await gatewayTo({ p: await fake('openai', 'm1') });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await ask(gateway, path, { ...init, body: text });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringMatching(sentence) });
  });
});
