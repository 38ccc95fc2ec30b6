import { describe, expect, it } from 'vitest';
import { factsOfResponse, failureOfError, failureOfFacts, failureOfReport } from './response-facts.ts';

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

  it('counts thoughts that xAI and Gemini leave to the total', () => {
    const usage = { prompt_tokens: 10, completion_tokens: 2, total_tokens: 112 };
    const facts = factsOfResponse({ choices: [{ message: { content: 'Yes.' } }], usage });
    expect(facts.usage).toMatchObject({ promptTokens: 10, completionTokens: 102 });
  });

  it('reads the one function of the time before tools as an answer', () => {
    const message = { content: null, function_call: { name: 'weather', arguments: '{}' } };
    const facts = factsOfResponse({ choices: [{ message, finish_reason: 'function_call' }] });
    expect(facts).toMatchObject({ finishReason: 'tool_calls', response: expect.stringContaining('weather') });
    expect(failureOfFacts(facts)).toBeNull();
  });

  it('reads an answer of OpenAI’s Responses', () => {
    const message = { type: 'message', content: [{ type: 'output_text', text: 'Hi' }] };
    const usage = {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
      output_tokens: 20,
      output_tokens_details: { reasoning_tokens: 5 },
    };
    const body = { id: 'resp_1', model: 'gpt-4o', output: [{ type: 'reasoning' }, message], usage };
    expect(factsOfResponse(body)).toMatchObject({
      response: 'Hi',
      responseId: 'resp_1',
      finishReason: 'stop',
      usage: {
        promptTokens: 100,
        completionTokens: 20,
        cachedTokens: 60,
        cacheWriteTokens: 10,
        reasoningTokens: 5,
      },
    });
    const cut = { ...body, incomplete_details: { reason: 'max_output_tokens' } };
    expect(factsOfResponse(cut).finishReason).toBe('length');
    const call = { type: 'custom_tool_call', name: 'patch', input: 'x' };
    expect(factsOfResponse({ ...body, output: [call] }).finishReason).toBe('tool_calls');
    const refused = { type: 'message', content: [{ type: 'refusal', refusal: 'No.' }] };
    expect(factsOfResponse({ ...body, output: [refused] })).toMatchObject({
      finishReason: 'refusal',
      response: 'No.',
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
      eval_duration: 40_000_000,
      prompt_eval_count: 12,
      eval_count: 3,
    });
    expect(facts).toMatchObject({
      response: 'Hi',
      loadMs: 2500,
      generationMs: 40,
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
    [{ text: 'no', finishReason: 'content-filter' }, 'refused_answer'],
    [{ text: "I'm sorry, but I can't help with that." }, 'refused_answer'],
    [{ choices: [{ message: { content: null, refusal: 'No.' }, finish_reason: 'stop' }] }, 'refused_answer'],
    [{ choices: [{ message: { content: null, tool_calls: [{}] }, finish_reason: 'tool_calls' }] }, undefined],
    [{ content: [], stop_reason: 'end_turn' }, 'empty_answer'],
    [{ promptTokens: 3 }, undefined],
    [{ text: 'fine' }, undefined],
  ])('judges %j as %s', (response, code) => {
    expect(failureOfFacts(factsOfResponse(response))?.code).toBe(code);
  });
});

describe('failureOfReport', () => {
  it.each([
    [{ error: null, statusCode: 200, response: 'At eight.' }, undefined],
    [{ error: null, statusCode: null, response: '' }, undefined],
    [{ error: null, statusCode: null, response: null }, undefined],
    [
      { error: null, statusCode: 200, response: "I'm sorry, but I can't assist with that." },
      'model refused_answer',
    ],
    [{ error: 'boom', statusCode: null, response: null }, 'provider reported_error'],
    [{ error: 'late', statusCode: 200, response: null }, 'provider reported_error'],
    [{ error: 'status 400', statusCode: 400, response: null }, 'caller upstream_rejected'],
    [{ error: 'slow down', statusCode: 429, response: null }, 'provider upstream_rate_limited'],
  ])('judges %j as %s', (report, verdict) => {
    const failure = failureOfReport(report);
    expect(failure ? `${failure.fault} ${failure.code}` : undefined).toBe(verdict);
  });
});

describe('failureOfError', () => {
  it.each([
    [Object.assign(new Error('bad'), { status: 400 }), 'caller', 'upstream_rejected'],
    [Object.assign(new Error('slow down'), { status: 429 }), 'provider', 'upstream_rate_limited'],
    [
      Object.assign(new Error('no credit'), { status: 429, error: { code: 'insufficient_quota' } }),
      'policy',
      'upstream_quota_exhausted',
    ],
    [Object.assign(new Error('wrong key'), { statusCode: 401 }), 'policy', 'upstream_unauthorized'],
    [
      Object.assign(new Error('filtered'), { status: 400, code: 'content_filter' }),
      'policy',
      'upstream_filtered',
    ],
    [Object.assign(new Error('no model'), { status_code: 404 }), 'policy', 'upstream_not_found'],
    [Object.assign(new Error('overloaded'), { status: 529 }), 'provider', 'upstream_failed'],
    [
      Object.assign(new Error('overloaded'), { error: { error: { type: 'overloaded_error' } } }),
      'provider',
      'reported_error',
    ],
    [new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }), 'provider', 'upstream_unreachable'],
    [new TypeError('fetch failed', { cause: { code: 'ENETUNREACH' } }), 'self', 'network_unavailable'],
    [Object.assign(new Error('late'), { name: 'TimeoutError' }), 'provider', 'upstream_timeout'],
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
