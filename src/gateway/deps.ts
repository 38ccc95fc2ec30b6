import type { Decision } from '../core/decision.ts';
import type { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { ModelCatalog, RequiredAbilities } from '../core/model-catalog.ts';
import type { PromptMessage, PromptText } from '../core/prompt-text.ts';
import type { RequestLimits } from '../core/request-limits.ts';
import type { RequestContext, RequestOutcome, TokenUsage } from '../core/usage-record.ts';
import type { CircuitBreakers } from './circuit-breaker.ts';
import type { KeepAliveSettings } from './keep-alive.ts';
import type { Provider } from './providers/provider.ts';
import type { ResponseCache } from './response-cache.ts';
import type { RetrySettings, RetryTimer } from './retry.ts';
import type { ShadowCalls } from './shadow-calls.ts';

/** What a router is told of a request. */
export interface RoutedMessage {
  readonly content: string | readonly PromptMessage[];
  readonly text: PromptText;
  /** The name asked for. */
  readonly model: string;
  /** The preset asked for, e.g. "auto:cheap"; null for a model by name. */
  readonly policy: string | null;
  readonly needs: RequiredAbilities;
  /** What the request itself, or its key, demands of the models; all must hold. */
  readonly limits: readonly RequestLimits[];
  /** False: the caller wants nothing left to chance. */
  readonly explore: boolean;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly roomId: string | null;
  readonly keyId: string | null;
  readonly tags: readonly string[];
  /** Names in lower case; rules of the operator may look at them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
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
  /** Request whose answer this one is compared with; left out: a request of its own. */
  readonly shadowOf?: string | undefined;
  /** `embedding`: vectors were asked for, and no answer; `cache`: answered from the cache; left out: by a model. */
  readonly source?: 'embedding' | 'cache' | undefined;
  readonly classification: {
    readonly useCase: string;
    readonly confidence: number | null;
    /** The hand-written rule that gave it; null: the classifier did. */
    readonly ruleName: string | null;
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
  costOf(modelId: string, usage: TokenUsage, modelReported?: string | null): number | null;
}

/** The models of all providers, as they are known now. */
export interface ProviderSource {
  readonly catalog: ModelCatalog;
  provider(id: string): Provider | null;
  /** Left out: every model is called, however often it failed. */
  readonly breakers?: CircuitBreakers | undefined;
  /** How often a call of a model is made again; left out: never. */
  retriesOf?(modelId: string): RetrySettings;
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
  /** Left out: a stream begins with its first content, however late. */
  readonly keepAlive?: KeepAliveSettings | undefined;
  /** What retries wait with; the wall clock where left out. */
  readonly retryTimer?: RetryTimer | undefined;
  /** Left out: no shadow is asked for. */
  readonly shadows?: Pick<ShadowCalls, 'follow'> | undefined;
  /** Left out: every answer is a new one. */
  readonly cache?: Pick<ResponseCache, 'take'> | undefined;
}
