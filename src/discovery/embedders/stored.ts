import { CLASSIFIED_TEXT_VERSION } from '../../core/prompt-text.ts';
import type { Database } from '../../store/database.ts';
import { readEmbeddings, type StoredEmbedding, writeEmbeddings } from '../../store/queries/embeddings.ts';
import type { Embedder } from './embedder.ts';

/** A distinct prompt and what of it is embedded. */
export interface EmbeddablePrompt {
  readonly promptHash: string;
  /** `classifiedText` of it. */
  readonly text: string;
}

export interface PromptVectorsOptions {
  readonly embedder: Embedder;
  /** Where vectors are kept; null computes them anew each time. */
  readonly db: Database | null;
}

/**
 * Prompts that are embedded and stored at a time: what a broken run computes again. Fewer would make many small
 * inserts, more would lose minutes of a slow server.
 */
const CHUNK_SIZE = 512;

/**
 * Vectors of prompts, each computed once per embedder and kept in the store. A run that was stopped goes on
 * where it was: chunks are written as they come.
 */
export class PromptVectors {
  readonly embedder: Embedder;
  readonly #db: Database | null;
  #computedCount = 0;
  #readCount = 0;

  constructor({ embedder, db }: PromptVectorsOptions) {
    this.embedder = embedder;
    this.#db = db;
  }

  /** Under which the vectors are kept: another embedder or another text is another vector. */
  get key(): string {
    return `${this.embedder.id}/text-${CLASSIFIED_TEXT_VERSION}`;
  }

  /** Vectors that were computed by this object; the others were read. */
  get computedCount(): number {
    return this.#computedCount;
  }

  get readCount(): number {
    return this.#readCount;
  }

  /**
   * One vector per prompt, in order.
   *
   * @param onProgress  told how many are done
   * @throws what the embedder throws; what was computed until then is kept
   */
  async vectorsOf(
    prompts: readonly EmbeddablePrompt[],
    {
      signal,
      onProgress,
    }: {
      readonly signal?: AbortSignal | undefined;
      readonly onProgress?: ((done: number, total: number) => void) | undefined;
    } = {},
  ): Promise<Float32Array[]> {
    const vectors: Float32Array[] = [];
    for (let from = 0; from < prompts.length; from += CHUNK_SIZE) {
      signal?.throwIfAborted();
      onProgress?.(from, prompts.length);
      for (const vector of await this.#chunk(prompts.slice(from, from + CHUNK_SIZE), signal)) {
        vectors.push(vector);
      }
    }
    await this.#replaceOutdated(prompts, vectors, signal);
    onProgress?.(prompts.length, prompts.length);
    return vectors;
  }

  async #chunk(
    prompts: readonly EmbeddablePrompt[],
    signal: AbortSignal | undefined,
  ): Promise<Float32Array[]> {
    const known = await this.#read(prompts, signal);
    const missing = prompts.filter(({ promptHash }) => !known.has(promptHash));
    this.#readCount += prompts.length - missing.length;
    const computed = await this.#compute(missing, signal);
    missing.forEach(({ promptHash }, at) => {
      const vector = computed[at];
      if (vector !== undefined) known.set(promptHash, vector);
    });
    return prompts.map(({ promptHash }) => known.get(promptHash) ?? new Float32Array(0));
  }

  async #read(
    prompts: readonly EmbeddablePrompt[],
    signal: AbortSignal | undefined,
  ): Promise<Map<string, Float32Array>> {
    if (this.#db === null) return new Map();
    const hashes = prompts.map(({ promptHash }) => promptHash);
    return readEmbeddings(this.#db, this.key, hashes, signal);
  }

  async #compute(
    prompts: readonly EmbeddablePrompt[],
    signal: AbortSignal | undefined,
  ): Promise<Float32Array[]> {
    if (prompts.length === 0) return [];
    const vectors = await this.embedder.embed(
      prompts.map(({ text }) => text),
      signal,
    );
    this.#computedCount += vectors.length;
    if (this.#db !== null) {
      const rows: StoredEmbedding[] = prompts.flatMap(({ promptHash }, at) => {
        const vector = vectors[at];
        return vector === undefined ? [] : [{ promptHash, vector }];
      });
      await writeEmbeddings(this.#db, this.key, rows);
    }
    return vectors;
  }

  /** A server may serve another model under the same name: what it gave before cannot be compared. */
  async #replaceOutdated(
    prompts: readonly EmbeddablePrompt[],
    vectors: Float32Array[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { dims } = this.embedder;
    if (dims === null) return;
    const outdated = [...vectors.keys()].filter((at) => vectors[at]?.length !== dims);
    for (let from = 0; from < outdated.length; from += CHUNK_SIZE) {
      const chunk = outdated.slice(from, from + CHUNK_SIZE);
      const computed = await this.#compute(
        chunk.flatMap((at) => prompts[at] ?? []),
        signal,
      );
      chunk.forEach((at, n) => {
        vectors[at] = computed[n] ?? new Float32Array(0);
      });
    }
  }
}
