import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import { headersOfError } from './answer-headers.ts';
import { answerTokenCount } from './count-tokens.ts';
import type { GatewayDeps } from './deps.ts';
import { mountEmbeddings } from './embeddings.ts';
import { answerChat } from './exchange.ts';
import { isAnthropicClient, mountModels } from './model-list.ts';
import { mountOllama } from './ollama-paths.ts';
import { ANTHROPIC_MESSAGES } from './protocols/anthropic/client.ts';
import type { InboundProtocol } from './protocols/inbound.ts';
import { OLLAMA_CHAT } from './protocols/ollama/client.ts';
import { OPENAI_CHAT } from './protocols/openai/chat-client.ts';
import { OPENAI_COMPLETIONS } from './protocols/openai/completions-client.ts';
import { OPENAI_EMBEDDINGS } from './protocols/openai/embeddings-client.ts';
import { OPENAI_RESPONSES } from './protocols/openai/responses-client.ts';

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
 * The paths of all protocols that clients speak; an error has the shape of its path's protocol. To be registered
 * without a prefix.
 */
export async function gatewayPlugin(app: FastifyInstance, options: GatewayOptions): Promise<void> {
  await app.register(
    async (v1) => {
      takeJsonOnly(v1, options);
      mountChat(v1, options, '/chat/completions', OPENAI_CHAT);
      mountChat(v1, options, '/completions', OPENAI_COMPLETIONS);
      mountChat(v1, options, '/responses', OPENAI_RESPONSES);
      mountChat(v1, options, '/messages', ANTHROPIC_MESSAGES);
      mountTokenCount(v1, options);
      mountEmbeddings(v1, options, '/embeddings', OPENAI_EMBEDDINGS);
      mountModels(v1, options);
      v1.setErrorHandler((error: FastifyError, request, reply) =>
        sendFailure(options, protocolOf(request), error, request, reply),
      );
      v1.setNotFoundHandler((request, reply) => {
        const path = request.url.split('?', 1)[0] ?? '';
        const text = `There is no ${request.method} ${path.slice(0, 100)}; see POST /v1/chat/completions and GET /v1/models.`;
        return sendError(reply, protocolOf(request), new TallyrankError('not_found', text));
      });
    },
    { prefix: '/v1' },
  );
  await app.register(async (scope) => {
    takeJsonOnly(scope, options);
    mountOllama(scope, options);
    scope.setErrorHandler((error: FastifyError, request, reply) =>
      sendFailure(options, OLLAMA_CHAT, error, request, reply),
    );
  });
}

/** For paths that several protocols have, or none. */
function protocolOf({ headers }: FastifyRequest): InboundProtocol {
  return isAnthropicClient(headers) ? ANTHROPIC_MESSAGES : OPENAI_CHAT;
}

function mountTokenCount(app: FastifyInstance, options: GatewayOptions): void {
  app.route({
    method: 'POST',
    url: '/messages/count_tokens',
    bodyLimit: options.bodyMaxBytes ?? BODY_MAX_BYTES,
    errorHandler: (error, request, reply) => sendFailure(options, ANTHROPIC_MESSAGES, error, request, reply),
    handler: (request, reply) => answerTokenCount(options.providers, request, reply),
  });
}

/** Bodies stay bytes: each protocol parses its own, once. */
function takeJsonOnly(app: FastifyInstance, options: GatewayOptions): void {
  const bodyLimit = options.bodyMaxBytes ?? BODY_MAX_BYTES;
  // Only JSON: a web page can make a browser post any other type to this port without asking us first.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit }, (_request, body, done) => {
    done(null, body);
  });
}

/** A path on which clients chat in a protocol; errors of it have the protocol's shape. */
function mountChat(
  app: FastifyInstance,
  options: GatewayOptions,
  url: string,
  protocol: InboundProtocol,
): void {
  const arrivedAtMs = new WeakMap<FastifyRequest, number>();
  app.route({
    method: 'POST',
    url,
    bodyLimit: options.bodyMaxBytes ?? BODY_MAX_BYTES,
    errorHandler: (error, request, reply) => sendFailure(options, protocol, error, request, reply),
    // Reading a large body is part of the latency.
    onRequest: (request, _reply, done) => {
      arrivedAtMs.set(request, options.clock());
      done();
    },
    handler: (request, reply) =>
      answerChat(options, protocol, request, reply, arrivedAtMs.get(request) ?? options.clock()),
  });
}

async function sendFailure(
  options: GatewayOptions,
  protocol: InboundProtocol,
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
  return sendError(reply, protocol, error);
}

function sendError(reply: FastifyReply, protocol: InboundProtocol, error: TallyrankError): FastifyReply {
  return reply
    .code(error.statusCode)
    .headers(headersOfError(error))
    .type('application/json; charset=utf-8')
    .send(protocol.encodeError(error, null));
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
