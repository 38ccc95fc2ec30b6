import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import { fake, gatewayTo, messages, postTo } from './kit/gateway-calls.ts';

const CLAUDE = 'claude-sonnet-4-5';
const [turn] = messages;

/** The same wish in the words of each client. */
const WISHES: [path: string, body: object][] = [
  ['/v1/chat/completions', { messages, reasoning_effort: 'medium', temperature: 0.3 }],
  ['/v1/responses', { input: turn?.content, reasoning: { effort: 'medium' }, temperature: 0.3 }],
  ['/api/chat', { messages, think: true, stream: false, options: { temperature: 0.3 } }],
];

describe('what a client says of thinking', () => {
  it.each(WISHES)('%s: is a budget for Claude, and no temperature beside it', async (path, body) => {
    const provider = await fake('anthropic', CLAUDE);
    const gateway = await gatewayTo({ p: provider });
    expect((await postTo(gateway, path, { model: CLAUDE, ...body })).status).toBe(200);
    expect(provider.calls[0]?.body).toMatchObject({
      thinking: { type: 'enabled', budget_tokens: 8_192 },
      max_tokens: 12_288,
    });
    expect(provider.calls[0]?.body).not.toHaveProperty('temperature');
  });

  it('goes by what Anthropic’s list said of the model', async () => {
    const supported = { supported: true };
    const types = { adaptive: supported, enabled: { supported: false }, disabled: supported };
    const effort = { ...supported, low: supported, medium: supported, high: supported };
    const listed = { capabilities: { thinking: { ...supported, types }, effort } };
    // Its name alone would have it take a budget.
    const provider = await FakeProvider.open({ kind: 'anthropic', models: [{ name: CLAUDE, listed }] });
    onTestFinished(() => provider[Symbol.asyncDispose]());
    const gateway = await gatewayTo({ p: provider });
    await postTo(gateway, '/v1/chat/completions', { model: CLAUDE, messages, reasoning_effort: 'high' });
    expect(provider.calls[0]?.body).toMatchObject({
      thinking: { type: 'adaptive' },
      output_config: { effort: 'high' },
    });
  });

  it.each([
    ['/v1/messages', { messages, max_tokens: 9_000, thinking: { type: 'enabled', budget_tokens: 5_000 } }],
    ['/api/chat', { messages, think: 'medium', stream: false }],
  ])('%s: is an effort for models that take one, and nothing for others', async (path, body) => {
    const provider = await fake('openai', 'gpt-5.1', 'mistral-small');
    const gateway = await gatewayTo({ p: provider });
    await postTo(gateway, path, { model: 'gpt-5.1', ...body });
    await postTo(gateway, path, { model: 'mistral-small', ...body });
    expect(provider.calls[0]?.body).toMatchObject({ reasoning_effort: 'medium' });
    expect(provider.calls[1]?.body).not.toHaveProperty('reasoning_effort');
  });

  it('is an effort where the list of models says that it reasons', async () => {
    const models = [
      { name: 'qwen/qwen3', listed: { supported_parameters: ['tools', 'reasoning'] } },
      { name: 'qwen/qwen2', listed: { supported_parameters: ['tools'] } },
    ];
    const provider = await FakeProvider.open({ kind: 'openai', models });
    onTestFinished(() => provider[Symbol.asyncDispose]());
    const gateway = await gatewayTo({ p: provider });
    for (const { name } of models)
      await postTo(gateway, '/api/chat', { model: name, messages, think: 'low' });
    expect(provider.calls.map(({ body }) => body['reasoning_effort'])).toEqual(['low', undefined]);
  });

  it.each([
    [
      CLAUDE,
      { thinking: { type: 'adaptive' }, output_config: { effort: 'low', format: { type: 'x' } } },
      {
        thinking: { type: 'enabled', budget_tokens: 2_048 },
        output_config: { format: { type: 'x' } },
        temperature: undefined,
      },
    ],
    // An effort alone asks for no thoughts.
    [
      CLAUDE,
      { output_config: { effort: 'low' } },
      { output_config: undefined, thinking: undefined, temperature: 1 },
    ],
    [
      'claude-opus-4-8',
      { thinking: { type: 'enabled', budget_tokens: 4_000 } },
      { thinking: { type: 'adaptive' }, output_config: { effort: 'medium' }, temperature: undefined },
    ],
    [
      'claude-3-5-haiku-20241022',
      { thinking: { type: 'enabled', budget_tokens: 4_000 } },
      { thinking: undefined, temperature: 1 },
    ],
  ])('becomes what %s takes where auto chose it for a client of Anthropic’s', async (model, said, sent) => {
    const provider = await fake('anthropic', model);
    const gateway = await gatewayTo({ p: provider });
    const body = { messages, max_tokens: 9_000, temperature: 1, unknown_field: { deep: 1 }, ...said };
    await postTo(gateway, '/v1/messages', { model: 'auto', ...body });
    await postTo(gateway, '/v1/messages', { model, ...body });
    const [chosen, named] = provider.calls;
    expect(chosen?.body).toMatchObject({ model, messages, max_tokens: 9_000, unknown_field: { deep: 1 } });
    for (const [field, value] of Object.entries(sent)) expect(chosen?.body[field]).toEqual(value);
    // Whoever names the model is taken at his word.
    expect(named?.body).toEqual({ model, ...body });
  });

  it('that wants none has an Ollama think none', async () => {
    const provider = await fake('ollama', 'm1');
    const gateway = await gatewayTo({ p: provider });
    await postTo(gateway, '/v1/responses', { model: 'm1', input: 'Hi', reasoning: { effort: 'none' } });
    expect(provider.calls[0]?.body).toMatchObject({ think: false });
  });
});
