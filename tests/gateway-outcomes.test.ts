import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { UpstreamPools } from '../src/gateway/upstream.ts';
import type { FakeKind, FakeReply } from './kit/fake-provider.ts';
import { fake, gatewayTo, messages, post } from './kit/gateway-calls.ts';
import type { TestGateway } from './kit/start-gateway.ts';

/*
 * What a provider says, as bytes on the wire, and what the record then says of success and fault.
 */

/** Sends one request and reads the answer to its end. */
async function ask(gateway: TestGateway, body: object): Promise<{ status: number; text: string }> {
  const response = await post(gateway, { model: 'm1', messages, ...body });
  return { status: response.status, text: await response.text() };
}

function errorBody(error: object): string {
  return JSON.stringify({ error });
}

describe('errors of a provider', () => {
  it.each<[string, FakeReply, number, string, string]>([
    [
      'a filtered prompt',
      { errorStatus: 400, recorded: errorBody({ code: 'content_filter' }) },
      400,
      'policy',
      'upstream_filtered',
    ],
    [
      'an empty account',
      { errorStatus: 429, recorded: errorBody({ code: 'insufficient_quota' }) },
      502,
      'policy',
      'upstream_quota_exhausted',
    ],
    [
      'a rate limit',
      { errorStatus: 429, recorded: errorBody({ code: 'rate_limit_exceeded' }) },
      429,
      'provider',
      'upstream_rate_limited',
    ],
    [
      'a model that has gone',
      { errorStatus: 404, recorded: errorBody({ code: 'model_not_found' }) },
      404,
      'policy',
      'upstream_not_found',
    ],
    ['a redirect', { errorStatus: 301, recorded: '' }, 404, 'policy', 'upstream_not_found'],
    [
      'JSON that the model botched',
      { errorStatus: 400, recorded: errorBody({ code: 'json_validate_failed' }) },
      400,
      'model',
      'invalid_answer',
    ],
    [
      'overload',
      { errorStatus: 529, recorded: errorBody({ type: 'overloaded_error' }) },
      502,
      'provider',
      'upstream_failed',
    ],
    ['a page of a proxy', { errorStatus: 502, recorded: '<html>' }, 502, 'provider', 'upstream_failed'],
    [
      'a 200 that holds an error',
      { recorded: errorBody({ code: 429 }) },
      429,
      'provider',
      'upstream_rate_limited',
    ],
    [
      'a 200 that holds a botched answer',
      { recorded: errorBody({ code: 'tool_use_failed' }) },
      502,
      'model',
      'invalid_answer',
    ],
  ])('blames for %s', async (_what, reply, status, fault, code) => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next(reply);
    expect((await ask(gateway, {})).status).toBe(status);
    const { outcome } = await gateway.log.record(0);
    expect(outcome).toMatchObject({ statusCode: status, failure: { fault, code } });
  });

  it('goes on to another model where the account, the settings or the size were at fault', async () => {
    for (const code of [
      'insufficient_quota',
      'model_not_found',
      'context_length_exceeded',
      'json_validate_failed',
    ]) {
      const first = await fake('openai', 'm1');
      const gateway = await gatewayTo({ a: first, b: await fake('openai', 'm2') });
      first.next({ errorStatus: 400, recorded: errorBody({ code }) });
      expect((await ask(gateway, { model: 'auto' })).status).toBe(200);
      const { outcome } = await gateway.log.record(0);
      expect(outcome).toMatchObject({ modelId: 'b:m2', failure: null });
      const counted = code === 'json_validate_failed' ? [{ modelId: 'a:m1', code: 'invalid_answer' }] : [];
      expect(outcome.failedAttempts).toEqual(counted);
    }
  });

  it('does not shop around for a provider without a filter', async () => {
    const first = await fake('openai', 'm1');
    const second = await fake('openai', 'm2');
    const gateway = await gatewayTo({ a: first, b: second });
    first.next({ errorStatus: 400, recorded: errorBody({ code: 'content_policy_violation' }) });
    expect((await ask(gateway, { model: 'auto' })).status).toBe(400);
    expect(second.calls).toHaveLength(0);
  });

  it('blames a caller who does not read for the time that passed', async () => {
    const server = createServer((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on('drain', more);
      response.on('close', () => server.emit('left'));
      more();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    await using pools = new UpstreamPools({ totalMs: 300 });
    const left = once(server, 'left');
    const answer = await pools.send({
      provider: 'p',
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      path: '/',
      method: 'POST',
      headers: {},
      body: '{}',
      isStream: true,
      signal: new AbortController().signal,
    });
    await left;
    await expect(answer.readAll()).rejects.toMatchObject({ code: 'caller_too_slow', fault: 'caller' });
    server.close();
  });
});

describe('answers that came and are of no use', () => {
  const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
  const schema = { type: 'object', required: ['city'] };
  const bySchema = { type: 'json_schema', json_schema: { name: 'x', schema } };
  const cut: FakeReply = {
    text: 'Once upon',
    finishReason: 'length',
    usage: { promptTokens: 9, completionTokens: 20 },
  };
  const long = { messages: [{ role: 'user', content: 'word '.repeat(10_000) }] };
  const full: FakeReply = { text: 'Hm.', usage: { promptTokens: 4_096, completionTokens: 2 } };

  it.each<[string, FakeKind, FakeReply, object, string | null]>([
    ['cut by the caller’s limit', 'openai', cut, { max_tokens: 20 }, 'caller truncated_answer'],
    ['cut by nobody’s limit', 'openai', cut, {}, 'model truncated_answer'],
    [
      'cut far below the caller’s limit',
      'openai',
      cut,
      { max_completion_tokens: 500 },
      'model truncated_answer',
    ],
    ['cut by Ollama’s own limit', 'ollama', cut, { options: { num_predict: 20 } }, 'caller truncated_answer'],
    ['cut far below our limit for Anthropic', 'anthropic', cut, {}, 'model truncated_answer'],
    [
      'cut by our limit for Anthropic',
      'anthropic',
      { ...cut, usage: { promptTokens: 9, completionTokens: 4_096 } },
      {},
      'policy truncated_answer',
    ],
    ['filtered', 'openai', { text: 'Half', finishReason: 'content_filter' }, {}, 'policy refused_answer'],
    ['JSON of another form', 'openai', { text: '{}' }, { response_format: bySchema }, 'model invalid_answer'],
    ['JSON of the right form', 'openai', { text: '{"city":1}' }, { response_format: bySchema }, null],
    ['not of Ollama’s format', 'ollama', { text: '{}' }, { format: schema }, 'model invalid_answer'],
    [
      'without the tool call',
      'openai',
      { text: 'Hi' },
      { tools, tool_choice: 'required' },
      'model invalid_answer',
    ],
    [
      'a call of an unknown tool',
      'ollama',
      { toolCalls: [{ id: 'c', name: 'g', arguments: '{}' }] },
      { tools },
      'model invalid_answer',
    ],
    ['of half the prompt', 'ollama', full, long, 'provider context_cut'],
    [
      'of half the prompt, as the caller set it',
      'ollama',
      full,
      { ...long, options: { num_ctx: 4_096 } },
      'caller context_cut',
    ],
  ])('%s: counted by whose fault it is', async (_what, kind, reply, extra, verdict) => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next(reply, reply);
    for (const stream of [false, true]) expect((await ask(gateway, { ...extra, stream })).status).toBe(200);
    for (const { outcome } of gateway.log.records) {
      const { failure } = outcome;
      expect(failure === null ? null : `${failure.fault} ${failure.code}`).toBe(verdict);
    }
    expect(gateway.log.records).toHaveLength(2);
  });

  it('keeps the times that the provider told', async () => {
    const provider = await fake('ollama', 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: 'Hi', loadMs: 7 }, { text: 'Hi', loadMs: 7 });
    for (const stream of [false, true]) await ask(gateway, { stream });
    for (const { outcome } of gateway.log.records) expect(outcome.loadMs).toBe(7);
  });
});
