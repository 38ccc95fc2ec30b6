import { request as httpRequest } from 'node:http';
import { describe, expect, it } from 'vitest';
import { failure, fake, gatewayTo, messages, post } from './kit/gateway-calls.ts';

describe('bad input', () => {
  const rejected: [string, unknown, Record<string, string>, number, string][] = [
    ['malformed JSON', '{"model": "auto",', {}, 400, 'bad_request'],
    ['an empty body', '', {}, 400, 'bad_request'],
    ['a list', [], {}, 400, 'bad_request'],
    ['no model', { messages }, {}, 400, 'bad_request'],
    ['no messages', { model: 'auto' }, {}, 400, 'bad_request'],
    ['wrong types', { model: 'auto', messages: 'Hello' }, {}, 400, 'bad_request'],
    ['an unknown model', { model: 'gpt-99', messages }, {}, 404, 'unknown_model'],
    ['a model with a NUL', { model: 'a\u0000', messages }, {}, 400, 'bad_request'],
    ['an unknown policy', { model: 'auto:magic', messages }, {}, 400, 'bad_request'],
    ['a NUL byte', Buffer.from('{"model":"auto\u0000"}'), {}, 400, 'bad_request'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), {}, 400, 'bad_request'],
    ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
    [
      'a body that is too large',
      { model: 'auto', messages, pad: 'x'.repeat(2_000_000) },
      {},
      413,
      'body_too_large',
    ],
    ['an embedder', { model: 'text-embedding-3-small', messages }, {}, 400, 'bad_request'],
  ];
  it.each(rejected)('answers %s with a sentence', async (_what, body, headers, status, code) => {
    const provider = await fake('ollama', 'm1', 'text-embedding-3-small');
    const gateway = await gatewayTo({ p: provider }, { bodyMaxBytes: 1_000_000 });
    const response = await post(gateway, body, headers);
    const answer = (await response.json()) as { error: Record<string, unknown> };
    expect({ status: response.status, code: answer.error['code'] }).toEqual({ status, code });
    expect(Object.keys(answer.error)).toEqual(['message', 'type', 'param', 'code']);
    expect(String(answer.error['message']).length).toBeGreaterThan(20);
    expect(gateway.log.records).toHaveLength(0);
    expect(provider.calls).toHaveLength(0);
    // And the gateway goes on.
    expect((await post(gateway, { model: 'm1', messages })).status).toBe(200);
  });

  it('refuses a nest that it would have to write again, and only then', async () => {
    const gateway = await gatewayTo({ p: await fake('openai', 'm1'), q: await fake('ollama', 'm2') });
    const nest = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const body = `{"model":"p:m1","messages":[{"role":"user","content":"x"}],"a":${nest}}`;
    // Only the name has to be exchanged.
    expect((await post(gateway, body)).status).toBe(200);
    const response = await post(gateway, body.replace('{', '{"metadata":{},'));
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('nested too deeply');
    // Ollama gets only the fields that it has.
    expect((await post(gateway, body.replace('p:m1', 'q:m2'))).status).toBe(200);
  });

  it('says why a body of 25 MB is too large, to a client that sends first and listens later', async () => {
    const gateway = await gatewayTo({ p: await fake('openai', 'm1') });
    const content = 'x'.repeat(25 * 1024 * 1024);
    const error = await failure(
      gateway.client.chat.completions.create({ model: 'm1', messages: [{ role: 'user', content }] }),
    );
    expect(error).toMatchObject({ status: 413, code: 'body_too_large' });
  });

  it('survives a client that hangs up in the middle of its request', async () => {
    const gateway = await gatewayTo({ p: await fake('openai', 'm1') });
    await new Promise<void>((resolve) => {
      const half = httpRequest(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': 1000 },
      });
      half.on('error', () => resolve());
      half.write('{"model":', () => half.destroy(new Error('gone')));
    });
    expect((await post(gateway, { model: 'm1', messages })).status).toBe(200);
  });
});

describe('model list', () => {
  it('lists the virtual models and all others', async () => {
    const gateway = await gatewayTo({
      a: await fake('openai', 'meta/llama-3'),
      b: await fake('ollama', 'mistral:7b'),
    });
    const list = await gateway.client.models.list();
    expect(list.data.map((model) => model.id)).toEqual([
      'auto',
      'auto:cheap',
      'auto:fast',
      'auto:best',
      'a:meta/llama-3',
      'b:mistral:7b',
    ]);
    for (const model of list.data)
      expect(model).toMatchObject({ object: 'model', created: expect.any(Number) });
  });

  it.each([
    ['auto:cheap', 'auto:cheap'],
    ['a:meta/llama-3', 'a:meta/llama-3'],
    ['a%3Ameta%2Fllama-3', 'a:meta/llama-3'],
    ['mistral:7b', 'b:mistral:7b'],
  ])('finds %s', async (path, id) => {
    const gateway = await gatewayTo({
      a: await fake('openai', 'meta/llama-3'),
      b: await fake('ollama', 'mistral:7b'),
    });
    const response = await fetch(`${gateway.url}/v1/models/${path}`);
    expect(await response.json()).toMatchObject({ id, object: 'model' });
  });

  it('answers unknown models and paths in the shape of errors', async () => {
    const gateway = await gatewayTo({ a: await fake('openai', 'm1') });
    const error = await failure(gateway.client.models.retrieve('nobody'));
    expect(error).toMatchObject({ status: 404, code: 'unknown_model' });
    const response = await fetch(`${gateway.url}/v1/nowhere`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: 'not_found' } });
  });
});
