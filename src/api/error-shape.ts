import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';

/** The one shape of all errors: OpenAI's, which clients of every kind read. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

export function errorBody(error: TallyrankError): ErrorBody {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code } };
}

/** Fastify's own refusals by their code, in our words. */
const FASTIFY_ERRORS: Readonly<Record<string, (error: FastifyError) => TallyrankError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () =>
    new TallyrankError(
      'body_too_large',
      'The request body is larger than this server takes (limits.bodyMaxMegabytes).',
    ),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new TallyrankError(
      'unsupported_media_type',
      'Send the body as JSON with content-type: application/json.',
    ),
  FST_ERR_CTP_EMPTY_JSON_BODY: () =>
    new TallyrankError('bad_request', 'The body is empty; send a JSON object.'),
  FST_ERR_BAD_URL: () =>
    new TallyrankError('bad_request', 'The path cannot be decoded; write "%" itself as "%25".'),
  FST_ERR_CTP_INVALID_JSON_BODY: () => new TallyrankError('bad_request', 'The body is not valid JSON.'),
};

/** Whatever was thrown, as one of our errors; texts of unknown failures stay inside. */
export function errorOfThrown(thrown: unknown): TallyrankError {
  if (thrown instanceof TallyrankError) return thrown;
  if (hasZodFastifySchemaValidationErrors(thrown)) {
    const faults = thrown.validation.map(({ instancePath, message }) => {
      const at = instancePath.replaceAll('/', '.').replace(/^\./, '');
      return at === '' ? String(message) : `${at}: ${message}`;
    });
    const param = thrown.validation[0]?.instancePath.split('/')[1];
    const place = thrown.validationContext ?? 'request';
    return new TallyrankError('bad_request', `The ${place} is not as it should be: ${faults.join('; ')}.`, {
      ...(param ? { param } : {}),
    });
  }
  const error = thrown as Partial<FastifyError>;
  const known = error.code === undefined ? undefined : FASTIFY_ERRORS[error.code];
  if (known) return known(error as FastifyError);
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new TallyrankError('bad_request', error.message ?? 'The request cannot be read.', {
      statusCode: error.statusCode,
      cause: thrown,
    });
  }
  return toTallyrankError(thrown);
}

/** Fastify's error handler: one log line for faults of ours, one body for everybody. */
export function errorHandler(
  logger: Logger,
): (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => void {
  return (thrown, request, reply) => {
    const error = errorOfThrown(thrown);
    if (error.fault === 'self') {
      const route = request.routeOptions.url ?? 'unknown route';
      logger.error(
        { err: error.cause ?? error, requestId: request.id, route },
        'A request failed inside Tallyrank.',
      );
    }
    if (error.retryAfterMs !== null) void reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000));
    // Closing under a client that still sends loses it the answer; what it sends is thrown away instead.
    if (error.code === 'body_too_large') void reply.removeHeader('connection');
    void reply.code(error.statusCode).type('application/json').send(errorBody(error));
  };
}
