import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { jsonSchemaTransform, validatorCompiler } from 'fastify-type-provider-zod';
import { Answers } from './api/answers.ts';
import type { ApiDeps } from './api/deps.ts';
import { errorBody, errorHandler, errorOfThrown } from './api/error-shape.ts';
import { apiPlugin } from './api/plugin.ts';
import { App } from './app.ts';
import type { LoadedConfig } from './config/load.ts';
import { TallyrankError } from './core/errors.ts';
import { guardAccess } from './gateway/access.ts';
import { gatewayPlugin } from './gateway/plugin.ts';
import { VERSION } from './version.ts';

export interface RunningServer extends AsyncDisposable {
  readonly app: App;
  /** Where it listens, e.g. "http://127.0.0.1:5001". */
  readonly url: string;
  /** Lets answers under way end, ships the log, closes the store. */
  close(): Promise<void>;
}

/** A longer path parameter is nobody's model id. */
const PARAM_LENGTH_MAX = 1_000;
/** Headers must arrive in this time; a client that drips them holds a socket. */
const HEADERS_TIMEOUT_MS = 30_000;
/** Answers under way may take this long to end before their sockets are cut. */
const DRAIN_MS = 15_000;
/** Idle connections are looked for this often while answers end. */
const SWEEP_MS = 50;
/** A wall clock that differs by more was set; by less it is only being slewed. */
const CLOCK_STEP_MS = 1_000;

/**
 * Starts the product: store, gateway, API and page on one port.
 *
 * @throws {TallyrankError} `bad_config` when the port is taken, `store_unavailable`, `store_newer`
 */
export async function startServer(loaded: LoadedConfig): Promise<RunningServer> {
  const app = await App.open(loaded);
  const server = await buildServer(app);
  const { host, port } = loaded.config;
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    await app.close();
    throw listenError(error, host, port);
  }
  const address = server.server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  const shownHost = host.includes(':') ? `[${host}]` : host;
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closing ??= drain(server, app);
    return closing;
  };
  return { app, url: `http://${shownHost}:${boundPort}`, close, [Symbol.asyncDispose]: close };
}

/** The HTTP server of an app, not yet listening. */
async function buildServer(app: App): Promise<FastifyInstance> {
  const { config, secrets, logger, telemetry } = app.bench;
  const bodyMaxBytes = Math.round(config.limits.bodyMaxMegabytes * 1024 * 1024);
  const { keepAliveMs } = config.limits;
  let requestCount = 0;
  const server = Fastify({
    logger: false,
    bodyLimit: bodyMaxBytes,
    // Only our own log names it; requests of the gateway get their id from the tracker.
    genReqId: () => `http-${++requestCount}`,
    requestIdHeader: false,
    requestTimeout: 0,
    connectionTimeout: 0,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX, ignoreTrailingSlash: true },
    frameworkErrors: (error, _request, reply) => {
      const refusal = errorOfThrown(error);
      void (reply as FastifyReply).code(refusal.statusCode).send(errorBody(refusal));
    },
    clientErrorHandler: refuseUnreadable,
  });
  server.setValidatorCompiler(validatorCompiler);
  // Answers are documented by their schemas and checked against them by tests, not at run time.
  server.setSerializerCompiler(() => (value) => JSON.stringify(value));
  server.setErrorHandler(errorHandler(logger));
  server.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const message = `There is no ${request.method} ${path.slice(0, 120)}; GET /api/docs lists what there is.`;
    return reply.code(404).send(errorBody(new TallyrankError('not_found', message)));
  });
  guardAccess(server, secrets.adminKey);
  await describeApi(server);
  await server.register(gatewayPlugin, {
    providers: app.providers,
    router: app.router,
    log: app.tracker,
    shadows: app.shadows,
    cache: app.cache ?? undefined,
    logger,
    clock: fractionalClock(),
    bodyMaxBytes,
    keepAlive: keepAliveMs === 0 ? undefined : { everyMs: keepAliveMs },
  });
  await server.register(apiPlugin, { deps: apiDepsOf(app) });
  mountHealth(server, app);
  server.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    reply.type(telemetry.registry.contentType).send(await telemetry.registry.metrics()),
  );
  return server;
}

/** Answers what is no HTTP request that could be routed: a head that is too large, too slow or broken. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, statusCode, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [
          '431 Request Header Fields Too Large',
          431,
          'The path and headers of the request are too long; put data into the body.',
        ]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 408, 'The request did not arrive in time.']
        : ['400 Bad Request', 400, 'This is not an HTTP request that can be read.'];
  const body = JSON.stringify(errorBody(new TallyrankError('bad_request', message, { statusCode })));
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `connection: close\r\n\r\n${body}`,
  );
}

async function describeApi(server: FastifyInstance): Promise<void> {
  await server.register(swagger, {
    openapi: {
      info: {
        title: 'Tallyrank',
        version: VERSION,
        description: 'Usage, patterns, rankings, savings and routing. Clients of OpenAI’s protocol use /v1.',
      },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    },
    transform: jsonSchemaTransform,
  });
  await server.register(swaggerUi, { routePrefix: '/api/docs' });
  server.get('/api/openapi.json', { schema: { hide: true } }, async () => server.swagger());
}

function mountHealth(server: FastifyInstance, app: App): void {
  const alive = async (): Promise<object> => ({ status: 'ok', version: VERSION });
  const ready = async (): Promise<object> => {
    const providers = app.providers.health();
    const isStoreUp = await app.bench.db.ping();
    const { journalWaitingBytes, droppedCount } = app.tracker.counters;
    return {
      // The gateway answers without its store; what it logs waits in the journal.
      status: isStoreUp ? 'ready' : 'degraded',
      store: isStoreUp ? 'up' : 'away',
      journal: { waitingBytes: journalWaitingBytes, droppedCount },
      snapshotVersion: app.snapshots.current.version,
      providers,
    };
  };
  for (const path of ['/healthz', '/health/liveliness', '/health/liveness']) {
    server.get(path, { schema: { hide: true } }, alive);
  }
  for (const path of ['/readyz', '/health/readiness']) server.get(path, { schema: { hide: true } }, ready);
}

function cacheFor({ cache, bench }: App): ApiDeps['cache'] {
  return {
    state: () =>
      cache === null ? null : { ...cache.counters, maxBytes: bench.config.cache.maxMegabytes * 1024 * 1024 },
    empty: () => cache?.empty() ?? 0,
  };
}

function apiDepsOf(app: App): ApiDeps {
  const { bench } = app;
  return {
    db: bench.db,
    answers: new Answers(bench),
    tracker: app.tracker,
    analyzer: bench.analyzer,
    ranker: bench.ranker,
    judge: bench.judge,
    abTests: bench.abTests,
    router: app.router,
    exploration: app.exploration,
    snapshots: app.snapshots,
    jobs: app.jobs,
    events: app.events,
    prices: bench.prices,
    clock: bench.clock,
    catalog: () => app.providers.catalog,
    cache: cacheFor(app),
    providerHealth: () => app.providers.health(),
    startAnalysis: (timeframe) => app.startAnalysis(timeframe),
    startJudging: (task) => app.startJudging(task),
    evaluatePolicy: (question) => app.evaluatePolicy(question),
    rules: () => app.rules,
    setRules: (rules) => app.setRules(rules),
    dryRunRules: (question) => app.dryRunRules(question),
    followAbTests: () => app.abTestWatch.follow(),
    refreshRankings: () => app.refreshRankings(),
    followRankings: () => app.followSnapshot(),
  };
}

/**
 * Milliseconds since 1970 with fractions that go forward evenly: what overhead is measured with. Follows the
 * wall clock when that was set, or when the machine slept.
 */
function fractionalClock(): () => number {
  let offsetMs = Date.now() - performance.now();
  return () => {
    const nowMs = offsetMs + performance.now();
    const aheadMs = Date.now() - nowMs;
    if (Math.abs(aheadMs) < CLOCK_STEP_MS) return nowMs;
    offsetMs += aheadMs;
    return nowMs + aheadMs;
  };
}

async function drain(server: FastifyInstance, app: App): Promise<void> {
  const cut = setTimeout(() => server.server.closeAllConnections(), DRAIN_MS);
  // An answer that had begun before the end was asked for leaves its connection open for a next request.
  const sweep = setInterval(() => server.server.closeIdleConnections(), SWEEP_MS);
  try {
    await server.close();
  } finally {
    clearTimeout(cut);
    clearInterval(sweep);
    await app.close();
  }
}

function listenError(error: unknown, host: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} on ${host} is taken. Stop what listens there, or set PORT to another.`,
    EACCES: `Port ${port} needs rights that this user lacks. Set PORT to one above 1023.`,
    EADDRNOTAVAIL: `${host} is not an address of this machine. Set HOST to one, or leave it out.`,
  };
  const reason = code === undefined ? undefined : reasons[code];
  return reason === undefined ? error : new TallyrankError('bad_config', reason, { cause: error });
}
