import { describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { encodeAnthropicRequest } from './provider-request.ts';
import type { ThinkingWays } from './thinking.ts';
import { thinkingWaysOfList } from './thinking.ts';

const BUDGETED = 'claude-sonnet-4-5-20250929';
const look = { type: 'function', function: { name: 'look', parameters: {} } };

function encoded(fields: Fields, model = BUDGETED, ways?: ThinkingWays | null): Fields {
  const request = { model, messages: [{ role: 'user', content: 'Hi' }], ...fields } as ChatRequest;
  return JSON.parse(encodeAnthropicRequest(request, model, 'p', false, ways)) as Fields;
}

describe('an effort for a model of Anthropic’s that takes a budget', () => {
  it.each([
    ['low', 2_048],
    ['medium', 8_192],
    ['high', 16_384],
    ['xhigh', 24_576],
    ['max', 24_576],
  ])('%s: thinks for at most %i tokens, with the answer’s own beside them', (effort, budget) => {
    expect(encoded({ reasoning_effort: effort })).toMatchObject({
      thinking: { type: 'enabled', budget_tokens: budget },
      max_tokens: budget + 4_096,
    });
  });

  it.each(['none', 'minimal', 'constructor', 7, null])('%s: does not think', (effort) => {
    const body = encoded({ reasoning_effort: effort, temperature: 0.2 });
    expect(body).not.toHaveProperty('thinking');
    expect(body).toMatchObject({ max_tokens: 4_096, temperature: 0.2 });
  });

  it('leaves a fifth of the caller’s limit for the answer', () => {
    expect(encoded({ reasoning_effort: 'high', max_tokens: 5_000 })).toMatchObject({
      thinking: { budget_tokens: 4_000 },
      max_tokens: 5_000,
    });
  });

  it('does not think where the limit leaves less than Anthropic takes', () => {
    expect(encoded({ reasoning_effort: 'high', max_tokens: 1_279 })).not.toHaveProperty('thinking');
    expect(encoded({ reasoning_effort: 'high', max_tokens: 1_280 })).toMatchObject({
      thinking: { budget_tokens: 1_024 },
    });
  });

  it('sends no temperature beside it', () => {
    const body = encoded({ reasoning_effort: 'low', temperature: 0.2, top_p: 0.5, top_k: 4 });
    for (const field of ['temperature', 'top_p', 'top_k']) expect(body).not.toHaveProperty(field);
  });

  it.each([
    ['required'],
    [{ type: 'function', function: { name: 'look' } }],
    [{ type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [look] } }],
  ])('lets a demanded tool call win: %j', (choice) => {
    const body = encoded({ reasoning_effort: 'low', temperature: 0.2, tools: [look], tool_choice: choice });
    expect(body).not.toHaveProperty('thinking');
    expect(body).toMatchObject({
      temperature: 0.2,
      tool_choice: { type: expect.stringMatching(/any|tool/) },
    });
    expect(encoded({ reasoning_effort: 'low', tools: [look], tool_choice: 'auto' })).toHaveProperty(
      'thinking',
    );
  });

  it('does not think on from calls that came without signed thoughts', () => {
    const calls = [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{}' } }];
    const turn = (blocks: readonly Fields[] | undefined): Fields => ({
      reasoning_effort: 'low',
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: null, tool_calls: calls, thinking_blocks: blocks },
        { role: 'tool', tool_call_id: 'c1', content: 'a cat' },
      ],
    });
    expect(encoded(turn(undefined))).not.toHaveProperty('thinking');
    expect(encoded(turn([{ type: 'thinking', thinking: 'Hm.', signature: 'unsigned' }]))).not.toHaveProperty(
      'thinking',
    );
    expect(encoded(turn([{ type: 'thinking', thinking: 'Hm.', signature: 's' }]))).toHaveProperty('thinking');
    // Its calls need no thoughts before them.
    expect(encoded(turn(undefined), 'claude-opus-4-6')).toMatchObject({ thinking: { type: 'adaptive' } });
  });

  it('does not think where the answer is begun already', () => {
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hel' },
    ];
    expect(encoded({ reasoning_effort: 'low', messages })).not.toHaveProperty('thinking');
  });
});

describe('an effort for other models of Anthropic’s', () => {
  it.each([
    ['claude-opus-4-6', 'xhigh', 'high'],
    ['claude-opus-4-6', 'max', 'max'],
    ['claude-opus-4-7', 'xhigh', 'xhigh'],
    ['claude-sonnet-5-5', 'low', 'low'],
    ['claude-mythos-preview', 'medium', 'medium'],
    ['anthropic/claude-opus-4.8', 'medium', 'medium'],
  ])('%s gets %s as its own effort %s', (model, effort, own) => {
    const body = encoded({ reasoning_effort: effort, temperature: 0 }, model);
    expect(body).toMatchObject({ thinking: { type: 'adaptive' }, output_config: { effort: own } });
    expect(body).not.toHaveProperty('temperature');
  });

  it.each(['claude-3-5-haiku-20241022', 'claude-3-opus-20240229', 'claude-2.1', 'somebody-else'])(
    '%s, which cannot think or of which nobody knows, is asked for nothing',
    (model) => {
      const body = encoded({ reasoning_effort: 'high', temperature: 0 }, model);
      expect(body).toMatchObject({ temperature: 0, max_tokens: 4_096 });
      for (const field of ['thinking', 'output_config']) expect(body).not.toHaveProperty(field);
    },
  );

  it('is as little as it may be where a model thinks unasked', () => {
    expect(encoded({ reasoning_effort: 'none' }, 'claude-fable-5')).toMatchObject({
      output_config: { effort: 'low' },
    });
    for (const model of ['claude-opus-4-6', 'claude-opus-4-8']) {
      expect(encoded({ reasoning_effort: 'none' }, model)).not.toHaveProperty('output_config');
    }
  });

  it('goes by what the list of models says, where it says something', () => {
    const supported = { supported: true };
    const listed = {
      capabilities: {
        thinking: { types: { adaptive: supported, disabled: supported, enabled: { supported: false } } },
        effort: { ...supported, low: supported, medium: supported, high: supported, xhigh: null },
      },
    };
    const ways = thinkingWaysOfList(listed, 'claude-haiku-5-5');
    expect(encoded({ reasoning_effort: 'none' }, 'claude-haiku-5-5', ways)).toMatchObject({
      thinking: { type: 'disabled' },
    });
    expect(encoded({ reasoning_effort: 'max' }, 'claude-haiku-5-5', ways)).toMatchObject({
      output_config: { effort: 'high' },
    });
    expect(thinkingWaysOfList({ capabilities: null }, 'claude-haiku-5-5')).toBeNull();
  });
});

describe('Anthropic’s own word for thoughts', () => {
  const enabled = { type: 'enabled', budget_tokens: 3_000 };

  it('stays where the model knows it, and where nobody knows', () => {
    expect(encoded({ thinking: enabled, max_tokens: 4_000 })).toMatchObject({ thinking: enabled });
    expect(encoded({ thinking: enabled }, 'somebody-else')).toMatchObject({ thinking: enabled });
  });

  it('becomes the one that the model knows', () => {
    expect(encoded({ thinking: enabled }, 'claude-opus-4-7')).toMatchObject({
      thinking: { type: 'adaptive' },
      output_config: { effort: 'medium' },
    });
    expect(encoded({ thinking: { type: 'adaptive' } })).toMatchObject({
      thinking: { type: 'enabled', budget_tokens: 16_384 },
    });
    expect(encoded({ thinking: { type: 'disabled' } }, 'claude-fable-5')).not.toHaveProperty('thinking');
  });
});
