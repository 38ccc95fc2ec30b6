import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TallyrankError } from '../../../core/errors.ts';
import { AnswerCollector } from '../../answer-collector.ts';
import type { AnswerPart, ChatAnswer } from '../../chat.ts';
import { EMPTY_PART } from '../../chat.ts';
import { AnthropicStreamReader, decodeAnthropicAnswer } from '../anthropic/provider-answer.ts';
import { encodeAnthropicRequest } from '../anthropic/provider-request.ts';
import type { ClientRequest } from '../inbound.ts';
import { decodeOpenAiAnswer } from './chat-provider.ts';
import { encodeNeutralRequest } from './chat-provider-request.ts';
import { OPENAI_RESPONSES } from './responses-client.ts';
import { decodeResponse, forwardResponsesRequest, ResponsesStreamReader } from './responses-provider.ts';

type Json = Record<string, unknown>;

const head = { id: 'resp_1', createdAtSeconds: 1, model: 'm' };
const outcome = { latencyMs: 20, firstTokenMs: 10 };
const OPENAI = { isOpenAi: true, takesCacheHints: false };
const plain = { model: 'auto', input: 'Hello' };

function wire(name: string): Buffer {
  return readFileSync(new URL(`../../../../tests/fixtures/wire/${name}`, import.meta.url));
}

function parse(body: unknown): ClientRequest {
  return OPENAI_RESPONSES.parse(Buffer.from(JSON.stringify(body)), {});
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

function write(parts: readonly AnswerPart[]): { early: Json[]; all: Json[]; frames: string } {
  const stream = OPENAI_RESPONSES.openStream(parse(plain), head);
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

const rich = {
  model: 'auto',
  instructions: 'Be short.',
  input: [
    { role: 'developer', content: 'In French.' },
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'What is this?' },
        { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'low' },
        { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBE' },
      ],
    },
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Hm.' }] },
    { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I look.' }] },
    { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{"at":1}' },
    { type: 'function_call', call_id: 'c2', name: 'look', arguments: '{"at":2}' },
    { type: 'function_call_output', call_id: 'c1', output: 'a cat' },
    { type: 'function_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'a dog' }] },
  ],
  tools: [{ type: 'function', name: 'look', parameters: { type: 'object' }, strict: true }],
  tool_choice: { type: 'function', name: 'look' },
  parallel_tool_calls: false,
  max_output_tokens: 50,
  temperature: 0.5,
  reasoning: { effort: 'low' },
  text: { format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: true } },
  metadata: { session_id: 's' },
};

describe('requests of Responses clients', () => {
  it('become chat completions', () => {
    const { request, ownFeatures } = parse(rich);
    expect(ownFeatures).toEqual([]);
    expect(request.metadata).toEqual({ session_id: 's' });
    const look = (id: string, at: number): Json => ({
      id,
      type: 'function',
      function: { name: 'look', arguments: `{"at":${at}}` },
    });
    expect(JSON.parse(encodeNeutralRequest(request, 'gpt-4o', 'p', false, OPENAI))).toEqual({
      model: 'gpt-4o',
      max_completion_tokens: 50,
      temperature: 0.5,
      parallel_tool_calls: false,
      tool_choice: { type: 'function', function: { name: 'look' } },
      tools: [{ type: 'function', function: { name: 'look', parameters: { type: 'object' }, strict: true } }],
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'n', schema: { type: 'object' }, strict: true },
      },
      messages: [
        { role: 'system', content: 'Be short.' },
        { role: 'developer', content: 'In French.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
            { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
          ],
        },
        { role: 'assistant', content: 'I look.', tool_calls: [look('c1', 1), look('c2', 2)] },
        { role: 'tool', tool_call_id: 'c1', content: 'a cat' },
        { role: 'tool', tool_call_id: 'c2', content: 'a dog' },
      ],
    });
  });

  it('become Anthropic messages', () => {
    const body = JSON.parse(encodeAnthropicRequest(parse(rich).request, 'c', 'p', false)) as Json;
    expect(body).toMatchObject({
      system: expect.stringMatching(/^Be short\.\n\nIn French\.\n\nAnswer with one JSON document/),
      max_tokens: 50,
      tool_choice: { type: 'tool', name: 'look', disable_parallel_tool_use: true },
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
            { type: 'document', title: 'a.pdf', source: { media_type: 'application/pdf', data: 'JVBE' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'I look.' },
            { type: 'tool_use', id: 'c1', input: { at: 1 } },
            { type: 'tool_use', id: 'c2', input: { at: 2 } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'c1', content: 'a cat' },
            { type: 'tool_result', tool_use_id: 'c2', content: 'a dog' },
          ],
        },
      ],
    });
  });

  it('allow some of the tools where a protocol cannot say so', () => {
    const tool = (name: string): Json => ({ type: 'function', name, parameters: { type: 'object' } });
    const choice = { type: 'allowed_tools', mode: 'required', tools: [tool('b')] };
    const { request } = parse({ ...plain, tools: [tool('a'), tool('b')], tool_choice: choice });
    expect(JSON.parse(encodeAnthropicRequest(request, 'c', 'p', false))).toMatchObject({
      tools: [{ name: 'b' }],
      tool_choice: { type: 'any' },
    });
    expect(JSON.parse(encodeNeutralRequest(request, 'm', 'p', false, OPENAI))).toMatchObject({
      tools: [{}, {}],
      tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'required' } },
    });
  });

  it('call instructions of developers by the older word where servers follow OpenAI', () => {
    const { request } = parse(rich);
    const other = { isOpenAi: false, takesCacheHints: false };
    const { messages } = JSON.parse(encodeNeutralRequest(request, 'm', 'p', false, other)) as {
      messages: Json[];
    };
    expect(messages.map((message) => message['role']).slice(0, 2)).toEqual(['system', 'system']);
  });

  it('name what only OpenAI can do', () => {
    const input = [
      { type: 'item_reference', id: 'x' },
      { role: 'user', content: [{ type: 'input_image', file_id: 'f' }] },
    ];
    const tools = [{ type: 'web_search' }];
    expect(parse({ ...plain, input, tools, store: true, previous_response_id: 'r' }).ownFeatures).toEqual([
      'previous_response_id',
      'store',
      'input item of type item_reference',
      'part of type input_image by file_id',
      'tool of type web_search',
    ]);
    expect(parse({ ...plain, store: false, previous_response_id: null }).ownFeatures).toEqual([]);
  });

  it('go on unchanged to OpenAI, but for the model and for thoughts that it did not have', () => {
    const same = parse(plain);
    expect(forwardResponsesRequest(same, 'auto')).toBe(same.bytes);
    const ours = { type: 'reasoning', id: 'rs_tallyrank_1', summary: [] };
    const theirs = { type: 'reasoning', id: 'rs_1', summary: [] };
    const body = forwardResponsesRequest(parse({ ...plain, input: [ours, theirs], new: 1 }), 'gpt');
    expect(JSON.parse(String(body))).toEqual({ model: 'gpt', input: [theirs], new: 1 });
  });

  it.each<[Json, string, RegExp]>([
    [{ input: 'x' }, 'model', /model is missing/],
    [{ model: 'm' }, 'input', /text or a list/],
    [{ model: 'm', input: [] }, 'input', /text or a list/],
    [{ model: 'm', input: [{ content: 'x' }] }, 'input[0].role', /role must be/],
    [{ model: 'm', input: [{ role: 'user', content: 7 }] }, 'input[0].content', /list of parts/],
    [{ ...plain, tools: {} }, 'tools', /list of objects/],
    [{ ...plain, background: true }, 'background', /not served here/],
    [{ ...plain, store: 'yes' }, 'store', /true or false/],
  ])('refuse %j and say what to change', (body, param, sentence) => {
    expect(() => parse(body)).toThrow(expect.objectContaining({ code: 'bad_request', param }));
    expect(() => parse(body)).toThrow(sentence);
  });

  it('that cannot be repeated are refused', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const body = `{"model":"m","input":"x","metadata":{"a":${deep}}}`;
    expect(() => OPENAI_RESPONSES.parse(Buffer.from(body), {})).toThrow(/nested too deeply/);
  });

  it('answer any JSON with a request or a sentence of ours', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        for (const body of [
          json,
          `{"model":"m","input":[{"type":"function_call_output","output":${json}},{"type":"reasoning","summary":${json}}]}`,
          `{"model":"m","input":${json},"text":{"format":${json}},"tools":${json}}`,
        ]) {
          try {
            const { request } = OPENAI_RESPONSES.parse(Buffer.from(body), {});
            encodeNeutralRequest(request, 'm', 'p', false, OPENAI);
          } catch (error) {
            expect(error).toBeInstanceOf(TallyrankError);
          }
        }
      }),
    );
  });
});

describe('answers for Responses clients', () => {
  const answerOf = (given: Partial<ChatAnswer>): Json => {
    const answer = { ...decodeOpenAiAnswer('p', wire('openai-text.json'), false), ...given };
    return JSON.parse(OPENAI_RESPONSES.encodeAnswer(parse(rich), head, answer, 1, 20)) as Json;
  };

  it('are response objects that repeat what was asked', () => {
    expect(answerOf({})).toMatchObject({
      id: 'resp_1',
      object: 'response',
      status: 'completed',
      model: 'm',
      instructions: 'Be short.',
      store: false,
      text: rich.text,
      tools: rich.tools,
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
    const { early, all } = write([...reader.push(wire('anthropic-thinking.sse')), ...reader.end()]);
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
    const call = (index: number, id: string | null, text: string): AnswerPart => ({
      ...EMPTY_PART,
      toolCalls: [{ index, id, name: id === null ? null : 'f', arguments: text }],
    });
    const { all } = write([
      { ...EMPTY_PART, refusal: 'No' },
      { ...EMPTY_PART, refusal: '.' },
      { ...EMPTY_PART, text: 'Well' },
      call(0, 'c1', '{}'),
      call(1, 'c2', '{"a"'),
      call(1, null, ':1}'),
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
      const { early, frames } = write([...reader.push(wire(name)), ...reader.end()]);
      const dataOf = (frame: string): unknown => JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? 'null');
      const sent = wire(name).toString().trim().split(/\n\n+/);
      expect(frames.trim().split('\n\n').map(dataOf)).toEqual(sent.map(dataOf));
      expect(early.map((event) => event['type'])).not.toContain('response.completed');
    },
  );

  it('tell an error in the middle as an event', () => {
    const stream = OPENAI_RESPONSES.openStream(parse(plain), head);
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

describe('answers of OpenAI’s Responses', () => {
  const collect = (name: string): ChatAnswer => {
    const reader = new ResponsesStreamReader('p');
    const collector = new AnswerCollector();
    const bytes = wire(name);
    for (let at = 0; at < bytes.length; at += 13) {
      for (const part of reader.push(bytes.subarray(at, at + 13))) collector.collect(part);
    }
    for (const part of reader.end()) collector.collect(part);
    return collector.answer();
  };

  it('are read for the record, whole and streamed', () => {
    expect(decodeResponse('p', wire('openai-responses-reasoning.json'))).toMatchObject({
      finishReason: 'stop',
      modelReported: 'gpt-5.2-2025-12-11',
      usage: { isEstimated: false, promptTokens: expect.any(Number), reasoningTokens: expect.any(Number) },
    });
    expect(collect('openai-responses-tool-call.sse')).toMatchObject({
      finishReason: 'tool_calls',
      toolCalls: [{ name: 'get_capital', arguments: expect.stringContaining('country') }],
      modelReported: 'gpt-4o-2024-08-06',
    });
    const { text, finishReason } = collect('openai-responses-text.sse');
    expect(text).not.toBe('');
    expect(finishReason).toBe('stop');
  });

  it('that wait for the client are no empty answers', () => {
    const output = [{ type: 'mcp_approval_request', id: 'm1', name: 'run', arguments: '{}' }];
    const answer = decodeResponse('p', Buffer.from(JSON.stringify({ output, status: 'completed' })));
    expect(answer.toolCalls).toEqual([{ id: 'm1', name: 'run', arguments: '{}' }]);
  });

  it('that failed or stopped in the middle are errors', () => {
    const failed = { type: 'response.failed', response: { error: { code: 'server_error', message: 'x' } } };
    expect(() =>
      new ResponsesStreamReader('p').push(Buffer.from(`data: ${JSON.stringify(failed)}\n\n`)),
    ).toThrow(expect.objectContaining({ code: 'upstream_failed' }));
    const limited = { error: { code: 'rate_limit_exceeded', message: 'x' } };
    expect(() => decodeResponse('p', Buffer.from(JSON.stringify(limited)))).toThrow(TallyrankError);
    const reader = new ResponsesStreamReader('p');
    reader.push(wire('openai-responses-text.sse').subarray(0, 2_000));
    expect(() => reader.end()).toThrow(expect.objectContaining({ code: 'upstream_cut' }));
    expect(() => decodeResponse('p', Buffer.from('<html>'))).toThrow(/not a JSON object/);
  });
});
