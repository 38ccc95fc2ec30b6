import type { IncomingHttpHeaders } from 'node:http';
import { TallyrankError } from '../core/errors.ts';

/** Characters of a provider's own sentence that are passed to the caller. */
const SENTENCE_LENGTH_MAX = 1_000;

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

  constructor(body: Buffer) {
    const said = readErrorBody(body);
    this.message = said.message.slice(0, SENTENCE_LENGTH_MAX);
    this.type = said.type;
    this.param = said.param;
    this.code = said.code;
  }
}

/** The error for an answer whose status is not 2xx. */
export function errorOfStatus(
  provider: string,
  statusCode: number,
  headers: IncomingHttpHeaders,
  body: Buffer,
): TallyrankError {
  const rejection = new UpstreamRejection(body);
  const shown = rejection.code === null ? `status ${statusCode}` : `status ${statusCode}, ${rejection.code}`;
  if (statusCode === 401 || statusCode === 402 || statusCode === 403) {
    const text = `The provider ${provider} does not accept our key or account (${shown}); check its settings.`;
    // The provider's sentence is not passed on: it quotes the operator's key.
    return new TallyrankError('upstream_unauthorized', text);
  }
  if (statusCode === 429) {
    const retryAfterMs = readRetryAfterMs(headers);
    return new TallyrankError(
      'upstream_rate_limited',
      `The provider ${provider} limits our rate (${shown}).`,
      {
        ...(retryAfterMs === null ? {} : { retryAfterMs }),
      },
    );
  }
  if (statusCode === 408 || statusCode === 504) {
    return new TallyrankError('upstream_timeout', `The provider ${provider} timed out (${shown}).`);
  }
  if (statusCode >= 400 && statusCode < 500) {
    return new TallyrankError(
      'upstream_rejected',
      `The provider ${provider} refused the request (${shown}).`,
      {
        statusCode,
        cause: rejection,
        ...(rejection.param === null ? {} : { param: rejection.param }),
      },
    );
  }
  return new TallyrankError('upstream_failed', `The provider ${provider} failed (${shown}).`);
}

/** The error for a connection that failed; `hasAnswered` when the head of an answer had come. */
export function errorOfConnection(provider: string, error: Error, hasAnswered: boolean): TallyrankError {
  if (error instanceof TallyrankError) return error;
  const code = codeOf(error);
  const options = { cause: error };
  if (code.startsWith('HPE_')) {
    return new TallyrankError(
      'upstream_malformed',
      `The provider ${provider} answered something that is not HTTP (${code}).`,
      options,
    );
  }
  if (hasAnswered) {
    return new TallyrankError(
      'upstream_cut',
      `The provider ${provider} broke off in the middle of its answer (${code}).`,
      options,
    );
  }
  return new TallyrankError(
    'upstream_unreachable',
    `The provider ${provider} cannot be reached (${code}); is it running, and is its address right?`,
    options,
  );
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

/** The error for a failure that a provider reports inside a stream or a 200. */
export function reportedFailure(provider: string, code: unknown): TallyrankError {
  const shown = typeof code === 'string' || typeof code === 'number' ? ` (${String(code).slice(0, 60)})` : '';
  return new TallyrankError('upstream_failed', `The provider ${provider} reported an error${shown}.`);
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
  const ms = Number.isFinite(inMs) ? inMs : Number(headers['retry-after'] ?? Number.NaN) * 1000;
  return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, RETRY_AFTER_MAX_MS) : null;
}

interface ErrorWords {
  readonly message: string;
  readonly type: string | null;
  readonly param: string | null;
  readonly code: string | null;
}

/** The words of an error body: OpenAI's and Anthropic's `{ error: { message, type } }`, Ollama's `{ error: "…" }`. */
function readErrorBody(body: Buffer): ErrorWords {
  const nothing = { message: 'The provider refused the request.', type: null, param: null, code: null };
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch {
    return nothing;
  }
  const error: unknown = (parsed as { error?: unknown } | null)?.error ?? parsed;
  if (typeof error === 'string') return { ...nothing, message: error };
  if (typeof error !== 'object' || error === null) return nothing;
  const { message, type, param, code } = error as Record<keyof ErrorWords, unknown>;
  return {
    message: toWord(message) ?? nothing.message,
    type: toWord(type),
    param: toWord(param),
    code: typeof code === 'number' ? String(code) : toWord(code),
  };
}

function toWord(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
