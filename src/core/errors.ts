/** Whose fault a failure was. Only `provider` and `model` count against a model's success rate. */
export type Fault = 'caller' | 'policy' | 'provider' | 'model' | 'self';

interface ErrorKind {
  readonly statusCode: number;
  readonly fault: Fault;
  readonly retryable: boolean;
  /** The `type` of the OpenAI error shape. */
  readonly type: string;
}

/**
 * Every error code of the program. Codes are part of the public surface: they are never reused for another
 * meaning, and `docs/errors.md` lists them (a test compares the two).
 */
export const ERROR_KINDS = {
  bad_request: { statusCode: 400, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  bad_timeframe: { statusCode: 400, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  unauthorized: { statusCode: 401, fault: 'caller', retryable: false, type: 'authentication_error' },
  forbidden: { statusCode: 403, fault: 'policy', retryable: false, type: 'permission_error' },
  not_found: { statusCode: 404, fault: 'caller', retryable: false, type: 'not_found_error' },
  unknown_model: { statusCode: 404, fault: 'caller', retryable: false, type: 'not_found_error' },
  ambiguous_model: { statusCode: 400, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  unknown_use_case: { statusCode: 404, fault: 'caller', retryable: false, type: 'not_found_error' },
  no_candidate: { statusCode: 503, fault: 'policy', retryable: true, type: 'api_error' },
  conflict: { statusCode: 409, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  body_too_large: { statusCode: 413, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  unsupported_media_type: {
    statusCode: 415,
    fault: 'caller',
    retryable: false,
    type: 'invalid_request_error',
  },
  caller_cancelled: { statusCode: 499, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  upstream_rejected: { statusCode: 400, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  caller_too_slow: { statusCode: 408, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  upstream_filtered: { statusCode: 400, fault: 'policy', retryable: false, type: 'invalid_request_error' },
  upstream_not_found: { statusCode: 404, fault: 'policy', retryable: false, type: 'not_found_error' },
  upstream_unauthorized: { statusCode: 502, fault: 'policy', retryable: false, type: 'api_error' },
  upstream_quota_exhausted: { statusCode: 502, fault: 'policy', retryable: false, type: 'api_error' },
  upstream_rate_limited: { statusCode: 429, fault: 'provider', retryable: true, type: 'rate_limit_error' },
  upstream_failed: { statusCode: 502, fault: 'provider', retryable: true, type: 'api_error' },
  upstream_unreachable: { statusCode: 502, fault: 'provider', retryable: true, type: 'api_error' },
  upstream_timeout: { statusCode: 504, fault: 'provider', retryable: true, type: 'api_error' },
  upstream_malformed: { statusCode: 502, fault: 'provider', retryable: true, type: 'api_error' },
  upstream_cut: { statusCode: 502, fault: 'provider', retryable: true, type: 'api_error' },
  upstream_paused: { statusCode: 503, fault: 'policy', retryable: true, type: 'api_error' },
  rate_limited: { statusCode: 429, fault: 'policy', retryable: true, type: 'rate_limit_error' },
  budget_exceeded: { statusCode: 429, fault: 'policy', retryable: false, type: 'insufficient_quota' },
  provider_busy: { statusCode: 503, fault: 'self', retryable: true, type: 'api_error' },
  empty_answer: { statusCode: 502, fault: 'model', retryable: true, type: 'api_error' },
  truncated_answer: { statusCode: 200, fault: 'model', retryable: false, type: 'api_error' },
  refused_answer: { statusCode: 200, fault: 'model', retryable: false, type: 'api_error' },
  invalid_answer: { statusCode: 200, fault: 'model', retryable: false, type: 'api_error' },
  context_cut: { statusCode: 200, fault: 'provider', retryable: false, type: 'api_error' },
  reported_error: { statusCode: 502, fault: 'provider', retryable: true, type: 'api_error' },
  network_unavailable: { statusCode: 503, fault: 'self', retryable: true, type: 'api_error' },
  store_unavailable: { statusCode: 503, fault: 'self', retryable: true, type: 'api_error' },
  store_query_failed: { statusCode: 500, fault: 'self', retryable: false, type: 'api_error' },
  store_newer: { statusCode: 500, fault: 'caller', retryable: false, type: 'api_error' },
  journal_failed: { statusCode: 503, fault: 'self', retryable: true, type: 'api_error' },
  bad_config: { statusCode: 500, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  bucket_not_configured: { statusCode: 503, fault: 'caller', retryable: false, type: 'api_error' },
  bucket_failed: { statusCode: 502, fault: 'self', retryable: true, type: 'api_error' },
  cancelled: { statusCode: 499, fault: 'caller', retryable: false, type: 'invalid_request_error' },
  shutting_down: { statusCode: 503, fault: 'self', retryable: true, type: 'api_error' },
  internal: { statusCode: 500, fault: 'self', retryable: false, type: 'api_error' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

export interface TallyrankErrorOptions {
  readonly cause?: unknown;
  /** The request field, setting or parameter that was wrong. */
  readonly param?: string;
  /** Overrides the table's status where an upstream's own status says more. */
  readonly statusCode?: number;
  /** Milliseconds after which a retry makes sense, where somebody told us. */
  readonly retryAfterMs?: number;
}

/**
 * The one error class. `message` is one sentence for people: what was wrong, with the value (never a prompt
 * or a key), and what to do. Programs decide by `code`.
 */
export class TallyrankError extends Error {
  readonly code: ErrorCode;
  readonly statusCode: number;
  readonly retryable: boolean;
  readonly fault: Fault;
  readonly param: string | null;
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, message: string, options: TallyrankErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const kind: ErrorKind = ERROR_KINDS[code];
    this.name = 'TallyrankError';
    this.code = code;
    this.statusCode = options.statusCode ?? kind.statusCode;
    this.retryable = kind.retryable;
    this.fault = kind.fault;
    this.param = options.param ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }

  /** The `type` word of the OpenAI error shape. */
  get type(): string {
    return ERROR_KINDS[this.code].type;
  }
}

/** `error` itself when it is ours, else an `internal` error whose text tells a caller nothing. */
export function toTallyrankError(error: unknown): TallyrankError {
  if (error instanceof TallyrankError) return error;
  return new TallyrankError('internal', 'Something failed inside Tallyrank; the log has the details.', {
    cause: error,
  });
}
