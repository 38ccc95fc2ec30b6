import type { AnswerPart } from '../../chat.ts';
import { frame } from '../framing.ts';
import type { AnswerHead, AnswerStream, ClientRequest, InboundProtocol, StreamEnd } from '../inbound.ts';
import { encodeChunk, encodeCompletion, encodeError, encodeUsageChunk } from './chat-client-answer.ts';
import { parseChatRequest } from './chat-client-request.ts';

/** OpenAI's chat completions, which is also the neutral form: its requests need no conversion. */
export const OPENAI_CHAT: InboundProtocol = {
  name: 'openai-chat',
  streamType: 'text/event-stream; charset=utf-8',
  requestIdHeader: null,
  parse(bytes) {
    const request = parseChatRequest(bytes);
    return { protocol: 'openai-chat', request, body: request, bytes, headers: {}, ownFeatures: [] };
  },
  newAnswerId: (requestId) => `chatcmpl-${requestId}`,
  encodeAnswer: (_client, head, answer, costUsd) => encodeCompletion(head, answer, costUsd),
  openStream: (client, head) => new ChatStream(client, head),
  encodeError,
};

/** Chunks of a chat completion; those of a provider of the same protocol pass as they are. */
class ChatStream implements AnswerStream {
  readonly #client: ClientRequest;
  readonly #head: AnswerHead;
  #isFirst = true;
  #held = '';

  constructor(client: ClientRequest, head: AnswerHead) {
    this.#client = client;
    this.#head = head;
  }

  part(part: AnswerPart): string {
    const frames = part.wire ?? this.#encode(part);
    if (frames === '') return '';
    this.#isFirst = false;
    if (part.finishReason !== null) {
      this.#held += frames;
      return '';
    }
    if (this.#held === '') return frames;
    // Something follows what was held, so that was not the end.
    const released = this.#held + frames;
    this.#held = '';
    return released;
  }

  #encode(part: AnswerPart): string {
    const data = encodeChunk(this.#head, part, this.#isFirst);
    return data === null ? '' : frame(data);
  }

  end({ answer, usageWire, costUsd }: StreamEnd): string {
    const done = frame('[DONE]');
    if (this.#client.request.stream_options?.include_usage !== true) return this.#held + done;
    const usage = encodeUsageChunk(this.#head, answer.usage, usageWire, costUsd());
    return this.#held + frame(usage) + done;
  }

  error(...[error]: Parameters<AnswerStream['error']>): string {
    return frame(encodeError(error));
  }
}
