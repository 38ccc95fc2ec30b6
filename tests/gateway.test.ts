import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import type { FakeKind, FakeReply } from './kit/fake-provider.ts';
import { closedGate } from './kit/gate.ts';
import { failure, fake, gatewayTo, messages, post } from './kit/gateway-calls.ts';

describe.each<[FakeKind]>([['openai'], ['anthropic'], ['ollama']])('chat completions by %s', (kind) => {
  it('answers plainly and records the exchange', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: 'At eight.', usage: { promptTokens: 10, completionTokens: 5 } });
    const { data, response } = await gateway.client.chat.completions
      .create({ model: 'm1', messages })
      .withResponse();
    expect(data.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { role: 'assistant', content: 'At eight.' },
    });
    expect(data.usage).toMatchObject({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-request-id': 'request-1',
      'x-tallyrank-request-id': 'request-1',
      'x-tallyrank-use-case': 'casual_chat',
      'x-tallyrank-model': 'p:m1',
      'x-tallyrank-cause': 'explicit',
      'x-tallyrank-reason': 'best of 3 ? by the ranking',
      'x-tallyrank-ranking-version': 'v1',
      'x-tallyrank-propensity': '1',
      'x-tallyrank-cost-usd': '0.000015',
      'x-tallyrank-attempts': '1',
      'x-tallyrank-overhead-ms': expect.stringMatching(/^\d+\.\d\d$/),
    });
    expect(gateway.log.records).toMatchObject([
      {
        facts: { model: 'm1', modelId: 'p:m1', isStream: false, prompt: { prompt: messages[0]?.content } },
        outcome: {
          modelId: 'p:m1',
          response: 'At eight.',
          usage: { promptTokens: 10, completionTokens: 5 },
          finishReason: 'stop',
          modelReported: 'm1',
          statusCode: 200,
          attemptCount: 1,
          failure: null,
          firstTokenMs: null,
        },
      },
    ]);
  });

  it('streams with the usage chunk and its cost, when asked', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: 'At eight o’clock. ☕', usage: { promptTokens: 10, completionTokens: 5 } });
    const stream = await gateway.client.chat.completions.create({
      model: 'p:m1',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(
      'At eight o’clock. ☕',
    );
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, cost: 0.000015 },
    });
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    const { outcome } = await gateway.log.record(0);
    expect(outcome).toMatchObject({ response: 'At eight o’clock. ☕', failure: null, finishReason: 'stop' });
    expect(outcome.firstTokenMs).toBeLessThanOrEqual(outcome.latencyMs ?? 0);
  });

  it('leaves the usage chunk out when the client did not ask', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    const response = await post(gateway, { model: 'm1', messages, stream: true });
    const text = await response.text();
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(response.headers.get('x-tallyrank-model')).toBe('p:m1');
    expect(text).not.toContain('prompt_tokens');
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect((await gateway.log.record(0)).outcome.usage.promptTokens).toBe(12);
  });

  it('sends each piece on before the next one is there', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    const seen = closedGate();
    // The second word is only written once the client has the first: a buffer in between would wait for ever.
    let written = 0;
    provider.next({
      text: 'one two three',
      beforeChunk: (index) => {
        written = index;
        return index >= (kind === 'anthropic' ? 4 : kind === 'openai' ? 2 : 1) ? seen.opened : undefined;
      },
    });
    const stream = await gateway.client.chat.completions.create({ model: 'm1', messages, stream: true });
    let text = '';
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      if (text === 'one') seen.open();
    }
    expect(text).toBe('one two three');
    expect(written).toBeGreaterThan(2);
  });

  it('carries tool calls both ways', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    const call = { id: 'call_1', name: 'get_weather', arguments: '{"place":"Rome"}' };
    const tools = [
      { type: 'function' as const, function: { name: 'get_weather', parameters: { type: 'object' } } },
    ];
    provider.next({ toolCalls: [call] }, { toolCalls: [call] });
    const plain = await gateway.client.chat.completions.create({ model: 'm1', messages, tools });
    const [message] = plain.choices;
    expect(message).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        tool_calls: [{ type: 'function', function: { name: 'get_weather', arguments: call.arguments } }],
      },
    });
    const streamed = await gateway.client.chat.completions
      .stream({ model: 'm1', messages, tools })
      .finalChatCompletion();
    expect(streamed.choices[0]?.message.tool_calls).toMatchObject([
      { function: { name: 'get_weather', arguments: call.arguments } },
    ]);
    expect(JSON.stringify(provider.calls[0]?.body['tools'])).toContain('get_weather');
    expect(gateway.routed[0]?.needs.needsTools).toBe(true);
    expect((await gateway.log.record(1)).outcome).toMatchObject({
      failure: null,
      finishReason: 'tool_calls',
    });
  });

  it('reports a stream that breaks in the middle, to the client and in the record', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: 'one two three', cutAfterChunks: kind === 'anthropic' ? 5 : 3 });
    const response = await post(gateway, { model: 'm1', messages, stream: true });
    const text = await response.text();
    expect(text).toContain('one');
    expect(text).not.toContain('[DONE]');
    expect(JSON.parse(text.trim().split('\n\n').at(-1)?.slice('data: '.length) ?? '')).toMatchObject({
      error: { code: 'upstream_cut', type: 'api_error' },
    });
    const { outcome } = await gateway.log.record(0);
    expect(outcome.failure).toMatchObject({ fault: 'provider', code: 'upstream_cut' });
    expect(outcome.response).toMatch(/^one/);
  });

  it.each<[string, FakeReply, number, string]>([
    ['a failing server', { errorStatus: 500 }, 502, 'upstream_failed'],
    ['a rate limit', { errorStatus: 429, headers: { 'retry-after': '7' } }, 429, 'upstream_rate_limited'],
    ['a refused key', { errorStatus: 401 }, 502, 'upstream_unauthorized'],
    ['nonsense', { recorded: '<html>' }, 502, 'upstream_malformed'],
    ['a broken connection', { cutAfterChunks: 0 }, 502, 'upstream_unreachable'],
  ])('translates %s', async (_what, reply, status, code) => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next(reply, reply);
    for (const stream of [false, true]) {
      const error = await failure(gateway.client.chat.completions.create({ model: 'm1', messages, stream }));
      expect({ status: error.status, code: error.code }).toEqual({ status, code });
      expect(error.message).not.toContain('secret-key');
      if (status === 429) expect(error.headers?.get('retry-after')).toBe('7');
    }
    expect(gateway.log.records.map(({ outcome }) => outcome.failure?.code)).toEqual([code, code]);
    expect(provider.calls).toHaveLength(2);
  });

  it('stops the provider when the client goes away, and records the abandonment', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    const never = new Promise<void>(() => undefined);
    provider.next({ text: 'a b c d e f g h', beforeChunk: (index) => (index > 5 ? never : undefined) });
    const stream = await gateway.client.chat.completions.create({ model: 'm1', messages, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    await provider.waitForAborts(1);
    provider.next({ isSilent: true });
    const leave = new AbortController();
    const waiting = gateway.client.chat.completions.create(
      { model: 'm1', messages },
      { signal: leave.signal },
    );
    await provider.waitForCalls(2);
    leave.abort();
    await expect(waiting).rejects.toThrow(OpenAI.APIUserAbortError);
    await provider.waitForAborts(2);
    await gateway.log.record(1);
    for (const { outcome } of gateway.log.records) {
      expect(outcome).toMatchObject({
        statusCode: 499,
        failure: { fault: 'caller', code: 'caller_cancelled' },
      });
    }
    expect(gateway.log.records[0]?.outcome.response).toMatch(/^a/);
    expect(gateway.log.openCount).toBe(0);
  });
});

describe('records and answers', () => {
  it.each([false, true])(
    'keeps the end of an answer back until the record is written (stream: %s)',
    async (stream) => {
      const provider = await fake('openai', 'm1');
      const gateway = await gatewayTo({ p: provider });
      const gate = closedGate();
      gateway.log.gate = gate.opened;
      let answer = '';
      const whole = post(gateway, { model: 'm1', messages, stream }).then(async ({ body }) => {
        for await (const bytes of body ?? []) answer += Buffer.from(bytes as Uint8Array).toString();
      });
      await gateway.log.finishing;
      // Whole round trips pass, and still the end does not come.
      for (let trip = 0; trip < 3; trip++) await gateway.client.models.list();
      expect(answer).not.toMatch(/finish_reason":"stop"|\[DONE\]/);
      expect(answer.includes('Hello')).toBe(stream);
      expect(gateway.log.records).toHaveLength(0);
      gate.open();
      await whole;
      expect(gateway.log.records).toHaveLength(1);
      expect(answer).toContain(stream ? '[DONE]' : '"finish_reason":"stop"');
    },
  );

  it('forwards the bytes of an OpenAI-compatible provider as they are', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    const recorded = '{ "choices": [ {"message":{"content":"Hi"}, "finish_reason":"stop"} ], "x_extra" : 1 }';
    provider.next({ recorded });
    const response = await post(gateway, { model: 'm1', messages, logit_bias: { 1: 2 } });
    expect(await response.text()).toBe(recorded);
    expect(provider.calls[0]?.body).toEqual({ model: 'm1', messages, logit_bias: { 1: 2 } });
    expect(response.headers.get('x-tallyrank-cost-usd')).toBe('');
  });

  it.each<[string, FakeReply, string, object]>([
    ['empty', { text: '' }, 'empty_answer', {}],
    ['cut off', { text: 'Once upon', finishReason: 'length' }, 'truncated_answer', {}],
    ['a refusal', { text: "I'm sorry, but I can't assist with that." }, 'refused_answer', {}],
    ['not JSON', { text: 'Sure!' }, 'invalid_answer', { response_format: { type: 'json_object' } }],
  ])('passes an answer that is %s on and counts it against the model', async (_what, reply, code, extra) => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next(reply, reply);
    for (const stream of [false, true]) {
      const response = await post(gateway, { model: 'm1', messages, stream, ...extra });
      expect(response.status).toBe(200);
      await response.text();
    }
    for (const { outcome } of gateway.log.records) {
      expect(outcome).toMatchObject({ statusCode: 200, failure: { fault: 'model', code } });
    }
    expect(gateway.log.records).toHaveLength(2);
  });

  it('records who asked, from headers and body', async () => {
    const gateway = await gatewayTo({ p: await fake('openai', 'm1') });
    const headers = { 'x-user-id': 'ann', 'x-session-id': 's1', 'x-room-id': 'r1', 'x-priority': '5' };
    const metadata = { tags: ['a', 'b'] };
    await (
      await post(gateway, { model: 'm1', messages, metadata }, { ...headers, 'x-request-id': 'mine' })
    ).text();
    const { facts } = await gateway.log.record(0);
    expect(facts).toMatchObject({
      userId: 'ann',
      sessionId: 's1',
      roomId: 'r1',
      priority: 5,
      tags: ['a', 'b'],
      externalId: 'mine',
    });
    expect(gateway.routed[0]).toMatchObject({ userId: 'ann', sessionId: 's1', roomId: 'r1', priority: 5 });
  });

  it('keeps the conversation but not the bytes of its images', async () => {
    const gateway = await gatewayTo({ p: await fake('openai', 'm1') });
    const url = `data:image/png;base64,${'A'.repeat(5_000)}`;
    const content = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url } },
    ];
    await (await post(gateway, { model: 'm1', messages: [{ role: 'user', content }] })).text();
    const { facts } = await gateway.log.record(0);
    expect(facts.prompt.prompt).toBe('What is this?');
    expect(facts.conversation).toContain('data:image/png;base64,…');
    expect(gateway.routed[0]?.needs.needsImages).toBe(true);
  });
});

describe('auto', () => {
  it.each<[string, FakeReply]>([
    ['fails', { errorStatus: 500 }],
    ['limits the rate', { errorStatus: 429 }],
    ['refuses our key', { errorStatus: 401 }],
    ['does not know the model any more', { errorStatus: 404 }],
    ['breaks the connection', { cutAfterChunks: 0 }],
    ['answers nonsense', { recorded: 'data: nonsense\n\n' }],
    ['answers nothing', { text: '' }],
    ['is silent', { isSilent: true }],
    ['breaks off before any content', { text: 'x', cutAfterChunks: 1 }],
  ])('falls back to the next model when a provider %s', async (what, reply) => {
    const first = await fake('openai', 'm1');
    const second = await fake('anthropic', 'm2');
    // Only silence needs limits that pass; the listing of models is under them too, so they are not tight.
    const limits = what === 'is silent' ? { firstTokenMs: 300, totalMs: 1_500 } : {};
    const gateway = await gatewayTo({ a: first, b: second }, { limits });
    const isStreamOnly = what.startsWith('breaks off');
    for (const stream of isStreamOnly ? [true] : [false, true]) {
      first.next(reply);
      const response = await post(gateway, { model: 'auto', messages, stream });
      expect(response.status).toBe(200);
      expect(response.headers.get('x-tallyrank-model')).toBe('b:m2');
      expect(response.headers.get('x-tallyrank-attempts')).toBe('2');
      expect(await response.text()).toContain('Hello');
    }
    for (const { outcome, decision } of gateway.log.records) {
      expect(outcome).toMatchObject({ modelId: 'b:m2', attemptCount: 2, failure: null });
      expect(decision?.modelIds[0]).toBe('a:m1');
    }
  });

  it('does not try another model for a fault of the caller', async () => {
    const first = await fake('openai', 'm1');
    const second = await fake('openai', 'm2');
    const gateway = await gatewayTo({ a: first, b: second });
    first.next({ errorStatus: 400 });
    const error = await failure(gateway.client.chat.completions.create({ model: 'auto', messages }));
    expect(error).toMatchObject({ status: 400, code: 'fake_400', type: 'fake_error' });
    expect(error.message).toContain('fake error 400');
    expect(second.calls).toHaveLength(0);
    expect((await gateway.log.record(0)).outcome).toMatchObject({
      statusCode: 400,
      failure: { fault: 'caller', code: 'upstream_rejected' },
    });
    expect((await gateway.log.record(0)).outcome.failure?.message).not.toContain('fake error');
  });

  it('says so when every model fails', async () => {
    const first = await fake('openai', 'm1');
    const second = await fake('ollama', 'm2');
    const gateway = await gatewayTo({ a: first, b: second });
    first.next({ errorStatus: 500 });
    second.next({ errorStatus: 503 });
    const error = await failure(gateway.client.chat.completions.create({ model: 'auto:cheap', messages }));
    expect(error).toMatchObject({ status: 502, code: 'upstream_failed' });
    expect(error.headers?.get('x-tallyrank-attempts')).toBe('2');
    expect(gateway.routed[0]?.policy).toBe('auto:cheap');
  });
});
