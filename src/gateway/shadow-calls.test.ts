import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decisionOf } from '../../tests/kit/decisions.ts';
import { FakeProvider, type FakeReply } from '../../tests/kit/fake-provider.ts';
import { SILENT_LOGGER, TestLog } from '../../tests/kit/start-gateway.ts';
import { ANTHROPIC_MESSAGES } from './protocols/anthropic/client.ts';
import type { InboundProtocol } from './protocols/inbound.ts';
import { OPENAI_CHAT } from './protocols/openai/chat-client.ts';
import { OPENAI_RESPONSES } from './protocols/openai/responses-client.ts';
import { ProviderRegistry } from './provider-registry.ts';
import type { ShadowDropReason, ShadowedRequest } from './shadow-calls.ts';
import { ShadowCalls } from './shadow-calls.ts';
import { UpstreamPools } from './upstream.ts';

const SHADOW = 'p:other';
const CODE_TOOL = { type: 'code_execution_20250522', name: 'code_execution' };

/** The caller's connection, which ends when the test says so. */
class Caller extends EventEmitter {
  writableFinished = true;
  statusCode = 200;

  end(): void {
    this.emit('close');
  }
}

let provider: FakeProvider;
let upstream: UpstreamPools;
let log: TestLog;
let shadows: ShadowCalls;
let dropped: ShadowDropReason[];
let reply: (() => FakeReply | Promise<FakeReply>) | null;

beforeEach(async () => {
  reply = null;
  dropped = [];
  log = new TestLog();
  provider = await FakeProvider.open({
    kind: 'openai',
    models: ['other'],
    reply: () => reply?.() ?? { text: 'No idea.' },
  });
  upstream = new UpstreamPools();
  const providers = new ProviderRegistry({
    settings: [{ id: 'p', kind: 'openai', baseUrl: provider.baseUrl, isLocal: false }],
    upstream,
    logger: SILENT_LOGGER,
    clock: Date.now,
  });
  await providers.refresh();
  shadows = new ShadowCalls({
    providers,
    log,
    logger: SILENT_LOGGER,
    clock: Date.now,
    onDropped: (_decision, reason) => dropped.push(reason),
  });
});

afterEach(async () => {
  await shadows.close();
  await upstream[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

function follow(
  given: {
    shadowModelId?: string | null;
    protocol?: InboundProtocol;
    body?: object;
    caller?: Partial<Caller>;
  } = {},
): Caller {
  const { shadowModelId = SHADOW, protocol = OPENAI_CHAT, body = {} } = given;
  const bytes = Buffer.from(
    JSON.stringify({ model: 'auto', messages: [{ role: 'user', content: 'coffee?' }], ...body }),
  );
  const client = protocol.parse(bytes, {});
  const decision = decisionOf({
    useCaseConfidence: 0.9,
    modelIds: ['p:best'],
    shadowModelId,
    reason: 'best',
  });
  const shadowed: ShadowedRequest = {
    requestId: 'request-of-the-caller',
    client,
    decision,
    facts: {
      model: 'auto',
      modelId: 'p:best',
      prompt: { prompt: 'coffee?', context: '' },
      conversation: null,
      isStream: client.request.stream === true,
      startedAtMs: 1,
      userId: 'anna',
      sessionId: 's1',
      classification: {
        useCase: 'food_dining',
        confidence: 0.9,
        ruleName: null,
        runId: 'starter',
        snapshotVersion: null,
      },
    },
  };
  const caller = Object.assign(new Caller(), given.caller);
  shadows.follow(shadowed, caller);
  return caller;
}

describe('shadow calls', () => {
  it('ask when the caller has been answered, and log what came as nobody’s request', async () => {
    const caller = follow();
    expect(log.openCount).toBe(0);
    caller.end();
    const { facts, outcome, decision } = await log.record(0);
    expect(facts).toMatchObject({ modelId: SHADOW, model: 'auto', shadowOf: 'request-of-the-caller' });
    expect(facts).not.toHaveProperty('userId');
    expect(facts).not.toHaveProperty('sessionId');
    expect(outcome).toMatchObject({ response: 'No idea.', failure: null, attemptCount: 1 });
    expect(outcome.usage.completionTokens).toBeGreaterThan(0);
    expect(decision?.shadowModelId).toBe(SHADOW);
  });

  it('send tools along and judge the call that comes, which nobody runs', async () => {
    reply = () => ({ toolCalls: [{ id: 'call_1', name: 'unheard_of', arguments: '{}' }] });
    const tools = [{ type: 'function', function: { name: 'find_shop', parameters: { type: 'object' } } }];
    follow({ body: { tools } }).end();
    const { outcome } = await log.record(0);
    expect(provider.calls[0]?.body).toMatchObject({ tools });
    expect(outcome.failure).toMatchObject({ fault: 'model', code: 'invalid_answer' });
  });

  it.each([
    ['a conversation that lies at OpenAI', OPENAI_RESPONSES, { input: 'coffee?', conversation: 'conv_1' }],
    ['a search at OpenAI', OPENAI_RESPONSES, { input: 'coffee?', tools: [{ type: 'web_search' }] }],
    ['a tool that Anthropic runs', ANTHROPIC_MESSAGES, { max_tokens: 9, tools: [CODE_TOOL] }],
  ])('are not made of %s', async (_what, protocol, body) => {
    follow({ protocol, body }).end();
    // The same without it is asked, so nothing before it was.
    follow({ protocol, body: { input: 'coffee?', max_tokens: 9 } }).end();
    await log.record(0);
    expect([dropped, provider.calls.length]).toEqual([['own_features'], 1]);
  });

  it('log a failure, and half of a stream that broke, against their model', async () => {
    reply = () => ({ errorStatus: 503 });
    follow().end();
    expect((await log.record(0)).outcome).toMatchObject({ response: null, failure: { fault: 'provider' } });
    reply = () => ({ text: 'At nine, I think, or at ten.', cutAfterChunks: 3 });
    follow({ body: { stream: true } }).end();
    const { outcome } = await log.record(1);
    expect(outcome.failure).toMatchObject({ code: 'upstream_cut' });
    expect(outcome.response).not.toBe('');
    expect(outcome.firstTokenMs).not.toBeNull();
  });

  it('are not made for a caller who left or was refused, for a model that is gone, or without one', async () => {
    follow({ caller: { writableFinished: false } }).end();
    follow({ caller: { statusCode: 400 } }).end();
    follow({ shadowModelId: 'p:gone' }).end();
    follow({ shadowModelId: null }).end();
    await shadows.close();
    expect(dropped).toEqual(['unanswered', 'unanswered', 'not_offered']);
    expect([provider.calls.length, log.openCount, log.records.length]).toEqual([0, 0, 0]);
  });

  it('run a few at a time, wait up to a limit, and are cut and forgotten at the end', async () => {
    reply = () => ({ isSilent: true });
    for (let at = 0; at < 4 + 100 + 7; at++) follow().end();
    await provider.waitForCalls(4);
    expect(dropped).toEqual(Array(7).fill('overflow'));
    const late = follow();
    await shadows.close();
    late.end();
    expect(dropped.slice(7)).toEqual(Array(101).fill('shutdown'));
    expect(provider.calls).toHaveLength(4);
    expect(log.records.map(({ outcome }) => outcome.failure?.code)).toEqual(Array(4).fill('shutting_down'));
  });
});
