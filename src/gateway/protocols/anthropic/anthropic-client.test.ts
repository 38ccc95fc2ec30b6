import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TallyrankError } from '../../../core/errors.ts';
import { NO_TOKEN_USAGE } from '../../../core/usage-record.ts';
import { AnswerCollector } from '../../answer-collector.ts';
import type { AnswerPart, ChatAnswer } from '../../chat.ts';
import { EMPTY_PART } from '../../chat.ts';
import { errorOfStatus } from '../../upstream-errors.ts';
import type { ClientRequest } from '../inbound.ts';
import { encodeOllamaRequest } from '../ollama/provider.ts';
import { decodeOpenAiAnswer, OpenAiStreamReader } from '../openai/chat-provider.ts';
import { encodeNeutralRequest } from '../openai/chat-provider-request.ts';
import { ANTHROPIC_MESSAGES } from './client.ts';
import { AnthropicStreamReader, decodeAnthropicAnswer } from './provider-answer.ts';
import { encodeAnthropicRequest, forwardMessagesRequest } from './provider-request.ts';

type Json = Record<string, unknown>;

const head = { id: 'msg_1', createdAtSeconds: 1, model: 'm' };
const outcome = { latencyMs: 20, firstTokenMs: 10 };
const OPENAI = { isOpenAi: true, takesCacheHints: false };

function wire(name: string): Buffer {
  return readFileSync(new URL(`../../../../tests/fixtures/wire/${name}`, import.meta.url));
}

function parse(body: unknown, headers: Record<string, string> = {}): ClientRequest {
  return ANTHROPIC_MESSAGES.parse(Buffer.from(JSON.stringify(body)), headers);
}

function eventsOf(frames: string): Json[] {
  return frames
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => {
      const [name, data] = frame.split('\n');
      const event = JSON.parse(data?.slice('data: '.length) ?? '') as Json;
      expect(name).toBe(`event: ${String(event['type'])}`);
      return event;
    });
}

/** All frames of a stream, and those that were ready before its end. */
function write(parts: readonly AnswerPart[]): { early: Json[]; all: Json[]; frames: string } {
  const stream = ANTHROPIC_MESSAGES.openStream(parse(plain), head);
  const collector = new AnswerCollector();
  let frames = '';
  for (const part of parts) {
    collector.collect(part);
    frames += stream.part(part);
  }
  const early = eventsOf(frames);
  frames += stream.end({ answer: collector.answer(), usageWire: null, costUsd: () => null, outcome });
  return { early, all: eventsOf(frames), frames };
}

const plain = { model: 'auto', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };

/** A conversation with everything that must be carried across. */
const rich = {
  model: 'claude-x',
  max_tokens: 500,
  system: [{ type: 'text', text: 'Be short.', cache_control: { type: 'ephemeral' } }],
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
        { type: 'image', source: { type: 'url', url: 'https://example.org/a.png' } },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Let me look.', signature: 'sig-1' },
        { type: 'redacted_thinking', data: 'enc-1' },
        { type: 'text', text: 'I look.' },
        { type: 'tool_use', id: 'toolu_1', name: 'look', input: { at: 1 } },
        { type: 'tool_use', id: 'toolu_2', name: 'look', input: { at: 2 } },
      ],
    },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'toolu_1', content: 'gone', is_error: true },
        {
          type: 'tool_result',
          tool_use_id: 'toolu_2',
          content: [
            { type: 'text', text: 'a cat' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
          ],
        },
        { type: 'text', text: 'Well?' },
      ],
    },
  ],
  tools: [{ name: 'look', description: 'Looks', input_schema: { type: 'object' } }],
  tool_choice: { type: 'tool', name: 'look', disable_parallel_tool_use: true },
  temperature: 0.5,
  top_k: 7,
  stop_sequences: ['END'],
  thinking: { type: 'enabled', budget_tokens: 2_048 },
  metadata: { user_id: 'u1' },
};

describe('requests of Anthropic clients', () => {
  it('come back to Anthropic with nothing lost on the way through the neutral form', () => {
    const body = JSON.parse(encodeAnthropicRequest(parse(rich).request, 'claude-x', 'p', false)) as Json;
    expect(body).toEqual(rich);
  });

  it('go on unchanged to Anthropic, but for the model', () => {
    const same = parse({ ...rich, unknown_field: { deep: 1 } });
    expect(forwardMessagesRequest(same, 'claude-x')).toBe(same.bytes);
    expect(JSON.parse(String(forwardMessagesRequest(same, 'claude-y')))).toEqual({
      ...rich,
      unknown_field: { deep: 1 },
      model: 'claude-y',
    });
    expect(parse(rich, { 'anthropic-beta': 'a,b', 'anthropic-version': '2023-06-01' }).headers).toEqual({
      'anthropic-beta': 'a,b',
    });
  });

  it('leave out thoughts of other models, which Anthropic did not sign', () => {
    const foreign = { type: 'thinking', thinking: 'Hm.', signature: 'unsigned' };
    const messages = [
      ...plain.messages,
      { role: 'assistant', content: [foreign, { type: 'text', text: 'Hi' }] },
      { role: 'user', content: 'So?' },
      { role: 'assistant', content: [foreign] },
    ];
    const body = JSON.parse(String(forwardMessagesRequest(parse({ ...plain, messages }), 'auto'))) as Json;
    expect(body['messages']).toEqual([
      plain.messages[0],
      { role: 'assistant', content: [{ type: 'text', text: 'Hi' }] },
      { role: 'user', content: 'So?' },
      { role: 'assistant', content: [{ type: 'text', text: '…' }] },
    ]);
  });

  it('become chat completions, images of tools as a turn of the user', () => {
    expect(JSON.parse(encodeNeutralRequest(parse(rich).request, 'gpt-4o', 'p', true, OPENAI))).toEqual({
      model: 'gpt-4o',
      max_completion_tokens: 500,
      temperature: 0.5,
      stop: ['END'],
      user: 'u1',
      stream: true,
      stream_options: { include_usage: true },
      parallel_tool_calls: false,
      tool_choice: { type: 'function', function: { name: 'look' } },
      tools: [
        {
          type: 'function',
          function: { name: 'look', description: 'Looks', parameters: { type: 'object' } },
        },
      ],
      messages: [
        { role: 'system', content: 'Be short.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
            { type: 'image_url', image_url: { url: 'https://example.org/a.png' } },
          ],
        },
        {
          role: 'assistant',
          content: 'I look.',
          tool_calls: [
            { id: 'toolu_1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } },
            { id: 'toolu_2', type: 'function', function: { name: 'look', arguments: '{"at":2}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'toolu_1', content: 'Error: gone' },
        { role: 'tool', tool_call_id: 'toolu_2', content: 'a cat' },
        {
          role: 'user',
          content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }],
        },
        { role: 'user', content: 'Well?' },
      ],
    });
  });

  it('give models that think an effort in place of a budget and a temperature', () => {
    const { request } = parse(rich);
    const body = JSON.parse(encodeNeutralRequest(request, 'o3', 'p', false, OPENAI)) as Json;
    expect(body).toMatchObject({ reasoning_effort: 'low' });
    expect(body).not.toHaveProperty('temperature');
    const other = { isOpenAi: false, takesCacheHints: true };
    const compatible = JSON.parse(encodeNeutralRequest(request, 'mistral', 'p', false, other)) as Json;
    expect(compatible).toMatchObject({ max_tokens: 500, temperature: 0.5 });
    expect(compatible).not.toHaveProperty('reasoning_effort');
    expect(JSON.stringify(compatible)).toContain('cache_control');
  });

  it('become Ollama chats', () => {
    const withoutUrl = { ...rich, messages: [plain.messages[0], ...rich.messages.slice(1)] };
    const { request } = parse({ ...withoutUrl, thinking: { type: 'disabled' } });
    expect(JSON.parse(encodeOllamaRequest(request, 'llava', 'p', false))).toMatchObject({
      think: false,
      options: { temperature: 0.5, top_k: 7, num_predict: 500, stop: ['END'] },
      messages: [
        { role: 'system', content: 'Be short.' },
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'I look.', thinking: 'Let me look.' },
        { role: 'tool', content: 'Error: gone', tool_name: 'look' },
        { role: 'tool', content: 'a cat', images: ['AAAA'] },
        { role: 'user', content: 'Well?' },
      ],
    });
  });

  it('carry schemas, documents and search results', () => {
    const content = [
      {
        type: 'document',
        title: 'T',
        source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' },
      },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'plain words' } },
      { type: 'search_result', title: 'S', source: 'https://s', content: [{ type: 'text', text: 'found' }] },
    ];
    const schema = { type: 'object', properties: {} };
    const { request, ownFeatures } = parse({
      ...plain,
      messages: [{ role: 'user', content }],
      output_config: { format: { type: 'json_schema', schema }, effort: 'high' },
    });
    expect(ownFeatures).toEqual([]);
    expect(JSON.parse(encodeNeutralRequest(request, 'gpt-5', 'p', false, OPENAI))).toMatchObject({
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } },
      reasoning_effort: 'high',
      messages: [
        {
          content: [
            { type: 'file', file: { filename: 'T', file_data: 'data:application/pdf;base64,JVBE' } },
            { type: 'text', text: 'plain words' },
            { type: 'text', text: 'S\nhttps://s\nfound' },
          ],
        },
      ],
    });
    expect(() => encodeOllamaRequest(request, 'm', 'ollama', false)).toThrow(/nothing of type "file"/);
  });

  it('name what only Anthropic can do', () => {
    const content = [
      { type: 'image', source: { type: 'file', file_id: 'f' } },
      { type: 'document', source: { type: 'url', url: 'https://d' } },
      { type: 'container_upload', file_id: 'f' },
    ];
    const tools = [{ type: 'web_search_20250305', name: 'web_search' }];
    const body = { ...plain, messages: [{ role: 'user', content }], tools, mcp_servers: [{ url: 'x' }] };
    expect(parse(body).ownFeatures).toEqual([
      'mcp_servers',
      'image source of type file',
      'document source of type url',
      'block of type container_upload',
      'tool of type web_search_20250305',
    ]);
    expect(parse({ ...plain, mcp_servers: [] }).ownFeatures).toEqual([]);
  });

  it('tell the session that Claude Code writes into the user', () => {
    const session = '6a0b7c1e-0000-4000-8000-000000000000';
    const userId = `user_abc_account__session_${session}`;
    const { request } = parse({ ...plain, metadata: { user_id: userId } });
    expect(request).toMatchObject({ user: userId, metadata: { session_id: session } });
    expect(encodeNeutralRequest({ ...request, user: 'x'.repeat(65) }, 'm', 'p', false, OPENAI)).not.toContain(
      '"user":',
    );
  });

  it.each<[Json, string | null, RegExp]>([
    [{ ...plain, model: '' }, 'model', /model is missing/],
    [{ ...plain, max_tokens: null }, 'max_tokens', /max_tokens is missing/],
    [{ ...plain, messages: [] }, 'messages', /at least one/],
    [{ ...plain, messages: ['x'] }, 'messages[0]', /must be an object/],
    [{ ...plain, messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role', /"user" or "assistant"/],
    [{ ...plain, messages: [{ role: 'user', content: 7 }] }, 'messages[0].content', /list of blocks/],
    [{ ...plain, messages: [{ role: 'user', content: [{}] }] }, 'messages[0].content', /with a type/],
    [{ ...plain, system: 7 }, 'system', /text blocks/],
    [{ ...plain, stop_sequences: 'END' }, 'stop_sequences', /list of texts/],
    [{ ...plain, thinking: true }, 'thinking', /an object/],
  ])('refuse %j and say what to change', (body, param, sentence) => {
    expect(() => parse(body)).toThrow(expect.objectContaining({ code: 'bad_request', param }));
    expect(() => parse(body)).toThrow(sentence);
  });

  it('that cannot be written again are refused', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const call = `{"type":"tool_use","id":"t","name":"f","input":${deep}}`;
    const body = `{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[${call}]}]}`;
    expect(() => ANTHROPIC_MESSAGES.parse(Buffer.from(body), {})).toThrow(/nested too deeply/);
    const document = '{"type":"document","source":{"type":"content","content":[';
    const content = `[${document.repeat(20_000)}${']}}'.repeat(20_000)}]`;
    const nested = `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":${content}}]}`;
    const { ownFeatures } = ANTHROPIC_MESSAGES.parse(Buffer.from(nested), {});
    expect(ownFeatures).toEqual(['block of type document in a document']);
  });

  it('answer any JSON with a request or a sentence of ours', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        for (const body of [
          json,
          `{"model":"m","max_tokens":1,"system":${json},"messages":[{"role":"user","content":[{"type":"tool_result","content":${json}},{"type":"image","source":${json}}]}]}`,
        ]) {
          try {
            const { request } = ANTHROPIC_MESSAGES.parse(Buffer.from(body), {});
            encodeNeutralRequest(request, 'm', 'p', false, OPENAI);
            encodeOllamaRequest(request, 'm', 'p', false);
          } catch (error) {
            expect(error).toBeInstanceOf(TallyrankError);
          }
        }
      }),
    );
  });
});

describe('answers for Anthropic clients', () => {
  const answerOf = (given: Partial<ChatAnswer>): Json => {
    const answer = { ...decodeOpenAiAnswer('p', wire('openai-text.json'), false), ...given };
    return JSON.parse(ANTHROPIC_MESSAGES.encodeAnswer(parse(plain), head, answer, 1, 20)) as Json;
  };

  it('are whole messages', () => {
    expect(answerOf({})).toEqual({
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [{ type: 'text', text: 'The capital of France is Paris.' }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: {
        input_tokens: 23,
        cache_creation_input_tokens: null,
        cache_read_input_tokens: 0,
        output_tokens: 7,
      },
    });
  });

  it('hold thoughts, tool calls and what is cached beside the prompt', () => {
    const usage = { ...NO_TOKEN_USAGE, promptTokens: 100, cachedTokens: 60, cacheWriteTokens: 10 };
    const toolCalls = [
      { id: 'functions.f:0', name: 'f', arguments: '{"a":1}' },
      { id: 'c2', name: 'g', arguments: '' },
      { id: 'c3', name: 'h', arguments: 'no json' },
    ];
    expect(
      answerOf({ reasoning: 'Hm.', text: '', toolCalls, finishReason: 'tool_calls', usage }),
    ).toMatchObject({
      content: [
        { type: 'thinking', thinking: 'Hm.', signature: 'unsigned' },
        { type: 'tool_use', id: 'functions_f_0', name: 'f', input: { a: 1 } },
        { type: 'tool_use', id: 'c2', name: 'g', input: {} },
        { type: 'tool_use', id: 'c3', name: 'h', input: { invalid_json: 'no json' } },
      ],
      stop_reason: 'tool_use',
      usage: {
        input_tokens: 30,
        cache_read_input_tokens: 60,
        cache_creation_input_tokens: 10,
        output_tokens: 0,
      },
    });
  });

  it.each([
    ['length', null, 'max_tokens'],
    ['content_filter', null, 'refusal'],
    ['refusal', null, 'refusal'],
    ['stop', 'END', 'stop_sequence'],
    [null, null, 'end_turn'],
  ] as const)('end by %s (%s) as %s', (finishReason, stopSequence, stop_reason) => {
    expect(answerOf({ finishReason, stopSequence })).toMatchObject({
      stop_reason,
      stop_sequence: stopSequence,
    });
  });

  it('stream in the order of Anthropic’s events, and tell the end last', () => {
    const reader = new OpenAiStreamReader('p', false);
    const { early, all } = write([...reader.push(wire('openai-text.sse')), ...reader.end()]);
    const types = all.map((event) => event['type']);
    expect(types.slice(0, 4)).toEqual([
      'message_start',
      'ping',
      'content_block_start',
      'content_block_delta',
    ]);
    expect(types.slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop']);
    expect(early.at(-1)).toMatchObject({ type: 'content_block_delta', index: 0 });
    const text = all.map((event) => (event['delta'] as Json | undefined)?.['text'] ?? '').join('');
    expect(text).toBe('The capital of the UK is London.');
    expect(all.at(-2)).toMatchObject({ delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } });
  });

  it('stream thoughts, text and several tool calls as blocks that follow each other', () => {
    const call = (index: number, id: string | null, text: string): AnswerPart => ({
      ...EMPTY_PART,
      toolCalls: [{ index, id, name: id === null ? null : 'f', arguments: text }],
    });
    const { all } = write([
      { ...EMPTY_PART, reasoning: 'Hm' },
      { ...EMPTY_PART, reasoning: '.' },
      { ...EMPTY_PART, text: 'Now.' },
      call(0, 'c1', ''),
      call(0, null, '{"a":'),
      call(0, null, '1}'),
      // Without an index of their own, calls are told apart by their ids.
      call(0, 'c2', '{}'),
      { ...EMPTY_PART, finishReason: 'tool_calls' },
    ]);
    expect(all.slice(2, -2).map((event) => [event['type'], event['index']])).toEqual([
      ['content_block_start', 0],
      ['content_block_delta', 0],
      ['content_block_delta', 0],
      ['content_block_delta', 0],
      ['content_block_stop', 0],
      ['content_block_start', 1],
      ['content_block_delta', 1],
      ['content_block_stop', 1],
      ['content_block_start', 2],
      ['content_block_delta', 2],
      ['content_block_delta', 2],
      ['content_block_stop', 2],
      ['content_block_start', 3],
      ['content_block_delta', 3],
      ['content_block_stop', 3],
    ]);
    expect(all[5]).toMatchObject({ delta: { type: 'signature_delta', signature: 'unsigned' } });
  });

  it('refuse pieces of tool calls in turns, which the protocol cannot tell apart', () => {
    const piece = (index: number, id: string | null): AnswerPart => ({
      ...EMPTY_PART,
      toolCalls: [{ index, id, name: 'f', arguments: '{' }],
    });
    expect(() => write([piece(0, 'c1'), piece(1, 'c2'), piece(0, null)])).toThrow(
      expect.objectContaining({ code: 'upstream_malformed' }),
    );
  });

  it.each([
    'anthropic-text.sse',
    'anthropic-thinking.sse',
    'anthropic-tool-call.sse',
    'anthropic-refusal.sse',
  ])('forward %s as it came, its end held back', (name) => {
    const reader = new AnthropicStreamReader('p', true);
    const { early, frames } = write([...reader.push(wire(name)), ...reader.end()]);
    const sent = wire(name).toString().trim().split(/\n\n+/);
    expect(frames.trim().split('\n\n').map(dataOf)).toEqual(sent.map(dataOf));
    expect(early.map((event) => event['type'])).not.toContain('message_delta');
  });

  it('keep signed thoughts through the neutral form', () => {
    const reader = new AnthropicStreamReader('p', false);
    const parts = [...reader.push(wire('anthropic-thinking.sse')), ...reader.end()];
    const [block] = parts.flatMap((part) => part.thinkingBlocks);
    expect(block).toMatchObject({ type: 'thinking', thinking: expect.stringContaining('I need to count') });
    const content = [
      { type: 'thinking', thinking: 'Hm.', signature: 's' },
      { type: 'redacted_thinking', data: 'd' },
      { type: 'text', text: 'Hi' },
    ];
    const body = { content, stop_reason: 'stop_sequence', stop_sequence: 'END', usage: {} };
    const answer = decodeAnthropicAnswer('p', Buffer.from(JSON.stringify(body)), false);
    expect(answerOf(answer)).toMatchObject({ content, stop_reason: 'stop_sequence', stop_sequence: 'END' });
  });

  it('tell errors in Anthropic’s words, also in the middle', () => {
    const encode = (error: TallyrankError): unknown =>
      JSON.parse(ANTHROPIC_MESSAGES.encodeError(error, 'r1'));
    expect(encode(new TallyrankError('bad_request', 'No.'))).toEqual({
      type: 'error',
      error: { type: 'invalid_request_error', message: 'No.', code: 'bad_request' },
      request_id: 'r1',
    });
    const typeOf = (error: TallyrankError): unknown => (encode(error) as { error: Json }).error['type'];
    expect(typeOf(new TallyrankError('unauthorized', ''))).toBe('authentication_error');
    expect(typeOf(new TallyrankError('body_too_large', ''))).toBe('request_too_large');
    expect(typeOf(new TallyrankError('upstream_rate_limited', ''))).toBe('rate_limit_error');
    expect(typeOf(new TallyrankError('no_candidate', ''))).toBe('api_error');
    const refusal = errorOfStatus('p', 400, {}, wire('openai-error-400.json'));
    expect(encode(refusal)).toMatchObject({ error: { type: 'invalid_request_error' } });
    const stream = ANTHROPIC_MESSAGES.openStream(parse(plain), head);
    expect(stream.error(new TallyrankError('upstream_cut', 'Cut.'), 'r1')).toMatch(
      /^event: error\ndata: \{"type":"error","error":\{"type":"api_error".*\n\n$/,
    );
  });
});

function dataOf(frame: string): unknown {
  const line = frame.split('\n').find((each) => each.startsWith('data:'));
  return JSON.parse(line?.slice('data:'.length) ?? 'null');
}
