/**
 * Text to vectors. What implements it: `distilled-table.ts` (offline, the default; `any-language.ts` around it),
 * `http.ts` (any OpenAI-compatible or Ollama server) and `transformers.ts` (an optional package on this machine).
 */
export interface Embedder {
  /**
   * Name and version in one, e.g. "distilled-table@1". Vectors of different ids are never compared, and the
   * store keeps vectors under this key.
   */
  readonly id: string;
  /** Length of the vectors; null until the first answer of a server told it. */
  readonly dims: number | null;
  /**
   * One vector per text, in order. Not of unit length by contract; a text without any known word may give a
   * zero vector.
   */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>;
}
