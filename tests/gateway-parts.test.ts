import { describe, expect, it, onTestFinished } from 'vitest';
import { RoutingEngine } from '../src/routing/routing-engine.ts';
import type { FakeKind, FakeModel } from './kit/fake-provider.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { fake, gatewayTo, post } from './kit/gateway-calls.ts';
import type { TestGateway } from './kit/start-gateway.ts';

const SOUND = 'UklGR'.repeat(100);
const sound = { type: 'input_audio', input_audio: { data: SOUND, format: 'wav' } };
const pdf = { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBE' } };
const text = { type: 'text', text: 'What is it?' };
const asking = (...parts: object[]) => [{ role: 'user', content: [text, ...parts] }];

async function listing(kind: FakeKind, models: readonly FakeModel[]): Promise<FakeProvider> {
  const provider = await FakeProvider.open({ kind, models });
  onTestFinished(() => provider[Symbol.asyncDispose]());
  return provider;
}

const reads = (...input_modalities: string[]) => ({ architecture: { input_modalities } });

/** OpenRouter's list, which tells what each reads. */
const ROUTER_MODELS: FakeModel[] = [
  { name: 'plain', listed: reads('text') },
  { name: 'hearing', listed: reads('text', 'audio') },
  { name: 'reading', listed: reads('text', 'file') },
  { name: 'unknown' },
];

/** The models that `auto` has for a request: those that the real router leaves. */
async function candidates(gateway: TestGateway, messages: unknown): Promise<readonly string[]> {
  await post(gateway, { model: 'auto', messages });
  const { needs } = gateway.routed.at(-1) ?? {};
  const { catalog } = gateway.registry;
  const engine = new RoutingEngine({ catalog, isPriced: () => true, typicalCostUsd: () => 0 });
  return (await engine.route({ content: 'What is it?', model: 'auto', needs })).modelIds;
}

describe('sound and files', () => {
  it('leave to auto only models that are known to read them', async () => {
    const gateway = await gatewayTo({ r: await listing('openai', ROUTER_MODELS) });
    expect(await candidates(gateway, asking(sound))).toEqual(['r:hearing']);
    expect(await candidates(gateway, asking(pdf))).toEqual(['r:reading']);
    expect([...(await candidates(gateway, asking()))].sort()).toEqual(
      ['r:hearing', 'r:plain', 'r:reading', 'r:unknown'].sort(),
    );
  });

  it('are refused to a named model that is known not to read them, and sent where nobody knows', async () => {
    const provider = await listing('openai', ROUTER_MODELS);
    const gateway = await gatewayTo({ r: provider });
    const refused = await post(gateway, { model: 'plain', messages: asking(sound) });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({
      error: { code: 'bad_request', param: 'model', message: expect.stringContaining('cannot read sound') },
    });
    // OpenRouter reads PDFs to models that cannot.
    for (const [model, part] of [
      ['unknown', sound],
      ['unknown', pdf],
      ['plain', pdf],
    ] as const) {
      expect((await post(gateway, { model, messages: asking(part) })).status).toBe(200);
      expect(provider.calls.at(-1)?.body['messages']).toEqual(asking(part));
    }
  });

  it('are what the operator says of a model', async () => {
    const provider = await fake('openai', 'm1', 'm2');
    const models = [{ name: 'm1', hasAudio: true, hasFiles: false }, 'm2'];
    const gateway = await gatewayTo({ p: provider }, { settings: { models } });
    expect(await candidates(gateway, asking(sound))).toEqual(['p:m1']);
    expect((await post(gateway, { model: 'm1', messages: asking(pdf) })).status).toBe(400);
  });

  it('are never sent where the protocol has no words for them, whatever anybody says', async () => {
    const models = [{ name: 'm1', hasAudio: true, hasFiles: true }];
    for (const [kind, part] of [
      ['ollama', sound],
      ['ollama', pdf],
      ['anthropic', sound],
    ] as const) {
      const provider = await fake(kind, 'm1');
      const gateway = await gatewayTo({ p: provider }, { settings: { models } });
      expect((await post(gateway, { model: 'm1', messages: asking(part) })).status).toBe(400);
      expect(provider.calls).toEqual([]);
    }
  });

  it('go to Anthropic as documents, of the kinds that it takes', async () => {
    const provider = await fake('anthropic', 'claude-sonnet-4-5');
    const gateway = await gatewayTo({ p: provider });
    const note = { type: 'file', file: { filename: 'n.txt', file_data: 'data:text/csv;base64,YSxi' } };
    expect((await post(gateway, { model: 'auto', messages: asking(pdf, note) })).status).toBe(200);
    expect(provider.calls[0]?.body['messages']).toMatchObject([
      {
        content: [
          text,
          { type: 'document', title: 'a.pdf', source: { type: 'base64', data: 'JVBE' } },
          {
            type: 'document',
            title: 'n.txt',
            source: { type: 'text', media_type: 'text/plain', data: 'a,b' },
          },
        ],
      },
    ]);
    for (const [file, sentence] of [
      [{ file_data: 'data:application/zip;base64,UEs' }, /of type application\/zip/],
      [{ file_id: 'file-1' }, /not sent as bytes/],
    ] as const) {
      const refused = await post(gateway, {
        model: 'claude-sonnet-4-5',
        messages: asking({ type: 'file', file }),
      });
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({ error: { message: expect.stringMatching(sentence) } });
    }
  });

  it('are what Anthropic’s list says of a model', async () => {
    const listed = {
      max_input_tokens: 200_000,
      capabilities: { pdf_input: { supported: false }, image_input: { supported: false } },
    };
    const provider = await listing('anthropic', [{ name: 'claude-sonnet-9', listed }]);
    const gateway = await gatewayTo({ p: provider });
    expect(gateway.registry.catalog.models).toMatchObject([
      { hasFiles: false, hasImages: false, hasAudio: false, contextTokens: 200_000 },
    ]);
  });

  it('come in Responses as well, and the record keeps none of the bytes', async () => {
    const provider = await listing('openai', ROUTER_MODELS);
    const gateway = await gatewayTo({ r: provider });
    const input = [{ role: 'user', content: [{ type: 'input_text', text: 'What is it?' }, sound] }];
    const answer = await fetch(`${gateway.url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'hearing', input }),
    });
    expect(answer.status).toBe(200);
    expect(provider.calls[0]).toMatchObject({
      path: '/v1/chat/completions',
      body: { messages: asking(sound) },
    });
    const { conversation } = gateway.log.records[0]?.facts ?? {};
    expect(conversation).toContain('input_audio');
    expect(conversation).not.toContain('UklGR');
  });
});

describe('models of OpenAI’s that only hear and speak', () => {
  it('serve who names them, and are kept out of auto unless the operator wants them', async () => {
    const name = 'gpt-4o-audio-preview';
    const provider = await fake('openai', name, 'm1');
    const gateway = await gatewayTo({ p: provider });
    provider.next({
      recorded: JSON.stringify({
        id: 'c1',
        model: name,
        choices: [
          { message: { role: 'assistant', content: null, audio: { data: 'AA', transcript: 'At eight.' } } },
        ],
      }),
    });
    const answer = await post(gateway, {
      model: name,
      messages: asking(sound),
      modalities: ['text', 'audio'],
    });
    expect(await answer.json()).toMatchObject({ choices: [{ message: { audio: { data: 'AA' } } }] });
    expect(gateway.log.records).toMatchObject([{ outcome: { response: 'At eight.', failure: null } }]);
    expect(await candidates(gateway, asking())).toEqual(['p:m1']);
    const models = [{ name, isAutoAllowed: true }];
    const wanted = await gatewayTo({ p: provider }, { settings: { models } });
    expect(await candidates(wanted, asking(sound))).toEqual([`p:${name}`]);
  });
});
