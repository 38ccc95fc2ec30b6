import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Decision } from '../core/decision.ts';
import { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { ModelCatalog, RequiredAbilities } from '../core/model-catalog.ts';
import { isAutoName, policyOf } from '../core/policy.ts';
import type { PromptMessage, PromptText } from '../core/prompt-text.ts';
import { promptOfMessages } from '../core/prompt-text.ts';
import type { RequestContext, RequestOutcome, TokenUsage } from '../core/usage-record.ts';
import { ChatExchange } from './chat-exchange.ts';
import { parseChatRequest } from './protocols/openai-request.ts';
import type { Provider } from './providers/provider.ts';
import { contextOfRequest } from './request-context.ts';
import { conversationOf, needsOf } from './request-facts.ts';

/** What a router is told of a request. */
export interface RoutedMessage {
  readonly content: string | readonly PromptMessage[];
  readonly text: PromptText;
  /** The name asked for. */
  readonly model: string;
  /** The preset asked for, e.g. "auto:cheap"; null for a model by name. */
  readonly policy: string | null;
  readonly needs: RequiredAbilities;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly roomId: string | null;
  readonly priority: number | null;
}

export interface Router {
  /** @throws {TallyrankError} when no model can serve the request */
  route(message: RoutedMessage): Promise<Decision>;
}

/** What is known of a request when it is sent on its way. */
export interface LoggedRequest extends Partial<RequestContext> {
  /** The name asked for. */
  readonly model: string;
  readonly modelId: string;
  readonly prompt: PromptText;
  /** The conversation as JSON; null for a single plain prompt. */
  readonly conversation: string | null;
  readonly isStream: boolean;
  readonly startedAtMs: number;
  readonly classification: {
    readonly useCase: string;
    readonly confidence: number | null;
    readonly runId: string;
    readonly snapshotVersion: string | null;
  };
}

/** The outcome with the model that answered, which a fallback may have changed. */
export interface LoggedOutcome extends RequestOutcome {
  readonly modelId: string;
}

export interface RequestLog {
  /** Opens a record and gives its id, at once. */
  logRequest(facts: LoggedRequest): string;
  /** Resolves when the record is in the journal; the end of the caller's answer waits for it. */
  finish(requestId: string, outcome: LoggedOutcome, decision: Decision | null): Promise<void>;
  /** Dollars; null when price or tokens are unknown. */
  costOf(modelId: string, usage: TokenUsage): number | null;
}

/** The models of all providers, as they are known now. */
export interface ProviderSource {
  readonly catalog: ModelCatalog;
  provider(id: string): Provider | null;
}

/** What other parts may want to count; none may throw. */
export interface GatewayEvents {
  onRequestFinished?(requestId: string, outcome: LoggedOutcome, decision: Decision): void;
  /** A model failed and another is tried: the record of the request will not name it. */
  onAttemptFailed?(requestId: string, modelId: string, error: TallyrankError): void;
}

export interface GatewayDeps {
  readonly providers: ProviderSource;
  readonly router: Router;
  readonly log: RequestLog;
  readonly logger: Logger;
  /** Milliseconds since 1970, fractions welcome: overhead is measured with it. */
  readonly clock: () => number;
  readonly events?: GatewayEvents | undefined;
}

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
    userId: context.userId,
    sessionId: context.sessionId,
    roomId: context.roomId,
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
