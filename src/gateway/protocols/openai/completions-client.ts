import { isAutoName } from '../../../core/policy.ts';
import type { AnswerPart, ChatAnswer, ChatRequest } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { frame } from '../framing.ts';
import type { AnswerHead, AnswerStream, ClientRequest, InboundProtocol, StreamEnd } from '../inbound.ts';
import { badRequest, checkFields, isTextList, modelOfBody, parseJsonBody } from '../json-body.ts';
import { encodeError, encodeFinishReason, encodeUsage } from './chat-client-answer.ts';
import { CHAT_CHECKS } from './chat-client-request.ts';

/**
 * OpenAI's older `/v1/completions`: a text is gone on with. Models of today chat, so the text becomes the turn of a
 * user and the answer's text what follows it. What has no counterpart there goes on, as it is, to providers that have
 * this path themselves.
 */
export const OPENAI_COMPLETIONS: InboundProtocol = {
  name: 'openai-completions',
  streamType: 'text/event-stream; charset=utf-8',
  requestIdHeader: null,
  parse(bytes) {
    const body = parseJsonBody(bytes);
    const model = modelOfBody(body);
    checkFields(body, CHAT_CHECKS);
    const prompt = decodePrompt(body['prompt'], model);
    const own = OWN_FIELDS.filter(([field, isAsked]) => isAsked(body[field])).map(([field]) => field);
    const request: ChatRequest = {
      ...Object.fromEntries(Object.entries(body).filter(([field]) => !LEFT_BEHIND.has(field))),
      model,
      messages: [{ role: 'user', content: prompt.text }],
      stream: body['stream'] === true,
    };
    const ownFeatures = [...own, ...prompt.ownFeatures];
    return { protocol: 'openai-completions', request, body, bytes, headers: {}, ownFeatures };
  },
  newAnswerId: (requestId) => `cmpl-${requestId}`,
  encodeAnswer: (_client, head, answer, costUsd) =>
    JSON.stringify({
      ...encodeChoice(head, answer.text + answer.refusal, finishReasonOf(answer)),
      usage: encodeUsage(answer.usage, null, costUsd),
    }),
  openStream: (client, head) => new CompletionStream(client, head),
  encodeError,
};

const isMany = (value: unknown): boolean => typeof value === 'number' && value > 1;

/** Fields that a chat has no word for, and when they ask for what is not so anyway. */
const OWN_FIELDS: readonly (readonly [field: string, isAsked: (value: unknown) => boolean])[] = [
  ['suffix', (value) => typeof value === 'string' && value !== ''],
  ['echo', (value) => value === true],
  ['logprobs', (value) => typeof value === 'number'],
  ['best_of', isMany],
  ['n', isMany],
];

const LEFT_BEHIND: ReadonlySet<string> = new Set(['prompt', ...OWN_FIELDS.map(([field]) => field)]);

interface Prompt {
  /** For the log and the router; '' where the client sent tokens. */
  readonly text: string;
  readonly ownFeatures: readonly string[];
}

/** A chat takes one text; several are several requests, and tokens are words of one model only. */
function decodePrompt(prompt: unknown, model: string): Prompt {
  if (typeof prompt === 'string') return { text: prompt, ownFeatures: [] };
  if (!Array.isArray(prompt) || prompt.length === 0) {
    throw badRequest('prompt is missing: give the text to go on with.', 'prompt');
  }
  if (isTextList(prompt)) {
    const texts = prompt as string[];
    return { text: texts.join('\n'), ownFeatures: texts.length > 1 ? ['several prompts'] : [] };
  }
  if (isAutoName(model)) {
    throw badRequest('prompt holds tokens, which belong to one model: name it, or send a text.', 'prompt');
  }
  return { text: '', ownFeatures: ['a prompt of tokens'] };
}

class CompletionStream implements AnswerStream {
  readonly #client: ClientRequest;
  readonly #head: AnswerHead;
  /** Chunks of a provider's that end the answer. */
  #held = '';

  constructor(client: ClientRequest, head: AnswerHead) {
    this.#client = client;
    this.#head = head;
  }

  part(part: AnswerPart): string {
    if (part.wire !== null) {
      const frames = this.#held + part.wire;
      this.#held = part.finishReason === null ? '' : frames;
      return part.finishReason === null ? frames : '';
    }
    const text = part.text + part.refusal;
    return text === '' ? '' : frame(JSON.stringify(encodeChoice(this.#head, text, null)));
  }

  end({ answer, usageWire, costUsd }: StreamEnd): string {
    const last = this.#held || frame(JSON.stringify(encodeChoice(this.#head, '', finishReasonOf(answer))));
    const done = frame('[DONE]');
    if (this.#client.request.stream_options?.include_usage !== true) return last + done;
    const usage = encodeUsage(answer.usage, usageWire, costUsd());
    return last + frame(JSON.stringify({ ...headOf(this.#head), choices: [], usage })) + done;
  }

  error(...[error]: Parameters<AnswerStream['error']>): string {
    return frame(encodeError(error));
  }
}

function headOf(head: AnswerHead): Fields {
  return { id: head.id, object: 'text_completion', created: head.createdAtSeconds, model: head.model };
}

function encodeChoice(head: AnswerHead, text: string, finishReason: string | null): Fields {
  return { ...headOf(head), choices: [{ index: 0, text, logprobs: null, finish_reason: finishReason }] };
}

function finishReasonOf({ finishReason }: ChatAnswer): string {
  return encodeFinishReason(finishReason ?? 'stop');
}
