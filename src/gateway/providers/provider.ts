import type { AnswerPart, ChatAnswer, ChatRequest } from '../chat.ts';

export type ProviderKind = 'ollama' | 'openai' | 'anthropic';

/** One call of a model. */
export interface ProviderCall {
  /** Our id of the request: the source of ids that a provider does not make itself. */
  readonly requestId: string;
  /** The provider's own name of the model, e.g. "mistral:7b". */
  readonly modelName: string;
  /** The client's request; `model` and `stream` in it are the client's and not to be sent on. */
  readonly request: ChatRequest;
  /** The client's bytes, for providers that may send them on unchanged; null when there are none. */
  readonly requestBytes: Buffer | null;
  /** Ends the call at once; its reason is a `TallyrankError` and what the call then fails with. */
  readonly signal: AbortSignal;
}

/** What a provider says of one of its models; null: it does not say. */
export interface ListedModel {
  /** The provider's own name. */
  readonly name: string;
  readonly family: string | null;
  readonly parameterBillions: number | null;
  readonly contextTokens: number | null;
  readonly hasTools: boolean | null;
  readonly hasImages: boolean | null;
  /** False for embedders and the like. */
  readonly isChat: boolean | null;
}

/**
 * A server that runs models. Every failure is a `TallyrankError` with an `upstream_*` code (or the reason of
 * the signal); nothing else is thrown, and nothing is retried here.
 */
export interface Provider {
  /** The name before the colon of a canonical model id. */
  readonly id: string;
  /** The protocol it speaks. */
  readonly kind: ProviderKind;
  /** The whole answer at once. An empty answer is an answer; whoever asked judges it. */
  complete(call: ProviderCall): Promise<ChatAnswer>;
  /**
   * The answer as it comes; each yield holds what arrived together. The first `next` fails when the provider
   * does; ending the iteration early ends the call. An answer that stops without its end fails with
   * `upstream_cut`.
   */
  stream(call: ProviderCall): AsyncGenerator<readonly AnswerPart[], void, undefined>;
  /** Its models now. Facts that cost a request per model are asked only while they are cheap. */
  listModels(signal: AbortSignal): Promise<readonly ListedModel[]>;
}
