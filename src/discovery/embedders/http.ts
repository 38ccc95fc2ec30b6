import { setTimeout as delay } from 'node:timers/promises';
import { TallyrankError } from '../../core/errors.ts';
import type { Embedder } from './embedder.ts';

export interface HttpEmbedderOptions {
  /** `openai`: POST {baseUrl}/embeddings. `ollama`: POST {baseUrl}/api/embed. */
  readonly protocol: 'openai' | 'ollama';
  /** E.g. "http://localhost:11434" or "https://api.openai.com/v1". */
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  /** Texts per call. */
  readonly batchSize?: number | undefined;
  /** Per call; a local model may be loaded in this time. */
  readonly timeoutMs?: number | undefined;
  /** Calls for one batch before it is given up; default 4. */
  readonly attemptsMax?: number | undefined;
  /** Wait before the second call; it doubles with each further one. */
  readonly firstPauseMs?: number | undefined;
}

const BATCH_SIZE = 64;
const TIMEOUT_MS = 120_000;
const ATTEMPTS_MAX = 4;
const FIRST_PAUSE_MS = 500;
/** A server that asks for more patience than this is out of service for a discovery run. */
const PAUSE_MAX_MS = 60_000;
/** Servers refuse texts beyond their model's window; what is asked stands before this many characters. */
const TEXT_LENGTH_MAX = 2_000;
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Vectors from an OpenAI-compatible server or Ollama, batch after batch. */
export class HttpEmbedder implements Embedder {
  readonly id: string;
  #dims: number | null = null;
  /** Halved when the server says that a batch is too large. */
  #batchSize: number;
  readonly #options: HttpEmbedderOptions;
  readonly #url: string;

  constructor(options: HttpEmbedderOptions) {
    this.#options = options;
    this.#batchSize = options.batchSize ?? BATCH_SIZE;
    this.#url = `${options.baseUrl.replace(/\/+$/, '')}${options.protocol === 'ollama' ? '/api/embed' : '/embeddings'}`;
    this.id = `${options.protocol}:${options.model}`;
  }

  get dims(): number | null {
    return this.#dims;
  }

  /**
   * @throws {TallyrankError} `upstream_unreachable`, `upstream_timeout`, `upstream_rate_limited`,
   *   `upstream_unauthorized`, `upstream_rejected`, `upstream_failed`, `upstream_malformed`
   */
  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const vectors: Float32Array[] = [];
    while (vectors.length < texts.length) {
      signal?.throwIfAborted();
      const batch = texts.slice(vectors.length, vectors.length + this.#batchSize).map(toInput);
      try {
        for (const vector of await this.#embedBatch(batch, signal)) vectors.push(vector);
      } catch (error) {
        const isTooLarge = error instanceof TallyrankError && error.statusCode === 413;
        if (!isTooLarge || batch.length === 1) throw error;
        this.#batchSize = Math.ceil(batch.length / 2);
      }
    }
    return vectors;
  }

  async #embedBatch(batch: readonly string[], signal: AbortSignal | undefined): Promise<Float32Array[]> {
    const attemptsMax = this.#options.attemptsMax ?? ATTEMPTS_MAX;
    for (let attempt = 1; ; attempt++) {
      try {
        return this.#checked(vectorsOf(await this.#ask(batch, signal), this.#options.protocol), batch.length);
      } catch (error) {
        signal?.throwIfAborted();
        const isWorthIt = error instanceof TallyrankError && error.retryable && error.statusCode !== 413;
        if (!isWorthIt || attempt >= attemptsMax) throw error;
        const pauseMs = (this.#options.firstPauseMs ?? FIRST_PAUSE_MS) * 2 ** (attempt - 1);
        await delay(Math.min(error.retryAfterMs ?? pauseMs, PAUSE_MAX_MS), undefined, { signal });
      }
    }
  }

  /** One call. @returns the body of the answer */
  async #ask(batch: readonly string[], signal: AbortSignal | undefined): Promise<unknown> {
    const { model, apiKey, timeoutMs = TIMEOUT_MS } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        },
        body: JSON.stringify({ model, input: batch }),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      text = await response.text();
    } catch (cause) {
      throw timeout.aborted
        ? new TallyrankError(
            'upstream_timeout',
            `The embedding server at ${this.#url} did not answer in ${timeoutMs} ms.`,
            { cause },
          )
        : new TallyrankError(
            'upstream_unreachable',
            `The embedding server at ${this.#url} does not answer.`,
            {
              cause,
            },
          );
    }
    if (!response.ok) throw this.#refusal(response);
    try {
      return JSON.parse(text) as unknown;
    } catch (cause) {
      throw this.#malformed('no JSON', cause);
    }
  }

  #refusal(response: Response): TallyrankError {
    const { model } = this.#options;
    const { status } = response;
    const said = `The embedding server at ${this.#url} answered ${status} for ${model}`;
    const retryAfterMs = 1_000 * Number(response.headers.get('retry-after') ?? Number.NaN);
    const options = Number.isFinite(retryAfterMs) ? { retryAfterMs } : {};
    if (status === 429) return new TallyrankError('upstream_rate_limited', `${said}.`, options);
    if (status === 401 || status === 403) {
      return new TallyrankError('upstream_unauthorized', `${said}: check discovery.embedder.apiKeyEnv.`);
    }
    if (status === 404) {
      return new TallyrankError('upstream_rejected', `${said}: check the model's name and the URL.`);
    }
    if (status === 413) return new TallyrankError('upstream_rejected', `${said}.`, { statusCode: 413 });
    return status >= 500
      ? new TallyrankError('upstream_failed', `${said}.`, options)
      : new TallyrankError('upstream_rejected', `${said}.`);
  }

  /** @throws {TallyrankError} `upstream_malformed` unless there is one vector per text, all of one length */
  #checked(vectors: Float32Array[], count: number): Float32Array[] {
    if (vectors.length !== count) throw this.#malformed(`${vectors.length} vectors for ${count} texts`);
    const dims = this.#dims ?? vectors[0]?.length ?? 0;
    if (dims === 0) throw this.#malformed('empty vectors');
    for (const vector of vectors) {
      if (vector.length !== dims) throw this.#malformed(`vectors of ${vector.length} and of ${dims} numbers`);
      if (!vector.every(Number.isFinite)) throw this.#malformed('vectors that are no numbers');
    }
    this.#dims = dims;
    return vectors;
  }

  #malformed(what: string, cause?: unknown): TallyrankError {
    return new TallyrankError('upstream_malformed', `The embedding server at ${this.#url} sent ${what}.`, {
      cause,
    });
  }
}

/** An empty input is refused by some servers, half a sign by others; a space has a vector everywhere. */
function toInput(text: string): string {
  return text.slice(0, TEXT_LENGTH_MAX).replace(LONE_SURROGATE, ' ') || ' ';
}

function vectorsOf(body: unknown, protocol: 'openai' | 'ollama'): Float32Array[] {
  const answer = (body ?? {}) as { embeddings?: unknown; data?: unknown };
  if (protocol === 'ollama') return listOf(answer.embeddings).map(toVector);
  return (listOf(answer.data) as ({ index?: unknown; embedding?: unknown } | null)[])
    .map((item, at) => ({
      at: typeof item?.index === 'number' ? item.index : at,
      vector: toVector(item?.embedding),
    }))
    .sort((a, b) => a.at - b.at)
    .map(({ vector }) => vector);
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function toVector(value: unknown): Float32Array {
  return Float32Array.from(listOf(value), (item) => (typeof item === 'number' ? item : Number.NaN));
}
