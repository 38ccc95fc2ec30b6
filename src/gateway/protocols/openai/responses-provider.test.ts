import { describe, expect, it } from 'vitest';
import { collect, wire } from '../../../../tests/kit/protocol-streams.ts';
import { TallyrankError } from '../../../core/errors.ts';
import type { ChatAnswer } from '../../chat.ts';
import { decodeResponse, ResponsesStreamReader } from './responses-provider.ts';

describe('answers of OpenAI’s Responses', () => {
  const read = (name: string): ChatAnswer => collect(new ResponsesStreamReader('p'), name, 13);

  it('are read for the record, whole and streamed', () => {
    expect(decodeResponse('p', wire('openai-responses-reasoning.json'))).toMatchObject({
      finishReason: 'stop',
      modelReported: 'gpt-5.2-2025-12-11',
      usage: { isEstimated: false, promptTokens: expect.any(Number), reasoningTokens: expect.any(Number) },
    });
    expect(read('openai-responses-tool-call.sse')).toMatchObject({
      finishReason: 'tool_calls',
      toolCalls: [{ name: 'get_capital', arguments: expect.stringContaining('country') }],
      modelReported: 'gpt-4o-2024-08-06',
    });
    const { text, finishReason } = read('openai-responses-text.sse');
    expect(text).not.toBe('');
    expect(finishReason).toBe('stop');
  });

  it('that wait for the client are no empty answers', () => {
    const output = [{ type: 'mcp_approval_request', id: 'm1', name: 'run', arguments: '{}' }];
    const answer = decodeResponse('p', Buffer.from(JSON.stringify({ output, status: 'completed' })));
    expect(answer.toolCalls).toEqual([{ id: 'm1', name: 'run', arguments: '{}' }]);
  });

  it('that failed or stopped in the middle are errors', () => {
    const failed = { type: 'response.failed', response: { error: { code: 'server_error', message: 'x' } } };
    expect(() =>
      new ResponsesStreamReader('p').push(Buffer.from(`data: ${JSON.stringify(failed)}\n\n`)),
    ).toThrow(expect.objectContaining({ code: 'upstream_failed' }));
    const limited = { error: { code: 'rate_limit_exceeded', message: 'x' } };
    expect(() => decodeResponse('p', Buffer.from(JSON.stringify(limited)))).toThrow(TallyrankError);
    const reader = new ResponsesStreamReader('p');
    reader.push(wire('openai-responses-text.sse').subarray(0, 2_000));
    expect(() => reader.end()).toThrow(expect.objectContaining({ code: 'upstream_cut' }));
    expect(() => decodeResponse('p', Buffer.from('<html>'))).toThrow(/not a JSON object/);
  });
});
