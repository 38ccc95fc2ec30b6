import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { Pool } from 'undici';
import { TallyrankError } from '../core/errors.ts';
import type { CancelListener, CancelSignal } from './cancellation.ts';
import { errorOfConnection, malformed } from './upstream-errors.ts';

/** How long we wait for a provider, and how much we take from it. */
export interface UpstreamLimits {
  /** Until the connection stands. Too small fails over busy networks, too large delays the fallback. */
  readonly connectMs: number;
  /** Until the first byte of a streamed answer; loading a local model lies in it. */
  readonly firstTokenMs: number;
  /** Between two pieces of a streamed answer. */
  readonly idleMs: number;
  /** For the whole answer. */
  readonly totalMs: number;
  /** Bytes of an answer that is taken whole. */
  readonly answerMaxBytes: number;
  /** Connections to one origin at the same time; further requests wait for a free one. */
  readonly connectionsMax: number;
}

const DEFAULT_UPSTREAM_LIMITS: UpstreamLimits = {
  connectMs: 5_000,
  firstTokenMs: 60_000,
  idleMs: 60_000,
  totalMs: 600_000,
  answerMaxBytes: 64 * 1024 * 1024,
  // Each open stream holds one.
  connectionsMax: 4_096,
};

/**
 * Bytes of an answer that may wait for a slow client before the provider is told to pause: one read of its socket.
 * Smaller makes the socket stop and go, larger costs memory per open stream.
 */
const WAITING_MAX_BYTES = 64 * 1024;

export interface UpstreamRequest {
  /** Named in errors. */
  readonly provider: string;
  /** Scheme, host and port, e.g. "https://api.openai.com". */
  readonly origin: string;
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | null;
  /** True: the first byte is due within `firstTokenMs`. False: only the whole has a limit. */
  readonly isStream: boolean;
  readonly signal: CancelSignal;
  /** Where this provider has limits of its own, from {@link UpstreamPools.limitsWith}. */
  readonly limits?: UpstreamLimits | undefined;
  /** Called once, when the call has ended, however it did. */
  readonly onEnded?: (() => void) | undefined;
}

/** HTTP to providers: one pool of connections per origin. */
export class UpstreamPools implements AsyncDisposable {
  readonly #limits: UpstreamLimits;
  readonly #pools = new Map<string, Pool>();

  constructor(limits: Partial<UpstreamLimits> = {}) {
    this.#limits = { ...DEFAULT_UPSTREAM_LIMITS, ...limits };
  }

  /**
   * Sends a request and resolves with the head of the answer.
   *
   * @throws {TallyrankError} `upstream_unreachable`, `upstream_timeout`, `upstream_malformed`, `upstream_cut`, or
   *   the reason of the signal; the status is not judged here
   */
  send(request: UpstreamRequest): Promise<UpstreamAnswer> {
    const limits = request.limits ?? this.#limits;
    const answer = new UpstreamAnswer(request, limits);
    this.#poolOf(request.origin, limits.connectMs).dispatch(
      {
        path: request.path,
        method: request.method,
        headers: request.headers,
        body: request.body,
      },
      answer,
    );
    return answer.head;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  /** The limits of all with those of one provider in their place. */
  limitsWith(own: Partial<UpstreamLimits>): UpstreamLimits {
    return { ...this.#limits, ...own };
  }

  #poolOf(origin: string, connectMs: number): Pool {
    // Two providers may share a host and differ in their patience.
    const key = connectMs === this.#limits.connectMs ? origin : `${origin} ${connectMs}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      // The clocks of undici tick in seconds and know nothing of first tokens: ours replace them.
      pool = new Pool(origin, {
        connections: this.#limits.connectionsMax,
        connect: { timeout: connectMs },
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      this.#pools.set(key, pool);
    }
    return pool;
  }
}

/**
 * The answer of a provider: its head, then its bytes, once, either whole or as they come. A reader that
 * is slow makes the provider pause; a reader that stops ends the call.
 */
export class UpstreamAnswer implements Dispatcher.DispatchHandler, CancelListener {
  /** Resolves with this object when status and headers are there. */
  readonly head: Promise<UpstreamAnswer>;
  statusCode = 0;
  headers: IncomingHttpHeaders = {};

  readonly #request: UpstreamRequest;
  readonly #limits: UpstreamLimits;
  #onHead: (answer: UpstreamAnswer) => void = ignore;
  #onFailure: (error: Error) => void = ignore;
  #controller: Dispatcher.DispatchController | null = null;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #isEnded = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;
  #pieceTimer: NodeJS.Timeout | null = null;
  readonly #totalTimer: NodeJS.Timeout;

  constructor(request: UpstreamRequest, limits: UpstreamLimits) {
    this.#request = request;
    this.#limits = limits;
    this.head = new Promise((resolve, reject) => {
      this.#onHead = resolve;
      this.#onFailure = reject;
    });
    this.#totalTimer = setTimeout(onTotalTimeout, limits.totalMs, this);
    if (request.isStream) this.#pieceTimer = setTimeout(onPieceTimeout, limits.firstTokenMs, this);
    if (request.signal.aborted) this.handleEvent();
    else request.signal.addEventListener('abort', this);
  }

  /**
   * All bytes.
   *
   * @throws {TallyrankError} as `send`; `upstream_malformed` beyond `answerMaxBytes`
   */
  async readAll(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    for (;;) {
      // What follows could be an iteration over this object; without the generator it costs half.
      for (const chunk of this.#take()) {
        length += chunk.length;
        chunks.push(chunk);
      }
      if (length > this.#limits.answerMaxBytes) {
        const tooMuch = malformed(this.#request.provider, `more than ${this.#limits.answerMaxBytes} bytes`);
        this.abort(tooMuch);
        throw tooMuch;
      }
      if (this.#failure) throw this.#failure;
      if (this.#isEnded) return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length);
      await this.#nextEvent();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        const chunks = this.#take();
        for (const chunk of chunks) yield chunk;
        if (chunks.length > 0) continue;
        if (this.#failure) throw this.#failure;
        if (this.#isEnded) return;
        await this.#nextEvent();
      }
    } finally {
      if (!this.#isEnded) this.abort(new TallyrankError('cancelled', 'The answer was not read to its end.'));
    }
  }

  /** Ends the call; nothing happens when it has ended. */
  abort(reason: Error): void {
    if (this.#isEnded || this.#failure) return;
    this.#fail(reason);
    this.#controller?.abort(reason);
  }

  /** The signal's `abort`; the object itself listens, so that a request costs no closure. */
  handleEvent(): void {
    const { reason } = this.#request.signal;
    this.abort(reason instanceof Error ? reason : new TallyrankError('cancelled', 'The call was cancelled.'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It was given up while it waited for a connection.
    if (this.#failure) controller.abort(this.#failure);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (statusCode < 200) return;
    this.statusCode = statusCode;
    this.headers = headers;
    this.#onHead(this);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#request.isStream) {
      if (this.#waitingBytes >= WAITING_MAX_BYTES && !this.#isPaused) {
        // While we hold the provider back, its silence is our doing.
        this.#isPaused = true;
        controller.pause();
        clearTimeout(this.#pieceTimer ?? undefined);
        this.#pieceTimer = null;
      } else if (!this.#isPaused) {
        this.#expectNextPiece();
      }
    }
    this.#wakeReader();
  }

  onResponseEnd(): void {
    this.#isEnded = true;
    this.#release();
    this.#wakeReader();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(errorOfConnection(this.#request.provider, error, this.statusCode !== 0));
  }

  /** For the timers: the provider was silent for too long, or the caller took too long to read. */
  timeOut(what: string, limitMs: number): void {
    const { provider } = this.#request;
    if (this.#isPaused) {
      const text = `The caller had not read the answer after ${limitMs} ms; read faster, or ask for less.`;
      this.abort(new TallyrankError('caller_too_slow', text));
      return;
    }
    this.abort(
      new TallyrankError(
        'upstream_timeout',
        `The provider ${provider} took more than ${limitMs} ms ${what}.`,
      ),
    );
  }

  get limits(): UpstreamLimits {
    return this.#limits;
  }

  #take(): Buffer[] {
    const chunks = this.#waiting;
    if (chunks.length === 0) return chunks;
    this.#waiting = [];
    this.#waitingBytes = 0;
    if (this.#isPaused && !this.#failure) {
      this.#isPaused = false;
      this.#expectNextPiece();
      this.#controller?.resume();
    }
    return chunks;
  }

  #expectNextPiece(): void {
    if (this.#isEnded) return;
    const { firstTokenMs, idleMs } = this.#limits;
    if (firstTokenMs === idleMs && this.#pieceTimer) {
      this.#pieceTimer.refresh();
      return;
    }
    clearTimeout(this.#pieceTimer ?? undefined);
    this.#pieceTimer = setTimeout(onPieceTimeout, idleMs, this);
  }

  #fail(reason: Error): void {
    if (this.#failure || this.#isEnded) return;
    this.#failure = reason;
    this.#release();
    if (this.statusCode === 0) this.#onFailure(reason);
    this.#wakeReader();
  }

  #release(): void {
    clearTimeout(this.#totalTimer);
    clearTimeout(this.#pieceTimer ?? undefined);
    this.#request.signal.removeEventListener('abort', this);
    this.#request.onEnded?.();
  }

  #nextEvent(): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake;
    });
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function onTotalTimeout(answer: UpstreamAnswer): void {
  answer.timeOut('for its answer', answer.limits.totalMs);
}

function onPieceTimeout(answer: UpstreamAnswer): void {
  const isFirst = answer.statusCode === 0;
  answer.timeOut('for a piece of its answer', isFirst ? answer.limits.firstTokenMs : answer.limits.idleMs);
}

function ignore(): void {
  // Replaced before anything can call it.
}
