import { describe, expect, it } from 'vitest';
import { factsOfName, isCompletionModel, isEmbeddingModel } from './model-facts.ts';

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

  it.each([
    ['gpt-4o', null, true],
    ['claude-sonnet-4-5', null, true],
    ['claude-3-haiku-20240307', null, null],
    ['google/gemini-2.5-flash', true, null],
    ['gpt-4o-audio-preview', true, null],
    ['voxtral-small-latest', true, null],
    ['my-finetune', null, null],
  ])('knows of %s whether it hears and reads files', (name, hasAudio, hasFiles) => {
    expect(factsOfName(name)).toMatchObject({ hasAudio, hasFiles, isChat: null });
  });
});

describe('isCompletionModel', () => {
  it.each([
    ['gpt-3.5-turbo-instruct-0914', true],
    ['openai/davinci-002', true],
    ['gpt-3.5-turbo', false],
    ['llama-3.3-70b-instruct', false],
  ])('%s: %s', (name, isOne) => {
    expect(isCompletionModel(name)).toBe(isOne);
    expect(factsOfName(name).isChat).toBe(isOne ? false : null);
    // It does not chat, and makes no vectors either.
    expect(isEmbeddingModel({ name, isChat: !isOne })).toBe(false);
  });
});
