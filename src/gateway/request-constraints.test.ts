import { describe, expect, it } from 'vitest';
import type { ClientRequest } from './protocols/inbound.ts';
import { OPENAI_CHAT } from './protocols/openai/chat-client.ts';
import { constraintsOf, withoutConstraints } from './request-constraints.ts';

function clientWith(tallyrank?: unknown): ClientRequest {
  const body = {
    model: 'auto',
    messages: [{ role: 'user', content: 'Hi' }],
    custom_field: 1,
    ...(tallyrank === undefined ? {} : { tallyrank }),
  };
  return OPENAI_CHAT.parse(Buffer.from(JSON.stringify(body)), {});
}

describe('constraintsOf', () => {
  it('is nothing where nothing is said', () => {
    expect(constraintsOf(clientWith(), { 'x-tallyrank-explore': 'off' })).toEqual({
      limits: null,
      policy: null,
      explore: null,
    });
    expect(constraintsOf(clientWith({ explore: false }), {})).toEqual({
      limits: null,
      policy: null,
      explore: false,
    });
  });

  it('reads headers', () => {
    const headers = {
      'x-tallyrank-allow-models': 'ollama:mistral:7b, gpt-4o',
      'x-tallyrank-deny-models': 'openai:*',
      'x-tallyrank-max-cost-usd': '0.002',
      'x-tallyrank-max-latency-ms': '3000',
      'x-tallyrank-local-only': 'true',
      'x-tallyrank-policy': 'cheap',
    };
    expect(constraintsOf(clientWith(), headers)).toEqual({
      limits: {
        origin: 'the request',
        allowModels: ['ollama:mistral:7b', 'gpt-4o'],
        denyModels: ['openai:*'],
        costMaxUsd: 0.002,
        latencyMaxMs: 3_000,
        isLocalOnly: true,
      },
      policy: 'cheap',
      explore: null,
    });
  });

  it('lets the body win, setting by setting', () => {
    const client = clientWith({ maxCostUsd: 0, denyModels: ['a'], localOnly: false });
    const headers = { 'x-tallyrank-max-cost-usd': '1', 'x-tallyrank-max-latency-ms': '9' };
    expect(constraintsOf(client, headers).limits).toMatchObject({
      costMaxUsd: 0,
      latencyMaxMs: 9,
      denyModels: ['a'],
      isLocalOnly: false,
    });
  });

  it.each<[unknown, string]>([
    ['localOnly', 'tallyrank must be an object'],
    [{ localonly: true }, 'tallyrank.localonly is not known; there are allowModels'],
    [{ maxCostUsd: -1 }, 'tallyrank.maxCostUsd must be a number of 0 or more, not -1'],
    [{ maxCostUsd: [] }, 'tallyrank.maxCostUsd must be a number'],
    [{ maxLatencyMs: '' }, 'tallyrank.maxLatencyMs must be a number'],
    [{ localOnly: 'perhaps' }, 'tallyrank.localOnly must be true or false, not "perhaps"'],
    [{ allowModels: [] }, 'tallyrank.allowModels must name at least one model'],
    [{ allowModels: [7] }, 'tallyrank.allowModels must name models'],
    [{ denyModels: new Array(101).fill('m') }, 'tallyrank.denyModels may name 100 models at most'],
    [{ policy: 3 }, 'tallyrank.policy must be the name of a policy'],
  ])('refuses %j', (tallyrank, message) => {
    expect(() => constraintsOf(clientWith(tallyrank), {})).toThrow(message);
  });

  it.each([
    ['x-tallyrank-max-cost-usd', 'cheap'],
    ['x-tallyrank-max-latency-ms', ' '],
    ['x-tallyrank-local-only', ''],
    ['x-tallyrank-allow-models', 'a,,b'],
  ])('refuses the header %s: %j by its name', (name, value) => {
    expect(() => constraintsOf(clientWith(), { [name]: value })).toThrow(
      expect.objectContaining({ code: 'bad_request', param: name }),
    );
  });
});

describe('withoutConstraints', () => {
  it('takes them out of all that may be sent on, and nothing else', () => {
    const client = withoutConstraints(clientWith({ localOnly: true }));
    for (const sent of [client.body, client.request, JSON.parse(client.bytes.toString())]) {
      expect(sent).toMatchObject({ model: 'auto', custom_field: 1 });
      expect(sent).not.toHaveProperty('tallyrank');
    }
  });

  it('leaves a request without them as it is', () => {
    const client = clientWith();
    expect(withoutConstraints(client)).toBe(client);
  });
});
