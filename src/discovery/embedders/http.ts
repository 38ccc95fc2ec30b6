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
  readonly timeoutMs?: number | undefined;
  readonly fetch?: typeof fetch | undefined;
}

const BATCH_SIZE = 64;
const TIMEOUT_MS = 60_000;
/** Servers refuse texts beyond their model's window; what is asked stands before this many characters. */
const TEXT_LENGTH_MAX = 2_000;

/** Vectors from an OpenAI-compatible server or Ollama, batch after batch. */
export class HttpEmbedder implements Embedder {
  readonly id: string;
  #dims: number | null = null;
  readonly #options: HttpEmbedderOptions;

  constructor(options: HttpEmbedderOptions) {
    this.#options = options;
    this.id = `${options.protocol}:${options.model}`;
  }

  get dims(): number | null {
    return this.#dims;
  }

  /** @throws {TallyrankError} `upstream_unreachable`, `upstream_failed`, `upstream_malformed` */
  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const batchSize = this.#options.batchSize ?? BATCH_SIZE;
    const vectors: Float32Array[] = [];
    for (let begin = 0; begin < texts.length; begin += batchSize) {
      signal?.throwIfAborted();
      // An empty input is refused by some servers; a space has a vector everywhere.
      const batch = texts
        .slice(begin, begin + batchSize)
        .map((text) => text.slice(0, TEXT_LENGTH_MAX) || ' ');
      vectors.push(...(await this.#embedBatch(batch, signal)));
    }
    return vectors;
  }

  async #embedBatch(batch: readonly string[], signal: AbortSignal | undefined): Promise<Float32Array[]> {
    const { protocol, baseUrl, model, apiKey, timeoutMs = TIMEOUT_MS } = this.#options;
    const url = `${baseUrl.replace(/\/+$/, '')}${protocol === 'ollama' ? '/api/embed' : '/embeddings'}`;
    const timeout = AbortSignal.timeout(timeoutMs);
    let body: unknown;
    try {
      const response = await (this.#options.fetch ?? fetch)(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        },
        body: JSON.stringify({ model, input: batch }),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      if (!response.ok) {
        throw new TallyrankError(
          'upstream_failed',
          `The embedding server answered ${response.status} for ${model}.`,
        );
      }
      body = await response.json();
    } catch (cause) {
      if (cause instanceof TallyrankError) throw cause;
      signal?.throwIfAborted();
      throw new TallyrankError('upstream_unreachable', `The embedding server at ${url} does not answer.`, {
        cause,
      });
    }
    const vectors = vectorsOf(body, protocol);
    const dims = this.#dims ?? vectors[0]?.length ?? 0;
    if (
      vectors.length !== batch.length ||
      dims === 0 ||
      vectors.some((vector) => vector.length !== dims || vector.some(Number.isNaN))
    ) {
      throw new TallyrankError(
        'upstream_malformed',
        `The embedding server sent other vectors than were asked for.`,
      );
    }
    this.#dims = dims;
    return vectors;
  }
}

function vectorsOf(body: unknown, protocol: 'openai' | 'ollama'): Float32Array[] {
  const answer = (body ?? {}) as { embeddings?: unknown; data?: unknown };
  if (protocol === 'ollama') return listOf(answer.embeddings).map(toVector);
  return (listOf(answer.data) as { index?: number; embedding?: unknown }[])
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
