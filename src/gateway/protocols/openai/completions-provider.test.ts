import { describe, expect, it } from 'vitest';
import type { ClientRequest } from '../inbound.ts';
import { OPENAI_COMPLETIONS } from './completions-client.ts';
import { forwardCompletionsRequest } from './completions-provider.ts';

const parse = (text: string): ClientRequest => OPENAI_COMPLETIONS.parse(Buffer.from(text), {});

describe('a text completion for a server that has the path', () => {
  const text = '{ "model": "m1",  "prompt": "é\\u00e9", "seed": 1.0 }';

  it('is the client’s own bytes, but for the model', () => {
    const client = parse(text);
    expect(forwardCompletionsRequest(client, 'm1', false)).toBe(client.bytes);
    const other = forwardCompletionsRequest(client, 'other', false).toString();
    expect(other).toBe(text.replace('m1', 'other'));
  });

  it('asks for the usage of a stream, and says nothing of our metadata', () => {
    const client = parse('{"model":"m1","prompt":"Hi","metadata":{"a":"b"},"stream_options":{"x":1}}');
    const streamed = JSON.parse(forwardCompletionsRequest(client, 'm2', true).toString()) as object;
    expect(streamed).toEqual({
      model: 'm2',
      prompt: 'Hi',
      stream_options: { x: 1, include_usage: true },
    });
    expect(forwardCompletionsRequest(client, 'm2', false).toString()).not.toContain('metadata');
  });
});
