import { describe, expect, it } from 'vitest';
import {
  callPart,
  eventsOf,
  expectForwarded,
  type Json,
  readAll,
  type WrittenStream,
  wire,
  writeAll,
} from '../../../../tests/kit/protocol-streams.ts';
import { TallyrankError } from '../../../core/errors.ts';
import type { AnswerPart, ChatAnswer } from '../../chat.ts';
import { EMPTY_PART } from '../../chat.ts';
import { AnthropicStreamReader, decodeAnthropicAnswer } from '../anthropic/provider-answer.ts';
import { encodeAnthropicRequest } from '../anthropic/provider-request.ts';
import type { AnswerStream, ClientRequest } from '../inbound.ts';
import { decodeOpenAiAnswer } from './chat-provider.ts';
import { OPENAI_RESPONSES } from './responses-client.ts';
import { forwardResponsesRequest, ResponsesStreamReader } from './responses-provider.ts';

const head = { id: 'resp_1', createdAtSeconds: 1, model: 'm' };
const plain = { model: 'auto', input: 'Hello' };

/** A request with what its answer repeats. */
const asked = {
  ...plain,
  instructions: 'Be short.',
  tools: [{ type: 'function', name: 'look', parameters: { type: 'object' }, strict: true }],
  text: { format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: true } },
};

function parse(body: unknown): ClientRequest {
  return OPENAI_RESPONSES.parse(Buffer.from(JSON.stringify(body)), {});
}

const openStream = (): AnswerStream => OPENAI_RESPONSES.openStream(parse(plain), head);
const write = (parts: readonly AnswerPart[]): WrittenStream => writeAll(openStream(), parts);

describe('answers for Responses clients', () => {
  const answerOf = (given: Partial<ChatAnswer>): Json => {
    const answer = { ...decodeOpenAiAnswer('p', wire('openai-text.json'), false), ...given };
    return JSON.parse(OPENAI_RESPONSES.encodeAnswer(parse(asked), head, answer, 1, 20)) as Json;
  };

  it('are response objects that repeat what was asked', () => {
    expect(answerOf({})).toMatchObject({
      id: 'resp_1',
      object: 'response',
      status: 'completed',
      model: 'm',
      instructions: 'Be short.',
      store: false,
      text: asked.text,
      tools: asked.tools,
      output: [
        {
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'The capital of France is Paris.', annotations: [] }],
        },
      ],
      usage: { input_tokens: 23, output_tokens: 7, total_tokens: 30 },
    });
  });

  it('tell calls, refusals and cut ends', () => {
    const toolCalls = [{ id: 'c1', name: 'look', arguments: '{}' }];
    expect(answerOf({ text: '', refusal: 'No.', toolCalls, finishReason: 'tool_calls' })).toMatchObject({
      status: 'completed',
      output: [
        { type: 'message', content: [{ type: 'refusal', refusal: 'No.' }] },
        { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{}' },
      ],
    });
    expect(answerOf({ finishReason: 'length' })).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
    });
  });

  it('carry signed thoughts to the next turn', () => {
    const content = [
      { type: 'thinking', thinking: 'Hm.', signature: 's' },
      { type: 'redacted_thinking', data: 'd' },
      { type: 'text', text: 'Hi' },
    ];
    const body = Buffer.from(JSON.stringify({ content, stop_reason: 'end_turn', usage: {} }));
    const { output } = answerOf(decodeAnthropicAnswer('p', body, false)) as { output: Json[] };
    expect(output[0]).toMatchObject({ type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }] });
    const next = parse({ ...plain, input: [...output, { role: 'user', content: 'So?' }] });
    const sent = JSON.parse(encodeAnthropicRequest(next.request, 'c', 'p', false)) as { messages: Json[] };
    expect(sent.messages[0]).toEqual({ role: 'assistant', content });
    expect(String(forwardResponsesRequest(next, 'gpt'))).not.toContain('"reasoning"');
  });

  it('stream in the order of OpenAI’s events, numbered, and tell the end last', () => {
    const reader = new AnthropicStreamReader('p', false);
    const { early, all } = write(readAll(reader, wire('anthropic-thinking.sse')));
    expect(all.map((event) => event['sequence_number'])).toEqual(all.map((_event, at) => at));
    const types = [...new Set(all.map((event) => event['type']))];
    expect(types).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.reasoning_summary_part.added',
      'response.reasoning_summary_text.delta',
      'response.reasoning_summary_text.done',
      'response.reasoning_summary_part.done',
      'response.output_item.done',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.completed',
    ]);
    expect(early.at(-1)).toMatchObject({ type: 'response.output_text.delta', output_index: 1 });
    expect(all.at(-1)).toMatchObject({
      response: {
        status: 'completed',
        output: [
          { type: 'reasoning', encrypted_content: expect.any(String) },
          { type: 'message', content: [{ text: expect.stringContaining('(r)y') }] },
        ],
      },
    });
  });

  it('stream several tool calls, a refusal and text after it as items of their own', () => {
    const { all } = write([
      { ...EMPTY_PART, refusal: 'No' },
      { ...EMPTY_PART, refusal: '.' },
      { ...EMPTY_PART, text: 'Well' },
      callPart(0, 'c1', '{}'),
      callPart(1, 'c2', '{"a"'),
      callPart(1, null, ':1}'),
      { ...EMPTY_PART, finishReason: 'length' },
    ]);
    expect(all.at(-1)).toMatchObject({
      type: 'response.incomplete',
      response: {
        output: [
          { type: 'message', content: [{ type: 'refusal', refusal: 'No.' }] },
          { type: 'message', content: [{ type: 'output_text', text: 'Well' }] },
          { type: 'function_call', call_id: 'c1', arguments: '{}' },
          { type: 'function_call', call_id: 'c2', arguments: '{"a":1}' },
        ],
      },
    });
  });

  it.each(['openai-responses-text.sse', 'openai-responses-tool-call.sse'])(
    'forward %s as it came, its end held back',
    (name) => {
      const reader = new ResponsesStreamReader('p');
      expectForwarded(name, { reader, stream: openStream(), endType: 'response.completed' });
    },
  );

  it('tell an error in the middle as an event', () => {
    const stream = openStream();
    const [event] = eventsOf(stream.error(new TallyrankError('upstream_cut', 'Cut.'), 'r'));
    const said = { code: 'upstream_cut', message: 'Cut.', param: null };
    expect(event).toEqual({
      type: 'error',
      sequence_number: 0,
      ...said,
      error: { type: 'api_error', ...said },
    });
  });
});
