import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TallyrankError } from '../core/errors.ts';
import type { CatalogModel, ModelCatalog } from '../core/model-catalog.ts';
import { isAutoName, policyOf } from '../core/policy.ts';
import type { GatewayDeps } from './deps.ts';
import { mountEmbeddings } from './embeddings.ts';
import { answerChat } from './exchange.ts';
import { isEmbeddingModel } from './model-facts.ts';
import type { Fields } from './protocols/fields.ts';
import { toFields, toFieldsList, toWord, tryParseFields } from './protocols/fields.ts';
import type { InboundProtocol } from './protocols/inbound.ts';
import { parseJsonBody } from './protocols/json-body.ts';
import { OLLAMA_CHAT, OLLAMA_GENERATE } from './protocols/ollama/client.ts';
import { encodeLoaded } from './protocols/ollama/client-answer.ts';
import type { OfferedModel } from './protocols/ollama/client-models.ts';
import { encodeShow, encodeTag } from './protocols/ollama/client-models.ts';
import type { OllamaRequest } from './protocols/ollama/client-request.ts';
import { parseOllamaChat, parseOllamaGenerate } from './protocols/ollama/client-request.ts';
import { OLLAMA_EMBED, OLLAMA_EMBEDDINGS } from './protocols/ollama/embeddings-client.ts';
import type { Provider } from './providers/provider.ts';
import { AUTO_MODELS } from './request-facts.ts';

/** The release of Ollama whose API this is; clients look whether it is new enough for what they need. */
const API_VERSION = '0.12.6';

/** Other servers that are asked for something small may take this long. */
const ASK_TIMEOUT_MS = 5_000;

/** The OpenAPI document has Tallyrank's own endpoints; these are described by whose they are. */
const HIDDEN = { schema: { hide: true } };

/** What changes the models of a server: nobody's to do through a gateway, of which others are the owners. */
const REFUSED_PATHS = [
  '/api/pull',
  '/api/push',
  '/api/create',
  '/api/delete',
  '/api/copy',
  '/api/blobs/:digest',
] as const;

/**
 * Ollama's own paths, for clients that expect an Ollama here. They lie beside Tallyrank's own under `/api`; none of the
 * names is taken twice. The scope's error handler gives errors Ollama's shape.
 */
export function mountOllama(app: FastifyInstance, options: GatewayDeps): void {
  const knownSince = new Date(options.clock());
  const arrivedAtMs = new WeakMap<FastifyRequest, number>();
  const arrivalOf = (request: FastifyRequest): number => arrivedAtMs.get(request) ?? options.clock();
  app.addHook('onRequest', (request, _reply, done) => {
    arrivedAtMs.set(request, options.clock());
    done();
  });
  takeCurlsBodies(app);
  const chat = (url: string, protocol: InboundProtocol, parse: (bytes: Buffer) => OllamaRequest): void => {
    app.post(url, HIDDEN, async (request, reply) => {
      const asked = parse(request.body as Buffer);
      if (asked.kind === 'load') return await load(options, url, asked, reply);
      // Parsed once.
      const parsed = { ...protocol, parse: () => asked.client };
      return await answerChat(options, parsed, request, reply, arrivalOf(request));
    });
  };
  chat('/api/chat', OLLAMA_CHAT, parseOllamaChat);
  chat('/api/generate', OLLAMA_GENERATE, parseOllamaGenerate);
  mountEmbeddings(app, options, '/api/embed', OLLAMA_EMBED);
  mountEmbeddings(app, options, '/api/embeddings', OLLAMA_EMBEDDINGS);
  app.get('/api/version', HIDDEN, () => ({ version: API_VERSION }));
  app.get('/api/tags', HIDDEN, () => ({
    models: offeredModels(options).map((offered) => encodeTag(offered, knownSince)),
  }));
  app.post('/api/show', HIDDEN, (request) =>
    show(options, parseJsonBody(request.body as Buffer), knownSince),
  );
  app.get('/api/ps', HIDDEN, () => runningModels(options));
  for (const url of REFUSED_PATHS) {
    // Before a body is read, which may be gigabytes of a model.
    app.route({ method: ['GET', 'POST', 'DELETE'], url, ...HIDDEN, onRequest: refuse, handler: refuse });
  }
}

/**
 * `curl -d` says of its JSON that it comes from a form, and Ollama never minds. A form of a web page says where it
 * comes from, and such a body is refused: a browser would post it without asking us first.
 */
function takeCurlsBodies(app: FastifyInstance): void {
  const isOfPage = ({ headers }: FastifyRequest): boolean =>
    headers.origin !== undefined || headers.referer !== undefined || headers['sec-fetch-site'] !== undefined;
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer' },
    (request, body: Buffer, done) => {
      if (!isOfPage(request)) return done(null, body);
      const text = 'The request body must be JSON: send the header "content-type: application/json".';
      done(new TallyrankError('unsupported_media_type', text));
    },
  );
}

async function refuse(): Promise<never> {
  const text =
    'Tallyrank does not manage models: pull, create, copy and delete them on the Ollama server that runs them.';
  throw new TallyrankError('not_found', text, { statusCode: 501 });
}

/** Has an Ollama load the model, or let go of it; other servers always have theirs. */
async function load(
  { providers, clock }: GatewayDeps,
  url: string,
  { model: name, body }: Extract<OllamaRequest, { kind: 'load' }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const model = modelNamed(providers.catalog, name);
  const server = model === null ? undefined : providers.provider(model.provider)?.ollama;
  const isUnloaded = body['keep_alive'] === 0 || body['keep_alive'] === '0';
  const answer =
    model === null || server === undefined
      ? encodeLoaded(url === '/api/chat', name, clock(), isUnloaded)
      : await server.ask(url, { ...body, model: model.name, stream: false }, closed(reply));
  const isStream = body['stream'] !== false;
  return reply
    .type(isStream ? 'application/x-ndjson' : 'application/json; charset=utf-8')
    .send(isStream ? `${answer.toString().trimEnd()}\n` : answer);
}

/** Fails what is under way for a client that has left. */
function closed(reply: FastifyReply): AbortSignal {
  const left = new AbortController();
  reply.raw.once('close', () => {
    const text = 'The caller closed the connection before the answer ended.';
    if (!reply.raw.writableFinished) left.abort(new TallyrankError('caller_cancelled', text));
  });
  return left.signal;
}

/** The model of a name; null for a preset of `auto`. @throws {TallyrankError} `unknown_model`, `ambiguous_model` */
function modelNamed(catalog: ModelCatalog, name: string): CatalogModel | null {
  if (!isAutoName(name)) return catalog.resolve(name);
  policyOf(name);
  return null;
}

/** The presets, and all models that chat or embed. */
function offeredModels({ providers }: GatewayDeps): OfferedModel[] {
  const { models } = providers.catalog;
  const presets = AUTO_MODELS.map((name) => ({ name: taggedName(name), model: null, entry: null }));
  const known = models.filter((model) => model.isChat || isEmbeddingModel(model));
  return [...presets, ...known.map((model) => offeredModel(providers, model))];
}

/** An Ollama's models keep their names where those are nobody else's: its clients may have one written down. */
function offeredModel(providers: GatewayDeps['providers'], model: CatalogModel): OfferedModel {
  const entry = providers.provider(model.provider)?.ollama?.entryOf(model.name) ?? null;
  const isOwnName = entry !== null && providers.catalog.canonicalId(model.name) === model.modelId;
  return { name: isOwnName ? model.name : model.modelId, model, entry };
}

/** Ollama lists a name without a tag as that of its latest version. */
function taggedName(name: string): string {
  return name.includes(':') ? name : `${name}:latest`;
}

async function show(options: GatewayDeps, body: Fields, knownSince: Date): Promise<Fields> {
  const { providers } = options;
  const name = toWord(body['model']) ?? toWord(body['name']);
  if (name === null) {
    throw new TallyrankError('bad_request', 'model is missing: give the name of a model as a text.', {
      param: 'model',
    });
  }
  const model = modelNamed(providers.catalog, name);
  const server = model === null ? undefined : providers.provider(model.provider)?.ollama;
  if (model !== null && server !== undefined) {
    return await askFor(server, '/api/show', { ...body, model: model.name });
  }
  const models = providers.catalog.models.filter(({ isChat, isAutoAllowed }) => isChat && isAutoAllowed);
  const contexts = models.map(({ contextTokens }) => contextTokens).filter((tokens) => tokens !== null);
  const preset = {
    hasImages: models.some(({ hasImages }) => hasImages === true),
    contextTokens: contexts.length === 0 ? null : Math.max(...contexts),
  };
  return encodeShow({ name, model, entry: null }, preset, knownSince);
}

/** What the Ollama servers have in memory, under the names they are listed by; one that is away has nothing there. */
async function runningModels({ providers }: GatewayDeps): Promise<{ readonly models: readonly Fields[] }> {
  const { models } = providers.catalog;
  const ids = [...new Set(models.map((model) => model.provider))];
  const answers = await Promise.allSettled(
    ids.map(async (id) => {
      const server = providers.provider(id)?.ollama;
      if (server === undefined) return [];
      const body = await askFor(server, '/api/ps', null);
      return toFieldsList(body['models']).map((running) => {
        const model = providers.catalog.get(`${id}:${toWord(running['model']) ?? toWord(running['name'])}`);
        if (model === null) return running;
        const { name } = offeredModel(providers, model);
        return { ...running, name, model: name };
      });
    }),
  );
  return { models: answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])) };
}

async function askFor(
  server: NonNullable<Provider['ollama']>,
  path: string,
  body: Fields | null,
): Promise<Fields> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    const text = `An Ollama server did not answer ${path} within ${ASK_TIMEOUT_MS} ms.`;
    late.abort(new TallyrankError('upstream_timeout', text));
  }, ASK_TIMEOUT_MS);
  try {
    return toFields(tryParseFields((await server.ask(path, body, late.signal)).toString()));
  } finally {
    clearTimeout(timer);
  }
}
