import { describe, expect, it } from 'vitest';
import { encodeError } from './protocols/openai/chat-client-answer.ts';
import { errorOfConnection, errorOfStatus, reportedFailure } from './upstream-errors.ts';

function ofStatus(status: number, body: unknown, headers = {}): ReturnType<typeof errorOfStatus> {
  return errorOfStatus(
    'p',
    status,
    headers,
    Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  );
}

describe('errorOfStatus', () => {
  it.each<[string, number, unknown, string]>([
    [
      'Azure’s inner error',
      400,
      { error: { code: 'BadRequest', innererror: { code: 'ResponsibleAIPolicyViolation' } } },
      'upstream_filtered',
    ],
    [
      'Google’s reasons, in a list of one',
      400,
      [{ error: { code: 400, status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] } }],
      'upstream_unauthorized',
    ],
    [
      'OpenRouter’s moderation',
      403,
      { error: { code: 403, message: 'flagged', metadata: { reasons: ['violence'] } } },
      'upstream_filtered',
    ],
    ['Ollama’s sentence', 404, { error: "model 'x' not found" }, 'upstream_not_found'],
    [
      'odd shapes',
      400,
      { error: { code: {}, details: [null, 3], innererror: 'x', metadata: null } },
      'upstream_rejected',
    ],
    ['no JSON', 503, '<html>', 'upstream_failed'],
    ['JSON of nothing', 400, 'null', 'upstream_rejected'],
  ])('reads %s', (_what, status, body, code) => {
    expect(ofStatus(status, body).code).toBe(code);
  });

  it('gives the caller the provider’s words about the request, and none about our account', () => {
    const words = { error: { message: 'Too long for sk-secret', code: 'context_length_exceeded' } };
    expect(JSON.parse(encodeError(ofStatus(400, words)))).toMatchObject({
      error: { message: 'Too long for sk-secret', code: 'context_length_exceeded' },
    });
    for (const [status, code] of [
      [401, 'invalid_api_key'],
      [429, 'insufficient_quota'],
      [400, 'API_KEY_INVALID'],
    ] as const) {
      const error = ofStatus(status, { error: { message: 'Wrong key sk-secret', code } });
      expect(error.fault).toBe('policy');
      expect(encodeError(error)).not.toContain('sk-secret');
    }
  });

  it('passes on when to come back, for limits that pass', () => {
    expect(ofStatus(429, {}, { 'retry-after': '7' }).retryAfterMs).toBe(7_000);
    expect(
      ofStatus(429, { error: { code: 'insufficient_quota' } }, { 'retry-after': '7' }).retryAfterMs,
    ).toBeNull();
  });
});

describe('reportedFailure', () => {
  it.each<[unknown, string, number]>([
    [{ code: 403, metadata: { reasons: [] } }, 'upstream_filtered', 400],
    [{ code: '402' }, 'upstream_quota_exhausted', 502],
    [{ code: 200 }, 'upstream_failed', 502],
    [{ type: 'overloaded_error' }, 'upstream_failed', 502],
    ['out of memory', 'upstream_failed', 502],
    [null, 'upstream_failed', 502],
    [{ code: 'tool_use_failed' }, 'invalid_answer', 502],
  ])('calls %j %s', (said, code, statusCode) => {
    expect(reportedFailure('p', said)).toMatchObject({ code, statusCode });
  });
});

describe('errorOfConnection', () => {
  const broken = (code: string): Error => Object.assign(new Error('x'), { code });

  it.each<[string, boolean, string, string]>([
    ['ECONNREFUSED', false, 'upstream_unreachable', 'provider'],
    ['ECONNRESET', true, 'upstream_cut', 'provider'],
    ['ENETUNREACH', false, 'network_unavailable', 'self'],
    ['ENETUNREACH', true, 'upstream_cut', 'provider'],
    ['UND_ERR_DESTROYED', true, 'shutting_down', 'self'],
    ['HPE_INVALID_CONSTANT', true, 'upstream_malformed', 'provider'],
  ])('calls %s (answered: %s) %s', (name, hasAnswered, code, fault) => {
    expect(errorOfConnection('p', broken(name), hasAnswered)).toMatchObject({ code, fault });
  });

  it('looks at the first of several addresses that failed', () => {
    const all = new AggregateError([broken('ENETUNREACH'), broken('ECONNREFUSED')]);
    expect(errorOfConnection('p', new TypeError('fetch failed', { cause: all }), false).code).toBe(
      'network_unavailable',
    );
  });
});
