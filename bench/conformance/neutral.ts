import { AnswerCollector } from '../../src/gateway/answer-collector.ts';
import type { AnswerPart, ChatAnswer } from '../../src/gateway/chat.ts';
import {
  AnthropicStreamReader,
  decodeAnthropicAnswer,
} from '../../src/gateway/protocols/anthropic/provider-answer.ts';
import { decodeOllamaAnswer, OllamaStreamReader } from '../../src/gateway/protocols/ollama/provider.ts';
import { decodeOpenAiAnswer, OpenAiStreamReader } from '../../src/gateway/protocols/openai/chat-provider.ts';
import {
  decodeResponse,
  ResponsesStreamReader,
} from '../../src/gateway/protocols/openai/responses-provider.ts';
import type { AnswerFacts } from './facts.ts';
import { inputOf } from './facts.ts';
import type { SpokenProtocol } from './recordings.ts';

/** What the providers' readers have in common. */
interface StreamReader {
  push(bytes: Buffer): AnswerPart[];
  end(): AnswerPart[];
}

/** Stands where our id of the request would. */
const REQUEST_ID = '0199';

/** The gateway's own reading of a whole answer. */
export function decodeWhole(
  protocol: SpokenProtocol,
  provider: string,
  bytes: Buffer,
  keepsWire: boolean,
): ChatAnswer {
  switch (protocol) {
    case 'openai-chat':
    case 'openai-completions':
      return decodeOpenAiAnswer(provider, bytes, keepsWire);
    case 'openai-responses':
      return decodeResponse(provider, bytes);
    case 'anthropic':
      return decodeAnthropicAnswer(provider, bytes, keepsWire);
    case 'ollama':
    case 'ollama-generate':
      return decodeOllamaAnswer(provider, bytes, REQUEST_ID, keepsWire);
  }
}

function openReader(protocol: SpokenProtocol, provider: string, keepsWire: boolean): StreamReader {
  switch (protocol) {
    case 'openai-chat':
    case 'openai-completions':
      return new OpenAiStreamReader(provider, keepsWire);
    case 'openai-responses':
      return new ResponsesStreamReader(provider);
    case 'anthropic':
      return new AnthropicStreamReader(provider, keepsWire);
    case 'ollama':
    case 'ollama-generate':
      return new OllamaStreamReader(provider, REQUEST_ID, keepsWire);
  }
}

/** The gateway's own reading of a streamed answer that arrives in these pieces. */
export function decodeStream(
  protocol: SpokenProtocol,
  provider: string,
  pieces: readonly Buffer[],
  keepsWire: boolean,
): AnswerPart[] {
  const reader = openReader(protocol, provider, keepsWire);
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
}

export function collected(parts: readonly AnswerPart[]): { answer: ChatAnswer; collector: AnswerCollector } {
  const collector = new AnswerCollector();
  for (const part of parts) collector.collect(part);
  return { answer: collector.answer(), collector };
}

/** The neutral form in the words that recordings are measured by. */
export function factsOfAnswer(answer: ChatAnswer): AnswerFacts {
  return {
    text: answer.text,
    reasoning: answer.reasoning,
    refusal: answer.refusal,
    calls: answer.toolCalls.map((call) => ({ id: call.id, name: call.name, input: inputOf(call.arguments) })),
    end: answer.finishReason ?? 'stop',
    promptTokens: answer.usage.promptTokens,
    completionTokens: answer.usage.completionTokens,
    cachedTokens: answer.usage.cachedTokens,
  };
}
