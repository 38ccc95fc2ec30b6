import { describe, expect, it } from 'vitest';
import { ERROR_KINDS } from '../../core/errors.ts';
import { codeOfConnectionError, codeOfProviderError } from './provider-errors.ts';

describe('codeOfProviderError', () => {
  it.each<[number | null, string[], string, string]>([
    [301, [], 'upstream_not_found', 'policy'],
    [400, ['invalid_request_error'], 'upstream_rejected', 'caller'],
    [400, ['context_length_exceeded', 'invalid_request_error'], 'upstream_rejected', 'caller'],
    [400, ['ResponsibleAIPolicyViolation', 'content_filter'], 'upstream_filtered', 'policy'],
    [400, ['content_policy_violation'], 'upstream_filtered', 'policy'],
    [400, ['API_KEY_INVALID', 'INVALID_ARGUMENT'], 'upstream_unauthorized', 'policy'],
    [400, ['json_validate_failed'], 'invalid_answer', 'model'],
    [400, ['tool_use_failed', 'invalid_request_error'], 'invalid_answer', 'model'],
    [401, ['invalid_api_key'], 'upstream_unauthorized', 'policy'],
    [402, [], 'upstream_quota_exhausted', 'policy'],
    [403, ['permission_error'], 'upstream_unauthorized', 'policy'],
    [403, ['moderation_blocked', '403'], 'upstream_filtered', 'policy'],
    [404, ['model_not_found', 'invalid_request_error'], 'upstream_not_found', 'policy'],
    [404, [], 'upstream_not_found', 'policy'],
    [405, [], 'upstream_not_found', 'policy'],
    [408, [], 'upstream_timeout', 'provider'],
    [409, [], 'upstream_rejected', 'caller'],
    [413, ['request_too_large'], 'upstream_rejected', 'caller'],
    [422, [], 'upstream_rejected', 'caller'],
    [424, [], 'upstream_failed', 'provider'],
    [429, [], 'upstream_rate_limited', 'provider'],
    [429, ['rate_limit_exceeded', 'tokens'], 'upstream_rate_limited', 'provider'],
    [429, ['insufficient_quota', 'insufficient_quota'], 'upstream_quota_exhausted', 'policy'],
    [451, [], 'upstream_filtered', 'policy'],
    [499, [], 'upstream_failed', 'provider'],
    [500, ['server_error'], 'upstream_failed', 'provider'],
    [500, ['model_not_found'], 'upstream_failed', 'provider'],
    [503, ['UNAVAILABLE'], 'upstream_failed', 'provider'],
    [504, [], 'upstream_timeout', 'provider'],
    [524, [], 'upstream_timeout', 'provider'],
    [529, ['overloaded_error'], 'upstream_failed', 'provider'],
    [null, ['overloaded_error'], 'upstream_failed', 'provider'],
    [null, ['rate_limit_error'], 'upstream_rate_limited', 'provider'],
    [null, ['timeout_error'], 'upstream_timeout', 'provider'],
    [null, ['invalid_request_error'], 'upstream_rejected', 'caller'],
    [null, ['billing_error'], 'upstream_quota_exhausted', 'policy'],
    [null, [], 'upstream_failed', 'provider'],
    [null, ['constructor', 'toString'], 'upstream_failed', 'provider'],
  ])('calls %s %j %s, the fault of the %s', (status, words, code, fault) => {
    const given = codeOfProviderError(status, words);
    expect({ code: given, fault: ERROR_KINDS[given].fault }).toEqual({ code, fault });
  });
});

describe('codeOfConnectionError', () => {
  it.each([
    ['ECONNREFUSED', 'upstream_unreachable'],
    ['UND_ERR_CONNECT_TIMEOUT', 'upstream_unreachable'],
    ['ENETUNREACH', 'network_unavailable'],
    ['EAI_AGAIN', 'network_unavailable'],
    ['EMFILE', 'network_unavailable'],
    ['UND_ERR_DESTROYED', 'shutting_down'],
    ['HPE_INVALID_CONSTANT', 'upstream_malformed'],
    ['ECONNRESET', null],
  ])('calls %s %s', (name, code) => {
    expect(codeOfConnectionError(name)).toBe(code);
  });
});
