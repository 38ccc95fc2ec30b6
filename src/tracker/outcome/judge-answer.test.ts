import { describe, expect, it } from 'vitest';
import { NO_TOKEN_USAGE } from '../../core/usage-record.ts';
import type { AnswerDemands, JudgedAnswer } from './judge-answer.ts';
import { judgeAnswer, NO_DEMANDS } from './judge-answer.ts';

const good: JudgedAnswer = {
  text: '{"a": 1}',
  refusal: '',
  toolCalls: [],
  finishReason: 'stop',
  usage: NO_TOKEN_USAGE,
};
const call = { name: 'f', arguments: '{}' };
const called: Partial<JudgedAnswer> = { text: '', toolCalls: [call], finishReason: 'tool_calls' };
const anyJson: Partial<AnswerDemands> = { json: { schema: null } };
const schema = { type: 'object', required: ['city'], properties: { city: { type: 'string' } } };
const bySchema: Partial<AnswerDemands> = { json: { schema } };

function used(promptTokens: number | null, completionTokens: number | null): Partial<JudgedAnswer> {
  return { usage: { ...NO_TOKEN_USAGE, promptTokens, completionTokens } };
}

function judge(answer: Partial<JudgedAnswer>, demands: Partial<AnswerDemands> = {}): string | null {
  const failure = judgeAnswer({ ...good, ...answer }, { ...NO_DEMANDS, ...demands });
  return failure === null ? null : `${failure.fault} ${failure.code}`;
}

describe('judgeAnswer', () => {
  it.each<[string, Partial<JudgedAnswer>, Partial<AnswerDemands>, string | null]>([
    ['a text', {}, {}, null],
    ['a text without finish reason', { finishReason: null }, {}, null],
    ['nothing', { text: '' }, {}, 'model empty_answer'],
    ['white space', { text: ' \n' }, {}, 'model empty_answer'],
    ['a filtered answer', { text: 'Half a', finishReason: 'content_filter' }, {}, 'policy refused_answer'],
    ['a refusal in its field', { text: '', refusal: 'I cannot.' }, {}, 'model refused_answer'],
    ['a refusal as stop reason', { text: '', finishReason: 'refusal' }, {}, 'model refused_answer'],
    ['a refusal in words', { text: "I'm sorry, but I can't help with that." }, {}, 'model refused_answer'],
    [
      'a refusal where JSON is demanded',
      { text: 'I cannot assist with that.' },
      anyJson,
      'model refused_answer',
    ],
  ])('judges %s', (_what, answer, demands, verdict) => {
    expect(judge(answer, demands)).toBe(verdict);
  });

  it.each<[string, Partial<JudgedAnswer>, Partial<AnswerDemands>, string | null]>([
    ['JSON where it is demanded', {}, anyJson, null],
    ['a list where JSON is demanded', { text: '[1]' }, anyJson, null],
    ['a bare value where an object is demanded', { text: '"yes"' }, anyJson, 'model invalid_answer'],
    ['words around JSON', { text: 'Sure: {"a": 1}' }, anyJson, 'model invalid_answer'],
    ['JSON in a fence', { text: '```json\n{"a": 1}\n```' }, anyJson, 'model invalid_answer'],
    ['JSON that keeps its schema', { text: '{"city": "Rome"}' }, bySchema, null],
    ['JSON that breaks its schema', {}, bySchema, 'model invalid_answer'],
    ['a bare value that its schema allows', { text: '3' }, { json: { schema: { type: 'number' } } }, null],
    ['a tool call where JSON is demanded', called, anyJson, null],
    ['a tool call without text', called, {}, null],
    ['a tool call without arguments', { ...called, toolCalls: [{ ...call, arguments: '' }] }, {}, null],
    [
      'arguments that are half JSON',
      { toolCalls: [{ ...call, arguments: '{"a":' }] },
      {},
      'model invalid_answer',
    ],
    ['a tool that was offered', called, { offeredTools: ['e', 'f'] }, null],
    ['a tool that was not offered', called, { offeredTools: ['e'] }, 'model invalid_answer'],
    [
      'words where a tool call is demanded',
      { text: 'Sunny.' },
      { toolCall: { name: null } },
      'model invalid_answer',
    ],
    ['the tool that was demanded', called, { toolCall: { name: 'f' } }, null],
    ['another tool than demanded', called, { toolCall: { name: 'g' } }, 'model invalid_answer'],
  ])('judges the form of %s', (_what, answer, demands, verdict) => {
    expect(judge(answer, demands)).toBe(verdict);
  });

  it('does not judge the form of an answer of which only the beginning was kept', () => {
    const half = { ...good, text: '{"city": "Ro' };
    expect(judgeAnswer(half, { ...NO_DEMANDS, ...bySchema }, true)).toBeNull();
    expect(judgeAnswer(half, { ...NO_DEMANDS, ...bySchema })).not.toBeNull();
  });

  it('says where a schema is broken, without the words of the answer', () => {
    const failure = judgeAnswer(
      { ...good, text: '{"city": "s3cret", "x": 1}' },
      {
        ...NO_DEMANDS,
        json: { schema: { properties: { city: { type: 'number' } } } },
      },
    );
    expect(failure?.message).toContain('/city');
    expect(failure?.message).not.toContain('s3cret');
  });
});

describe('judgeAnswer on answers at a token limit', () => {
  const cut: Partial<JudgedAnswer> = { text: 'Once upon a time', finishReason: 'length' };
  const callers = { limit: { tokens: 100, setBy: 'caller' } } as const;

  it.each<[string, Partial<JudgedAnswer>, Partial<AnswerDemands>, string]>([
    ['nobody set', { ...cut, ...used(10, 4096) }, {}, 'model'],
    ['the caller set', { ...cut, ...used(10, 100) }, callers, 'caller'],
    ['the caller set, tokens unknown', cut, callers, 'caller'],
    ['the model has far below the caller’s', { ...cut, ...used(10, 40) }, callers, 'model'],
    ['the caller set, used up by thoughts', { ...cut, ...used(10, 3), text: '' }, callers, 'caller'],
    ['we set', { ...cut, ...used(10, 4096) }, { limit: { tokens: 4096, setBy: 'policy' } }, 'policy'],
    [
      'the caller set, reached in a loop',
      { ...cut, ...used(10, 100), text: `Well. ${'and then again '.repeat(80)}` },
      callers,
      'model',
    ],
  ])('blames for a limit that %s', (_whose, answer, demands, fault) => {
    expect(judge(answer, demands)).toBe(`${fault} truncated_answer`);
  });
});

describe('judgeAnswer on prompts that did not fit', () => {
  it.each<[string, number | null, number, number | null, string | null]>([
    ['a context full to the brim and twice the prompt', 4096, 9_000, null, 'provider context_cut'],
    ['a context full but for the template', 4_050, 20_000, null, 'provider context_cut'],
    ['a context that the caller made short', 1_000, 5_000, 1_000, 'caller context_cut'],
    ['a prompt that fits', 4_096, 4_500, null, null],
    ['a count far from any context, as of a cached prefix', 2_900, 9_000, null, null],
    ['a short prompt of long words', 1_020, 4_000, null, null],
    ['no count', null, 9_000, null, null],
  ])('sees %s', (_what, readTokens, tokens, contextTokens, verdict) => {
    expect(judge(used(readTokens, 5), { prompt: { tokens, contextTokens } })).toBe(verdict);
  });

  it('does not trust a count that was estimated', () => {
    const usage = { ...NO_TOKEN_USAGE, promptTokens: 4_096, isEstimated: true };
    expect(judge({ usage }, { prompt: { tokens: 9_000, contextTokens: null } })).toBeNull();
  });
});
