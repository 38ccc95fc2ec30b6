import { describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../chat.ts';
import { adaptRequest } from './adapt-request.ts';
import { encodeOpenAiRequest } from './chat-provider.ts';

const OPENAI = { isOpenAi: true, takesCacheHints: false };
const OTHER = { isOpenAi: false, takesCacheHints: false };
const MISTRAL = { ...OTHER, isMistral: true };

function requestTo(model: string, fields: Partial<ChatRequest> = {}): ChatRequest {
  return { model, messages: [{ role: 'user', content: 'Hi' }], ...fields };
}

describe('adaptRequest', () => {
  it('takes a client that names its model at its word', () => {
    const request = requestTo('o3', { max_tokens: 5, temperature: 0.1 });
    expect(adaptRequest(request, 'o3', OPENAI)).toBe(request);
  });

  it('gives a thinker that auto chose the newer limit and no temperature', () => {
    const adapted = adaptRequest(
      requestTo('auto', { max_tokens: 5, temperature: 0.1, top_p: 1 }),
      'o3',
      OPENAI,
    );
    expect(adapted).toMatchObject({ max_completion_tokens: 5 });
    for (const field of ['max_tokens', 'temperature', 'top_p']) expect(adapted).not.toHaveProperty(field);
    const plain = requestTo('auto', { max_tokens: 5, temperature: 0.1 });
    expect(adaptRequest(plain, 'gpt-4o', OPENAI)).toEqual(plain);
  });

  it('gives other servers that auto chose the older limit', () => {
    const adapted = adaptRequest(requestTo('auto:cheap', { max_completion_tokens: 7 }), 'm1', OTHER);
    expect(adapted).toMatchObject({ max_tokens: 7 });
    expect(adapted).not.toHaveProperty('max_completion_tokens');
    expect(adaptRequest(requestTo('auto'), 'm1', OTHER)).not.toHaveProperty('max_tokens');
  });

  it('sends Mistral nothing that it refuses', () => {
    const request = requestTo('mistral-small', {
      user: 'u',
      seed: 4,
      max_completion_tokens: 9,
      stream_options: { include_usage: true },
      messages: [
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'call_abc', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'call_abc', content: '1' },
        { role: 'tool', tool_call_id: 'D681PevKs', content: '2' },
      ],
    });
    const sent = JSON.parse(encodeOpenAiRequest(request, 'mistral-small', true, MISTRAL)) as ChatRequest;
    expect(sent).toMatchObject({ random_seed: 4, max_tokens: 9, stream: true });
    for (const field of ['user', 'seed', 'stream_options', 'max_completion_tokens']) {
      expect(sent).not.toHaveProperty(field);
    }
    const [call, result, own] = sent.messages;
    const id = (call?.tool_calls as { id: string }[] | undefined)?.[0]?.id;
    expect(id).toMatch(/^[a-zA-Z0-9]{9}$/);
    expect(result?.tool_call_id).toBe(id);
    expect(own?.tool_call_id).toBe('D681PevKs');
  });
});
