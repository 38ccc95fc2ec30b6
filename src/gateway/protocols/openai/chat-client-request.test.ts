import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TallyrankError } from '../../../core/errors.ts';
import { parseChatRequest } from './chat-client-request.ts';

const messages = [{ role: 'user', content: 'Hello' }];

function parse(body: unknown): unknown {
  return parseChatRequest(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
}

describe('parseChatRequest', () => {
  it('keeps fields that it does not know', () => {
    expect(parse({ model: 'auto', messages, logit_bias: { 1: 2 }, stream: null })).toMatchObject({
      logit_bias: { 1: 2 },
    });
  });

  it.each([
    ['', null, /empty/],
    ['{"model": "auto",', null, /not valid JSON \(at position/],
    ['[]', null, /JSON object/],
    ['null', null, /JSON object/],
    [{ messages }, 'model', /model is missing/],
    [{ model: 7, messages }, 'model', /model is missing/],
    [{ model: 'x'.repeat(300), messages }, 'model', /longer/],
    [{ model: 'auto' }, 'messages', /must be a list/],
    [{ model: 'auto', messages: [] }, 'messages', /is empty/],
    [{ model: 'auto', messages: ['Hello'] }, 'messages[0]', /must be an object/],
    [{ model: 'auto', messages: [{ content: 'x' }] }, 'messages[0].role', /role must be/],
    [{ model: 'auto', messages: [{ role: 'user', content: 3 }] }, 'messages[0].content', /text or a list/],
    [{ model: 'auto', messages: [{ role: 'user', content: ['x'] }] }, 'messages[0].content', /with a type/],
    [
      { model: 'auto', messages: [{ role: 'user', content: [{ type: 'text' }] }] },
      'messages[0].content',
      /no text/,
    ],
    [{ model: 'auto', messages, stream: 'yes' }, 'stream', /true or false/],
    [{ model: 'auto', messages, n: 0 }, 'n', /from 1 to 128/],
    [{ model: 'auto', messages, temperature: '1' }, 'temperature', /a number/],
    [{ model: 'auto', messages, tools: {} }, 'tools', /list of objects/],
    [{ model: 'auto', messages, stop: [1] }, 'stop', /list of texts/],
    [{ model: 'auto', messages, metadata: 'x' }, 'metadata', /an object/],
    [{ model: 'auto', messages: [{ role: 'user', content: 'a\u0000b' }] }, null, /NUL character/],
  ])('refuses %j and says what to change', (body, param, sentence) => {
    expect(() => parse(body)).toThrow(expect.objectContaining({ code: 'bad_request', param }));
    expect(() => parse(body)).toThrow(sentence);
  });

  it('refuses bytes that are not UTF-8 and NUL bytes', () => {
    const valid = Buffer.from(JSON.stringify({ model: 'auto', messages }));
    const broken = Buffer.from(valid);
    broken[broken.indexOf('Hello')] = 0xff;
    expect(() => parseChatRequest(broken)).toThrow(/not valid UTF-8/);
    broken[broken.indexOf(0xff)] = 0;
    expect(() => parseChatRequest(broken)).toThrow(/NUL byte/);
  });

  it('lets people write about NUL', () => {
    const content = 'What does "\\u0000" mean in JSON?';
    expect(parse({ model: 'auto', messages: [{ role: 'user', content }] })).toMatchObject({
      messages: [{ content }],
    });
  });

  it('answers any JSON with a request or a sentence of ours', () => {
    fc.assert(
      fc.property(fc.json(), fc.string(), (json, model) => {
        for (const body of [json, `{"model":${JSON.stringify(model)},"messages":${json}}`]) {
          try {
            parse(body);
          } catch (error) {
            expect(error).toBeInstanceOf(TallyrankError);
          }
        }
      }),
    );
  });
});
