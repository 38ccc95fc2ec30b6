import type { FastifyReply, FastifyRequest } from 'fastify';
import { TallyrankError } from '../core/errors.ts';
import type { ModelCatalog, RequiredAbilities } from '../core/model-catalog.ts';
import { unreadableBy } from '../core/model-catalog.ts';
import { isAutoName, policyOf } from '../core/policy.ts';
import type { PromptText } from '../core/prompt-text.ts';
import { promptOfMessages } from '../core/prompt-text.ts';
import type { RequestLimits } from '../core/request-limits.ts';
import type { RequestContext } from '../core/usage-record.ts';
import { ChatExchange } from './chat-exchange.ts';
import type { GatewayDeps, LoggedRequest, RoutedMessage } from './deps.ts';
import { isCompletionModel } from './model-facts.ts';
import type { ClientRequest, InboundProtocol, NamedOnly } from './protocols/inbound.ts';
import type { RequestConstraints } from './request-constraints.ts';
import { constraintsOf, withoutConstraints } from './request-constraints.ts';
import { contextOfRequest, mayExplore } from './request-context.ts';
import { conversationOf, needsOf } from './request-facts.ts';
import type { CacheTicket } from './response-cache.ts';

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
  const needs = needsOf(request);
  if (policy === null) checkNamedModel(deps.providers.catalog, client, needs);
  if (client.namedOnly !== undefined) checkNamedOnly(deps, client, client.namedOnly, policy);
  const asked: AskedChat = { protocol, client, constraints, policy, needs, context, http, arrivedAtMs };
  if (deps.cache === undefined) return await answerAsked(deps, asked, null, reply);
  const ticket = await deps.cache.take({ client: parsed, headers: http.headers, context }, reply.raw);
  try {
    return await answerAsked(deps, asked, ticket, reply);
  } finally {
    // Whatever happened: others may be waiting.
    ticket.flight?.settle(null);
  }
}

/** A chat that was read and found in order. */
interface AskedChat {
  readonly protocol: InboundProtocol;
  readonly client: ClientRequest;
  readonly constraints: RequestConstraints;
  readonly policy: string | null;
  readonly needs: RequiredAbilities;
  readonly context: RequestContext;
  readonly http: FastifyRequest;
  readonly arrivedAtMs: number;
}

async function answerAsked(
  deps: GatewayDeps,
  asked: AskedChat,
  cache: CacheTicket | null,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { protocol, client, context, arrivedAtMs } = asked;
  const { request } = client;
  const text = promptOfMessages(request.messages);
  const found = cache?.found ?? null;
  const decision = found?.decision ?? (await deps.router.route(routedMessage(asked, text)));
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
    source: found === null ? undefined : 'cache',
  };
  const requestId = deps.log.logRequest(facts);
  deps.shadows?.follow({ requestId, client, decision, facts }, reply.raw);
  const exchange = new ChatExchange(
    deps,
    { requestId, protocol, client, decision, arrivedAtMs, cache },
    reply,
  );
  return await (request.stream === true ? exchange.stream() : exchange.complete());
}

function routedMessage(
  { client, constraints, policy, needs, context, http }: AskedChat,
  text: PromptText,
): RoutedMessage {
  const { request } = client;
  return {
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
  };
}

const NO_LIMITS: readonly RequestLimits[] = [];

/** The preset of the model's name; where that is "auto" alone, the one that the constraints name. */
function presetOf(name: string, { policy }: RequestConstraints): string {
  return policy !== null && /^auto(:latest)?$/.test(name) ? policy : name;
}

/** @throws {TallyrankError} `bad_request` where the named model cannot serve the request */
function checkNamedModel(
  catalog: ModelCatalog,
  { protocol, request }: ClientRequest,
  needs: RequiredAbilities,
): void {
  const model = catalog.resolve(request.model);
  const isServed = model.isChat || (protocol === 'openai-completions' && isCompletionModel(model.name));
  if (!isServed) {
    const text = `The model ${model.modelId} cannot chat; name one that can, or "auto".`;
    throw new TallyrankError('bad_request', text, { param: 'model' });
  }
  // Only what its provider or the operator said; a guess would refuse what may well work. Tools are refused by
  // every server that has none for the model, images are silently left out by some.
  const unread = unreadableBy(model, needs);
  if (unread === null) return;
  const text = `The model ${model.modelId} cannot read ${unread}, as its provider says; name another, or "auto".`;
  throw new TallyrankError('bad_request', text, { param: 'model' });
}

/** Whoever is chosen anew for each turn, or speaks another protocol, does not have what the request goes on with. */
function checkNamedOnly(
  { providers }: GatewayDeps,
  { protocol, request }: ClientRequest,
  { param, refusal }: NamedOnly,
  policy: string | null,
): void {
  const provider =
    policy === null ? providers.provider(providers.catalog.resolve(request.model).provider) : null;
  if (provider?.forwards(protocol) !== true) throw new TallyrankError('bad_request', refusal, { param });
}
