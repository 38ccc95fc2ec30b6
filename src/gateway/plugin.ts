import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import { headersOfError } from './answer-headers.ts';
import type { GatewayDeps } from './deps.ts';
import { answerChat } from './exchange.ts';
import { encodeError, encodeModel } from './protocols/openai-answer.ts';
import { AUTO_MODELS } from './request-facts.ts';

export interface GatewayOptions extends GatewayDeps {
  /** Largest request body. Smaller refuses images, larger lets one request take the memory. */
  readonly bodyMaxBytes?: number | undefined;
}

const BODY_MAX_BYTES = 20 * 1024 * 1024;

/**
 * Bytes of a refused body that are still read, so that a client which sends before it listens can hear
 * why. Beyond, the connection is cut.
 */
const LINGER_MAX_BYTES = 64 * 1024 * 1024;

/** How long such a client may take. */
const LINGER_MAX_MS = 5_000;

/**
 * The paths of OpenAI's protocol, under `/v1` only: chat completions and the model list. All errors have
 * OpenAI's shape. To be registered without a prefix.
 */
export async function gatewayPlugin(app: FastifyInstance, options: GatewayOptions): Promise<void> {
  await app.register(
    async (v1) => {
      mountChat(v1, options);
      mountModels(v1, options);
      v1.setErrorHandler((error: FastifyError, request, reply) =>
        sendFailure(options, error, request, reply),
      );
      v1.setNotFoundHandler((request, reply) => {
        const path = request.url.split('?', 1)[0] ?? '';
        const text = `There is no ${request.method} ${path.slice(0, 100)}; see POST /v1/chat/completions and GET /v1/models.`;
        return sendError(reply, new TallyrankError('not_found', text));
      });
    },
    { prefix: '/v1' },
  );
}

function mountChat(app: FastifyInstance, options: GatewayOptions): void {
  const bodyLimit = options.bodyMaxBytes ?? BODY_MAX_BYTES;
  // Only JSON: a web page can make a browser post any other type to this port without asking us first.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit }, (_request, body, done) => {
    done(null, body);
  });
  const arrivedAtMs = new WeakMap<FastifyRequest, number>();
  app.route({
    method: 'POST',
    url: '/chat/completions',
    bodyLimit,
    // Reading a large body is part of the latency.
    onRequest: (request, _reply, done) => {
      arrivedAtMs.set(request, options.clock());
      done();
    },
    handler: (request, reply) =>
      answerChat(options, request, reply, arrivedAtMs.get(request) ?? options.clock()),
  });
}

function mountModels(app: FastifyInstance, { providers, clock }: GatewayOptions): void {
  // The protocol wants a moment of creation; what we know is since when we offer it.
  const createdAtSeconds = Math.floor(clock() / 1000);
  app.get('/models', () => {
    const models = providers.catalog.models;
    return {
      object: 'list',
      data: [
        ...AUTO_MODELS.map((id) => encodeModel(id, 'tallyrank', createdAtSeconds)),
        ...models.map((model) => encodeModel(model.modelId, model.provider, createdAtSeconds)),
      ],
    };
  });
  // Ids hold slashes and colons, and clients send them encoded or not.
  app.get<{ Params: { '*': string } }>('/models/*', (request) => {
    const id = request.params['*'];
    if (AUTO_MODELS.includes(id)) return encodeModel(id, 'tallyrank', createdAtSeconds);
    const model = providers.catalog.resolve(id);
    return encodeModel(model.modelId, model.provider, createdAtSeconds);
  });
}

async function sendFailure(
  options: GatewayOptions,
  thrown: FastifyError | TallyrankError,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const error = translate(thrown, options.bodyMaxBytes ?? BODY_MAX_BYTES);
  if (error.fault === 'self')
    options.logger.error(
      { err: thrown, route: request.routeOptions.url },
      'A request failed inside Tallyrank.',
    );
  if (error.code === 'body_too_large') await linger(request);
  return sendError(reply, error);
}

function sendError(reply: FastifyReply, error: TallyrankError): FastifyReply {
  return reply
    .code(error.statusCode)
    .headers(headersOfError(error))
    .type('application/json; charset=utf-8')
    .send(encodeError(error));
}

/** Fastify's own refusals in our words. */
function translate(thrown: FastifyError | TallyrankError, bodyMaxBytes: number): TallyrankError {
  if (thrown instanceof TallyrankError) return thrown;
  switch (thrown.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE': {
      const text = `The request body is larger than ${bodyMaxBytes} bytes; send less, e.g. smaller images.`;
      return new TallyrankError('body_too_large', text);
    }
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE': {
      const text = 'The request body must be JSON: send the header "content-type: application/json".';
      return new TallyrankError('unsupported_media_type', text);
    }
    default: {
      const isCallers =
        thrown.statusCode !== undefined && thrown.statusCode >= 400 && thrown.statusCode < 500;
      if (!isCallers) return toTallyrankError(thrown);
      return new TallyrankError('bad_request', 'The request could not be read; check its path and body.', {
        cause: thrown,
      });
    }
  }
}

/** Reads a refused body away, within limits, since closing under a client that still sends loses the answer. */
async function linger(request: FastifyRequest): Promise<void> {
  const { raw } = request;
  if (raw.complete || raw.destroyed) return;
  await new Promise<void>((resolve) => {
    let length = 0;
    const timer = setTimeout(resolve, LINGER_MAX_MS);
    const stop = (): void => {
      clearTimeout(timer);
      resolve();
    };
    raw.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > LINGER_MAX_BYTES) stop();
    });
    raw.once('end', stop);
    raw.once('close', stop);
    raw.resume();
  });
}
