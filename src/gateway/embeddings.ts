import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import type { CatalogModel, ModelCatalog } from '../core/model-catalog.ts';
import { isAutoName } from '../core/policy.ts';
import type { RequestFailure } from '../core/usage-record.ts';
import { NO_TIMINGS, NO_TOKEN_USAGE } from '../core/usage-record.ts';
import { OTHER_USE_CASE } from '../core/use-case.ts';
import { toCostText, toHeaderWord } from './answer-headers.ts';
import type { GatewayDeps, LoggedOutcome } from './deps.ts';
import { isEmbeddingModel } from './model-facts.ts';
import type { EmbeddingAnswer, EmbeddingForm, EmbeddingRequest } from './providers/embedding.ts';
import { contextOfRequest } from './request-context.ts';

/** Names that a refusal lists; more would be no help. */
const SHOWN_MAX = 8;

/** A path on which clients ask for vectors. */
export function mountEmbeddings(
  app: FastifyInstance,
  deps: GatewayDeps,
  url: string,
  form: EmbeddingForm,
): void {
  const arrivedAtMs = new WeakMap<FastifyRequest, number>();
  app.route({
    method: 'POST',
    url,
    schema: { hide: true },
    // Reading a large body is part of the latency.
    onRequest: (request, _reply, done) => {
      arrivedAtMs.set(request, deps.clock());
      done();
    },
    handler: (request, reply) =>
      answerEmbedding(deps, form, request, reply, arrivedAtMs.get(request) ?? deps.clock()),
  });
}

/**
 * One request for vectors, from its bytes to its finished record. It is logged as what it is: no question of a
 * person, so no router is asked, and neither discovery nor rankings hear of it.
 *
 * @throws {TallyrankError} before a record is opened: bad input, unknown model; after: whatever the provider failed by
 */
async function answerEmbedding(
  deps: GatewayDeps,
  form: EmbeddingForm,
  http: FastifyRequest,
  reply: FastifyReply,
  arrivedAtMs: number,
): Promise<FastifyReply> {
  const request = form.parse(http.body as Buffer);
  const model = embeddingModelOf(deps.providers.catalog, request.model);
  const requestId = deps.log.logRequest({
    ...contextOfRequest(http.headers, { ...request.body, model: request.model, messages: [] }),
    // A session consists of what a person said in it.
    sessionId: null,
    source: 'embedding',
    model: request.model,
    modelId: model.modelId,
    // Documents that are indexed would fill the store and tell nobody anything.
    prompt: { prompt: '', context: '' },
    conversation: null,
    isStream: false,
    startedAtMs: arrivedAtMs,
    classification: {
      useCase: OTHER_USE_CASE,
      confidence: null,
      ruleName: null,
      runId: '',
      snapshotVersion: null,
    },
  });
  reply.headers({
    'x-request-id': requestId,
    'x-tallyrank-request-id': requestId,
    'x-tallyrank-model': toHeaderWord(model.modelId),
  });
  const calledAtMs = deps.clock();
  let answer: EmbeddingAnswer | null = null;
  let error: TallyrankError | null = null;
  try {
    answer = await embed(deps, model, request, reply);
  } catch (thrown) {
    error = toTallyrankError(thrown);
  }
  const endedAtMs = deps.clock();
  const outcome: LoggedOutcome = {
    ...outcomeOf(model.modelId, answer, error),
    latencyMs: endedAtMs - arrivedAtMs,
    overheadMs: calledAtMs - arrivedAtMs,
  };
  try {
    await deps.log.finish(requestId, outcome, null);
  } catch (thrown) {
    // The journal counts what it lost; an answer that exists is not thrown away for it.
    deps.logger.error({ requestId, err: thrown }, 'A record could not be written.');
  }
  if (reply.raw.destroyed) return reply.hijack();
  if (answer === null) throw error;
  const costUsd = deps.log.costOf(model.modelId, outcome.usage);
  const known = {
    answer,
    model: outcome.modelReported ?? model.modelId,
    latencyMs: outcome.latencyMs,
    costUsd,
  };
  return reply
    .headers({
      'content-type': 'application/json; charset=utf-8',
      'x-tallyrank-cost-usd': toCostText(costUsd),
      'x-tallyrank-overhead-ms': (outcome.overheadMs ?? 0).toFixed(2),
    })
    .send(answer.wire ?? form.encodeAnswer(request, known));
}

async function embed(
  { providers }: GatewayDeps,
  model: CatalogModel,
  source: EmbeddingRequest,
  reply: FastifyReply,
): Promise<EmbeddingAnswer> {
  const provider = providers.provider(model.provider);
  if (provider?.embed === undefined) {
    const text = `The provider ${model.provider} makes no embeddings; name a model of another one.`;
    throw new TallyrankError('bad_request', text, { param: 'model' });
  }
  const cancellation = new AbortController();
  const onClose = (): void => {
    const text = 'The caller closed the connection before the answer ended.';
    if (!reply.raw.writableFinished) cancellation.abort(new TallyrankError('caller_cancelled', text));
  };
  if (reply.raw.destroyed) onClose();
  else reply.raw.once('close', onClose);
  try {
    return await provider.embed({ modelName: model.name, source, signal: cancellation.signal });
  } catch (thrown) {
    // Whatever breaks after the client has left, the leaving is the cause.
    throw cancellation.signal.aborted ? cancellation.signal.reason : thrown;
  }
}

function outcomeOf(
  modelId: string,
  answer: EmbeddingAnswer | null,
  error: TallyrankError | null,
): Omit<LoggedOutcome, 'latencyMs' | 'overheadMs'> {
  const failure: RequestFailure | null =
    error === null ? null : { fault: error.fault, code: error.code, message: error.message };
  return {
    ...(answer?.timings ?? NO_TIMINGS),
    modelId,
    response: null,
    // Nothing is written: that much is known.
    usage:
      answer === null
        ? NO_TOKEN_USAGE
        : { ...NO_TOKEN_USAGE, promptTokens: answer.promptTokens, completionTokens: 0 },
    firstTokenMs: null,
    finishReason: null,
    modelReported: answer?.modelReported ?? null,
    responseId: null,
    statusCode: error?.statusCode ?? 200,
    attemptCount: 1,
    failedAttempts: [],
    failure,
  };
}

/**
 * The model by its name. `auto` does not choose among several: vectors of different models do not compare, so a
 * choice that may change tomorrow would spoil whatever index they are put into.
 */
function embeddingModelOf(catalog: ModelCatalog, name: string): CatalogModel {
  if (!isAutoName(name)) return catalog.resolve(name);
  const known = catalog.models.filter(isEmbeddingModel);
  const [only] = known;
  if (only !== undefined && known.length === 1) return only;
  const shown = known.slice(0, SHOWN_MAX).map((model) => model.modelId);
  const text =
    only === undefined
      ? 'No embedding model is known, so "auto" has none to take; name a model.'
      : `"auto" does not choose among embedding models, whose vectors do not compare; name one, e.g. ${shown.join(', ')}.`;
  throw new TallyrankError('bad_request', text, { param: 'model' });
}
