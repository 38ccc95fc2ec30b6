import type { InboundProtocol } from '../inbound.ts';
import { encodeError } from './chat-client-answer.ts';
import { encodeResponse } from './responses-client-answer.ts';
import { parseResponsesRequest } from './responses-client-request.ts';
import { ResponsesStream } from './responses-client-stream.ts';

/** OpenAI's Responses, as its clients speak it; answers are not kept for later requests. */
export const OPENAI_RESPONSES: InboundProtocol = {
  name: 'openai-responses',
  streamType: 'text/event-stream; charset=utf-8',
  requestIdHeader: null,
  parse: parseResponsesRequest,
  newAnswerId: (requestId) => `resp_${requestId}`,
  encodeAnswer: (client, head, answer) => encodeResponse(client, head, answer),
  openStream: (client, head) => new ResponsesStream(client, head),
  encodeError,
};
