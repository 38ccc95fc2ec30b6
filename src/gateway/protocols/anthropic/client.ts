import type { InboundProtocol } from '../inbound.ts';
import { encodeError, encodeMessage } from './client-answer.ts';
import { parseMessagesRequest } from './client-request.ts';
import { MessagesStream } from './client-stream.ts';

/** Anthropic's messages API, as its clients speak it. */
export const ANTHROPIC_MESSAGES: InboundProtocol = {
  name: 'anthropic',
  streamType: 'text/event-stream; charset=utf-8',
  keepAlive: 'event: ping\ndata: {"type":"ping"}\n\n',
  requestIdHeader: 'request-id',
  parse: parseMessagesRequest,
  newAnswerId: (requestId) => `msg_${requestId}`,
  encodeAnswer: (_client, head, answer) => encodeMessage(head, answer),
  openStream: (_client, head) => new MessagesStream(head),
  encodeError,
};
