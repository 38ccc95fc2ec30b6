import type { Decision } from '../core/decision.ts';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { NO_TIMINGS, NO_TOKEN_USAGE } from '../core/usage-record.ts';
import { judgeAnswer } from '../tracker/outcome/judge-answer.ts';
import { AnswerCollector } from './answer-collector.ts';
import { demandsOf } from './answer-demands.ts';
import type { ChatAnswer } from './chat.ts';
import { hasContent, recordedText } from './chat.ts';
import type { LoggedOutcome, LoggedRequest, ProviderSource, RequestLog } from './deps.ts';
import type { ClientRequest } from './protocols/inbound.ts';
import type { Provider, ProviderCall } from './providers/provider.ts';

/** A request that may be asked once more, of another model. */
export interface ShadowedRequest {
  readonly requestId: string;
  readonly client: ClientRequest;
  readonly decision: Decision;
  /** As its own record was opened. */
  readonly facts: LoggedRequest;
}

/** What is watched of the caller's connection; the response of node:http fits. */
export interface CallersResponse {
  readonly writableFinished: boolean;
  readonly statusCode: number;
  once(event: 'close', listener: () => void): unknown;
}

/**
 * Why a shadow was not asked for: it holds what only servers of its protocol do, its caller left or was refused, too many
 * wait, the program ends, its model is not offered any more.
 */
export type ShadowDropReason = 'own_features' | 'unanswered' | 'overflow' | 'shutdown' | 'not_offered';

export interface ShadowCallsOptions {
  readonly providers: ProviderSource;
  readonly log: Pick<RequestLog, 'logRequest' | 'finish'>;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Nobody was asked and nothing was paid. Must not throw. */
  readonly onDropped: (decision: Decision, reason: ShadowDropReason) => void;
}

/** Shadows under way. More compete with callers for a local model; fewer, and slow models keep the others waiting. */
const RUNNING_MAX = 4;
/** Shadows that wait, and the bytes of their requests. More, and what is asked is of an hour ago and fills the memory. */
const WAITING_MAX = 100;
const WAITING_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Shadow calls: the model that a decision names beside the chosen one gets the same request once the caller's answer
 * has ended. Its answer is judged, logged and thrown away; tools that it calls are not run.
 */
export class ShadowCalls implements AsyncDisposable {
  readonly #options: ShadowCallsOptions;
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #waiting: ShadowedRequest[] = [];
  #waitingBytes = 0;

  constructor(options: ShadowCallsOptions) {
    this.#options = options;
  }

  /** Asks for the shadow of a request, if its decision names one, when its answer has been sent. */
  follow(shadowed: ShadowedRequest, response: CallersResponse): void {
    if (shadowed.decision.shadowModelId === null) return;
    // Others cannot serve them; where they can, a stored conversation would go on twice and a tool of theirs would run.
    if (shadowed.client.ownFeatures.length > 0) {
      this.#drop(shadowed, 'own_features');
      return;
    }
    response.once('close', () => {
      const { writableFinished, statusCode } = response;
      const isRefused = statusCode >= 400 && statusCode < 500;
      if (!writableFinished || isRefused) this.#drop(shadowed, 'unanswered');
      else this.#add(shadowed);
    });
  }

  /** Ends what is under way, which is logged, and forgets what waits. */
  async close(): Promise<void> {
    const reason = 'A shadow call was ended because the program ends.';
    this.#ending.abort(new TallyrankError('shutting_down', reason));
    for (const shadowed of this.#waiting.splice(0)) this.#drop(shadowed, 'shutdown');
    this.#waitingBytes = 0;
    await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #add(shadowed: ShadowedRequest): void {
    const byteCount = shadowed.client.bytes.length;
    if (this.#ending.signal.aborted) {
      this.#drop(shadowed, 'shutdown');
    } else if (this.#waiting.length >= WAITING_MAX || this.#waitingBytes + byteCount > WAITING_MAX_BYTES) {
      this.#drop(shadowed, 'overflow');
    } else {
      this.#waiting.push(shadowed);
      this.#waitingBytes += byteCount;
      this.#startNext();
    }
  }

  #drop({ decision, requestId }: ShadowedRequest, reason: ShadowDropReason): void {
    this.#options.logger.debug(
      { requestId, modelId: decision.shadowModelId, reason },
      'A shadow call was dropped.',
    );
    this.#options.onDropped(decision, reason);
  }

  #startNext(): void {
    while (this.#running.size < RUNNING_MAX) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.client.bytes.length;
      const running = this.#ask(next).catch((error: unknown) => {
        const { requestId } = next;
        this.#options.logger.error({ requestId, err: error }, 'A shadow call could not be logged.');
      });
      this.#running.add(running);
      void running.then(() => {
        this.#running.delete(running);
        this.#startNext();
      });
    }
  }

  async #ask(shadowed: ShadowedRequest): Promise<void> {
    const { providers, log, clock } = this.#options;
    const { decision, client, facts } = shadowed;
    const modelId = decision.shadowModelId ?? '';
    const model = providers.catalog.get(modelId);
    const provider = model === null ? null : providers.provider(model.provider);
    if (model === null || provider === null) {
      this.#drop(shadowed, 'not_offered');
      return;
    }
    const startedAtMs = clock();
    const { model: modelAsked, prompt, conversation, isStream, classification } = facts;
    const requestId = log.logRequest({
      model: modelAsked,
      modelId,
      prompt,
      conversation,
      isStream,
      startedAtMs,
      classification,
      shadowOf: shadowed.requestId,
    });
    const call: ProviderCall = {
      requestId,
      modelName: model.name,
      request: client.request,
      source: client,
      signal: this.#ending.signal,
    };
    const answered = await this.#answerOf(provider, call, { isStream, startedAtMs });
    const { answer, failure } = answered;
    const outcome: LoggedOutcome = {
      modelId,
      response: answer === null ? null : recordedText(answer),
      usage: answer?.usage ?? NO_TOKEN_USAGE,
      latencyMs: clock() - startedAtMs,
      firstTokenMs: answered.firstTokenMs,
      ...(answer?.timings ?? NO_TIMINGS),
      overheadMs: null,
      finishReason: answer?.finishReason ?? null,
      modelReported: answer?.modelReported ?? null,
      responseId: answer?.responseId ?? null,
      statusCode: null,
      attemptCount: 1,
      failedAttempts: [],
      failure,
    };
    await log.finish(requestId, outcome, decision);
  }

  /** Streamed where the caller's was, so that the times of the two compare. */
  async #answerOf(
    provider: Provider,
    call: ProviderCall,
    { isStream, startedAtMs }: Pick<LoggedRequest, 'isStream' | 'startedAtMs'>,
  ): Promise<Pick<LoggedOutcome, 'failure' | 'firstTokenMs'> & { readonly answer: ChatAnswer | null }> {
    const collector = new AnswerCollector();
    let firstTokenMs: number | null = null;
    let answer: ChatAnswer | null = null;
    try {
      if (isStream) {
        for await (const parts of provider.stream(call)) {
          if (parts.some(hasContent)) firstTokenMs ??= this.#options.clock() - startedAtMs;
          for (const part of parts) collector.collect(part);
        }
        answer = collector.answer();
      } else {
        answer = await provider.complete(call);
      }
      const failure = judgeAnswer(answer, demandsOf(call.request, provider.kind), collector.isCut);
      return { answer, failure, firstTokenMs };
    } catch (thrown) {
      const error = toTallyrankError(call.signal.aborted ? call.signal.reason : thrown);
      const { fault, code, message } = error;
      return {
        answer: isStream ? collector.answer() : null,
        failure: { fault, code, message },
        firstTokenMs,
      };
    }
  }
}
