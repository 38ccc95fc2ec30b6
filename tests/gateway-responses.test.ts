import { describe, expect, it } from 'vitest';
import type { FakeKind } from './kit/fake-provider.ts';
import { failure, fake, gatewayTo, postTo } from './kit/gateway-calls.ts';
import { wire } from './kit/protocol-streams.ts';

/* OpenAI's own client on its Responses, with models of every kind of provider. */

const input = 'When does the coffee shop open?';
const tools = [
  { type: 'function' as const, name: 'get_weather', parameters: { type: 'object' }, strict: false },
];

describe.each<[FakeKind]>([['openai'], ['anthropic'], ['ollama']])('Responses by %s', (kind) => {
  it('answers plainly and records the exchange', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: 'At eight.', usage: { promptTokens: 10, completionTokens: 5 } });
    const { data, response } = await gateway.client.responses
      .create({ model: 'auto:cheap', input, instructions: 'Be short.' })
      .withResponse();
    expect(data).toMatchObject({
      object: 'response',
      status: 'completed',
      output_text: 'At eight.',
      usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15 },
    });
    expect(response.headers.get('x-tallyrank-model')).toBe('p:m1');
    expect(gateway.log.records).toMatchObject([
      {
        facts: { model: 'auto:cheap', prompt: { prompt: input } },
        outcome: { response: 'At eight.', failure: null },
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
    const stream = gateway.client.responses.stream({ model: 'm1', input, tools });
    const response = await stream.finalResponse();
    expect(response).toMatchObject({
      status: 'completed',
      output_text: 'I look it up.',
      output: [
        { type: 'reasoning', summary: [{ text: 'Hm.' }] },
        { type: 'message' },
        { type: 'function_call', name: 'get_weather', arguments: '{"place":"Rome"}' },
      ],
      usage: { total_tokens: 15 },
    });
    const [, , call] = response.output;
    const next = await gateway.client.responses.create({
      model: 'm1',
      tools,
      input: [
        { role: 'user', content: input },
        ...response.output,
        { type: 'function_call_output', call_id: (call as { call_id: string }).call_id, output: 'sunny' },
      ] as never,
    });
    expect(next.output_text).toBe('Hello from m1');
    expect(JSON.stringify(provider.calls[1]?.body['messages'])).toContain('sunny');
    expect((await gateway.log.record(1)).facts.prompt.prompt).toBe(input);
  });

  it('tells failures in the middle of a stream', async () => {
    const provider = await fake(kind, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({ text: 'one two three four five', cutAfterChunks: 5 });
    const stream = await gateway.client.responses.create({ model: 'm1', input, stream: true });
    const types: string[] = [];
    const read = async (): Promise<void> => {
      for await (const event of stream) types.push(event.type);
    };
    expect(await failure(read())).toMatchObject({ code: 'upstream_cut', message: /broke off/ });
    expect(types).not.toContain('response.completed');
    expect((await gateway.log.record(0)).outcome.failure).toMatchObject({ code: 'upstream_cut' });
  });
});

describe('Responses to OpenAI', () => {
  it('go through unchanged in both directions', async () => {
    const provider = await fake('openai', 'gpt');
    const gateway = await gatewayTo({ openai: provider }, { hasResponses: true });
    provider.next({ recorded: wire('openai-responses-reasoning.json') });
    const asked = { model: 'auto', input, store: true, tools: [{ type: 'web_search' as const }] };
    const answer = await gateway.client.responses.create(asked);
    expect(answer).toMatchObject(JSON.parse(wire('openai-responses-reasoning.json').toString()) as object);
    expect(provider.calls[0]).toMatchObject({ path: '/v1/responses', body: { ...asked, model: 'gpt' } });
    provider.next({ recorded: wire('openai-responses-tool-call.sse') });
    const streamed = await postTo(gateway, '/v1/responses', { ...asked, stream: true });
    expect(await streamed.text()).toBe(`${wire('openai-responses-tool-call.sse').toString().trimEnd()}\n\n`);
    expect((await gateway.log.record(1)).outcome).toMatchObject({
      failure: null,
      finishReason: 'tool_calls',
    });
  });

  it('are refused by others when they ask what only OpenAI can do', async () => {
    const gateway = await gatewayTo({ p: await fake('openai', 'm1') });
    const ask = async (more: object): Promise<string> => {
      const error = await failure(gateway.client.responses.create({ model: 'm1', input, ...more }));
      expect(error).toMatchObject({ status: 400, code: 'bad_request' });
      return error.message;
    };
    expect(await ask({ previous_response_id: 'resp_1' })).toContain('previous_response_id');
    expect(await ask({ store: true })).toContain('store');
    expect(await ask({ tools: [{ type: 'web_search' }] })).toContain('tool of type web_search');
    expect(await ask({ background: true })).toContain('background');
  });
});
