import type { InboundProtocol } from '../inbound.ts';
import { badRequest } from '../json-body.ts';
import { encodeAnswer, encodeError, OllamaStream } from './client-answer.ts';
import type { OllamaRequest } from './client-request.ts';
import { parseOllamaChat, parseOllamaGenerate } from './client-request.ts';

/** Ollama's `/api/chat`, as its clients speak it. */
export const OLLAMA_CHAT = ollamaProtocol('ollama', parseOllamaChat);

/** Ollama's `/api/generate`. */
export const OLLAMA_GENERATE = ollamaProtocol('ollama-generate', parseOllamaGenerate);

function ollamaProtocol(
  name: InboundProtocol['name'],
  parse: (bytes: Buffer) => OllamaRequest,
): InboundProtocol {
  return {
    name,
    streamType: 'application/x-ndjson',
    requestIdHeader: null,
    parse(bytes) {
      const parsed = parse(bytes);
      if (parsed.kind === 'chat') return parsed.client;
      throw badRequest('The request has no message and no prompt: there is nothing to answer.', null);
    },
    newAnswerId: (requestId) => requestId,
    encodeAnswer: (client, head, answer, _costUsd, latencyMs) =>
      encodeAnswer(client, head, answer, latencyMs),
    openStream: (client, head) => new OllamaStream(client, head),
    encodeError,
  };
}
