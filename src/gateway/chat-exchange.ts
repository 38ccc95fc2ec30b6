import { isAscii } from 'node:buffer';
import type { FastifyReply } from 'fastify';
import type { Decision } from '../core/decision.ts';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import type { RequestFailure } from '../core/usage-record.ts';
import { NO_TIMINGS, NO_TOKEN_USAGE } from '../core/usage-record.ts';
import { judgeAnswer } from '../tracker/outcome/judge-answer.ts';
import { AnswerCollector } from './answer-collector.ts';
import { demandsOf } from './answer-demands.ts';
import { headersOfAnswer, headersOfError, toCostText } from './answer-headers.ts';
import { Attempts } from './attempts.ts';
import type { AnswerSource } from './cached-answer.ts';
import { Replay, toCachedAnswer } from './cached-answer.ts';
import { Cancellation } from './cancellation.ts';
import type { AnswerPart, ChatAnswer } from './chat.ts';
import { hasContent, isEmptyAnswer, recordedText } from './chat.ts';
import type { GatewayDeps, LoggedOutcome } from './deps.ts';
import { FrameWriter } from './frame-writer.ts';
import { KeepAlive, keepAliveSign } from './keep-alive.ts';
import type { AnswerHead, AnswerStream, ClientRequest, InboundProtocol } from './protocols/inbound.ts';
import type { Provider, ProviderCall } from './providers/provider.ts';
import type { CacheTicket } from './response-cache.ts';

/** A request that was routed and whose record is open. */
export interface OpenedRequest {
  readonly requestId: string;
  readonly protocol: InboundProtocol;
  readonly client: ClientRequest;
  readonly decision: Decision;
  readonly arrivedAtMs: number;
  /** null: there is no cache. */
  readonly cache: CacheTicket | null;
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
  readonly #cancellation = new Cancellation();
  readonly #attempts: AnswerSource;
  #firstTokenMs: number | null = null;

  constructor(deps: GatewayDeps, opened: OpenedRequest, reply: FastifyReply) {
    this.#deps = deps;
    this.#opened = opened;
    this.#reply = reply;
    const { requestId, client, decision, cache } = opened;
    const signal = this.#cancellation;
    this.#attempts =
      cache?.found == null
        ? new Attempts(deps, { requestId, client, decision, signal })
        : new Replay(cache.found, cache.waitedMs, { requestId, request: client.request, signal });
    if (reply.raw.destroyed) this.#onClose();
    else reply.raw.once('close', () => this.#onClose());
  }

  async complete(): Promise<FastifyReply> {
    let answer: ChatAnswer;
    try {
      answer = await this.#attempts.run((provider, call) => provider.complete(call), isEmptyAnswer);
    } catch (thrown) {
      return await this.#refuse(thrown);
    }
    this.#attempts.noteEnd(null);
    const failure = this.#judge(answer, false);
    const outcome = await this.#finish(answer, 200, failure);
    if (this.#reply.raw.destroyed) return this.#reply.hijack();
    const costUsd = this.#costOf(answer);
    const headers = this.#headers();
    headers['content-type'] = 'application/json; charset=utf-8';
    headers['x-tallyrank-cost-usd'] = toCostText(costUsd);
    headers['x-tallyrank-overhead-ms'] = (outcome.overheadMs ?? 0).toFixed(2);
    const { protocol, client } = this.#opened;
    const head = this.#head(answer.modelReported, answer.responseId);
    const body = answer.wire ?? protocol.encodeAnswer(client, head, answer, costUsd, outcome.latencyMs);
    return this.#reply.code(200).headers(headers).send(inOneWrite(body));
  }

  async stream(): Promise<FastifyReply> {
    let opened: OpenedStream;
    const keepAlive = this.#keepAlive();
    try {
      opened = await this.#attempts.run(openStream, (stream) => !stream.hasContent);
    } catch (thrown) {
      const begun = keepAlive?.stop() ?? null;
      return begun === null ? await this.#refuse(thrown) : await this.#breakOff(begun, thrown);
    }
    if (opened.hasContent) this.#firstTokenMs = this.#deps.clock() - this.#opened.arrivedAtMs;
    const { requestId } = this.#opened;
    const writer = keepAlive?.stop() ?? this.#openWriter();
    const encoder = this.#openEncoder(opened.first);
    const collector = new AnswerCollector();
    let error: TallyrankError | null = null;
    try {
      await this.#forward(opened, encoder, writer, collector);
    } catch (thrown) {
      error = this.#toError(thrown);
    }
    this.#attempts.noteEnd(error);
    const answer = collector.answer();
    const failure = error === null ? this.#judge(answer, collector.isCut) : failureOf(error);
    const statusCode = error === null ? 200 : error.statusCode;
    const outcome = await this.#finish(answer, statusCode, failure, collector.isCut);
    if (error === null)
      writer.end(
        encoder.end({
          answer,
          usageWire: collector.usageWire,
          costUsd: () => this.#costOf(answer),
          outcome,
        }),
      );
    else writer.end(encoder.error(error, requestId));
    return this.#reply;
  }

  /** null where the client or its protocol would not have it. */
  #keepAlive(): KeepAlive | null {
    const { keepAlive } = this.#deps;
    const sign = keepAlive === undefined ? null : keepAliveSign(this.#opened.protocol);
    if (keepAlive === undefined || sign === null) return null;
    return new KeepAlive(keepAlive, sign, () => this.#openWriter());
  }

  #openWriter(): FrameWriter {
    this.#reply.hijack();
    const kept = this.#reply.getHeaders() as Record<string, string | number | string[]>;
    const headers = { ...kept, ...this.#headers(), 'content-type': this.#opened.protocol.streamType };
    return new FrameWriter(this.#reply.raw, headers);
  }

  /** The end of an answer of which only signs of life were sent. */
  async #breakOff(writer: FrameWriter, thrown: unknown): Promise<FastifyReply> {
    const error = this.#toError(thrown);
    await this.#finish(null, error.statusCode, failureOf(error));
    writer.end(this.#openEncoder([]).error(error, this.#opened.requestId));
    return this.#reply;
  }

  /** The first parts tell which model answers and by which id. */
  #openEncoder(first: readonly AnswerPart[]): AnswerStream {
    const { protocol, client } = this.#opened;
    const [part] = first;
    return protocol.openStream(client, this.#head(part?.modelReported ?? null, part?.responseId ?? null));
  }

  /** Each part as it comes; the encoder holds back what ends the answer, for the end waits for the record. */
  async #forward(
    opened: OpenedStream,
    encoder: AnswerStream,
    writer: FrameWriter,
    collector: AnswerCollector,
  ): Promise<void> {
    const startedAtMs = this.#deps.clock();
    try {
      for (let parts: readonly AnswerPart[] | null = opened.first; parts !== null; ) {
        let frames = '';
        for (const part of parts) {
          collector.collect(part);
          frames += encoder.part(part);
        }
        if (frames !== '') await writer.send(frames);
        const next = await opened.rest.next();
        parts = next.done === true ? null : next.value;
      }
    } finally {
      this.#attempts.upstreamMs += this.#deps.clock() - startedAtMs;
      await opened.rest.return();
    }
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
    const { protocol, requestId } = this.#opened;
    return this.#reply.code(error.statusCode).headers(headers).send(protocol.encodeError(error, requestId));
  }

  async #finish(
    answer: ChatAnswer | null,
    statusCode: number,
    failure: RequestFailure | null,
    isCut = false,
  ): Promise<LoggedOutcome> {
    const { requestId, decision, arrivedAtMs } = this.#opened;
    const isFound = this.#opened.cache?.found != null;
    const latencyMs = this.#deps.clock() - arrivedAtMs;
    const outcome: LoggedOutcome = {
      modelId: this.#attempts.modelId,
      response: answer === null ? null : recordedText(answer),
      usage: answer?.usage ?? NO_TOKEN_USAGE,
      latencyMs,
      firstTokenMs: this.#firstTokenMs,
      ...(answer?.timings ?? NO_TIMINGS),
      overheadMs: Math.max(0, latencyMs - this.#attempts.upstreamMs),
      finishReason: answer?.finishReason ?? null,
      modelReported: answer?.modelReported ?? null,
      responseId: answer === null ? null : this.#responseIdOf(answer.responseId),
      statusCode,
      attemptCount: this.#attempts.count,
      failedAttempts: this.#attempts.failed,
      failure,
    };
    try {
      // What came from the cache was decided when it was asked for first.
      await this.#deps.log.finish(requestId, outcome, isFound ? null : decision);
    } catch (error) {
      // The journal counts what it lost; an answer that exists is not thrown away for it.
      this.#deps.logger.error({ requestId, err: error }, 'A record could not be written.');
    }
    this.#deps.events?.onRequestFinished?.(requestId, outcome, decision);
    this.#share(failure === null && !isCut ? answer : null);
    return outcome;
  }

  /** Keeps an answer for equal requests, and gives it to those that wait for it; null: there is none to share. */
  #share(answer: ChatAnswer | null): void {
    const flight = this.#opened.cache?.flight ?? null;
    if (flight === null) return;
    const { modelId } = this.#attempts;
    flight.settle(answer === null ? null : toCachedAnswer(answer, modelId, this.#opened.decision));
  }

  #costOf({ usage, modelReported }: ChatAnswer): number | null {
    if (this.#opened.cache?.found != null) return 0;
    return this.#deps.log.costOf(this.#attempts.modelId, usage, modelReported);
  }

  #judge(answer: ChatAnswer, isCut: boolean): RequestFailure | null {
    const { providers } = this.#deps;
    const model = providers.catalog.get(this.#attempts.modelId);
    const kind = model === null ? null : (providers.provider(model.provider)?.kind ?? null);
    return judgeAnswer(answer, demandsOf(this.#opened.client.request, kind), isCut);
  }

  #headers(): Record<string, string> {
    const { requestId, decision, protocol, cache } = this.#opened;
    const facts = {
      requestId,
      decision,
      modelId: this.#attempts.modelId,
      attemptCount: this.#attempts.count,
    };
    const headers = headersOfAnswer(facts);
    if (cache !== null) headers['x-tallyrank-cache'] = cache.status;
    if (protocol.requestIdHeader !== null) headers[protocol.requestIdHeader] = requestId;
    return headers;
  }

  /** The id that the client sees, and by which it may give feedback: the provider's, or one of ours. */
  #responseIdOf(responseId: string | null): string {
    return responseId ?? this.#opened.protocol.newAnswerId(this.#opened.requestId);
  }

  #head(modelReported: string | null, responseId: string | null): AnswerHead {
    return {
      id: this.#responseIdOf(responseId),
      createdAtSeconds: Math.floor(this.#opened.arrivedAtMs / 1000),
      model: modelReported ?? this.#attempts.modelId,
    };
  }

  #toError(thrown: unknown): TallyrankError {
    // Whatever breaks after the client has left, the leaving is the cause.
    const { aborted, reason } = this.#cancellation;
    return toTallyrankError(aborted ? reason : thrown);
  }

  #onClose(): void {
    if (this.#reply.raw.writableFinished) return;
    const reason = 'The caller closed the connection before the answer ended.';
    const abort = (): void => this.#cancellation.abort(new TallyrankError('caller_cancelled', reason));
    const flight = this.#opened.cache?.flight ?? null;
    if (flight === null) abort();
    else flight.leave(abort);
  }
}

/** Reads until something can be shown: up to there another model may still take over. */
async function openStream(provider: Pick<Provider, 'stream'>, call: ProviderCall): Promise<OpenedStream> {
  const rest = provider.stream(call);
  const first: AnswerPart[] = [];
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return { rest, first, hasContent: false };
    first.push(...next.value);
    if (next.value.some(hasContent)) return { rest, first, hasContent: true };
  }
}

function failureOf(error: TallyrankError): RequestFailure {
  return { fault: error.fault, code: error.code, message: error.message };
}

/** Copying a larger body into a text costs more than its second write. */
const ONE_WRITE_MAX_BYTES = 16_384;

/** A short body of ASCII as a text: Node sends it in one write with its head, which bytes are not. */
function inOneWrite<Body>(body: Body | Buffer): Body | Buffer | string {
  const isShort = Buffer.isBuffer(body) && body.length <= ONE_WRITE_MAX_BYTES && isAscii(body);
  return isShort ? body.toString('latin1') : body;
}
