import { describe, expect, it } from 'vitest';
import { readAll, wire } from '../../../../tests/kit/protocol-streams.ts';
import { AnthropicStreamReader, decodeAnthropicAnswer } from '../anthropic/provider-answer.ts';
import { encodeChunk, encodeCompletion } from './chat-client-answer.ts';

describe('answers for OpenAI clients', () => {
  const head = { id: 'chatcmpl-1', createdAtSeconds: 1, model: 'm' };

  it('writes a whole answer of another protocol', () => {
    const answer = decodeAnthropicAnswer('anthropic', wire('anthropic-tool-call.json'), false);
    expect(JSON.parse(encodeCompletion(head, answer, 0.5))).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            role: 'assistant',
            tool_calls: [{ type: 'function', function: { name: 'get_weather' } }],
          },
        },
      ],
      usage: { prompt_tokens: 374, completion_tokens: 82, total_tokens: 456, cost: 0.5 },
    });
  });

  it('writes the role once, and nothing for parts without content', () => {
    const parts = readAll(new AnthropicStreamReader('anthropic', false), wire('anthropic-text.sse'));
    const chunks = parts.map((part) => encodeChunk(head, part, part.text === 'Hello'));
    expect(chunks[0]).toBeNull();
    const deltas = chunks.flatMap((chunk) => (chunk === null ? [] : [JSON.parse(chunk).choices[0]]));
    expect(deltas).toMatchObject([
      { delta: { role: 'assistant', content: 'Hello' }, finish_reason: null },
      { delta: { content: ' there' }, finish_reason: null },
      { delta: { content: '!' }, finish_reason: null },
      { delta: {}, finish_reason: 'stop' },
    ]);
  });
});
