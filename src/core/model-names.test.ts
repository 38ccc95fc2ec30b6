import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalModelName } from './model-names.ts';

describe('canonicalModelName', () => {
  it.each([
    ['gpt-4o', 'openai:gpt-4o'],
    ['o3-mini', 'openai:o3-mini'],
    ['claude-sonnet-4-5', 'anthropic:claude-sonnet-4-5'],
    ['gemini-2.5-flash', 'google:gemini-2.5-flash'],
    ['mistral:7b', 'ollama:mistral:7b'],
    ['llama3.2:latest', 'ollama:llama3.2:latest'],
    ['qwen2.5-coder:1.5b-q4_K_M', 'ollama:qwen2.5-coder:1.5b-q4_K_M'],
    ['ollama:mistral:7b', 'ollama:mistral:7b'],
    ['ollama:mistral', 'ollama:mistral'],
    ['mistral:mistral-large', 'mistral:mistral-large'],
    ['openrouter:meta-llama/llama-3.3-70b', 'openrouter:meta-llama/llama-3.3-70b'],
  ])('reads %s as %s', (name, modelId) => {
    expect(canonicalModelName(name)).toBe(modelId);
  });

  it.each(['mistral', 'phi4', 'my-company:finetune', 'olmo'])(
    'leaves %s, which could be anybody’s',
    (name) => {
      expect(canonicalModelName(name)).toBe(name);
    },
  );

  it('changes nothing more when asked twice', () => {
    const name = fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9-]{1,10}(:[a-z0-9.-]{1,8}){0,2}$/));
    fc.assert(
      fc.property(name, (text) => {
        const once = canonicalModelName(text);
        expect(canonicalModelName(once)).toBe(once);
      }),
    );
  });
});
