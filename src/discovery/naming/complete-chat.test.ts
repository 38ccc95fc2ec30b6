import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { askChat, completeChat, completionChoiceOf } from './complete-chat.ts';

let server: Server | null = null;
let asked: { url: string | undefined; headers: object; body: object } | null = null;

async function serve(answer: unknown, status = 200): Promise<string> {
  const started = createServer(async (request, response) => {
    asked = { url: request.url, headers: request.headers, body: (await json(request)) as object };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

afterEach(async () => {
  const ended = server;
  server = null;
  ended?.closeAllConnections();
  await new Promise((resolve) => (ended ? ended.close(resolve) : resolve(undefined)));
});

const { signal } = new AbortController();

describe('completeChat', () => {
  it.each([
    ['ollama', { message: { content: 'yes' } }, '/api/chat', 'authorization'],
    ['openai', { choices: [{ message: { content: 'yes' } }] }, '/chat/completions', 'authorization'],
    ['anthropic', { content: [{ type: 'text', text: 'yes' }] }, '/v1/messages', 'x-api-key'],
  ] as const)('speaks as %s does', async (kind, answer, url, keyHeader) => {
    const choice = { kind, baseUrl: await serve(answer), model: 'm', apiKey: 'k' };
    expect(await completeChat(choice, 'Name it', signal)).toBe('yes');
    expect(asked).toMatchObject({
      url,
      body: { model: 'm', messages: [{ role: 'user', content: 'Name it' }] },
    });
    expect(asked?.headers).toHaveProperty(keyHeader);
  });

  it('says so when the model refuses or sends nothing', async () => {
    const refused = await serve({ error: 'quoting the prompt' }, 500);
    const ask = (baseUrl: string) => completeChat({ kind: 'ollama', baseUrl, model: 'm' }, 'x', signal);
    await expect(ask(refused)).rejects.toMatchObject({ code: 'upstream_failed' });
    server?.close();
    await expect(ask(await serve({ message: {} }))).rejects.toMatchObject({ code: 'upstream_malformed' });
  });
});

describe('askChat', () => {
  it.each([
    ['ollama', { message: { content: 'yes' }, prompt_eval_count: 12, eval_count: 3 }],
    [
      'openai',
      { choices: [{ message: { content: 'yes' } }], usage: { prompt_tokens: 12, completion_tokens: 3 } },
    ],
    ['anthropic', { content: [{ text: 'yes' }], usage: { input_tokens: 12, output_tokens: 3 } }],
  ] as const)('says what %s counted', async (kind, answer) => {
    const choice = { kind, baseUrl: await serve(answer), model: 'm' };
    expect(await askChat(choice, 'x', { signal, temperature: 0 })).toEqual({
      text: 'yes',
      promptTokens: 12,
      completionTokens: 3,
    });
    const { temperature, options } = (asked?.body ?? {}) as Record<string, unknown>;
    expect(temperature ?? (options as { temperature: number }).temperature).toBe(0);
  });

  it('leaves the temperature to the server unless it is asked for, and counts nothing that is not said', async () => {
    const baseUrl = await serve({ choices: [{ message: { content: 'yes' } }], usage: { prompt_tokens: -1 } });
    expect(await askChat({ kind: 'openai', baseUrl, model: 'm' }, 'x', { signal })).toMatchObject({
      promptTokens: null,
      completionTokens: null,
    });
    expect(asked?.body).not.toHaveProperty('temperature');
  });

  it('says the status of a refusal', async () => {
    const baseUrl = await serve({ error: 'no' }, 400);
    await expect(askChat({ kind: 'openai', baseUrl, model: 'm' }, 'x', { signal })).rejects.toMatchObject({
      statusCode: 400,
    });
  });
});

describe('completionChoiceOf', () => {
  const providers = [{ id: 'ollama', kind: 'ollama', baseUrl: 'http://o' }] as const;

  it('finds the server of a model id', () => {
    expect(completionChoiceOf('ollama:mistral:7b', providers, new Map([['ollama', 'k']]))).toEqual({
      kind: 'ollama',
      baseUrl: 'http://o',
      model: 'mistral:7b',
      apiKey: 'k',
    });
  });

  it('says which providers there are', () => {
    expect(() => completionChoiceOf('gpt-4o', providers, new Map())).toThrow(/there is ollama/);
  });
});
