import { describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../chat.ts';
import { adaptRequest } from './adapt-request.ts';
import { encodeNeutralRequest } from './chat-provider-request.ts';
import { encodeEffort } from './effort.ts';

const OPENAI = { isOpenAi: true, takesCacheHints: false };
const OTHER = { isOpenAi: false, takesCacheHints: false };

function requestFor(model: string, fields: Partial<ChatRequest>): ChatRequest {
  return { model, messages: [{ role: 'user', content: 'Hi' }], ...fields };
}

describe('encodeEffort', () => {
  it.each([
    ['o3', 'none', 'low'],
    ['o4-mini', 'xhigh', 'high'],
    ['o1-mini', 'low', null],
    ['gpt-5', 'none', 'minimal'],
    ['gpt-5-mini-2025-08-07', 'minimal', 'minimal'],
    ['gpt-5.1', 'minimal', 'none'],
    ['gpt-5.2', 'max', 'xhigh'],
    ['gpt-5.2-pro', 'low', 'medium'],
    ['gpt-5-pro', 'low', 'high'],
    ['gpt-5.1-codex', 'none', 'low'],
    ['gpt-5.2-chat-latest', 'medium', null],
    ['openai/gpt-oss-120b', 'max', 'high'],
    ['gemini-2.5-flash', 'none', 'none'],
    ['gemini-3-pro-preview', 'none', 'low'],
    ['gpt-4o', 'high', null],
    ['mistral-small', 'high', null],
    ['o3', 'very much', null],
  ])('gives %s, asked for %s, %s', (model, effort, sent) => {
    expect(encodeEffort(requestFor('x', { reasoning_effort: effort }), model, OPENAI)).toBe(sent);
  });

  it.each([
    [{ type: 'enabled', budget_tokens: 2_048 }, 'low'],
    [{ type: 'enabled', budget_tokens: 8_192 }, 'medium'],
    [{ type: 'enabled', budget_tokens: 30_000 }, 'high'],
    [{ type: 'disabled' }, 'none'],
    [{ type: 'adaptive' }, null],
  ])('says %j in a word', (thinking, sent) => {
    expect(encodeEffort(requestFor('x', { thinking }), 'gpt-5.1', OTHER)).toBe(sent);
  });

  it('leaves the words to OpenRouter for models that it says think', () => {
    const request = requestFor('x', { reasoning_effort: 'minimal' });
    expect(encodeEffort(request, 'qwen/qwen3', { ...OTHER, takesEfforts: true })).toBe('minimal');
    expect(encodeEffort(request, 'qwen/qwen3', OTHER)).toBeNull();
  });

  it('is in the body of a request that came in another protocol', () => {
    const request = requestFor('x', { reasoning_effort: 'none' });
    expect(JSON.parse(encodeNeutralRequest(request, 'gpt-5.1', 'p', false, OPENAI))).toMatchObject({
      reasoning_effort: 'none',
    });
  });
});

describe('an effort beside auto', () => {
  it('becomes one that the model takes, or is left out', () => {
    const asked = requestFor('auto', { reasoning_effort: 'minimal' });
    expect(adaptRequest(asked, 'o3', OPENAI)).toMatchObject({ reasoning_effort: 'low' });
    for (const dialect of [OPENAI, OTHER]) {
      expect(JSON.stringify(adaptRequest(asked, 'gpt-4o', dialect))).not.toContain('reasoning_effort');
    }
    expect(adaptRequest(asked, 'gpt-5', OPENAI)).toBe(asked);
  });

  it('is the caller’s own affair where the caller named the model', () => {
    const named = requestFor('gpt-4o', { reasoning_effort: 'minimal' });
    expect(adaptRequest(named, 'gpt-4o', OPENAI)).toBe(named);
  });
});
