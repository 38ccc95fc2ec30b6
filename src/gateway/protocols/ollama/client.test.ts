import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TallyrankError } from '../../../core/errors.ts';
import { NO_TIMINGS, NO_TOKEN_USAGE } from '../../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer } from '../../chat.ts';
import { EMPTY_PART } from '../../chat.ts';
import type { ClientRequest } from '../inbound.ts';
import { OLLAMA_CHAT, OLLAMA_GENERATE } from './client.ts';
import { parseOllamaChat, parseOllamaGenerate } from './client-request.ts';
import { isStrictSchema } from './strict-schema.ts';

type Json = Record<string, unknown>;

const messages = [{ role: 'user', content: 'Hello' }];
const head = { id: 'r1', createdAtSeconds: 1_700_000_000, model: 'm' };
const outcome = { latencyMs: 20, firstTokenMs: 5 };
const CREATED_AT = '2023-11-14T22:13:20.000Z';

function chat(body: Json): ClientRequest {
  return OLLAMA_CHAT.parse(Buffer.from(JSON.stringify({ model: 'auto', messages, ...body })), {});
}

function generate(body: Json): ClientRequest {
  return OLLAMA_GENERATE.parse(Buffer.from(JSON.stringify({ model: 'auto', prompt: 'Hello', ...body })), {});
}

const answer: ChatAnswer = {
  text: 'At eight.',
  reasoning: 'Shops…',
  refusal: '',
  toolCalls: [],
  thinkingBlocks: [],
  finishReason: 'stop',
  stopSequence: null,
  usage: NO_TOKEN_USAGE,
  responseId: null,
  modelReported: 'm',
  timings: NO_TIMINGS,
  wire: null,
};

/** All lines of a stream, and how many of them were ready before its end. */
function write(client: ClientRequest, parts: readonly Partial<AnswerPart>[], whole: ChatAnswer) {
  const stream = OLLAMA_CHAT.openStream(client, head);
  const early = parts.map((part) => stream.part({ ...EMPTY_PART, ...part })).join('');
  const all = early + stream.end({ answer: whole, usageWire: null, costUsd: () => null, outcome });
  const linesOf = (text: string): Json[] =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Json);
  return { earlyCount: linesOf(early).length, lines: linesOf(all), text: all };
}

describe('a request of /api/chat', () => {
  it('streams unless told otherwise', () => {
    expect(chat({}).request.stream).toBe(true);
    expect(chat({ stream: null }).request.stream).toBe(true);
    expect(chat({ stream: false }).request.stream).toBe(false);
  });

  it('names its options as others know them, and leaves those of a local server beside', () => {
    const options = {
      temperature: 0.2,
      top_p: 0.9,
      top_k: 20,
      seed: 7,
      num_predict: 100,
      stop: ['END', 3],
      presence_penalty: 1,
      frequency_penalty: null,
      num_ctx: 8192,
      mirostat: 2,
    };
    const { request } = chat({ options });
    expect(request).toEqual({
      model: 'auto',
      messages,
      stream: true,
      temperature: 0.2,
      top_p: 0.9,
      top_k: 20,
      seed: 7,
      presence_penalty: 1,
      max_completion_tokens: 100,
      stop: ['END'],
      options: { num_ctx: 8192, mirostat: 2 },
    });
  });

  it.each([
    [{ options: { num_predict: -1 } }, 'max_completion_tokens', undefined],
    [{ options: { stop: 'END' } }, 'stop', ['END']],
    [{ format: 'json' }, 'response_format', { type: 'json_object' }],
    [{ format: '' }, 'response_format', undefined],
    [{ think: true }, 'reasoning_effort', 'medium'],
    [{ think: 'high' }, 'reasoning_effort', 'high'],
    [{ think: false }, 'reasoning_effort', 'none'],
    [{ tools: [] }, 'tools', undefined],
  ])('%j is said as %s', (body, field, value) => {
    expect(chat(body).request[field]).toEqual(value);
  });

  it('asks for a schema strictly where OpenAI could keep to it', () => {
    const open = { type: 'object', properties: { a: { type: 'string' } } };
    const closed = { ...open, required: ['a'], additionalProperties: false };
    const formatOf = (format: Json) => chat({ format }).request.response_format?.json_schema;
    expect(formatOf(open)).toEqual({ name: 'answer', schema: open });
    expect(formatOf(closed)).toEqual({ name: 'answer', schema: closed, strict: true });
    expect(isStrictSchema({ ...closed, properties: { a: { type: 'array', items: open } } })).toBe(false);
    expect(isStrictSchema({ ...closed, properties: { a: { anyOf: [closed, { type: 'null' }] } } })).toBe(
      true,
    );
    expect(isStrictSchema({ ...closed, $defs: { other: open } })).toBe(false);
    expect(isStrictSchema({ type: 'array', items: closed })).toBe(false);
    const deep = { ...closed } as Json;
    deep['properties'] = { a: deep };
    expect(isStrictSchema(deep)).toBe(false);
  });

  it('gives its tool calls ids, by which their results find them', () => {
    const call = (name: string, more: Json = {}): Json => ({
      ...more,
      function: { name, arguments: { at: 1 } },
    });
    const turns = [
      { role: 'assistant', content: '', tool_calls: [call('weather'), call('hours'), call('weather')] },
      { role: 'tool', content: 'open', tool_name: 'hours' },
      { role: 'tool', content: 'rain', tool_name: 'weather' },
      { role: 'tool', content: 'sun' },
      { role: 'assistant', content: null, thinking: 'Hm.', tool_calls: [call('hours', { id: 'theirs' })] },
      { role: 'tool', content: 'closed', tool_call_id: 'theirs' },
    ];
    const { request } = chat({ messages: [...messages, ...turns] });
    expect(request.messages.map(({ tool_call_id }) => tool_call_id)).toEqual([
      undefined,
      undefined,
      'call00001',
      'call00000',
      'call00002',
      undefined,
      'theirs',
    ]);
    expect(request.messages[1]).toMatchObject({
      tool_calls: [
        { id: 'call00000', type: 'function', function: { name: 'weather', arguments: '{"at":1}' } },
        { id: 'call00001' },
        { id: 'call00002' },
      ],
    });
    expect(request.messages[5]).toMatchObject({ reasoning_content: 'Hm.', tool_calls: [{ id: 'theirs' }] });
  });

  it.each([
    ['/9j/4AAQ', 'data:image/jpeg;base64,/9j/4AAQ'],
    ['R0lGODlh', 'data:image/gif;base64,R0lGODlh'],
    ['UklGRgAA', 'data:image/webp;base64,UklGRgAA'],
    ['Qk0AAAAA', 'data:application/octet-stream;base64,Qk0AAAAA'],
    ['iVBORw0K\nGgo=', 'data:image/png;base64,iVBORw0KGgo='],
    ['data:image/png;base64,AAAA', 'data:image/png;base64,AAAA'],
  ])('knows what kind of image %j is', (image, url) => {
    const { request } = chat({ messages: [{ role: 'user', content: 'What?', images: [image] }] });
    expect(request.messages[0]?.content).toEqual([
      { type: 'text', text: 'What?' },
      { type: 'image_url', image_url: { url } },
    ]);
  });

  it('without messages asks for no answer, but to load a model', () => {
    for (const body of [{ model: 'm1' }, { model: 'm1', messages: [] }, { model: 'm1', messages: null }]) {
      expect(parseOllamaChat(Buffer.from(JSON.stringify(body)))).toMatchObject({ kind: 'load', model: 'm1' });
    }
    expect(() => chat({ messages: [] })).toThrow(/nothing to answer/);
  });

  it('answers any JSON with a request or a sentence of ours', () => {
    fc.assert(
      fc.property(
        fc.json(),
        fc.constantFrom('messages', 'options', 'format', 'tools', 'images'),
        (json, field) => {
          const body = Buffer.from(
            `{"model":"m","prompt":"x","messages":[{"role":"user"}],"${field}":${json}}`,
          );
          for (const parse of [parseOllamaChat, parseOllamaGenerate]) {
            try {
              parse(body);
            } catch (error) {
              expect(error).toBeInstanceOf(TallyrankError);
            }
          }
        },
      ),
    );
  });
});

describe('a request of /api/generate', () => {
  it('becomes a conversation of one turn', () => {
    const { request, protocol, ownFeatures } = generate({ system: 'Be brief.', images: ['/9j/4AAQ'] });
    expect(protocol).toBe('ollama-generate');
    expect(ownFeatures).toEqual([]);
    expect(request.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hello' },
          { type: 'image_url', image_url: { url: 'data:image/jpeg;base64,/9j/4AAQ' } },
        ],
      },
    ]);
  });

  it('tells what only an Ollama can do, unless it is not asked for', () => {
    const asked = { raw: true, suffix: 'end', template: '{{ .Prompt }}', context: [1] };
    expect(generate(asked).ownFeatures).toEqual(['raw', 'suffix', 'template', 'context']);
    expect(generate({ raw: false, suffix: '', template: '', context: [] }).ownFeatures).toEqual([]);
    expect(generate({ prompt: '', suffix: 'end' }).ownFeatures).toEqual(['suffix']);
  });
});

describe('an answer for a client of Ollama', () => {
  it('says what is known and leaves out what nobody measured', () => {
    const known = JSON.parse(
      OLLAMA_CHAT.encodeAnswer(
        chat({}),
        head,
        {
          ...answer,
          finishReason: 'length',
          usage: { ...NO_TOKEN_USAGE, promptTokens: 7, completionTokens: 3 },
          timings: { loadMs: 1.5, queueMs: null, generationMs: 2 },
        },
        null,
        20.5,
      ),
    ) as Json;
    expect(known).toEqual({
      model: 'm',
      created_at: CREATED_AT,
      message: { role: 'assistant', content: 'At eight.', thinking: 'Shops…' },
      done: true,
      done_reason: 'length',
      total_duration: 20_500_000,
      load_duration: 1_500_000,
      prompt_eval_count: 7,
      eval_count: 3,
      eval_duration: 2_000_000,
    });
    const unknown = JSON.parse(OLLAMA_GENERATE.encodeAnswer(generate({}), head, answer, null, null)) as Json;
    expect(unknown).toEqual({
      model: 'm',
      created_at: CREATED_AT,
      response: 'At eight.',
      thinking: 'Shops…',
      done: true,
      done_reason: 'stop',
    });
  });

  it('holds back the end of a stream, and times what it saw', () => {
    const parts: Partial<AnswerPart>[] = [{ text: 'At ' }, { text: 'eight.' }, { finishReason: 'stop' }];
    const { earlyCount, lines } = write(chat({}), parts, answer);
    expect(earlyCount).toBe(2);
    expect(lines.map(({ done }) => done)).toEqual([false, false, true]);
    expect(lines[2]).toMatchObject({ total_duration: 20_000_000, eval_duration: 15_000_000 });
  });

  it('has tool calls whole, with arguments that are objects whatever the model wrote', () => {
    const pieces: Partial<AnswerPart>[] = ['{"a"', ':1}'].map((text, at) => ({
      toolCalls: [{ index: 0, id: at === 0 ? 'c1' : null, name: at === 0 ? 'f' : null, arguments: text }],
    }));
    const toolCalls = ['{"a":1}', '', '{"a":'].map((text, at) => ({
      id: `c${at + 1}`,
      name: 'f',
      arguments: text,
    }));
    const { earlyCount, lines } = write(chat({}), pieces, {
      ...answer,
      finishReason: 'tool_calls',
      toolCalls,
    });
    expect(earlyCount).toBe(0);
    expect(lines[0]).toMatchObject({
      message: {
        content: '',
        tool_calls: [
          { id: 'c1', function: { index: 0, name: 'f', arguments: { a: 1 } } },
          { function: { index: 1, arguments: {} } },
          { function: { index: 2, arguments: { invalid_json: '{"a":' } } },
        ],
      },
      done: false,
    });
    expect(lines[1]).toMatchObject({ done: true, done_reason: 'stop' });
  });

  it('hides the thoughts from a client that wants none', () => {
    const client = chat({ think: false });
    const parts: Partial<AnswerPart>[] = [{ reasoning: 'Shops…' }, { text: 'At eight.', reasoning: '!' }];
    const { lines, text } = write(client, parts, answer);
    expect(lines).toHaveLength(2);
    expect(text).not.toContain('thinking');
    expect(OLLAMA_CHAT.encodeAnswer(client, head, answer, null, null)).not.toContain('thinking');
  });

  it('passes the lines of an Ollama as they are, the last one at the end', () => {
    const parts: Partial<AnswerPart>[] = [
      { text: 'At', wire: '{"a": 1}\n' },
      { finishReason: 'stop', wire: '{"done":true,  "x":2}\n' },
    ];
    const { earlyCount, text } = write(chat({}), parts, answer);
    expect(earlyCount).toBe(1);
    expect(text).toBe('{"a": 1}\n{"done":true,  "x":2}\n');
  });

  it('breaks off with a line that says why', () => {
    const stream = OLLAMA_CHAT.openStream(chat({}), head);
    stream.part({ ...EMPTY_PART, text: 'At', finishReason: null });
    const line = stream.error(new TallyrankError('upstream_cut', 'It broke off.'), 'r1');
    expect(line).toBe('{"error":"It broke off."}\n');
  });
});
