import type { FastifyReply, FastifyRequest } from 'fastify';
import { TallyrankError } from '../core/errors.ts';
import type { ModelCatalog } from '../core/model-catalog.ts';
import { isAutoName, policyOf } from '../core/policy.ts';
import { promptOfMessages } from '../core/prompt-text.ts';
import { ChatExchange } from './chat-exchange.ts';
import type { GatewayDeps } from './deps.ts';
import { parseChatRequest } from './protocols/openai-request.ts';
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
  http: FastifyRequest,
  reply: FastifyReply,
  arrivedAtMs: number,
): Promise<FastifyReply> {
  const bytes = http.body as Buffer;
  const request = parseChatRequest(bytes);
  const policy = isAutoName(request.model) ? policyOf(request.model).name : null;
  if (policy === null) checkNamedModel(deps.providers.catalog, request.model);
  const context = contextOfRequest(http.headers, request);
  const text = promptOfMessages(request.messages);
  const needs = needsOf(request);
  const decision = await deps.router.route({
    content: request.messages,
    text,
    model: request.model,
    policy,
    needs,
    explore: mayExplore(http.headers),
    userId: context.userId,
    sessionId: context.sessionId,
    roomId: context.roomId,
    keyId: context.keyId,
    tags: context.tags,
    headers: http.headers,
    priority: context.priority,
  });
  const requestId = deps.log.logRequest({
    ...context,
    routingRule: decision.ruleName,
    model: request.model,
    modelId: decision.modelIds[0] ?? request.model,
    prompt: text,
    conversation: conversationOf(request, needs.needsImages),
    isStream: request.stream === true,
    startedAtMs: arrivedAtMs,
    classification: {
      useCase: decision.useCase,
      confidence: decision.useCaseConfidence,
      ruleName: decision.useCaseRule,
      runId: decision.runId,
      snapshotVersion: decision.snapshotVersion,
    },
  });
  const exchange = new ChatExchange(deps, { requestId, request, bytes, decision, arrivedAtMs }, reply);
  return await (request.stream === true ? exchange.stream() : exchange.complete());
}

function checkNamedModel(catalog: ModelCatalog, name: string): void {
  const model = catalog.resolve(name);
  if (model.isChat) return;
  throw new TallyrankError(
    'bad_request',
    `The model ${model.modelId} cannot chat; name one that can, or "auto".`,
    {
      param: 'model',
    },
  );
}
