import { describe, expect, it } from 'vitest';
import { NO_TOKEN_USAGE } from '../core/usage-record.ts';
import type { ChatAnswer } from './chat.ts';
import { judgeAnswer } from './judge-answer.ts';

const good: ChatAnswer = {
  text: '{"a": 1}',
  reasoning: '',
  refusal: '',
  toolCalls: [],
  finishReason: 'stop',
  usage: NO_TOKEN_USAGE,
  responseId: null,
  modelReported: null,
  loadMs: null,
  wire: null,
};
const call = { id: 'c', name: 'f', arguments: '{}' };

describe('judgeAnswer', () => {
  it.each<[string, Partial<ChatAnswer>, boolean, string | null]>([
    ['a text', {}, false, null],
    ['JSON where it is demanded', {}, true, null],
    ['a text without finish reason', { finishReason: null }, false, null],
    ['a tool call without text', { text: '', toolCalls: [call], finishReason: 'tool_calls' }, true, null],
    ['a tool call without arguments', { text: '', toolCalls: [{ ...call, arguments: '' }] }, false, null],
    ['nothing', { text: '' }, false, 'empty_answer'],
    ['white space', { text: ' \n' }, false, 'empty_answer'],
    ['thoughts alone', { text: '', reasoning: 'Hm.' }, false, 'empty_answer'],
    ['an answer at the token limit', { finishReason: 'length' }, false, 'truncated_answer'],
    ['thoughts that used up the tokens', { text: '', finishReason: 'length' }, false, 'truncated_answer'],
    ['a filtered answer', { finishReason: 'content_filter' }, false, 'refused_answer'],
    ['a refusal', { text: '', refusal: 'I cannot.' }, false, 'refused_answer'],
    ['words where JSON is demanded', { text: 'Sure: {"a": 1}' }, true, 'invalid_answer'],
    [
      'tool arguments that are not JSON',
      { toolCalls: [{ ...call, arguments: '{"a":' }] },
      false,
      'invalid_answer',
    ],
  ])('judges %s', (_what, change, wantsJson, code) => {
    const failure = judgeAnswer({ ...good, ...change }, wantsJson);
    expect(failure?.code ?? null).toBe(code);
    if (failure) expect(failure.fault).toBe('model');
  });
});
