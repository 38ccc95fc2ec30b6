import { describe, expect, it } from 'vitest';
import { failure, fake, gatewayTo, messages, post } from './kit/gateway-calls.ts';

const request = { model: 'gpt-3.5-turbo-instruct', prompt: 'The shop opens at', max_tokens: 8 };

describe('a model that goes on with texts and cannot chat', () => {
  it('is asked at its own path, by the client’s own body, and logged and judged like any other', async () => {
    const provider = await fake('openai', request.model);
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: ' eight.', usage: { promptTokens: 4, completionTokens: 2 } });
    const { data, response } = await gateway.client.completions.create(request).withResponse();
    expect(data).toMatchObject({ object: 'text_completion', choices: [{ text: ' eight.' }] });
    expect(response.headers.get('x-tallyrank-model')).toBe(`p:${request.model}`);
    expect(provider.calls).toMatchObject([{ path: '/v1/completions', body: request }]);
    provider.next({ text: '' });
    await gateway.client.completions.create({ ...request, model: `p:${request.model}` });
    expect(provider.calls[1]?.body).toEqual(request);
    expect(gateway.log.records).toMatchObject([
      {
        facts: { modelId: `p:${request.model}`, prompt: { prompt: request.prompt } },
        outcome: {
          response: ' eight.',
          usage: { promptTokens: 4, completionTokens: 2 },
          failure: null,
          statusCode: 200,
        },
      },
      { outcome: { failure: { code: 'empty_answer' } } },
    ]);
  });

  it('streams as it comes', async () => {
    const provider = await fake('openai', request.model);
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: ' eight in May', usage: { promptTokens: 4, completionTokens: 4 } });
    const stream = await gateway.client.completions.create({ ...request, stream: true });
    let text = '';
    for await (const chunk of stream) {
      expect(chunk.id).toBe('cmpl-fake');
      text += chunk.choices[0]?.text ?? '';
    }
    expect(text).toBe(' eight in May');
    expect(provider.calls).toMatchObject([{ path: '/v1/completions', isStream: true }]);
    expect(gateway.log.records).toMatchObject([
      { outcome: { response: ' eight in May', usage: { completionTokens: 4 }, failure: null } },
    ]);
  });

  it('is not to blame for the 16 tokens that it may write where nobody says how many', async () => {
    const provider = await fake('openai', request.model);
    const gateway = await gatewayTo({ p: provider });
    const { max_tokens: _limit, ...short } = request;
    provider.next({
      text: ' eight',
      finishReason: 'length',
      usage: { promptTokens: 4, completionTokens: 16 },
    });
    await gateway.client.completions.create({ ...short, model: `p:${request.model}` });
    expect(gateway.log.records).toMatchObject([
      { outcome: { failure: { code: 'truncated_answer', fault: 'caller' } } },
    ]);
  });

  it('hands on what its provider refuses', async () => {
    const provider = await fake('openai', request.model);
    const gateway = await gatewayTo({ p: provider });
    provider.next({ errorStatus: 429 });
    const client = gateway.client.withOptions({ maxRetries: 0 });
    expect(await failure(client.completions.create(request))).toMatchObject({ status: 429 });
    expect(gateway.log.records).toMatchObject([{ outcome: { failure: { code: 'upstream_rate_limited' } } }]);
  });

  it.each(['gpt-3.5-turbo-instruct', 'davinci-002', 'babbage-002', 'gpt-35-turbo-instruct'])(
    '%s: is refused where one chats, and auto does not take it',
    async (name) => {
      const provider = await fake('openai', name, 'chatty');
      const gateway = await gatewayTo({ p: provider });
      const refused = await post(gateway, { model: name, messages });
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({
        error: { message: expect.stringContaining('cannot chat') },
      });
      await gateway.client.completions.create({ ...request, model: 'auto' });
      expect(provider.calls).toMatchObject([{ path: '/v1/chat/completions', model: 'chatty' }]);
      await gateway.client.completions.create({ ...request, model: name });
      expect(provider.calls[1]).toMatchObject({ path: '/v1/completions', model: name });
    },
  );

  it('does not make a text model of an embedder', async () => {
    const provider = await fake('openai', 'text-embedding-3-small');
    const gateway = await gatewayTo({ p: provider });
    const call = gateway.client.completions.create({ ...request, model: 'text-embedding-3-small' });
    expect(await failure(call)).toMatchObject({ status: 400, param: 'model' });
    expect(provider.calls).toEqual([]);
  });
});

describe('GET /v1/models', () => {
  it('names every model, whatever it can do', async () => {
    const names = ['m1', request.model, 'gpt-4o-audio-preview', 'text-embedding-3-small'];
    const gateway = await gatewayTo({ p: await fake('openai', ...names) });
    const ids = (await gateway.client.models.list()).data.map(({ id }) => id);
    expect(ids.filter((id) => id.startsWith('p:'))).toEqual(names.map((name) => `p:${name}`));
    const tags = (await (await fetch(`${gateway.url}/api/tags`)).json()) as { models: { name: string }[] };
    // Ollama's clients have no path for a text model, and would offer it as one to chat with.
    expect(tags.models.map(({ name }) => name)).not.toContain(`p:${request.model}`);
    expect(tags.models.map(({ name }) => name)).toContain('p:gpt-4o-audio-preview');
  });
});
