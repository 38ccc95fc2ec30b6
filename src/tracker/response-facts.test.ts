import { describe, expect, it } from 'vitest';
import { factsOfResponse, failureOfError, failureOfFacts } from './response-facts.ts';

describe('factsOfResponse', () => {
  it('takes a plain string', () => {
    expect(factsOfResponse('At 6 am.')).toMatchObject({
      response: 'At 6 am.',
      usage: { promptTokens: null },
    });
  });

  it('reads an OpenAI answer, cached and reasoning tokens included once', () => {
    const facts = factsOfResponse({
      id: 'chatcmpl-1',
      model: 'gpt-4o-2024-08-06',
      choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }],
      usage: {
        prompt_tokens: 100,
        completion_tokens: 20,
        prompt_tokens_details: { cached_tokens: 60 },
        completion_tokens_details: { reasoning_tokens: 5 },
      },
    });
    expect(facts).toMatchObject({
      response: 'Hi',
      responseId: 'chatcmpl-1',
      modelReported: 'gpt-4o-2024-08-06',
      finishReason: 'stop',
      usage: { promptTokens: 100, completionTokens: 20, cachedTokens: 60, reasoningTokens: 5 },
    });
  });

  it('adds the tokens that Anthropic counts apart', () => {
    const facts = factsOfResponse({
      id: 'msg_1',
      content: [{ type: 'text', text: 'Hello' }],
      stop_reason: 'max_tokens',
      usage: {
        input_tokens: 10,
        cache_read_input_tokens: 90,
        cache_creation_input_tokens: 5,
        output_tokens: 7,
      },
    });
    expect(facts.usage).toMatchObject({
      promptTokens: 105,
      cachedTokens: 90,
      cacheWriteTokens: 5,
      completionTokens: 7,
    });
    expect(facts.finishReason).toBe('length');
  });

  it('reads an Ollama answer and takes the load time apart', () => {
    const facts = factsOfResponse({
      model: 'mistral:7b',
      message: { content: 'Hi' },
      done: true,
      done_reason: 'stop',
      load_duration: 2_500_000_000,
      prompt_eval_count: 12,
      eval_count: 3,
    });
    expect(facts).toMatchObject({
      response: 'Hi',
      loadMs: 2500,
      usage: { promptTokens: 12, completionTokens: 3 },
    });
  });

  it('reads plain fields and leaves unknown what is not said', () => {
    expect(factsOfResponse({ text: 'x', promptTokens: 4 })).toMatchObject({
      response: 'x',
      usage: { promptTokens: 4, completionTokens: null },
    });
    for (const odd of [null, undefined, 7, [], {}]) expect(factsOfResponse(odd).response).toBeNull();
  });
});

describe('failureOfFacts', () => {
  it.each([
    [{ text: '' }, 'empty_answer'],
    [{ text: '  \n' }, 'empty_answer'],
    [{ text: 'half', finishReason: 'length' }, 'truncated_answer'],
    [{ text: 'no', finishReason: 'content_filter' }, 'refused_answer'],
    [{ text: 'fine' }, undefined],
  ])('judges %j as %s', (response, code) => {
    expect(failureOfFacts(factsOfResponse(response))?.code).toBe(code);
  });
});

describe('failureOfError', () => {
  it.each([
    [Object.assign(new Error('bad'), { status: 400 }), 'caller', 'upstream_rejected'],
    [Object.assign(new Error('slow down'), { status: 429 }), 'provider', 'reported_error'],
    [Object.assign(new Error('left'), { name: 'AbortError' }), 'caller', 'caller_cancelled'],
    ['boom', 'provider', 'reported_error'],
  ])('finds the fault of %s', (error, fault, code) => {
    expect(failureOfError(error)).toMatchObject({ fault, code });
  });

  it('cuts keys from the message', () => {
    expect(failureOfError(new Error('Incorrect API key: sk-abcdef1234567890')).message).not.toContain(
      'abcdef',
    );
  });
});
