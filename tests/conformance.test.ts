import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Check } from '../bench/conformance/answers.ts';
import { checkAnswer } from '../bench/conformance/answers.ts';
import { checkError } from '../bench/conformance/errors.ts';
import type { AnswerFacts } from '../bench/conformance/facts.ts';
import { factsOfRecording } from '../bench/conformance/facts.ts';
import { checkPrices, NO_PRICE, SAME_PRICE } from '../bench/conformance/prices.ts';
import type { Recording, SpokenProtocol } from '../bench/conformance/recordings.ts';
import { checkRequest } from '../bench/conformance/requests.ts';

/*
 * What providers once sent that was read wrongly, through every protocol out, read by the official SDKs. The same
 * checks run over some 900 recordings with `npm run conformance`.
 */

const TRAPS = join(import.meta.dirname, 'fixtures', 'traps');

/** What an answer of 10 prompt and 5 completion tokens says if nothing else is written beside it. */
const PLAIN: AnswerFacts = {
  text: '',
  reasoning: '',
  refusal: '',
  calls: [],
  end: 'stop',
  promptTokens: 10,
  completionTokens: 5,
  cachedTokens: null,
};

const call = (id: string, name: string, input: unknown): AnswerFacts['calls'][number] => ({
  id,
  name,
  input,
});
const rome = { city: 'Rom' };

/** An id of '' stands for any of ours. */
const ANSWERS: readonly (readonly [file: string, protocol: SpokenProtocol, says: Partial<AnswerFacts>])[] = [
  ['anthropic-duplicate-start.sse', 'anthropic', { text: 'Grüß Gott 👋🏽' }],
  [
    'anthropic-whole-calls.sse',
    'anthropic',
    { calls: [call('toolu_1', 'roll', { sides: 6 }), call('toolu_2', 'flip', {})], end: 'tool_calls' },
  ],
  [
    'anthropic-all-in-start.sse',
    'anthropic',
    { calls: [call('toolu_3', 'roll', { sides: 20 })], end: 'tool_calls' },
  ],
  ['azure-filter-first.sse', 'openai-chat', { text: 'Hello' }],
  ['openai-refusal.json', 'openai-chat', { refusal: 'I cannot help with that.' }],
  ['openai-null-content.sse', 'openai-chat', { text: 'One', end: 'length' }],
  [
    'calls-without-index.sse',
    'openai-chat',
    {
      calls: [call('call_a', 'weather', rome), call('call_b', 'weather', { city: 'Wien' })],
      end: 'tool_calls',
    },
  ],
  [
    'calls-from-one.sse',
    'openai-chat',
    {
      text: 'Reading.',
      calls: [call('call_a', 'read', { path: 'a.txt' }), call('call_b', 'read', {})],
      end: 'tool_calls',
    },
  ],
  [
    'gemini-calls.sse',
    'openai-chat',
    { calls: [call('', 'weather', rome), call('', 'time', rome)], end: 'tool_calls', completionTokens: 35 },
  ],
  ['gemini-call.json', 'openai-chat', { calls: [call('', 'weather', rome)], end: 'tool_calls' }],
  ['deepseek-thoughts.sse', 'openai-chat', { text: 'Then that.', reasoning: 'First this.', cachedTokens: 8 }],
  ['groq-usage.sse', 'openai-chat', { text: 'Fast.' }],
  ['mistral-parts.json', 'openai-chat', { text: 'Four.', reasoning: 'Two and two.' }],
  ['mistral-parts.sse', 'openai-chat', { text: 'Four.', reasoning: 'Two and two.' }],
  ['xai-thoughts.json', 'openai-chat', { text: 'Yes.', reasoning: 'Is it?', completionTokens: 102 }],
  ['no-reason.sse', 'openai-chat', { text: 'Done.', reasoning: 'Ready?' }],
  ['function-call.json', 'openai-chat', { calls: [call('', 'weather', rome)], end: 'tool_calls' }],
  ['openrouter-cache.json', 'openai-chat', { text: 'Cached.', cachedTokens: 8 }],
  [
    'ollama-calls.ndjson',
    'ollama',
    {
      text: 'Смотрю.',
      reasoning: 'Hm…',
      calls: [call('', 'weather', rome), call('', 'time', {})],
      end: 'tool_calls',
    },
  ],
  [
    'responses-late-arguments.sse',
    'openai-responses',
    { calls: [call('call_1', 'weather', rome)], end: 'tool_calls' },
  ],
];

function recordingOf(file: string, protocol: SpokenProtocol): Recording {
  return {
    provider: file.split('-', 1)[0] ?? '',
    name: file,
    protocol,
    isStream: !file.endsWith('.json'),
    statusCode: 200,
    bytes: readFileSync(join(TRAPS, file)),
    request: null,
  };
}

function faultsOf(checks: readonly Check[]): string[] {
  return checks.filter(({ fault }) => fault !== null).map(({ what, fault }) => `${what}: ${fault}`);
}

describe('answers of providers', () => {
  it.each(ANSWERS)('%s says the same in every protocol', async (file, protocol, says) => {
    const checks = await checkAnswer(recordingOf(file, protocol), { ...PLAIN, ...says });
    expect(faultsOf(checks)).toEqual([]);
    expect(checks.length).toBeGreaterThan(protocol === 'openai-responses' ? 2 : 6);
  });

  it('are found wrong when something is lost', async () => {
    const recording = recordingOf('groq-usage.sse', 'openai-chat');
    const checks = await checkAnswer(recording, { ...PLAIN, text: 'Slow.' });
    expect(faultsOf(checks)).toContainEqual(expect.stringMatching(/^anthropic: whole: text is "Fast\."/));
  });

  it('are read by the second reader as they are by ours', () => {
    const recording = recordingOf('deepseek-thoughts.sse', 'openai-chat');
    expect(factsOfRecording(recording)).toMatchObject({ text: 'Then that.', reasoning: 'First this.' });
  });
});

describe('errors of providers', () => {
  const openai = (code: string | null, type: string): object => ({ error: { message: 'No.', type, code } });
  const anthropic = (type: string): object => ({ type: 'error', error: { type, message: 'No.' } });

  it.each<readonly [number, SpokenProtocol, object, string]>([
    [400, 'openai-chat', openai(null, 'invalid_request_error'), 'upstream_rejected'],
    [400, 'openai-chat', openai('tool_use_failed', 'invalid_request_error'), 'invalid_answer'],
    [401, 'openai-chat', openai('invalid_api_key', 'invalid_request_error'), 'upstream_unauthorized'],
    [404, 'openai-chat', openai('model_not_found', 'invalid_request_error'), 'upstream_not_found'],
    [429, 'openai-chat', openai('rate_limit_exceeded', 'requests'), 'upstream_rate_limited'],
    [429, 'openai-chat', openai('insufficient_quota', 'insufficient_quota'), 'upstream_quota_exhausted'],
    [401, 'anthropic', anthropic('authentication_error'), 'upstream_unauthorized'],
    [429, 'anthropic', anthropic('rate_limit_error'), 'upstream_rate_limited'],
    [529, 'anthropic', anthropic('overloaded_error'), 'upstream_failed'],
    [404, 'ollama', { error: 'No.' }, 'upstream_not_found'],
  ])(
    'with status %i of %s are heard in every protocol: %j is %s',
    async (statusCode, protocol, body, code) => {
      const bytes = Buffer.from(JSON.stringify(body));
      const recording = { ...recordingOf('openai-refusal.json', protocol), statusCode, bytes };
      const checks = await checkError(recording, { code, words: 'No.' });
      expect(faultsOf(checks)).toEqual([]);
      expect(checks).toHaveLength(7);
    },
  );
});

describe('requests of clients', () => {
  it('say the same to every provider and go on unchanged to one of their own protocol', async () => {
    const image = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk';
    const request = {
      model: 'auto',
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: image } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"at":"it"}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call_1', content: 'A dot.' },
      ],
      tools: [
        { type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } },
      ],
      temperature: 0.5,
      max_tokens: 50,
      logit_bias: { 1: 2 },
    };
    const recording = { ...recordingOf('openai-refusal.json', 'openai-chat'), request };
    const { checks, refusals } = await checkRequest(recording);
    expect(faultsOf(checks)).toEqual([]);
    expect(refusals).toEqual([]);
    expect(checks.map(({ what }) => what)).toEqual(['parsed', 'passed on', 'anthropic', 'ollama']);
  });
});

describe('prices of recorded usage', () => {
  // gpt-4o: $2.50 in, half of it from the cache, $10 out per million tokens.
  const usage = {
    prompt_tokens: 1_000,
    completion_tokens: 100,
    total_tokens: 1_100,
    prompt_tokens_details: { cached_tokens: 400 },
  };
  const priced = (extractor: object): string[] => {
    const expected = { input_tokens: 1_000, cache_read_tokens: 400, output_tokens: 100 };
    const extracted = [{ usage: expected, extractors: [{ api_flavor: 'chat', ...extractor }] }];
    const cases = checkPrices([{ body: { model: 'gpt-4o', usage }, extracted }]);
    return cases.map(({ outcome, fault }) => fault ?? outcome);
  };

  it('are those of the list, or unknown', () => {
    const right = { input_price: '0.002', output_price: '0.001' };
    expect(priced({ provider_id: 'openai', ...right })).toEqual([SAME_PRICE]);
    expect(priced({ provider_id: 'groq' })).toEqual([NO_PRICE]);
    expect(priced({ provider_id: 'aws' })).toEqual([expect.stringContaining('do not speak')]);
  });

  it('differ from the data where the bundled list is another', () => {
    const other = { input_price: '0.004', output_price: '0.002' };
    expect(priced({ provider_id: 'openai', ...other })).toEqual([expect.stringContaining('another price')]);
  });
});
