import type { IncomingHttpHeaders } from 'node:http';
import type { TallyrankError } from '../../core/errors.ts';
import type { RequestOutcome } from '../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer, ChatRequest } from '../chat.ts';
import type { Fields } from './fields.ts';

/** The forms of a chat that clients may speak to us. */
export type ProtocolName =
  | 'openai-chat'
  | 'openai-completions'
  | 'openai-responses'
  | 'anthropic'
  | 'ollama'
  | 'ollama-generate';

/** A client's request, parsed once. */
export interface ClientRequest {
  readonly protocol: ProtocolName;
  /** What it asks, in the neutral form: routing, record and providers of other protocols read this. */
  readonly request: ChatRequest;
  /** The body as it was parsed, with all that we do not know: for a provider of the same protocol. */
  readonly body: Fields;
  /** The body's bytes. */
  readonly bytes: Buffer;
  /** Headers that a provider of the same protocol gets as well, e.g. `anthropic-beta`; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * What it asks that only servers of its own protocol can do, in words, e.g. "tool of type web_search_20250305".
   * Other providers are not asked: such a request is refused in their place.
   */
  readonly ownFeatures: readonly string[];
  /** It goes on with what lies at one provider, so that only a model named there can serve it. Left out: any may. */
  readonly namedOnly?: NamedOnly | undefined;
}

/** What is said where such a request cannot be served. */
export interface NamedOnly {
  readonly param: string;
  /** One sentence that says what to change. */
  readonly refusal: string;
}

/** What every object of an answer repeats. */
export interface AnswerHead {
  /** The provider's id of the answer, or one of ours. */
  readonly id: string;
  /** Seconds since 1970. */
  readonly createdAtSeconds: number;
  /** The model that answered, by the name the provider gave. */
  readonly model: string;
}

/** What is known when a stream has come to its end and its record is written. */
export interface StreamEnd {
  /** The answer as it was collected; long ones are cut. */
  readonly answer: ChatAnswer;
  /** The provider's last usage object, where it speaks OpenAI's protocol. */
  readonly usageWire: Fields | null;
  /** Dollars; null when price or tokens are unknown. */
  readonly costUsd: () => number | null;
  /** Times by our clock, as they are recorded. */
  readonly outcome: Pick<RequestOutcome, 'latencyMs' | 'firstTokenMs'>;
}

/**
 * Writes one streamed answer. Pure: parts in, text out. Whatever would tell the client that the answer is
 * complete is held back until `end`, for the end waits for the record.
 */
export interface AnswerStream {
  /** The frames for a part, ready to be sent; '' when there is nothing to send yet. */
  part(part: AnswerPart): string;
  /** What was held back, and the last frames. */
  end(end: StreamEnd): string;
  /** The frames of a failure in the middle; what was held back is not sent. */
  error(error: TallyrankError, requestId: string): string;
}

/** A form of chat that clients speak: how their requests are read and how answers are written for them. */
export interface InboundProtocol {
  readonly name: ProtocolName;
  /** Content type of a streamed answer; a whole one is JSON. */
  readonly streamType: string;
  /**
   * What may be sent before the first content while a model loads, and means nothing. Left out: a comment where answers are
   * server-sent events, nothing elsewhere.
   */
  readonly keepAlive?: string | undefined;
  /** Header in which these clients look for the id of the request, beside ours; null: they do not. */
  readonly requestIdHeader: string | null;
  /** @throws {TallyrankError} `bad_request`, with the field in `param` and a sentence that says what to change */
  parse(bytes: Buffer, headers: IncomingHttpHeaders): ClientRequest;
  /** The id of an answer whose provider gave none; the request can be found by it. */
  newAnswerId(requestId: string): string;
  /** The body of a whole answer. */
  encodeAnswer(
    client: ClientRequest,
    head: AnswerHead,
    answer: ChatAnswer,
    costUsd: number | null,
    latencyMs: number | null,
  ): string;
  openStream(client: ClientRequest, head: AnswerHead): AnswerStream;
  /** The body of an error; `requestId` is null before a request has one. */
  encodeError(error: TallyrankError, requestId: string | null): string;
}
