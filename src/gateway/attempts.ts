import type { Decision } from '../core/decision.ts';
import type { ErrorCode } from '../core/errors.ts';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import type { FailedAttempt } from '../core/usage-record.ts';
import { countsAgainstModel } from '../core/usage-record.ts';
import type { CancelSignal } from './cancellation.ts';
import { abortSignalOf } from './cancellation.ts';
import type { CircuitBreakers } from './circuit-breaker.ts';
import type { GatewayDeps } from './deps.ts';
import type { ClientRequest } from './protocols/inbound.ts';
import type { Provider, ProviderCall } from './providers/provider.ts';
import { isWorthRetrying, NO_RETRIES, RETRY_TIMER, retryDelayMs, SHORT_RETRY_AFTER_MS } from './retry.ts';
import { UpstreamRejection } from './upstream-errors.ts';

/** Models that one request may try. Fewer gives up early; more makes the caller wait for a dead network. */
const ATTEMPTS_MAX = 4;

/** What the attempts of a request are made of. */
export interface AttemptedRequest {
  readonly requestId: string;
  readonly client: ClientRequest;
  readonly decision: Decision;
  /** Ends whatever is under way; its reason is a `TallyrankError`. */
  readonly signal: CancelSignal;
}

/** One way to ask a provider, e.g. for a whole answer. */
export type Attempt<T> = (provider: Provider, call: ProviderCall) => Promise<T>;

/**
 * The calls that one request makes until one of them answers: models in the order of the decision, each again after
 * failures that pass. All of it before the first content; what comes after is nobody else's to finish.
 */
export class Attempts {
  /** The model that was called last. */
  modelId: string;
  /** Calls so far. */
  count = 0;
  /** Milliseconds spent on providers: calls, turns waited for, pauses before retries. */
  upstreamMs = 0;
  /** Calls that failed before the last one, each with its model: the same one again where it was retried. */
  readonly failed: FailedAttempt[] = [];
  readonly #deps: GatewayDeps;
  readonly #request: AttemptedRequest;
  #pausedMs = 0;

  constructor(deps: GatewayDeps, request: AttemptedRequest) {
    this.#deps = deps;
    this.#request = request;
    this.modelId = request.decision.modelIds[0] ?? request.client.request.model;
  }

  /**
   * The first of the decision's models that answers. A model named by the caller is the only one; one that was chosen
   * for the caller is followed by the next when it fails or has nothing to say. Whoever asked tells the end of what is
   * returned to {@link noteEnd}.
   *
   * @throws {TallyrankError} the failure of the last model
   */
  async run<T>(attempt: Attempt<T>, isEmpty: (result: T) => boolean): Promise<T> {
    const modelIds = this.#modelIds();
    for (const [at, modelId] of modelIds.entries()) {
      const isLast = at === modelIds.length - 1;
      const startedAtMs = this.#deps.clock();
      this.modelId = modelId;
      try {
        const result = await this.#persist(modelId, attempt, isLast);
        if (isLast || !isEmpty(result)) return result;
        this.noteEnd(null);
        this.#note(new TallyrankError('empty_answer', `The model ${modelId} answered nothing.`));
      } catch (thrown) {
        const error = this.#toError(thrown);
        if (isLast || !mayTryAnother(error)) throw error;
        this.#note(error);
      } finally {
        this.upstreamMs += this.#deps.clock() - startedAtMs;
      }
    }
    throw new TallyrankError('no_candidate', 'No model was chosen for this request; see GET /v1/models.');
  }

  /** Tells the last model's breaker how its answer ended, for a stream may break after it began; null: well. */
  noteEnd(error: TallyrankError | null): void {
    const { breakers } = this.#deps.providers;
    if (breakers === undefined) return;
    if (error === null) breakers.noteSuccess(this.modelId);
    else tellBreaker(breakers, this.modelId, error);
  }

  /** Those that would be called now; all where that leaves none, for the sake of the sentence that they refuse with. */
  #modelIds(): readonly string[] {
    const { decision } = this.#request;
    const { breakers } = this.#deps.providers;
    if (decision.policy === null) return decision.modelIds.slice(0, 1);
    const modelIds = this.#servable(decision.modelIds);
    if (breakers === undefined || breakers.areAllClosed) return modelIds.slice(0, ATTEMPTS_MAX);
    const passable = modelIds.filter((modelId) => breakers.isPassable(modelId));
    return (passable.length > 0 ? passable : modelIds.slice(0, 1)).slice(0, ATTEMPTS_MAX);
  }

  /** Models of servers that can do what the request asks of its own protocol alone; all where that leaves none. */
  #servable(modelIds: readonly string[]): readonly string[] {
    const { client } = this.#request;
    if (client.ownFeatures.length === 0) return modelIds;
    const { providers } = this.#deps;
    const left = modelIds.filter((modelId) => {
      const model = providers.catalog.get(modelId);
      return model !== null && providers.provider(model.provider)?.forwards(client.protocol) === true;
    });
    return left.length > 0 ? left : modelIds;
  }

  /** One model, again and again while its failures may pass and nobody else would serve at once. */
  async #persist<T>(modelId: string, attempt: Attempt<T>, isLast: boolean): Promise<T> {
    for (let retriesBefore = 0; ; retriesBefore++) {
      try {
        return await this.#callModel(modelId, attempt);
      } catch (thrown) {
        const error = this.#toError(thrown);
        if (!isWorthRetrying(error)) throw error;
        const { retries, waitMaxMs } = this.#deps.providers.retriesOf?.(modelId) ?? NO_RETRIES;
        if (retriesBefore >= retries) throw error;
        if (!isLast && (error.retryAfterMs === null || error.retryAfterMs > SHORT_RETRY_AFTER_MS))
          throw error;
        const timer = this.#deps.retryTimer ?? RETRY_TIMER;
        const waitMs = retryDelayMs(error, retriesBefore, timer.random());
        // The caller hears of the longer wait in `retry-after`.
        if (this.#pausedMs + waitMs > waitMaxMs) throw error;
        this.#pausedMs += waitMs;
        // Success is counted by call: an answer at the second asking does not undo the failure of the first.
        if (countsAgainstModel(error.fault)) this.failed.push({ modelId, code: error.code });
        const { requestId, signal } = this.#request;
        this.#deps.logger.debug({ requestId, modelId, code: error.code, waitMs }, 'A call is made again.');
        await timer.sleep(waitMs, abortSignalOf(signal));
      }
    }
  }

  async #callModel<T>(modelId: string, attempt: Attempt<T>): Promise<T> {
    const { providers } = this.#deps;
    const model = providers.catalog.get(modelId);
    const provider = model === null ? null : providers.provider(model.provider);
    this.count++;
    if (model === null || provider === null) {
      throw new TallyrankError(
        'upstream_unreachable',
        `The model ${modelId} is not offered by any provider now.`,
      );
    }
    const { requestId, client, signal } = this.#request;
    refuseForeignFeatures(client, provider);
    providers.breakers?.enter(modelId);
    try {
      return await attempt(provider, {
        requestId,
        modelName: model.name,
        request: client.request,
        source: client,
        signal,
      });
    } catch (thrown) {
      this.noteEnd(this.#toError(thrown));
      throw thrown;
    }
  }

  #note(error: TallyrankError): void {
    const { requestId } = this.#request;
    const facts = { requestId, modelId: this.modelId, code: error.code };
    // A model that another one stands in for must not keep its good name.
    if (countsAgainstModel(error.fault)) {
      this.failed.push({ modelId: this.modelId, code: error.code });
    }
    this.#deps.logger.warn(facts, 'A model failed; the next one is tried.');
    this.#deps.events?.onAttemptFailed?.(requestId, this.modelId, error);
  }

  #toError(thrown: unknown): TallyrankError {
    // Whatever breaks after the client has left, the leaving is the cause.
    const { signal } = this.#request;
    return toTallyrankError(signal.aborted ? signal.reason : thrown);
  }
}

/** Failures that say that the provider itself is unwell. Limited rates do not: it is well, and we are many. */
const UNWELL: ReadonlySet<ErrorCode> = new Set([
  'upstream_failed',
  'upstream_unreachable',
  'upstream_timeout',
  'upstream_malformed',
  'upstream_cut',
]);

/** Failures that came from us or the caller, and say nothing of the provider. */
const SAYS_NOTHING: ReadonlySet<ErrorCode> = new Set([
  'caller_cancelled',
  'caller_too_slow',
  'cancelled',
  'network_unavailable',
  'provider_busy',
  'shutting_down',
  'internal',
]);

function tellBreaker(
  breakers: CircuitBreakers,
  modelId: string,
  { code, retryAfterMs }: TallyrankError,
): void {
  if (code === 'upstream_rate_limited') breakers.noteRateLimited(modelId, retryAfterMs);
  else if (UNWELL.has(code)) breakers.noteFailure(modelId);
  else if (SAYS_NOTHING.has(code)) breakers.noteNothing(modelId);
  else breakers.noteSuccess(modelId);
}

/** @throws {TallyrankError} `bad_request` when the request asks what only servers of its own protocol can do */
function refuseForeignFeatures({ protocol, ownFeatures }: ClientRequest, provider: Provider): void {
  if (ownFeatures.length === 0 || provider.forwards(protocol)) return;
  const text = `The provider ${provider.id} cannot serve this request: it asks for ${ownFeatures.join(', ')}, which only a server of the same protocol can do.`;
  throw new TallyrankError('bad_request', text);
}

/** Failures of our account, our settings, our network or our own bounds, and a form that one protocol cannot carry. */
const ANOTHER_MAY_SERVE: ReadonlySet<ErrorCode> = new Set([
  'upstream_unauthorized',
  'upstream_quota_exhausted',
  'upstream_not_found',
  'upstream_paused',
  'provider_busy',
  'network_unavailable',
  'bad_request',
]);

/** True for failures that say nothing against the request itself: another model may well answer it. */
function mayTryAnother(error: TallyrankError): boolean {
  if (countsAgainstModel(error.fault) || ANOTHER_MAY_SERVE.has(error.code)) return true;
  const { cause } = error;
  return cause instanceof UpstreamRejection && cause.isTooLong;
}
