import type { FastifyReply, FastifyRequest } from 'fastify';
import { TallyrankError } from '../core/errors.ts';
import type { ModelCatalog, RequiredAbilities } from '../core/model-catalog.ts';
import { isAutoName, policyOf } from '../core/policy.ts';
import { promptOfMessages } from '../core/prompt-text.ts';
import type { RequestLimits } from '../core/request-limits.ts';
import { ChatExchange } from './chat-exchange.ts';
import type { GatewayDeps, LoggedRequest } from './deps.ts';
import type { InboundProtocol } from './protocols/inbound.ts';
import type { RequestConstraints } from './request-constraints.ts';
import { constraintsOf, withoutConstraints } from './request-constraints.ts';
import { contextOfRequest, mayExplore } from './request-context.ts';
import { conversationOf, needsOf } from './request-facts.ts';

/**
 * One chat request from its bytes to its finished record.
 *
 * Order of things: parse, route, open the record, call the provider (and the next one when it fails before
 * its first content), send the answer on, write the record, and only then send the end of the answer.
 *
 * @throws {TallyrankError} before a record is opened: bad input, unknown model, no candidate
 */
export async function answerChat(
  deps: GatewayDeps,
  protocol: InboundProtocol,
  http: FastifyRequest,
  reply: FastifyReply,
  arrivedAtMs: number,
): Promise<FastifyReply> {
  const parsed = protocol.parse(http.body as Buffer, http.headers);
  const constraints = constraintsOf(parsed, http.headers);
  const client = withoutConstraints(parsed);
  const { request } = client;
  const policy = isAutoName(request.model) ? policyOf(presetOf(request.model, constraints)).name : null;
  const context = contextOfRequest(http.headers, request);
  const text = promptOfMessages(request.messages);
  const needs = needsOf(request);
  if (policy === null) checkNamedModel(deps.providers.catalog, request.model, needs);
  const decision = await deps.router.route({
    content: request.messages,
    text,
    model: request.model,
    policy,
    needs,
    limits: constraints.limits === null ? NO_LIMITS : [constraints.limits],
    explore: constraints.explore ?? mayExplore(http.headers),
    userId: context.userId,
    sessionId: context.sessionId,
    roomId: context.roomId,
    keyId: context.keyId,
    tags: context.tags,
    headers: http.headers,
    priority: context.priority,
  });
  const facts: LoggedRequest = {
    // Field by field: this is the hot path, and spreading is slow.
    userId: context.userId,
    sessionId: context.sessionId,
    roomId: context.roomId,
    keyId: context.keyId,
    tags: context.tags,
    priority: context.priority,
    detectedIntent: context.detectedIntent,
    externalId: context.externalId,
    routingRule: decision.ruleName,
    model: request.model,
    modelId: decision.modelIds[0] ?? request.model,
    prompt: text,
    conversation: conversationOf(request),
    isStream: request.stream === true,
    startedAtMs: arrivedAtMs,
    classification: {
      useCase: decision.useCase,
      confidence: decision.useCaseConfidence,
      ruleName: decision.useCaseRule,
      runId: decision.runId,
      snapshotVersion: decision.snapshotVersion,
    },
  };
  const requestId = deps.log.logRequest(facts);
  deps.shadows?.follow({ requestId, client, decision, facts }, reply.raw);
  const exchange = new ChatExchange(deps, { requestId, protocol, client, decision, arrivedAtMs }, reply);
  return await (request.stream === true ? exchange.stream() : exchange.complete());
}

const NO_LIMITS: readonly RequestLimits[] = [];

/** The preset of the model's name; where that is "auto" alone, the one that the constraints name. */
function presetOf(name: string, { policy }: RequestConstraints): string {
  return policy !== null && /^auto(:latest)?$/.test(name) ? policy : name;
}

function checkNamedModel(catalog: ModelCatalog, name: string, needs: RequiredAbilities): void {
  const model = catalog.resolve(name);
  if (model.isChat) {
    // Only what its provider or the operator said; a guess would refuse what may well work.
    if (needs.needsImages && model.hasImages === false) throw lacks(model.modelId, 'read images');
    if (needs.needsTools && model.hasTools === false) throw lacks(model.modelId, 'call tools');
    return;
  }
  throw new TallyrankError(
    'bad_request',
    `The model ${model.modelId} cannot chat; name one that can, or "auto".`,
    {
      param: 'model',
    },
  );
}

function lacks(modelId: string, what: string): TallyrankError {
  const text = `The model ${modelId} cannot ${what}, as its provider says; name another, or "auto".`;
  return new TallyrankError('bad_request', text, { param: 'model' });
}
