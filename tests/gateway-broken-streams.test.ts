import { describe, expect, it } from 'vitest';
import type { FakeReply } from './kit/fake-provider.ts';
import { closedGate } from './kit/gate.ts';
import { fake, gatewayTo, messages, post } from './kit/gateway-calls.ts';

/* What the circuit breaker makes of streams that break after their first content. */

const FIRST_WORD = 'data: {"id":"c1","model":"m1","choices":[{"index":0,"delta":{"content":"At "}}]}\n\n';
const ERROR_EVENT = 'data: {"error":{"message":"Oh dear.","type":"server_error"}}\n\n';

/** The first chunk says who speaks, the second and third a word each. */
const WORDS: FakeReply = { chunks: ['At ', 'nine.'] };

/** Nothing comes from the chunk of that number on. */
function silentFrom(index: number): NonNullable<FakeReply['beforeChunk']> {
  return (at) => (at < index ? undefined : new Promise(() => undefined));
}

describe('the circuit breaker', () => {
  it.each<[string, FakeReply, string]>([
    ['is reset', { ...WORDS, cutAfterChunks: 2 }, 'upstream_cut'],
    ['falls silent', { ...WORDS, beforeChunk: silentFrom(2) }, 'upstream_timeout'],
    ['breaks off with an error', { recorded: FIRST_WORD + ERROR_EVENT }, 'upstream_failed'],
    ['ends without an end', { recorded: FIRST_WORD }, 'upstream_cut'],
  ])('counts a stream that %s after its first content', async (_what, reply, code) => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider }, { settings: { idleTimeoutMs: 50 } });
    for (let at = 0; at < 5; at++) {
      expect(gateway.registry.breakers.areAllClosed).toBe(true);
      provider.next(reply);
      const answer = await post(gateway, { model: 'm1', messages, stream: true });
      expect(await answer.text()).toMatch(new RegExp(`"content":"At .*"code":"${code}"`, 's'));
    }
    const refused = await post(gateway, { model: 'm1', messages, stream: true });
    expect(await refused.json()).toMatchObject({ error: { code: 'upstream_paused' } });
    expect(provider.calls).toHaveLength(5);
  });

  it('closes when the probe’s stream has ended well, not when it begins', async () => {
    const provider = await fake('openai', 'm1');
    const clock = { nowMs: 1_000_000 };
    const gateway = await gatewayTo({ p: provider }, { registryClock: () => clock.nowMs });
    const { breakers } = gateway.registry;
    for (let at = 0; at < 5; at++) breakers.noteFailure('p:m1');
    const ask = (): Promise<Response> => post(gateway, { model: 'm1', messages, stream: true });

    clock.nowMs += 5_000;
    provider.next({ ...WORDS, cutAfterChunks: 2 });
    await (await ask()).text();
    expect(breakers.open()).toEqual([{ modelId: 'p:m1', state: 'open', probeAtMs: clock.nowMs + 10_000 }]);

    clock.nowMs += 10_000;
    const gate = closedGate();
    provider.next({ ...WORDS, beforeChunk: (at) => (at === 2 ? gate.opened : undefined) });
    const probe = await ask();
    expect(breakers.isPassable('p:m1')).toBe(false);
    gate.open();
    await probe.text();
    expect(breakers.open()).toEqual([]);
  });

  it('hears nothing of callers who leave in the middle of a stream', async () => {
    const provider = await fake('openai', 'm1');
    const gateway = await gatewayTo({ p: provider });
    const { breakers } = gateway.registry;
    for (let at = 0; at < 4; at++) breakers.noteFailure('p:m1');
    for (let at = 0; at < 3; at++) {
      provider.next({ ...WORDS, beforeChunk: silentFrom(2) });
      const answer = await post(gateway, { model: 'm1', messages, stream: true });
      await answer.body?.cancel();
      const { outcome } = await gateway.log.record(at);
      expect(outcome.failure).toMatchObject({ code: 'caller_cancelled' });
      expect(outcome.firstTokenMs).not.toBeNull();
    }
    expect(breakers.areAllClosed).toBe(true);
    breakers.noteFailure('p:m1');
    expect(breakers.areAllClosed).toBe(false);
  });
});
