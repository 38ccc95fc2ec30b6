import { describe, expect, it } from 'vitest';
import { collect, readAll, wire } from '../../../tests/kit/protocol-streams.ts';
import type { ChatAnswer, ChatRequest } from '../chat.ts';
import { AnthropicStreamReader, decodeAnthropicAnswer } from './anthropic/provider-answer.ts';
import { encodeAnthropicRequest } from './anthropic/provider-request.ts';
import { decodeOllamaAnswer, encodeOllamaRequest, OllamaStreamReader } from './ollama/provider.ts';
import { decodeOpenAiAnswer, encodeOpenAiRequest, OpenAiStreamReader } from './openai/chat-provider.ts';

const weatherTool = {
  type: 'function',
  function: { name: 'get_weather', description: 'Weather of a place', parameters: { type: 'object' } },
};

/** A conversation with everything that must be carried across: instructions, an image, a tool and its result. */
const rich: ChatRequest = {
  model: 'auto',
  messages: [
    { role: 'system', content: 'Be short.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this, and how is the weather there?' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
      ],
    },
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"place":"Rome"}' } },
        { id: 'call_2', type: 'function', function: { name: 'get_weather', arguments: '{"place":"Oslo"}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'sunny' },
    { role: 'tool', tool_call_id: 'call_2', content: 'snow' },
  ],
  tools: [weatherTool],
  tool_choice: 'required',
  parallel_tool_calls: false,
  temperature: 1.4,
  max_completion_tokens: 50,
  stop: 'END',
  user: 'u1',
};

describe('OpenAI protocol', () => {
  it('reads a whole answer and keeps its bytes', () => {
    const bytes = wire('openai-text.json');
    expect(decodeOpenAiAnswer('openai', bytes, true)).toMatchObject({
      text: 'The capital of France is Paris.',
      finishReason: 'stop',
      usage: { promptTokens: 23, completionTokens: 7, cachedTokens: 0, reasoningTokens: 0 },
      modelReported: 'gpt-4o-mini-2024-07-18',
      wire: bytes,
    });
  });

  it('reads tool calls, whole and streamed', () => {
    const whole = decodeOpenAiAnswer('openai', wire('openai-tool-call.json'), true);
    expect(whole.toolCalls).toMatchObject([{ name: 'add_numbers', arguments: '{"a":5,"b":7}' }]);
    const streamed = collect(new OpenAiStreamReader('openai', true), 'openai-tool-call.sse');
    expect(streamed).toMatchObject({
      finishReason: 'tool_calls',
      toolCalls: [{ name: 'get_current_weather', arguments: '{"location":"San Francisco"}' }],
    });
    const atOnce = collect(new OpenAiStreamReader('groq', true), 'groq-tool-call.sse');
    expect(atOnce.toolCalls).toMatchObject([{ name: 'weather', arguments: '{}' }]);
  });

  it('gives the same parts however the bytes are cut', () => {
    const whole = readAll(new OpenAiStreamReader('openai', true), wire('openai-text.sse'));
    for (const size of [1, 7, 64]) {
      expect(readAll(new OpenAiStreamReader('openai', true), wire('openai-text.sse'), size)).toEqual(whole);
    }
    expect(whole.map((part) => part.text).join('')).toBe('The capital of the UK is London.');
  });

  it('forwards chunks as they are, but for the usage chunk', () => {
    const parts = readAll(new OpenAiStreamReader('openrouter', true), wire('openrouter-text.sse'));
    const sent = wire('openrouter-text.sse')
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('data: {'))
      .map((line) => line.slice('data: '.length));
    expect(parts.map((part) => part.wire)).toEqual([`data: ${sent[0]}\n\n`, `data: ${sent[1]}\n\n`, null]);
    expect(parts[2]?.usageWire).toMatchObject({ cost: 0.000837, prompt_tokens: 254 });
  });

  it('takes the usage off a chunk that also holds a choice', () => {
    const parts = readAll(new OpenAiStreamReader('groq', true), wire('groq-tool-call.sse'));
    const last = parts.at(-1);
    expect(last?.usage).toMatchObject({ promptTokens: 210, completionTokens: 15 });
    expect(JSON.parse(last?.wire?.slice('data: '.length) ?? '')).toMatchObject({
      usage: null,
      choices: [{ finish_reason: 'tool_calls' }],
    });
  });

  it('reports the model that answered where a router stands in between', () => {
    const answer = collect(new OpenAiStreamReader('azure', true), 'azure-model-router.sse');
    expect(answer).toMatchObject({ modelReported: 'gpt-5-nano-2025-08-07', finishReason: 'stop' });
  });

  it('tells a stream that stops in the middle from one without [DONE]', () => {
    const reader = new OpenAiStreamReader('openai', true);
    reader.push(Buffer.from('data: {"choices":[{"index":0,"delta":{"content":"Hal"}}]}\n\n'));
    expect(() => reader.end()).toThrow(expect.objectContaining({ code: 'upstream_cut' }));
    const other = new OpenAiStreamReader('openai', true);
    other.push(Buffer.from('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'));
    expect(other.end()).toEqual([]);
  });

  it('refuses what is not its protocol', () => {
    const malformed = expect.objectContaining({ code: 'upstream_malformed' });
    expect(() => decodeOpenAiAnswer('x', Buffer.from('<html>'), true)).toThrow(malformed);
    expect(() => decodeOpenAiAnswer('x', Buffer.from('{"choices":[]}'), true)).toThrow(malformed);
    expect(() => new OpenAiStreamReader('x', true).push(Buffer.from('data: nonsense\n\n'))).toThrow(
      malformed,
    );
    expect(() => decodeOpenAiAnswer('x', Buffer.from('{"error":{"code":502}}'), true)).toThrow(
      expect.objectContaining({ code: 'upstream_failed' }),
    );
  });

  it('reads the times that some servers tell', () => {
    const groq = collect(new OpenAiStreamReader('groq', true), 'groq-tool-call.sse').timings;
    expect(groq.loadMs).toBeNull();
    expect(groq.queueMs).toBeCloseTo(41.520249, 6);
    expect(groq.generationMs).toBeCloseTo(46.601227, 6);
    const answer = { choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] };
    const read = (more: object): unknown =>
      decodeOpenAiAnswer('x', Buffer.from(JSON.stringify({ ...answer, ...more })), true).timings;
    const llamaCpp = { timings: { prompt_ms: 30, predicted_ms: 250, predicted_n: 10 } };
    expect(read(llamaCpp)).toEqual({ loadMs: null, queueMs: null, generationMs: 250 });
    const cerebras = { time_info: { queue_time: 0.25, completion_time: 0.5, total_time: 1 } };
    expect(read(cerebras)).toEqual({ loadMs: null, queueMs: 250, generationMs: 500 });
    expect(read({ usage: { completion_tokens: 3 } })).toMatchObject({ queueMs: null, generationMs: null });
  });

  it.each<[string, object, string]>([
    [
      'an error beside the choices',
      { error: { code: 429, message: 'x' }, choices: [] },
      'upstream_rate_limited',
    ],
    ['an error of no number', { error: { type: 'server_error' } }, 'upstream_failed'],
    ['an error of words alone', { error: 'out of memory' }, 'upstream_failed'],
    ['a filter', { error: { code: 'content_filter' } }, 'upstream_filtered'],
    [
      'an error in the choice',
      { choices: [{ error: { code: 502 }, finish_reason: 'error' }] },
      'upstream_failed',
    ],
    ['an end by error', { choices: [{ delta: {}, finish_reason: 'error' }] }, 'upstream_failed'],
    [
      'an end for want of resources',
      { choices: [{ delta: {}, finish_reason: 'insufficient_system_resource' }] },
      'upstream_failed',
    ],
  ])('tells %s in the middle of a stream', (_what, event, code) => {
    const reader = new OpenAiStreamReader('x', true);
    reader.push(Buffer.from('data: {"choices":[{"index":0,"delta":{"content":"Hal"}}]}\n\n'));
    expect(() => reader.push(Buffer.from(`data: ${JSON.stringify(event)}\n\n`))).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it.each([
    ['SAFETY', 'content_filter'],
    ['model_length', 'length'],
    ['max_tokens', 'length'],
    ['eos', 'stop'],
  ])('reads the finish reason %s as %s', (word, reason) => {
    const body = { choices: [{ message: { content: 'Hi' }, finish_reason: word }] };
    expect(decodeOpenAiAnswer('x', Buffer.from(JSON.stringify(body)), true).finishReason).toBe(reason);
  });

  it('asks for usage, names the model and passes unknown fields on', () => {
    const request: ChatRequest = { ...rich, stream: true, logit_bias: { 1: 2 }, metadata: { user_id: 'u' } };
    expect(JSON.parse(encodeOpenAiRequest(request, 'gpt-4o', true))).toEqual({
      ...rich,
      model: 'gpt-4o',
      stream: true,
      logit_bias: { 1: 2 },
      stream_options: { include_usage: true },
    });
  });
});

describe('Anthropic protocol', () => {
  it('reads whole answers and adds cached tokens to the prompt', () => {
    expect(decodeAnthropicAnswer('anthropic', wire('anthropic-tool-call.json'), false)).toMatchObject({
      finishReason: 'tool_calls',
      toolCalls: [{ name: 'get_weather', arguments: '{"location":"San Francisco"}' }],
      usage: { promptTokens: 374, completionTokens: 82 },
    });
    expect(decodeAnthropicAnswer('anthropic', wire('anthropic-cache.json'), false).usage).toMatchObject({
      promptTokens: 4 + 1163,
      cacheWriteTokens: 1163,
      cachedTokens: 0,
      completionTokens: 187,
    });
  });

  it('reads text, thoughts, tool calls and refusals from streams, however they are cut', () => {
    for (const size of [1, 50, 100_000]) {
      const read = (name: string): ChatAnswer =>
        collect(new AnthropicStreamReader('anthropic', false), name, size);
      expect(read('anthropic-text.sse')).toMatchObject({
        text: 'Hello there!',
        finishReason: 'stop',
        usage: { promptTokens: 11, completionTokens: 6 },
        modelReported: 'claude-3-5-haiku-20241022',
      });
      const thinking = read('anthropic-thinking.sse');
      expect(thinking.reasoning).toContain('I need to count');
      expect(thinking.text).toContain('(r)y');
      const called = read('anthropic-tool-call.sse');
      expect(called.text).toContain('Certainly!');
      expect(called.toolCalls).toHaveLength(2);
      for (const call of called.toolCalls) expect(JSON.parse(call.arguments)).toBeTypeOf('object');
      expect(read('anthropic-refusal.sse')).toMatchObject({
        finishReason: 'refusal',
        text: '',
        usage: { promptTokens: 18, completionTokens: 5 },
      });
    }
  });

  it('tells a cut stream and an error event', () => {
    const reader = new AnthropicStreamReader('anthropic', false);
    reader.push(wire('anthropic-text.sse').subarray(0, 900));
    expect(() => reader.end()).toThrow(expect.objectContaining({ code: 'upstream_cut' }));
    const event =
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n';
    expect(() => new AnthropicStreamReader('anthropic', false).push(Buffer.from(event))).toThrow(
      /overloaded_error/,
    );
    const limited = event.replace('overloaded_error', 'rate_limit_error');
    expect(() => new AnthropicStreamReader('anthropic', false).push(Buffer.from(limited))).toThrow(
      expect.objectContaining({ code: 'upstream_rate_limited' }),
    );
  });

  it('carries instructions, images, tools and their results across', () => {
    expect(JSON.parse(encodeAnthropicRequest(rich, 'claude-x', 'anthropic', true))).toEqual({
      model: 'claude-x',
      max_tokens: 50,
      system: 'Be short.',
      stream: true,
      temperature: 1,
      stop_sequences: ['END'],
      metadata: { user_id: 'u1' },
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this, and how is the weather there?' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'tool_use', id: 'call_1', name: 'get_weather', input: { place: 'Rome' } },
            { type: 'tool_use', id: 'call_2', name: 'get_weather', input: { place: 'Oslo' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'call_1', content: 'sunny' },
            { type: 'tool_result', tool_use_id: 'call_2', content: 'snow' },
          ],
        },
      ],
      tools: [{ name: 'get_weather', description: 'Weather of a place', input_schema: { type: 'object' } }],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
    });
  });

  it('puts a demanded JSON form into words', () => {
    const request: ChatRequest = {
      model: 'm',
      messages: [{ role: 'user', content: 'x' }],
      response_format: { type: 'json_schema', json_schema: { schema: { type: 'array' } } },
    };
    const body = JSON.parse(encodeAnthropicRequest(request, 'c', 'anthropic', false)) as { system: string };
    expect(body.system).toContain('{"type":"array"}');
  });
});

describe('Ollama protocol', () => {
  it('reads whole answers with load time, and leaves a missing prompt count unknown', () => {
    const answer = decodeOllamaAnswer('ollama', wire('ollama-text.json'), 'r1');
    expect(answer).toMatchObject({
      finishReason: 'stop',
      usage: { promptTokens: null, completionTokens: 79 },
      timings: { loadMs: 3.494667, generationMs: 2530.305 },
      modelReported: 'llama3',
    });
  });

  it('reads streams however they are cut', () => {
    const whole = collect(new OllamaStreamReader('ollama', 'r1'), 'ollama-text.ndjson');
    expect(whole.text).toMatch(/^Why did the OpenTe.* face\?*!\)$/s);
    expect(whole).toMatchObject({
      usage: { promptTokens: 17, completionTokens: 50 },
      timings: { loadMs: 1.631208, generationMs: 1577.99 },
    });
    expect(whole.timings.queueMs).toBeCloseTo(4.204417, 6);
    expect(collect(new OllamaStreamReader('ollama', 'r1'), 'ollama-text.ndjson', 13)).toEqual(whole);
  });

  it('gives ids to tool calls, which Ollama leaves out', () => {
    const line = { message: { tool_calls: [{ function: { name: 'f', arguments: { a: 1 } } }] }, done: false };
    const reader = new OllamaStreamReader('ollama', 'r1');
    const [part] = reader.push(Buffer.from(`${JSON.stringify(line)}\n{"done":true,"done_reason":"stop"}\n`));
    expect(part?.toolCalls).toEqual([{ index: 0, id: 'call_r1_0', name: 'f', arguments: '{"a":1}' }]);
    expect(reader.end()).toEqual([]);
  });

  it('tells a cut stream and an error line', () => {
    const reader = new OllamaStreamReader('ollama', 'r1');
    reader.push(Buffer.from('{"message":{"content":"Why"},"done":false}\n'));
    expect(() => reader.end()).toThrow(expect.objectContaining({ code: 'upstream_cut' }));
    expect(() => new OllamaStreamReader('ollama', 'r').push(Buffer.from('{"error":"no memory"}\n'))).toThrow(
      expect.objectContaining({ code: 'upstream_failed' }),
    );
  });

  it('carries instructions, images, tools and their results across', () => {
    expect(JSON.parse(encodeOllamaRequest(rich, 'llava', 'ollama', false))).toEqual({
      model: 'llava',
      stream: false,
      options: { temperature: 1.4, num_predict: 50, stop: ['END'] },
      tools: [weatherTool],
      messages: [
        { role: 'system', content: 'Be short.' },
        { role: 'user', content: 'What is this, and how is the weather there?', images: ['iVBORw0KGgo='] },
        {
          role: 'assistant',
          content: '',
          tool_calls: [
            { function: { name: 'get_weather', arguments: { place: 'Rome' } } },
            { function: { name: 'get_weather', arguments: { place: 'Oslo' } } },
          ],
        },
        { role: 'tool', content: 'sunny', tool_name: 'get_weather' },
        { role: 'tool', content: 'snow', tool_name: 'get_weather' },
      ],
    });
  });

  it('passes a format of its own on', () => {
    const format = { type: 'object' };
    const body = encodeOllamaRequest({ ...rich, format }, 'm', 'ollama', false);
    expect(JSON.parse(body)).toMatchObject({ format });
  });

  it('refuses images by address and several answers at once', () => {
    const image = { type: 'image_url', image_url: { url: 'https://example.org/a.png' } };
    const request: ChatRequest = { model: 'm', messages: [{ role: 'user', content: [image] }] };
    expect(() => encodeOllamaRequest(request, 'm', 'ollama', false)).toThrow(/data URLs/);
    expect(() => encodeOllamaRequest({ ...rich, n: 2 }, 'm', 'ollama', false)).toThrow(/leave n out/);
  });
});
