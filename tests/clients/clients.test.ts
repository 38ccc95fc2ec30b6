import { describe, expect, it, onTestFinished } from 'vitest';
import type { FakeCall, FakeKind, FakeReply } from '../kit/fake-provider.ts';
import { FakeProvider } from '../kit/fake-provider.ts';
import { vectorOf } from '../kit/fake-wire.ts';
import { gatewayTo } from '../kit/gateway-calls.ts';
import type { TestGateway } from '../kit/start-gateway.ts';
import type { ChatClient } from './client.ts';
import { collected, idOf, PROMPT, TOOL } from './client.ts';
import type { ClientSet } from './client-sets.ts';
import { floorClients, newestClients } from './client-sets.ts';

/*
 * Clients as people use them, unchanged but for the base URL, with models of every kind of provider.
 */

const KINDS: readonly FakeKind[] = ['openai', 'anthropic', 'ollama'];

/** Chunks of a fake stream after which something has been shown, and more is to come. */
const SHOWN_CHUNKS: Readonly<Record<FakeKind, number>> = { ollama: 2, openai: 3, anthropic: 5 };

const newest = await newestClients();
const sets: readonly ClientSet[] = [await floorClients(), ...(typeof newest === 'string' ? [] : [newest])];

if (typeof newest === 'string') it.skip(`newest majors: skipped, ${newest}`);

/** Client by client and kind by kind, by name. */
const cases = sets.flatMap((set) =>
  set
    .clientsOf('http://127.0.0.1:9')
    .flatMap(({ name, embed }) =>
      KINDS.map((kind) => ({ set, name, kind, hasVectors: embed !== null && kind !== 'anthropic' })),
    ),
);

interface Scene {
  readonly provider: FakeProvider;
  readonly gateway: TestGateway;
  readonly client: ChatClient;
}

/** A model that calls the tool it is given, and otherwise says what is demanded of it. */
function reply({ body, path }: FakeCall): FakeReply {
  const text = JSON.stringify(body);
  if (path.includes('embed')) return {};
  if (text.includes(TOOL.result)) return { text: 'At eight.' };
  const [tool] = (body['tools'] ?? []) as { name?: string; function?: { name: string } }[];
  const name = tool?.name ?? tool?.function?.name;
  if (name === TOOL.name) return { toolCalls: [{ id: 'call_1', name, arguments: '{"shop":"Beans"}' }] };
  // Some clients demand JSON by a tool of their own.
  if (name !== undefined) return { toolCalls: [{ id: 'call_1', name, arguments: '{"hour":8}' }] };
  if (text.includes('"hour"') || text.includes('\\"hour\\"')) return { text: '{"hour":8}' };
  return { text: 'At eight sharp.', usage: { promptTokens: 10, completionTokens: 5 } };
}

describe.each(cases)('$set.title: $name, on $kind', ({ set, name, kind, hasVectors }) => {
  async function open(): Promise<Scene> {
    const provider = await FakeProvider.open({ kind, models: ['m1', 'embed-1'], reply });
    onTestFinished(() => provider[Symbol.asyncDispose]());
    const gateway = await gatewayTo({ p: provider });
    const client = set.clientsOf(gateway.url).find((each) => each.name === name);
    if (client === undefined) throw new Error(`${name} is missing`);
    return { provider, gateway, client };
  }

  async function failureOf({ client }: Scene, model: string): Promise<unknown> {
    try {
      await client.ask(model, PROMPT);
    } catch (error) {
      return client.failureOf(error);
    }
    throw new Error('the call did not fail');
  }

  it('answers, under the id that the log has', async () => {
    const { gateway, client } = await open();
    const said = await client.ask('m1', PROMPT);
    expect(said.text).toBe('At eight sharp.');
    const { facts, outcome } = await gateway.log.record(0);
    expect(facts).toMatchObject({ prompt: { prompt: PROMPT }, isStream: false });
    expect(outcome).toMatchObject({
      modelId: 'p:m1',
      response: 'At eight sharp.',
      usage: { promptTokens: 10, completionTokens: 5 },
      failure: null,
    });
    // Ollama's protocol has none.
    if (name !== 'ollama') expect(said.responseId).toBe(outcome.responseId);
  });

  it('streams, under the id that the log has', async () => {
    const { gateway, client } = await open();
    const pieces = await collected(client.stream('m1', PROMPT, new AbortController().signal));
    expect(pieces.map(({ text }) => text).join('')).toBe('At eight sharp.');
    expect(pieces.filter(({ text }) => text !== '').length).toBeGreaterThan(1);
    const { facts, outcome } = await gateway.log.record(0);
    expect(facts.isStream).toBe(true);
    expect(outcome).toMatchObject({ response: 'At eight sharp.', usage: { completionTokens: 5 } });
    if (name !== 'ollama') expect(idOf(pieces)).toBe(outcome.responseId);
  });

  it('is answered by "auto"', async () => {
    const { gateway, client } = await open();
    expect((await client.ask('auto', PROMPT)).text).toBe('At eight sharp.');
    expect(gateway.routed).toMatchObject([{ model: 'auto', policy: 'auto' }]);
  });

  it.each([[false], [true]])('calls a tool and takes its result (stream: %s)', async (isStream) => {
    const { provider, gateway, client } = await open();
    expect(await client.useTool('m1', isStream)).toEqual({ text: 'At eight.', given: { shop: 'Beans' } });
    expect(JSON.stringify(provider.calls[0]?.body['tools'])).toContain(TOOL.description);
    const { body } = provider.calls[1] ?? {};
    expect(JSON.stringify(body?.['messages'])).toContain(TOOL.result);
    // Anthropic's client leaves the conversation at Anthropic, and sends it whole where it cannot.
    const isContinued = (body?.['thread'] as { type: string } | undefined)?.type === 'continue';
    expect(isContinued).toBe(kind === 'anthropic' && name === '@anthropic-ai/sdk');
    if (!isContinued) expect(JSON.stringify(body?.['messages'])).toContain(PROMPT);
    expect((await gateway.log.record(0)).outcome.finishReason).toBe('tool_calls');
    expect(gateway.routed[0]?.needs.needsTools).toBe(true);
  });

  it('keeps to a schema', async () => {
    const { provider, client } = await open();
    expect(await client.structured('m1')).toEqual({ hour: 8 });
    expect(JSON.stringify(provider.calls[0]?.body)).toContain('hour');
  });

  it('hears of an unknown model, and of a provider that wants to be left alone, in its own words', async () => {
    const scene = await open();
    expect(await failureOf(scene, 'nobody')).toEqual(scene.client.failures.notFound);
    scene.provider.next({ errorStatus: 429, headers: { 'retry-after': '30' } });
    expect(await failureOf(scene, 'm1')).toEqual(scene.client.failures.rateLimited);
    expect((await scene.gateway.log.record(0)).outcome.failure?.code).toBe('upstream_rate_limited');
  });

  it('hears of a stream that broke off', async () => {
    const { provider, gateway, client } = await open();
    provider.next({ text: 'one two three four five', cutAfterChunks: 5 });
    let text = '';
    const read = async (): Promise<void> => {
      for await (const piece of client.stream('m1', PROMPT, new AbortController().signal)) text += piece.text;
    };
    await expect(read()).rejects.toThrow();
    expect(text).toMatch(/^one/);
    expect((await gateway.log.record(0)).outcome.failure?.code).toBe('upstream_cut');
  });

  it('ends the call of the provider when it stops reading', async () => {
    const { provider, gateway, client } = await open();
    provider.next({
      text: 'At eight sharp.',
      beforeChunk: (at) => (at < SHOWN_CHUNKS[kind] ? undefined : new Promise(() => undefined)),
    });
    const controller = new AbortController();
    try {
      for await (const { text } of client.stream('m1', PROMPT, controller.signal)) {
        if (text !== '') controller.abort();
      }
    } catch {
      // Some clients throw what they were told to do, others end the loop.
    }
    expect(controller.signal.aborted).toBe(true);
    await provider.waitForAborts(1);
    expect((await gateway.log.record(0)).outcome.failure?.code).toBe('caller_cancelled');
  });

  it.runIf(hasVectors)('gets vectors', async () => {
    const { provider, client } = await open();
    const texts = ['opening hours', 'coffee'];
    expect(await client.embed?.('embed-1', texts)).toEqual(texts.map(vectorOf));
    expect(provider.calls).toHaveLength(1);
  });
});
