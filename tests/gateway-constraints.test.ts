import { describe, expect, it } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import { fake, gatewayTo, messages, post } from './kit/gateway-calls.ts';

describe('constraints of a request', () => {
  it('reach the router, and the provider sees nothing of them', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    const tallyrank = { denyModels: ['m2'], maxCostUsd: 0.01, policy: 'cheap', explore: false };
    await post(gateway, { model: 'auto', messages, tallyrank }, { 'x-tallyrank-local-only': 'yes' });
    await post(gateway, { model: 'm1', messages, tallyrank });
    await (await post(gateway, { model: 'm1', messages, tallyrank, stream: true })).text();
    await fetch(`${gateway.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'auto:fast', messages, max_tokens: 5, tallyrank }),
    });
    const limits = { denyModels: ['m2'], costMaxUsd: 0.01, allowModels: null };
    expect(gateway.routed).toMatchObject([
      { policy: 'auto:cheap', explore: false, limits: [{ ...limits, isLocalOnly: true }] },
      { policy: null, limits: [limits] },
      { policy: null, limits: [limits] },
      // The name of the model says it too, and wins.
      { policy: 'auto:fast', explore: false, limits: [limits] },
    ]);
    expect(provider.calls).toHaveLength(4);
    for (const { body } of provider.calls) expect(body).not.toHaveProperty('tallyrank');
  });

  it('that cannot be meant are refused before anything is logged', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    const answer = await post(gateway, { model: 'auto', messages, tallyrank: { maxCostUsd: 'low' } });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: {
        code: 'bad_request',
        param: 'tallyrank.maxCostUsd',
        message: expect.stringContaining('"low"'),
      },
    });
    const preset = await post(gateway, { model: 'auto', messages }, { 'x-tallyrank-policy': 'cheapest' });
    expect(await preset.json()).toMatchObject({ error: { message: expect.stringContaining('auto:cheap') } });
    expect([gateway.log.openCount, gateway.log.records.length, provider.calls.length]).toEqual([0, 0, 0]);
  });

  it('count the answer that is asked for into what a context must hold', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    await post(gateway, { model: 'auto', messages, max_tokens: 900 });
    await post(gateway, { model: 'auto', messages, max_completion_tokens: 800 });
    expect(gateway.routed.map(({ needs }) => needs.answerTokens)).toEqual([900, 800]);
  });
});

describe('a named model', () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
  const withImage = [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, image] }];

  it('is not sent images that its provider says it cannot read', async () => {
    const provider = await FakeProvider.open({
      kind: 'ollama',
      models: [
        { name: 'blind', capabilities: ['completion'] },
        { name: 'seeing', capabilities: ['completion', 'vision'] },
      ],
    });
    await using _closed = provider;
    await using gateway = await gatewayTo({ p: provider });
    const refused = await post(gateway, { model: 'blind', messages: withImage });
    expect(await refused.json()).toMatchObject({ error: { code: 'bad_request', param: 'model' } });
    expect(refused.status).toBe(400);
    expect((await post(gateway, { model: 'seeing', messages: withImage })).status).toBe(200);
  });

  it('of which nobody says so is', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    expect((await post(gateway, { model: 'm1', messages: withImage })).status).toBe(200);
  });
});
