import Anthropic from '@anthropic-ai/sdk';
import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { ModelCatalog } from '../src/core/model-catalog.ts';
import { guardAccess } from '../src/gateway/access.ts';
import { gatewayPlugin } from '../src/gateway/plugin.ts';
import type { FakeKind } from './kit/fake-provider.ts';
import { closedGate } from './kit/gate.ts';
import { failureOf, fake, gatewayTo, postTo } from './kit/gateway-calls.ts';
import { wire } from './kit/protocol-streams.ts';
import type { TestGateway } from './kit/start-gateway.ts';
import { SILENT_LOGGER, TestLog } from './kit/start-gateway.ts';

/* Anthropic's own client against the gateway, with models of every kind of provider. */

const messages = [{ role: 'user' as const, content: 'When does the coffee shop open?' }];
const tools = [{ name: 'get_weather', input_schema: { type: 'object' as const } }];

function clientOf(gateway: TestGateway): Anthropic {
  return new Anthropic({ baseURL: gateway.url, apiKey: 'none', maxRetries: 0 });
}

const post = (gateway: TestGateway, path: string, body: unknown, headers: Record<string, string> = {}) =>
  postTo(gateway, path, body, { 'anthropic-version': '2023-06-01', ...headers });

const failure = (call: Promise<unknown>) => failureOf(Anthropic.APIError, call);

describe.each<[FakeKind]>([['openai'], ['anthropic'], ['ollama']])('Anthropic messages by %s', (kind) => {
  it('answers plainly and records the exchange', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: 'At eight.', usage: { promptTokens: 10, completionTokens: 5 } });
    const { data, response } = await clientOf(gateway)
      .messages.create({ model: 'm1', max_tokens: 100, messages })
      .withResponse();
    expect(data).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: 'm1',
      content: [{ type: 'text', text: 'At eight.' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 10, output_tokens: 5 },
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'request-id': 'request-1',
      'x-tallyrank-model': 'p:m1',
      'x-tallyrank-cause': 'explicit',
      'x-tallyrank-cost-usd': '0.000015',
      'content-type': 'application/json; charset=utf-8',
    });
    expect(gateway.log.records).toMatchObject([
      {
        facts: { model: 'm1', prompt: { prompt: messages[0]?.content } },
        outcome: { response: 'At eight.', failure: null, usage: { promptTokens: 10, completionTokens: 5 } },
      },
    ]);
  });

  it('streams thoughts, text and tool calls', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({
      reasoning: 'Hm.',
      text: 'I look it up.',
      toolCalls: [{ id: 'call_1', name: 'get_weather', arguments: '{"place":"Rome"}' }],
      usage: { promptTokens: 10, completionTokens: 5 },
    });
    const stream = clientOf(gateway).messages.stream({ model: 'auto', max_tokens: 100, messages, tools });
    const message = await stream.finalMessage();
    expect(message).toMatchObject({
      content: [
        { type: 'thinking', thinking: 'Hm.' },
        { type: 'text', text: 'I look it up.' },
        { type: 'tool_use', name: 'get_weather', input: { place: 'Rome' } },
      ],
      stop_reason: 'tool_use',
      usage: { input_tokens: 10, output_tokens: 5 },
    });
    expect(stream.response?.headers.get('x-tallyrank-cause')).toBe('ranking');
    const { outcome } = await gateway.log.record(0);
    expect(outcome).toMatchObject({ failure: null, finishReason: 'tool_calls', response: 'I look it up.' });
    expect(outcome.firstTokenMs).not.toBeNull();
    expect(gateway.routed[0]).toMatchObject({ model: 'auto', needs: { needsTools: true } });
    expect(JSON.stringify(provider.calls[0]?.body['tools'])).toContain('get_weather');
  });

  it('sends no end before the record is written', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    const record = closedGate();
    gateway.log.gate = record.opened;
    const response = await post(gateway, '/v1/messages', {
      model: 'm1',
      max_tokens: 9,
      stream: true,
      messages,
    });
    const reader = response.body?.getReader();
    let text = '';
    const read = async (): Promise<boolean> => {
      const { value, done } = (await reader?.read()) ?? { done: true, value: undefined };
      text += Buffer.from(value ?? []).toString();
      return done;
    };
    await gateway.log.finishing;
    while (!text.includes('m1"')) await read();
    expect(text).not.toContain('message_delta');
    record.open();
    while (!(await read()));
    expect(text).toMatch(/event: message_stop\ndata: \{"type":"message_stop"\}\n\n$/);
  });

  it('tells failures in Anthropic’s shape, before and in the middle of a stream', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ errorStatus: 429 });
    const limited = await failure(
      clientOf(gateway).messages.create({ model: 'm1', max_tokens: 9, messages }),
    );
    expect(limited).toBeInstanceOf(Anthropic.RateLimitError);
    expect(limited.error).toMatchObject({
      type: 'error',
      error: { type: 'rate_limit_error', code: 'upstream_rate_limited' },
      request_id: 'request-1',
    });
    expect(limited.requestID).toBe('request-1');
    provider.next({ text: 'one two three four five', cutAfterChunks: 5 });
    const response = await post(gateway, '/v1/messages', {
      model: 'm1',
      max_tokens: 9,
      stream: true,
      messages,
    });
    const text = await response.text();
    expect(text).toMatch(/event: error\ndata: \{"type":"error","error":\{"type":"api_error"/);
    expect(text).not.toContain('message_stop');
    expect((await gateway.log.record(1)).outcome.failure).toMatchObject({ code: 'upstream_cut' });
  });
});

describe('Anthropic messages to Anthropic', () => {
  it('go through unchanged in both directions', async () => {
    const provider = await fake('anthropic', 'claude-x');
    const gateway = await gatewayTo({ anthropic: provider });
    const recorded = wire('anthropic-tool-call.json');
    provider.next({ recorded });
    const body = {
      model: 'auto',
      max_tokens: 9,
      messages,
      tools: [{ type: 'web_search_20250305', name: 'web_search' }],
      context_management: { edits: [] },
    };
    const response = await post(gateway, '/v1/messages', body, { 'anthropic-beta': 'one,two' });
    expect(Buffer.from(await response.arrayBuffer()).equals(recorded)).toBe(true);
    expect(provider.calls[0]?.body).toEqual({ ...body, model: 'claude-x' });
    expect(provider.calls[0]?.headers).toMatchObject({
      'anthropic-beta': 'one,two',
      'anthropic-version': '2023-06-01',
      'x-api-key': 'secret-key',
    });
    provider.next({ recorded: wire('anthropic-thinking.sse') });
    const streamed = await post(gateway, '/v1/messages', { ...body, stream: true });
    expect(await streamed.text()).toBe(`${wire('anthropic-thinking.sse').toString().trimEnd()}\n\n`);
    expect(provider.calls[1]?.headers['anthropic-beta']).toBeUndefined();
    expect((await gateway.log.record(1)).outcome).toMatchObject({
      failure: null,
      response: expect.stringContaining('(r)y'),
    });
  });

  it('show that Anthropic works with its own tools before there is an answer', async () => {
    const provider = await fake('anthropic', 'claude-x', 'claude-y');
    const gateway = await gatewayTo({ anthropic: provider });
    const block = { type: 'server_tool_use', id: 's1', name: 'web_search', input: {} };
    const events = [
      { type: 'message_start', message: { id: 'm', model: 'claude-x', usage: { input_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: block },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'pause_turn' }, usage: { output_tokens: 1 } },
      { type: 'message_stop' },
    ];
    const seen = closedGate();
    provider.next({
      recorded: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''),
      beforeChunk: (index) => (index === 2 ? seen.opened : undefined),
    });
    const stream = await clientOf(gateway).messages.create({
      model: 'auto',
      max_tokens: 9,
      messages,
      stream: true,
    });
    const types: string[] = [];
    for await (const event of stream) {
      types.push(event.type);
      if (event.type === 'content_block_start') seen.open();
    }
    expect(types).toEqual(events.map((event) => event.type));
    const content = [block];
    provider.next({ recorded: JSON.stringify({ content, stop_reason: 'pause_turn', usage: {} }) });
    const whole = await clientOf(gateway).messages.create({ model: 'auto', max_tokens: 9, messages });
    expect(whole.stop_reason).toBe('pause_turn');
    // The pause is an answer: nobody else is asked, and no failure is logged.
    expect(provider.calls).toHaveLength(2);
    for (const at of [0, 1]) {
      expect((await gateway.log.record(at)).outcome).toMatchObject({
        failure: null,
        finishReason: 'tool_calls',
      });
    }
  });

  it('are refused by others when they ask what only Anthropic can do', async () => {
    const openai = await fake('openai', 'gpt', 'gpt-2', 'gpt-3', 'gpt-4', 'gpt-5');
    const anthropic = await fake('anthropic', 'claude-x');
    const body = {
      max_tokens: 9,
      messages,
      tools: [{ type: 'web_search_20250305' as const, name: 'web_search' as const }],
    };
    const gateway = await gatewayTo({ openai, anthropic });
    const refusal = await failure(clientOf(gateway).messages.create({ model: 'gpt', ...body }));
    expect(refusal.status).toBe(400);
    expect(refusal.message).toContain('tool of type web_search_20250305');
    expect(openai.calls).toHaveLength(0);
    const { response } = await clientOf(gateway)
      .messages.create({ model: 'auto', ...body })
      .withResponse();
    expect(response.headers.get('x-tallyrank-model')).toBe('anthropic:claude-x');
    expect(response.headers.get('x-tallyrank-attempts')).toBe('1');
  });
});

describe('threads, whose conversation lies at Anthropic', () => {
  const thread = { type: 'continue', previous_message_id: 'msg_1' };
  const body = { max_tokens: 9, messages: [{ role: 'user', content: 'And then?' }], thread };
  const beta = { 'anthropic-beta': 'message-threads-2026-08-12' };

  it('go on at the model that was named, also with nothing new, and what Anthropic says of them comes back', async () => {
    const provider = await fake('anthropic', 'claude-x');
    const gateway = await gatewayTo({ anthropic: provider });
    const asked = { ...body, model: 'claude-x', messages: [] };
    expect((await post(gateway, '/v1/messages', asked, beta)).status).toBe(200);
    expect(provider.calls[0]).toMatchObject({ body: asked, headers: beta });
    const details = { error_code: 'thread_not_found' };
    const said = { type: 'error', error: { type: 'not_found_error', message: 'No thread.', details } };
    provider.next({ errorStatus: 404, recorded: JSON.stringify(said) });
    const lost = await post(gateway, '/v1/messages', asked, beta);
    expect(lost.status).toBe(404);
    expect(await lost.json()).toMatchObject({ error: { details } });
  });

  it('are refused, in words that its SDK understands, where a turn may go elsewhere', async () => {
    const anthropic = await fake('anthropic', 'claude-x');
    const openai = await fake('openai', 'gpt');
    const gateway = await gatewayTo({ anthropic, openai });
    for (const model of ['auto', 'gpt']) {
      const refused = await post(gateway, '/v1/messages', { ...body, model }, beta);
      expect(refused.status).toBe(400);
      const details = { error_code: 'thread_unsupported_request', unsupported: ['thread'] };
      expect(await refused.json()).toMatchObject({ error: { type: 'invalid_request_error', details } });
    }
    expect(anthropic.calls.length + openai.calls.length).toBe(0);
  });
});

describe('what else Anthropic’s clients ask', () => {
  it('counts tokens at Anthropic, and estimates them for others', async () => {
    const anthropic = await fake('anthropic', 'claude-x');
    const ollama = await fake('ollama', 'llama');
    const gateway = await gatewayTo({ anthropic, ollama });
    anthropic.next({ recorded: '{"input_tokens":42}' });
    const ask = async (model: string): Promise<[unknown, string | null]> => {
      const { data, response } = await clientOf(gateway)
        .messages.countTokens({ model, messages, tools })
        .withResponse();
      return [data.input_tokens, response.headers.get('x-tallyrank-token-count')];
    };
    expect(await ask('claude-x')).toEqual([42, 'provider']);
    expect(anthropic.calls[0]).toMatchObject({
      path: '/v1/messages/count_tokens',
      body: { model: 'claude-x', messages, tools },
    });
    for (const model of ['llama', 'auto:cheap']) {
      const [count, how] = await ask(model);
      expect(how).toBe('estimate');
      expect(count).toBeGreaterThan(7);
      expect(count).toBeLessThan(60);
    }
    expect(gateway.log.openCount + gateway.log.records.length).toBe(0);
    const unknown = await failure(clientOf(gateway).messages.countTokens({ model: 'nobody', messages }));
    expect(unknown.error).toMatchObject({ error: { type: 'not_found_error', code: 'unknown_model' } });
  });

  it('lists models in the shape of who asks', async () => {
    const gateway = await gatewayTo({ p: await fake('ollama', 'm1') });
    const ids: string[] = [];
    for await (const model of clientOf(gateway).models.list()) ids.push(model.id);
    expect(ids).toEqual(expect.arrayContaining(['auto', 'p:m1']));
    expect(await clientOf(gateway).models.retrieve('p:m1')).toMatchObject({
      type: 'model',
      id: 'p:m1',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    const forOthers: unknown = await (await fetch(`${gateway.url}/v1/models`)).json();
    expect(forOthers).toMatchObject({ object: 'list' });
  });

  it('hears that a key is needed in its own shape, and may send it in either header', async () => {
    const server = Fastify({ logger: false });
    guardAccess(server, 'the-key');
    await server.register(gatewayPlugin, {
      providers: { catalog: new ModelCatalog([]), provider: () => null },
      router: { route: () => Promise.reject(new Error('not asked')) },
      log: new TestLog(),
      logger: SILENT_LOGGER,
      clock: Date.now,
    });
    const ask = async (headers: Record<string, string>): Promise<[number, string]> => {
      const answer = await server.inject({
        method: 'POST',
        url: '/v1/messages',
        headers,
        payload: { model: 'nobody', max_tokens: 1, messages },
      });
      return [answer.statusCode, (answer.json() as { error: { type: string } }).error.type];
    };
    expect(await ask({})).toEqual([401, 'authentication_error']);
    expect(await ask({ 'x-api-key': 'wrong' })).toEqual([401, 'authentication_error']);
    expect(await ask({ 'x-api-key': 'the-key' })).toEqual([404, 'not_found_error']);
    expect(await ask({ authorization: 'Bearer the-key' })).toEqual([404, 'not_found_error']);
  });

  it('refuses bad input in words, and paths that there are not', async () => {
    const gateway = await gatewayTo({ p: await fake('ollama', 'm1') });
    const cases: [string, unknown, number, RegExp][] = [
      ['/v1/messages', '{"model"', 400, /not valid JSON/],
      ['/v1/messages', { model: 'm1', messages }, 400, /max_tokens is missing/],
      ['/v1/messages', { model: 'nobody', max_tokens: 1, messages }, 404, /nobody/],
      ['/v1/messages/batches', {}, 404, /There is no POST/],
    ];
    for (const [path, body, status, sentence] of cases) {
      const response = await post(gateway, path, body);
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({
        type: 'error',
        error: { message: expect.stringMatching(sentence) },
      });
    }
  });
});
