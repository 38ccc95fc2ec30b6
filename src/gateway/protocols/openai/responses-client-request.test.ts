import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../../tests/kit/protocol-streams.ts';
import { TallyrankError } from '../../../core/errors.ts';
import { encodeAnthropicRequest } from '../anthropic/provider-request.ts';
import type { ClientRequest } from '../inbound.ts';
import { encodeNeutralRequest } from './chat-provider-request.ts';
import { OPENAI_RESPONSES } from './responses-client.ts';
import { forwardResponsesRequest } from './responses-provider.ts';

const OPENAI = { isOpenAi: true, takesCacheHints: false };
const plain = { model: 'auto', input: 'Hello' };

function parse(body: unknown): ClientRequest {
  return OPENAI_RESPONSES.parse(Buffer.from(JSON.stringify(body)), {});
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
