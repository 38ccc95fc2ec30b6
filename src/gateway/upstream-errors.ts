import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorCode, TallyrankErrorOptions } from '../core/errors.ts';
import { TallyrankError } from '../core/errors.ts';
import { codeOfConnectionError, codeOfProviderError } from '../tracker/outcome/provider-errors.ts';

/** Characters of a provider's own sentence that are passed to the caller. */
const SENTENCE_LENGTH_MAX = 1_000;

/** Characters of a provider's own word for an error that our sentence shows. */
const WORD_LENGTH_MAX = 60;

/** Longest wait that a `retry-after` may ask for; beyond an hour it is a mistake or a date far away. */
const RETRY_AFTER_MAX_MS = 3_600_000;

/**
 * What a provider said when it refused. It may quote the prompt, so it goes to the caller (whose prompt it
 * is) as the `cause` of the error and never into log or record.
 */
export class UpstreamRejection {
  readonly message: string;
  readonly type: string | null;
  readonly param: string | null;
  readonly code: string | null;
  /** What Anthropic's clients decide by, e.g. to send a conversation again; null where the body has none. */
  readonly details: Readonly<Record<string, unknown>> | null;
  /** All words of the body that name the error, the most precise first. */
  readonly words: readonly string[];

  /** @param said  the error of the body: OpenAI's and Anthropic's object, or Ollama's text */
  constructor(said: unknown) {
    const fields = typeof said === 'object' && said !== null ? (said as Record<string, unknown>) : {};
    const { message, type, param, code } = fields;
    const text = toWord(typeof said === 'string' ? said : message) ?? 'The provider refused the request.';
    this.message = text.slice(0, SENTENCE_LENGTH_MAX);
    this.type = toWord(type);
    this.param = toWord(param);
    this.code = typeof code === 'number' ? String(code) : toWord(code);
    const { details } = fields;
    const isObject = typeof details === 'object' && details !== null && !Array.isArray(details);
    this.details = isObject ? (details as Record<string, unknown>) : null;
    this.words = [...wordsOfDetails(fields), this.code, this.type, toWord(fields['status'])].filter(
      (word) => word !== null,
    );
  }

  /** True when the prompt was too long for the model: another one may have room for it. */
  get isTooLong(): boolean {
    return this.code === 'context_length_exceeded' || this.type === 'request_too_large';
  }
}

/** What our sentence says of each failure, after the provider's name. */
const SENTENCES: Readonly<Partial<Record<ErrorCode, string>>> = {
  upstream_unauthorized: 'does not accept our key or account; check its settings',
  upstream_quota_exhausted: 'has no credit or quota left for our account; see its billing page',
  upstream_not_found: 'does not have this model or path; check its name and baseUrl',
  upstream_filtered: 'stopped the request by its content filter',
  upstream_rate_limited: 'limits our rate',
  upstream_timeout: 'timed out',
  upstream_rejected: 'refused the request',
  invalid_answer: 'could not use what the model wrote: it is not the JSON or tool call that was demanded',
};

/** Failures of which the caller hears the provider's own words. Those about our account quote our key. */
const IN_THEIR_WORDS: ReadonlySet<ErrorCode> = new Set([
  'upstream_rejected',
  'upstream_filtered',
  'upstream_not_found',
  'invalid_answer',
]);

/** The error for an answer whose status is not 2xx. */
export function errorOfStatus(
  provider: string,
  statusCode: number,
  headers: IncomingHttpHeaders,
  body: Buffer,
): TallyrankError {
  const rejection = new UpstreamRejection(readErrorBody(body));
  const code = codeOfProviderError(statusCode, rejection.words);
  const shown = rejection.code === null ? `status ${statusCode}` : `status ${statusCode}, ${rejection.code}`;
  const isPassing = code === 'upstream_rate_limited' || code === 'upstream_failed';
  const retryAfterMs = isPassing ? readRetryAfterMs(headers) : null;
  return errorOf(provider, code, shown, {
    ...(IN_THEIR_WORDS.has(code) ? causeOf(rejection) : {}),
    // A redirect is nothing that our caller could follow.
    ...(IN_THEIR_WORDS.has(code) && statusCode >= 400 ? { statusCode } : {}),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  });
}

/** The error for a failure that a provider reports inside a stream or a 200. */
export function reportedFailure(provider: string, said: unknown): TallyrankError {
  const rejection = new UpstreamRejection(said);
  const number = Number(rejection.code ?? Number.NaN);
  const status = Number.isInteger(number) && number >= 400 && number < 600 ? number : null;
  const code = codeOfProviderError(status, rejection.words);
  // 200, which the table has for answers that are passed on, would be no error to our caller.
  const statusCode = code === 'invalid_answer' ? { statusCode: 502 } : {};
  return errorOf(provider, code, rejection.code ?? rejection.type, {
    ...(IN_THEIR_WORDS.has(code) ? causeOf(rejection) : {}),
    ...statusCode,
  });
}

/** The error for a connection that failed; `hasAnswered` when the head of an answer had come. */
export function errorOfConnection(provider: string, error: Error, hasAnswered: boolean): TallyrankError {
  if (error instanceof TallyrankError) return error;
  const name = codeOf(error);
  const options = { cause: error };
  const code = codeOfConnectionError(name);
  if (code === 'upstream_malformed') {
    const text = `The provider ${provider} answered something that is not HTTP (${name}).`;
    return new TallyrankError(code, text, options);
  }
  if (code === 'shutting_down') {
    return new TallyrankError(code, 'Tallyrank is stopping; the call was ended.', options);
  }
  if (hasAnswered) {
    const text = `The provider ${provider} broke off in the middle of its answer (${name}).`;
    return new TallyrankError('upstream_cut', text, options);
  }
  if (code === 'network_unavailable') {
    const text = `The provider ${provider} was not called: this machine has no network or socket left (${name}).`;
    return new TallyrankError(code, text, options);
  }
  const text = `The provider ${provider} cannot be reached (${name}); is it running, and is its address right?`;
  return new TallyrankError('upstream_unreachable', text, options);
}

/** The error for an answer that is not what its protocol says. */
export function malformed(provider: string, what: string): TallyrankError {
  return new TallyrankError('upstream_malformed', `The provider ${provider} answered ${what}.`);
}

/** The error for a stream that stopped without its end. */
export function cutOff(provider: string): TallyrankError {
  return new TallyrankError(
    'upstream_cut',
    `The provider ${provider} broke off in the middle of its answer.`,
  );
}

function errorOf(
  provider: string,
  code: ErrorCode,
  shown: string | null,
  options: TallyrankErrorOptions,
): TallyrankError {
  const said = shown === null ? '' : ` (${shown.slice(0, WORD_LENGTH_MAX)})`;
  return new TallyrankError(code, `The provider ${provider} ${SENTENCES[code] ?? 'failed'}${said}.`, options);
}

function causeOf(rejection: UpstreamRejection): TallyrankErrorOptions {
  return { cause: rejection, ...(rejection.param === null ? {} : { param: rejection.param }) };
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return code;
  // Several addresses of one name fail together; the first says enough.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner instanceof Error ? codeOf(inner) : error.name;
}

function readRetryAfterMs(headers: IncomingHttpHeaders): number | null {
  const inMs = Number(headers['retry-after-ms'] ?? Number.NaN);
  const ms = Number.isFinite(inMs) ? inMs : waitMsOf(headers['retry-after'], headers.date);
  return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, RETRY_AFTER_MAX_MS) : null;
}

/** Seconds, or a date, which is read against the provider's own clock; NaN when it is neither. */
function waitMsOf(retryAfter: string | undefined, date: string | undefined): number {
  if (retryAfter === undefined) return Number.NaN;
  const seconds = Number(retryAfter);
  if (Number.isFinite(seconds)) return seconds * 1000;
  return Math.max(0, Date.parse(retryAfter) - Date.parse(date ?? ''));
}

/** The error of a body: OpenAI's and Anthropic's `{ error: { … } }`, Ollama's `{ error: "…" }`, Google's list of one. */
function readErrorBody(body: Buffer): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch {
    return null;
  }
  const whole: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  return (whole as { error?: unknown } | null)?.error ?? whole;
}

/**
 * Words that lie deeper: Azure's inner error, Google's reasons, and OpenRouter's list of what a moderation
 * flagged, which is told by being there.
 */
function wordsOfDetails(fields: Readonly<Record<string, unknown>>): string[] {
  const { innererror, details, metadata } = fields;
  const inner = toWord((innererror as { code?: unknown } | null | undefined)?.code);
  const reasons = Array.isArray(details)
    ? details.map((detail: unknown) => toWord((detail as { reason?: unknown } | null)?.reason))
    : [];
  const flagged = Array.isArray((metadata as { reasons?: unknown } | null | undefined)?.reasons);
  return [inner, ...reasons, flagged ? 'moderation_blocked' : null].filter((word) => word !== null);
}

function toWord(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
