import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../../tests/kit/protocol-streams.ts';
import { TallyrankError } from '../../../core/errors.ts';
import type { ClientRequest } from '../inbound.ts';
import { encodeOllamaRequest } from '../ollama/provider.ts';
import { encodeNeutralRequest } from '../openai/chat-provider-request.ts';
import { ANTHROPIC_MESSAGES } from './client.ts';
import { encodeAnthropicRequest, forwardMessagesRequest } from './provider-request.ts';

const OPENAI = { isOpenAi: true, takesCacheHints: false };

function parse(body: unknown, headers: Record<string, string> = {}): ClientRequest {
  return ANTHROPIC_MESSAGES.parse(Buffer.from(JSON.stringify(body)), headers);
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
