import type { TallyrankError } from '../../../core/errors.ts';
import type { RequestOutcome } from '../../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer, ToolCall } from '../../chat.ts';
import { UpstreamRejection } from '../../upstream-errors.ts';
import type { Fields } from '../fields.ts';
import { tryParseFields } from '../fields.ts';
import type { AnswerHead, AnswerStream, ClientRequest, StreamEnd } from '../inbound.ts';

const NS_PER_MS = 1e6;

/** Times of an answer by our clock. */
type Times = Pick<RequestOutcome, 'latencyMs' | 'firstTokenMs'>;

/** A whole answer as the body of `/api/chat` or `/api/generate`. */
export function encodeAnswer(
  client: ClientRequest,
  head: AnswerHead,
  answer: ChatAnswer,
  latencyMs: number | null,
): string {
  return JSON.stringify({
    ...headOf(head),
    ...contentOf(client, {
      text: answer.text + answer.refusal,
      reasoning: answer.reasoning,
      toolCalls: answer.toolCalls,
    }),
    ...endOf(answer, { latencyMs, firstTokenMs: null }),
  });
}

/** The answer to a request that asked for none: the model is there, or was let go. */
export function encodeLoaded(
  isChat: boolean,
  model: string,
  createdAtMs: number,
  isUnloaded: boolean,
): string {
  return JSON.stringify({
    model,
    created_at: new Date(createdAtMs).toISOString(),
    ...(isChat ? { message: { role: 'assistant', content: '' } } : { response: '' }),
    done: true,
    done_reason: isUnloaded ? 'unload' : 'load',
  });
}

/** Ollama's error body. A refusal of the provider's keeps its own words, which clients know. */
export function encodeError({ cause, message }: TallyrankError): string {
  return JSON.stringify({ error: cause instanceof UpstreamRejection ? cause.message : message });
}

/** The lines of a streamed answer; those of a provider of the same protocol pass as they are. */
export class OllamaStream implements AnswerStream {
  readonly #client: ClientRequest;
  readonly #head: AnswerHead;
  /** Lines that are known already and end the answer. */
  #held = '';

  constructor(client: ClientRequest, head: AnswerHead) {
    this.#client = client;
    this.#head = head;
  }

  part(part: AnswerPart): string {
    if (part.wire !== null) {
      if (part.finishReason === null) return part.wire;
      this.#held += part.wire;
      return '';
    }
    const text = part.text + part.refusal;
    // Calls of tools are sent whole, as Ollama sends them: when all their pieces are there.
    return text === '' && part.reasoning === '' ? '' : this.#line({ text, reasoning: part.reasoning });
  }

  end({ answer, outcome }: StreamEnd): string {
    if (this.#held !== '') return this.#held;
    const calls = answer.toolCalls.length === 0 ? '' : this.#line({ toolCalls: answer.toolCalls });
    const last = {
      ...headOf(this.#head),
      ...contentOf(this.#client, {}),
      ...endOf(answer, outcome),
    };
    return `${calls}${JSON.stringify(last)}\n`;
  }

  error(...[error]: Parameters<AnswerStream['error']>): string {
    return `${encodeError(error)}\n`;
  }

  #line(content: Content): string {
    // A thought that is hidden leaves nothing to say.
    if (content.text === '' && hidesThoughts(this.#client)) return '';
    return `${JSON.stringify({ ...headOf(this.#head), ...contentOf(this.#client, content), done: false })}\n`;
  }
}

interface Content {
  readonly text?: string;
  readonly reasoning?: string;
  readonly toolCalls?: readonly ToolCall[];
}

function headOf(head: AnswerHead): Fields {
  return { model: head.model, created_at: new Date(head.createdAtSeconds * 1000).toISOString() };
}

function contentOf(client: ClientRequest, { text = '', reasoning = '', toolCalls = [] }: Content): Fields {
  const thinking = reasoning === '' || hidesThoughts(client) ? {} : { thinking: reasoning };
  if (client.protocol === 'ollama-generate') return { response: text, ...thinking };
  return {
    message: {
      role: 'assistant',
      content: text,
      ...thinking,
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(encodeToolCall) }),
    },
  };
}

/** A client that wants no thinking gets none, though its model may think all the same. */
function hidesThoughts(client: ClientRequest): boolean {
  return client.body['think'] === false;
}

/** Ollama's clients get an object in any case; text that is no JSON object is not lost in it. */
function encodeToolCall({ id, name, arguments: text }: ToolCall, index: number): Fields {
  const given = tryParseFields(text) ?? (text.trim() === '' ? {} : { invalid_json: text });
  return { id, function: { index, name, arguments: given } };
}

/**
 * Durations are nanoseconds, and left out where nobody measured them. The whole is by our clock; writing is the
 * provider's own figure, else the time from the first content to the end.
 */
function endOf({ finishReason, usage, timings }: ChatAnswer, { latencyMs, firstTokenMs }: Times): Fields {
  const seenMs = latencyMs === null || firstTokenMs === null ? null : latencyMs - firstTokenMs;
  return {
    done: true,
    done_reason: finishReason === 'length' ? 'length' : 'stop',
    ...nanoseconds('total_duration', latencyMs),
    ...nanoseconds('load_duration', timings.loadMs),
    ...(usage.promptTokens === null ? {} : { prompt_eval_count: usage.promptTokens }),
    ...(usage.completionTokens === null ? {} : { eval_count: usage.completionTokens }),
    ...nanoseconds('eval_duration', timings.generationMs ?? seenMs),
  };
}

function nanoseconds(field: string, ms: number | null): Fields {
  return ms === null ? {} : { [field]: Math.round(ms * NS_PER_MS) };
}
