import type { FastifyReply } from 'fastify';
import type { Decision } from '../core/decision.ts';
import type { ErrorCode } from '../core/errors.ts';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import type { FailedAttempt, RequestFailure } from '../core/usage-record.ts';
import { countsAgainstModel, NO_TIMINGS, NO_TOKEN_USAGE } from '../core/usage-record.ts';
import { judgeAnswer } from '../tracker/outcome/judge-answer.ts';
import { AnswerCollector } from './answer-collector.ts';
import { demandsOf } from './answer-demands.ts';
import { headersOfAnswer, headersOfError, toCostText } from './answer-headers.ts';
import type { AnswerPart, ChatAnswer, ChatRequest } from './chat.ts';
import { hasContent, isEmptyAnswer, recordedText } from './chat.ts';
import type { GatewayDeps, LoggedOutcome } from './deps.ts';
import type { AnswerHead } from './protocols/openai-answer.ts';
import { encodeChunk, encodeCompletion, encodeError, encodeUsageChunk } from './protocols/openai-answer.ts';
import type { Provider, ProviderCall } from './providers/provider.ts';
import { frame, SseWriter } from './sse-writer.ts';
import { UpstreamRejection } from './upstream-errors.ts';

/** Models that one request may try. Fewer gives up early; more makes the caller wait for a dead network. */
const ATTEMPTS_MAX = 4;

/** A request that was routed and whose record is open. */
export interface OpenedRequest {
  readonly requestId: string;
  readonly request: ChatRequest;
  readonly bytes: Buffer;
  readonly decision: Decision;
  readonly arrivedAtMs: number;
}

/** A stream of which the first content is there, or the end. */
interface OpenedStream {
  readonly rest: AsyncGenerator<readonly AnswerPart[], void, undefined>;
  readonly first: readonly AnswerPart[];
  readonly hasContent: boolean;
}

/** A request whose record is open: it must finish, once, whatever happens. */
export class ChatExchange {
  readonly #deps: GatewayDeps;
  readonly #opened: OpenedRequest;
  readonly #reply: FastifyReply;
  readonly #cancellation = new AbortController();
  #modelId: string;
  #attemptCount = 0;
  readonly #failedAttempts: FailedAttempt[] = [];
  /** Milliseconds spent waiting for providers; the rest of the latency is ours. */
  #upstreamMs = 0;
  #firstTokenMs: number | null = null;

  constructor(deps: GatewayDeps, opened: OpenedRequest, reply: FastifyReply) {
    this.#deps = deps;
    this.#opened = opened;
    this.#reply = reply;
    this.#modelId = opened.decision.modelIds[0] ?? opened.request.model;
    if (reply.raw.destroyed) this.#onClose();
    else reply.raw.once('close', () => this.#onClose());
  }

  async complete(): Promise<FastifyReply> {
    let answer: ChatAnswer;
    try {
      answer = await this.#tryModels((provider, call) => provider.complete(call), isEmptyAnswer);
    } catch (thrown) {
      return await this.#refuse(thrown);
    }
    const failure = this.#judge(answer, false);
    const outcome = await this.#finish(answer, 200, failure);
    if (this.#reply.raw.destroyed) return this.#reply.hijack();
    const costUsd = this.#deps.log.costOf(this.#modelId, answer.usage);
    const headers = this.#headers();
    headers['content-type'] = 'application/json; charset=utf-8';
    headers['x-tallyrank-cost-usd'] = toCostText(costUsd);
    headers['x-tallyrank-overhead-ms'] = (outcome.overheadMs ?? 0).toFixed(2);
    const body =
      answer.wire ?? encodeCompletion(this.#head(answer.modelReported, answer.responseId), answer, costUsd);
    return this.#reply.code(200).headers(headers).send(body);
  }

  async stream(): Promise<FastifyReply> {
    let opened: OpenedStream;
    try {
      opened = await this.#tryModels(openStream, (stream) => !stream.hasContent);
    } catch (thrown) {
      return await this.#refuse(thrown);
    }
    if (opened.hasContent) this.#firstTokenMs = this.#deps.clock() - this.#opened.arrivedAtMs;
    this.#reply.hijack();
    const kept = this.#reply.getHeaders() as Record<string, string | number | string[]>;
    const writer = new SseWriter(this.#reply.raw, { ...kept, ...this.#headers() });
    const collector = new AnswerCollector();
    let error: TallyrankError | null = null;
    try {
      await this.#forward(opened, writer, collector);
    } catch (thrown) {
      error = this.#toError(thrown);
    }
    const answer = collector.answer();
    const failure = error === null ? this.#judge(answer, collector.isCut) : failureOf(error);
    await this.#finish(answer, error === null ? 200 : error.statusCode, failure);
    if (error === null) writer.end(this.#lastFrames(collector, answer));
    else writer.end(frame(encodeError(error)));
    return this.#reply;
  }

  /** Each part as it comes. A part that ends the answer is held, for the end waits for the record. */
  async #forward(opened: OpenedStream, writer: SseWriter, collector: AnswerCollector): Promise<void> {
    const startedAtMs = this.#deps.clock();
    let head: AnswerHead | null = null;
    let isFirst = true;
    try {
      for (let parts: readonly AnswerPart[] | null = opened.first; parts !== null; ) {
        let frames = '';
        for (const part of parts) {
          collector.collect(part);
          head ??= this.#head(part.modelReported, part.responseId);
          const data = encodeChunk(head, part, isFirst);
          if (data === null) continue;
          isFirst = false;
          if (part.finishReason === null) frames += writer.released(data);
          else writer.hold(data);
        }
        if (frames !== '') await writer.send(frames);
        const next = await opened.rest.next();
        parts = next.done === true ? null : next.value;
      }
    } finally {
      this.#upstreamMs += this.#deps.clock() - startedAtMs;
      await opened.rest.return();
    }
  }

  #lastFrames(collector: AnswerCollector, answer: ChatAnswer): string {
    const done = frame('[DONE]');
    if (this.#opened.request.stream_options?.include_usage !== true) return done;
    const costUsd = this.#deps.log.costOf(this.#modelId, answer.usage);
    const head = this.#head(answer.modelReported, answer.responseId);
    return frame(encodeUsageChunk(head, answer.usage, collector.usageWire, costUsd)) + done;
  }

  /**
   * The first of the decision's models that answers. A model named by the caller is the only one; one that
   * was chosen for the caller is followed by the next when it fails or has nothing to say.
   */
  async #tryModels<T>(
    attempt: (provider: Provider, call: ProviderCall) => Promise<T>,
    isEmpty: (result: T) => boolean,
  ): Promise<T> {
    const { decision } = this.#opened;
    const modelIds = decision.modelIds.slice(0, decision.policy === null ? 1 : ATTEMPTS_MAX);
    for (const [at, modelId] of modelIds.entries()) {
      const isLast = at === modelIds.length - 1;
      const startedAtMs = this.#deps.clock();
      this.#modelId = modelId;
      this.#attemptCount++;
      try {
        const result = await this.#callModel(modelId, attempt);
        if (isLast || !isEmpty(result)) return result;
        this.#noteFailedAttempt(new TallyrankError('empty_answer', `The model ${modelId} answered nothing.`));
      } catch (thrown) {
        const error = this.#toError(thrown);
        if (isLast || !mayTryAnother(error)) throw error;
        this.#noteFailedAttempt(error);
      } finally {
        this.#upstreamMs += this.#deps.clock() - startedAtMs;
      }
    }
    throw new TallyrankError('no_candidate', 'No model was chosen for this request; see GET /v1/models.');
  }

  #callModel<T>(
    modelId: string,
    attempt: (provider: Provider, call: ProviderCall) => Promise<T>,
  ): Promise<T> {
    const { providers } = this.#deps;
    const model = providers.catalog.get(modelId);
    const provider = model === null ? null : providers.provider(model.provider);
    if (model === null || provider === null) {
      throw new TallyrankError(
        'upstream_unreachable',
        `The model ${modelId} is not offered by any provider now.`,
      );
    }
    const { requestId, request, bytes } = this.#opened;
    return attempt(provider, {
      requestId,
      modelName: model.name,
      request,
      requestBytes: bytes,
      signal: this.#cancellation.signal,
    });
  }

  #noteFailedAttempt(error: TallyrankError): void {
    const { requestId } = this.#opened;
    const facts = { requestId, modelId: this.#modelId, code: error.code };
    // A model that another one stands in for must not keep its good name.
    if (countsAgainstModel(error.fault)) {
      this.#failedAttempts.push({ modelId: this.#modelId, code: error.code });
    }
    this.#deps.logger.warn(facts, 'A model failed; the next one is tried.');
    this.#deps.events?.onAttemptFailed?.(requestId, this.#modelId, error);
  }

  /** The answer of a request that failed before anything was sent. */
  async #refuse(thrown: unknown): Promise<FastifyReply> {
    const error = this.#toError(thrown);
    if (error.fault === 'self') {
      this.#deps.logger.error(
        { requestId: this.#opened.requestId, err: thrown },
        'A request failed inside Tallyrank.',
      );
    }
    await this.#finish(null, error.statusCode, failureOf(error));
    if (this.#reply.raw.destroyed) return this.#reply.hijack();
    const headers = { ...this.#headers(), ...headersOfError(error) };
    headers['content-type'] = 'application/json; charset=utf-8';
    return this.#reply.code(error.statusCode).headers(headers).send(encodeError(error));
  }

  async #finish(
    answer: ChatAnswer | null,
    statusCode: number,
    failure: RequestFailure | null,
  ): Promise<LoggedOutcome> {
    const { requestId, decision, arrivedAtMs } = this.#opened;
    const latencyMs = this.#deps.clock() - arrivedAtMs;
    const outcome: LoggedOutcome = {
      modelId: this.#modelId,
      response: answer === null ? null : recordedText(answer),
      usage: answer?.usage ?? NO_TOKEN_USAGE,
      latencyMs,
      firstTokenMs: this.#firstTokenMs,
      ...(answer?.timings ?? NO_TIMINGS),
      overheadMs: Math.max(0, latencyMs - this.#upstreamMs),
      finishReason: answer?.finishReason ?? null,
      modelReported: answer?.modelReported ?? null,
      responseId: answer === null ? null : this.#responseIdOf(answer.responseId),
      statusCode,
      attemptCount: this.#attemptCount,
      failedAttempts: this.#failedAttempts,
      failure,
    };
    try {
      await this.#deps.log.finish(requestId, outcome, decision);
    } catch (error) {
      // The journal counts what it lost; an answer that exists is not thrown away for it.
      this.#deps.logger.error({ requestId, err: error }, 'A record could not be written.');
    }
    this.#deps.events?.onRequestFinished?.(requestId, outcome, decision);
    return outcome;
  }

  #judge(answer: ChatAnswer, isCut: boolean): RequestFailure | null {
    const { providers } = this.#deps;
    const model = providers.catalog.get(this.#modelId);
    const kind = model === null ? null : (providers.provider(model.provider)?.kind ?? null);
    return judgeAnswer(answer, demandsOf(this.#opened.request, kind), isCut);
  }

  #headers(): Record<string, string> {
    const { requestId, decision } = this.#opened;
    return headersOfAnswer({ requestId, decision, modelId: this.#modelId, attemptCount: this.#attemptCount });
  }

  /** The id that the client sees, and by which it may give feedback: the provider's, or one of ours. */
  #responseIdOf(responseId: string | null): string {
    return responseId ?? `chatcmpl-${this.#opened.requestId}`;
  }

  #head(modelReported: string | null, responseId: string | null): AnswerHead {
    return {
      id: this.#responseIdOf(responseId),
      createdAtSeconds: Math.floor(this.#opened.arrivedAtMs / 1000),
      model: modelReported ?? this.#modelId,
    };
  }

  #toError(thrown: unknown): TallyrankError {
    // Whatever breaks after the client has left, the leaving is the cause.
    const { signal } = this.#cancellation;
    return toTallyrankError(signal.aborted ? signal.reason : thrown);
  }

  #onClose(): void {
    if (this.#reply.raw.writableFinished) return;
    this.#cancellation.abort(
      new TallyrankError('caller_cancelled', 'The caller closed the connection before the answer ended.'),
    );
  }
}

/** Reads until something can be shown: up to there another model may still take over. */
async function openStream(provider: Provider, call: ProviderCall): Promise<OpenedStream> {
  const rest = provider.stream(call);
  const first: AnswerPart[] = [];
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return { rest, first, hasContent: false };
    first.push(...next.value);
    if (next.value.some(hasContent)) return { rest, first, hasContent: true };
  }
}

/** Failures of our account, our settings or our network with one provider, and a form that one protocol cannot carry. */
const ANOTHER_MAY_SERVE: ReadonlySet<ErrorCode> = new Set([
  'upstream_unauthorized',
  'upstream_quota_exhausted',
  'upstream_not_found',
  'network_unavailable',
  'bad_request',
]);

/** True for failures that say nothing against the request itself: another model may well answer it. */
function mayTryAnother(error: TallyrankError): boolean {
  if (countsAgainstModel(error.fault) || ANOTHER_MAY_SERVE.has(error.code)) return true;
  const { cause } = error;
  return cause instanceof UpstreamRejection && cause.isTooLong;
}

function failureOf(error: TallyrankError): RequestFailure {
  return { fault: error.fault, code: error.code, message: error.message };
}
