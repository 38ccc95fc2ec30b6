import type { CancelSignal } from '../cancellation.ts';
import type { AnswerPart, ChatAnswer, ChatRequest } from '../chat.ts';
import type { ClientRequest, ProtocolName } from '../protocols/inbound.ts';
import type { EmbeddingAnswer, EmbeddingCall } from './embedding.ts';

export type ProviderKind = 'ollama' | 'openai' | 'anthropic';

/** One call of a model. */
export interface ProviderCall {
  /** Our id of the request: the source of ids that a provider does not make itself. */
  readonly requestId: string;
  /** The provider's own name of the model, e.g. "mistral:7b". */
  readonly modelName: string;
  /** The neutral request; `model` and `stream` in it are the client's and not to be sent on. */
  readonly request: ChatRequest;
  /**
   * The request as the client sent it, for a provider that speaks the client's protocol: it sends the client's
   * own body and sets `wire` in what it gives back. null: there is no client to forward to.
   */
  readonly source: ClientRequest | null;
  /** Ends the call at once; its reason is a `TallyrankError` and what the call then fails with. */
  readonly signal: CancelSignal;
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
  readonly hasAudio: boolean | null;
  readonly hasFiles: boolean | null;
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
  /** True when it sends the requests of such clients on as they are, and their answers back. */
  forwards(protocol: ProtocolName): boolean;
  /** The whole answer at once. An empty answer is an answer; whoever asked judges it. */
  complete(call: ProviderCall): Promise<ChatAnswer>;
  /**
   * The answer as it comes; each yield holds what arrived together. The first `next` fails when the provider
   * does; ending the iteration early ends the call. An answer that stops without its end fails with
   * `upstream_cut`.
   */
  stream(call: ProviderCall): AsyncGenerator<readonly AnswerPart[], void, undefined>;
  /** Anthropic's `count_tokens`, for providers that have it: the body of its answer. */
  countTokens?(source: ClientRequest, modelName: string, signal: AbortSignal): Promise<Buffer>;
  /** Its models now. Facts that cost a request per model are asked only while they are cheap. */
  listModels(signal: AbortSignal): Promise<readonly ListedModel[]>;
  /** Vectors of texts; left out by providers that make none. */
  embed?(call: EmbeddingCall): Promise<EmbeddingAnswer>;
  /** What only a server of Ollama's can tell; left out by all others. */
  readonly ollama?: OllamaServer;
}

/** A server that manages local models, for clients that expect one. */
export interface OllamaServer {
  /** What its own list said of a model when it was last read; null: nothing. */
  entryOf(name: string): Readonly<Record<string, unknown>> | null;
  /**
   * The answer of one of its other paths: POST with a body, GET without.
   *
   * @throws {TallyrankError} `upstream_*`; any status but 2xx is an error
   */
  ask(path: string, body: Readonly<Record<string, unknown>> | null, signal: AbortSignal): Promise<Buffer>;
}

/** The client's own request, where it may go on as it is: same protocol, and an answer of the same form. */
export function ownSource(
  { source }: ProviderCall,
  protocol: ProtocolName,
  isStream: boolean,
): ClientRequest | null {
  if (source?.protocol !== protocol) return null;
  return (source.request.stream === true) === isStream ? source : null;
}
