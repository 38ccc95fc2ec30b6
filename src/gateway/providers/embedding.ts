import type { ProviderTimings } from '../../core/usage-record.ts';
import type { Fields } from '../protocols/fields.ts';

/** The forms in which clients ask for vectors. */
export type EmbeddingProtocol = 'openai-embeddings' | 'ollama-embed' | 'ollama-embeddings';

/** A client's request for vectors, parsed once. */
export interface EmbeddingRequest {
  readonly protocol: EmbeddingProtocol;
  /** The name the client asked for. */
  readonly model: string;
  /** Never empty. */
  readonly inputs: EmbeddingInputs;
  /** Length of the vectors that is wanted; null: the model's own. */
  readonly dimensions: number | null;
  /** The body as it was parsed, for a provider of the same protocol. */
  readonly body: Fields;
}

/** Texts, or texts that the client has cut into the model's tokens already. */
export type EmbeddingInputs =
  | { readonly texts: readonly string[]; readonly tokens: null }
  | { readonly texts: null; readonly tokens: readonly (readonly number[])[] };

export interface EmbeddingCall {
  /** The provider's own name of the model. */
  readonly modelName: string;
  readonly source: EmbeddingRequest;
  /** Ends the call at once; its reason is a `TallyrankError` and what the call then fails with. */
  readonly signal: AbortSignal;
}

/** One vector for each input, in their order. */
export interface EmbeddingAnswer {
  /** Numbers, or their 32-bit floats (little-endian) in base64. */
  readonly vectors: readonly (readonly number[] | string)[];
  readonly promptTokens: number | null;
  readonly modelReported: string | null;
  readonly timings: ProviderTimings;
  /** The provider's bytes, set only when the client speaks the same protocol: forwarded unchanged. */
  readonly wire: Buffer | null;
}

/** An answer of which all is known. */
export interface EmbeddingResult {
  readonly answer: EmbeddingAnswer;
  /** The model that answered, by the name the provider gave. */
  readonly model: string;
  readonly latencyMs: number | null;
  /** Dollars; null when price or tokens are unknown. */
  readonly costUsd: number | null;
}

/** How the requests of a protocol are read, and the bodies of their answers written. */
export interface EmbeddingForm {
  /** @throws {TallyrankError} `bad_request`, with the field in `param` and a sentence that says what to change */
  parse(bytes: Buffer): EmbeddingRequest;
  encodeAnswer(request: EmbeddingRequest, result: EmbeddingResult): string;
}
