import { describe, expect, it } from 'vitest';
import { factsOfName } from './model-facts.ts';

describe('factsOfName', () => {
  it.each([
    ['mistral:7b', 'mistral', 7],
    ['meta-llama/llama-3.3-70b-instruct', 'llama', 70],
    ['mixtral-8x7b', 'mistral', 56],
    ['gemma3:270m', 'gemma', 0.27],
    ['qwen2.5-coder:1.5b-instruct-q4_K_M', 'qwen', 1.5],
    ['gpt-oss:20b', 'gpt-oss', 20],
    ['gpt-4o-mini', 'gpt', null],
    ['claude-3-5-haiku-20241022', 'claude', null],
    ['my-finetune', null, null],
  ])('reads %s', (name, family, parameterBillions) => {
    expect(factsOfName(name)).toMatchObject({ name, family, parameterBillions, isChat: null });
  });

  it.each(['nomic-embed-text:latest', 'text-embedding-3-small', 'whisper-1', 'tts-1', 'bge-m3', 'dall-e-3'])(
    'knows that %s cannot chat',
    (name) => {
      expect(factsOfName(name).isChat).toBe(false);
    },
  );
});
