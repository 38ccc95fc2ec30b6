import { describe, expect, it } from 'vitest';
import {
  callPart,
  expectForwarded,
  type Json,
  readAll,
  type WrittenStream,
  wire,
  writeAll,
} from '../../../../tests/kit/protocol-streams.ts';
import { TallyrankError } from '../../../core/errors.ts';
import { NO_TOKEN_USAGE } from '../../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer } from '../../chat.ts';
import { EMPTY_PART } from '../../chat.ts';
import { errorOfStatus } from '../../upstream-errors.ts';
import { decodeOpenAiAnswer, OpenAiStreamReader } from '../openai/chat-provider.ts';
import { ANTHROPIC_MESSAGES } from './client.ts';
import { AnthropicStreamReader, decodeAnthropicAnswer } from './provider-answer.ts';

const head = { id: 'msg_1', createdAtSeconds: 1, model: 'm' };
const plain = { model: 'auto', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };
const client = ANTHROPIC_MESSAGES.parse(Buffer.from(JSON.stringify(plain)), {});

const write = (parts: readonly AnswerPart[]): WrittenStream =>
  writeAll(ANTHROPIC_MESSAGES.openStream(client, head), parts);

describe('answers for Anthropic clients', () => {
  const answerOf = (given: Partial<ChatAnswer>): Json => {
    const answer = { ...decodeOpenAiAnswer('p', wire('openai-text.json'), false), ...given };
    return JSON.parse(ANTHROPIC_MESSAGES.encodeAnswer(client, head, answer, 1, 20)) as Json;
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
    const { early, all } = write(readAll(reader, wire('openai-text.sse')));
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
    const { all } = write([
      { ...EMPTY_PART, reasoning: 'Hm' },
      { ...EMPTY_PART, reasoning: '.' },
      { ...EMPTY_PART, text: 'Now.' },
      callPart(0, 'c1', ''),
      callPart(0, null, '{"a":'),
      callPart(0, null, '1}'),
      // Without an index of their own, calls are told apart by their ids.
      callPart(0, 'c2', '{}'),
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
    const stream = ANTHROPIC_MESSAGES.openStream(client, head);
    expectForwarded(name, { reader, stream, endType: 'message_delta' });
  });

  it('keep signed thoughts through the neutral form', () => {
    const reader = new AnthropicStreamReader('p', false);
    const parts = readAll(reader, wire('anthropic-thinking.sse'));
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
    const stream = ANTHROPIC_MESSAGES.openStream(client, head);
    expect(stream.error(new TallyrankError('upstream_cut', 'Cut.'), 'r1')).toMatch(
      /^event: error\ndata: \{"type":"error","error":\{"type":"api_error".*\n\n$/,
    );
  });
});
