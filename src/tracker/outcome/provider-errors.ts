import type { ErrorCode } from '../../core/errors.ts';

/**
 * Words of providers' error bodies (`code`, `type`, `status`, reasons) that say more than the HTTP status, in
 * lower case. Words that merely repeat the status ("invalid_request_error" beside a 400) matter where an error
 * comes without one: inside a stream or a 200.
 */
const CODE_OF_WORD: Readonly<Record<string, ErrorCode>> = {
  // Our account, not our rate: waiting does not help.
  insufficient_quota: 'upstream_quota_exhausted',
  billing_hard_limit_reached: 'upstream_quota_exhausted',
  billing_not_active: 'upstream_quota_exhausted',
  billing_error: 'upstream_quota_exhausted',
  insufficient_balance: 'upstream_quota_exhausted',
  exceeded_current_quota_error: 'upstream_quota_exhausted',
  access_terminated: 'upstream_unauthorized',
  account_deactivated: 'upstream_unauthorized',
  invalid_api_key: 'upstream_unauthorized',
  api_key_invalid: 'upstream_unauthorized',
  authentication_error: 'upstream_unauthorized',
  permission_error: 'upstream_unauthorized',
  permission_denied: 'upstream_unauthorized',
  unauthenticated: 'upstream_unauthorized',
  unsupported_country_region_territory: 'upstream_unauthorized',
  // Filters before and after the model.
  content_filter: 'upstream_filtered',
  content_policy_violation: 'upstream_filtered',
  responsibleaipolicyviolation: 'upstream_filtered',
  moderation_blocked: 'upstream_filtered',
  data_inspection_failed: 'upstream_filtered',
  datainspectionfailed: 'upstream_filtered',
  invalid_prompt: 'upstream_filtered',
  cyber_policy_violation: 'upstream_filtered',
  // The model's own answer was not what the request demanded, and the provider noticed.
  json_validate_failed: 'invalid_answer',
  tool_use_failed: 'invalid_answer',
  output_parse_failed: 'invalid_answer',
  // Our settings name what is not there.
  model_not_found: 'upstream_not_found',
  not_found_error: 'upstream_not_found',
  not_found: 'upstream_not_found',
  deploymentnotfound: 'upstream_not_found',
  model_decommissioned: 'upstream_not_found',
  model_deprecated: 'upstream_not_found',
  // The request itself.
  context_length_exceeded: 'upstream_rejected',
  request_too_large: 'upstream_rejected',
  invalid_request_error: 'upstream_rejected',
  invalid_argument: 'upstream_rejected',
  // The provider.
  rate_limit_exceeded: 'upstream_rate_limited',
  rate_limit_error: 'upstream_rate_limited',
  resource_exhausted: 'upstream_rate_limited',
  timeout_error: 'upstream_timeout',
  request_timeout: 'upstream_timeout',
  deadline_exceeded: 'upstream_timeout',
  overloaded_error: 'upstream_failed',
  server_error: 'upstream_failed',
  api_error: 'upstream_failed',
  internal_error: 'upstream_failed',
};

/** Codes that a body may put in place of what its status says; others only stand in for a status. */
const OVERRULES_STATUS: ReadonlySet<ErrorCode> = new Set([
  'upstream_quota_exhausted',
  'upstream_unauthorized',
  'upstream_filtered',
  'upstream_not_found',
  'invalid_answer',
]);

/**
 * Our code for an error that a provider reports, and with it whose fault it was (docs/errors.md has the table).
 *
 * @param status  the HTTP status, or the number that an error inside a stream gives; null: none
 * @param words   the body's own words, the most precise first; their case does not matter
 */
export function codeOfProviderError(status: number | null, words: readonly string[]): ErrorCode {
  const known = words
    .map((word) => word.toLowerCase())
    // A word from outside must not meet what every object inherits.
    .map((word) => (Object.hasOwn(CODE_OF_WORD, word) ? CODE_OF_WORD[word] : undefined))
    .filter((code) => code !== undefined);
  const [first] = known;
  if (status === null) return first ?? 'upstream_failed';
  // A server that fails may call it anything; below 500 the word knows better.
  const overruling = status < 500 ? known.find((code) => OVERRULES_STATUS.has(code)) : undefined;
  return overruling ?? codeOfStatus(status);
}

function codeOfStatus(status: number): ErrorCode {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return 'upstream_unauthorized';
    case 402:
      return 'upstream_quota_exhausted';
    // A path, a model or a deployment that our settings name and the provider does not have.
    case 404:
    case 405:
    case 410:
      return 'upstream_not_found';
    case 408:
    case 504:
    case 524:
      return 'upstream_timeout';
    case 429:
      return 'upstream_rate_limited';
    case 451:
      return 'upstream_filtered';
    // Failures behind the provider's own door, or its proxy's.
    case 421:
    case 424:
    case 425:
    case 499:
      return 'upstream_failed';
    default:
      if (status >= 300 && status < 400) return 'upstream_not_found';
      return status >= 400 && status < 500 ? 'upstream_rejected' : 'upstream_failed';
  }
}

/**
 * Our code for a connection that failed, by the name that Node or undici gives; null for names that say
 * nothing of whose side it was.
 */
export function codeOfConnectionError(name: string): ErrorCode | null {
  switch (name) {
    // No name server, no route, no socket left: our machine is off the net, whoever was called.
    case 'EAI_AGAIN':
    case 'ENETUNREACH':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
    case 'EMFILE':
    case 'ENFILE':
      return 'network_unavailable';
    case 'UND_ERR_DESTROYED':
    case 'UND_ERR_CLOSED':
      return 'shutting_down';
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'upstream_timeout';
    case 'ECONNREFUSED':
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ENOTFOUND':
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
      return 'upstream_unreachable';
    default:
      return name.startsWith('HPE_') ? 'upstream_malformed' : null;
  }
}
