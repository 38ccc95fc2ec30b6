import type { FinishReason, TokenUsage } from '../../../core/usage-record.ts';
import { NO_TIMINGS, NO_TOKEN_USAGE } from '../../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer, ToolCall } from '../../chat.ts';
import { EMPTY_PART } from '../../chat.ts';
import { cutOff, malformed, reportedFailure } from '../../upstream-errors.ts';
import type { Fields } from '../fields.ts';
import { isFields, toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from '../fields.ts';
import { SseReader } from '../framing.ts';
import type { ClientRequest } from '../inbound.ts';
import { stringifyRequest } from '../json-body.ts';
import { withModelName } from '../model-name.ts';
import { REASONING_ID } from './responses-thoughts.ts';

/**
 * The body of a client that speaks Responses itself: its own, but for the model. Thoughts of other protocols'
 * models are taken out: OpenAI would look for them in vain.
 */
export function forwardResponsesRequest({ body, bytes }: ClientRequest, modelName: string): string | Buffer {
  const input = toFieldsList(body['input']);
  const isOurs = (item: Fields): boolean =>
    item['type'] === 'reasoning' && toText(item['id']).startsWith(REASONING_ID);
  if (input.some(isOurs)) {
    return stringifyRequest({ ...body, model: modelName, input: input.filter((item) => !isOurs(item)) });
  }
  return withModelName({ body, bytes }, modelName);
}

/** @throws {TallyrankError} `upstream_malformed`, `upstream_failed` when the bytes hold an error */
export function decodeResponse(provider: string, bytes: Buffer): ChatAnswer {
  const body = tryParseFields(bytes.toString());
  if (body === null) throw malformed(provider, 'a body that is not a JSON object');
  if (body['error']) throw reportedFailure(provider, body['error']);
  if (!Array.isArray(body['output'])) throw malformed(provider, 'without output');
  const items = toFieldsList(body['output']);
  const contents = items.flatMap((item) => toFieldsList(item['content']));
  const toolCalls = items.map(decodeCall).filter((call) => call !== null);
  return {
    text: joined(contents, 'output_text', 'text'),
    reasoning: items.map(reasoningOf).filter(Boolean).join('\n'),
    refusal: joined(contents, 'refusal', 'refusal'),
    toolCalls,
    thinkingBlocks: [],
    finishReason: decodeEnd(body, toolCalls.length > 0),
    stopSequence: null,
    usage: decodeUsage(body['usage']) ?? NO_TOKEN_USAGE,
    responseId: toWord(body['id']),
    modelReported: toWord(body['model']),
    timings: NO_TIMINGS,
    wire: bytes,
  };
}

/** Reads the events of a streamed response; each goes on as it is. */
export class ResponsesStreamReader {
  readonly #provider: string;
  readonly #frames: SseReader;
  #callCount = 0;
  /** Index of an output item to the index of its call. */
  readonly #calls = new Map<number, number>();
  /** Indexes of calls of which pieces have come. */
  readonly #begunCalls = new Set<number>();
  #hasThought = false;
  #hasBegun = false;
  #hasEnded = false;

  constructor(provider: string) {
    this.#provider = provider;
    this.#frames = new SseReader(provider);
  }

  /** @throws {TallyrankError} `upstream_malformed`, `upstream_failed` */
  push(bytes: Buffer): AnswerPart[] {
    return this.#decodeAll(this.#frames.push(bytes));
  }

  /** @throws {TallyrankError} `upstream_cut` when the response had not come to its end */
  end(): AnswerPart[] {
    const parts = this.#decodeAll(this.#frames.end());
    if (!this.#hasBegun) throw malformed(this.#provider, 'nothing of its protocol');
    if (!this.#hasEnded) throw cutOff(this.#provider);
    return parts;
  }

  #decodeAll(events: readonly string[]): AnswerPart[] {
    const parts: AnswerPart[] = [];
    for (const data of events) {
      if (data === '[DONE]') continue;
      const event = tryParseFields(data);
      if (event === null) throw malformed(this.#provider, 'an event that is not a JSON object');
      this.#hasBegun = true;
      const wire = `event: ${toText(event['type'])}\ndata: ${data}\n\n`;
      parts.push({ ...EMPTY_PART, ...this.#decode(event), wire });
    }
    return parts;
  }

  #decode(event: Fields): Partial<AnswerPart> {
    switch (event['type']) {
      case 'response.created': {
        const response = toFields(event['response']);
        return { responseId: toWord(response['id']), modelReported: toWord(response['model']) };
      }
      case 'response.output_text.delta':
        return { text: toText(event['delta']) };
      case 'response.refusal.delta':
        return { refusal: toText(event['delta']) };
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        this.#hasThought = true;
        return { reasoning: toText(event['delta']) };
      case 'response.reasoning_summary_part.added':
        return this.#hasThought ? { reasoning: '\n' } : {};
      case 'response.output_item.added':
        return this.#addItem(toCount(event['output_index']) ?? 0, toFields(event['item']));
      case 'response.output_item.done':
        return this.#endItem(toCount(event['output_index']) ?? 0, toFields(event['item']));
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta': {
        const index = this.#calls.get(toCount(event['output_index']) ?? 0);
        if (index === undefined) return {};
        this.#begunCalls.add(index);
        return { toolCalls: [{ index, id: null, name: null, arguments: toText(event['delta']) }] };
      }
      case 'response.completed':
      case 'response.incomplete': {
        this.#hasEnded = true;
        const response = toFields(event['response']);
        const usage = decodeUsage(response['usage']);
        return { finishReason: decodeEnd(response, this.#callCount > 0), usage };
      }
      case 'response.failed':
        throw reportedFailure(this.#provider, toFields(event['response'])['error']);
      case 'error':
        throw reportedFailure(this.#provider, event['error'] ?? event);
      default:
        return {};
    }
  }

  #addItem(outputIndex: number, item: Fields): Partial<AnswerPart> {
    const call = decodeCall(item);
    if (call === null) return { isWork: item['type'] !== 'message' && item['type'] !== 'reasoning' };
    const index = this.#callCount++;
    this.#calls.set(outputIndex, index);
    return { toolCalls: [{ index, id: call.id, name: call.name, arguments: '' }] };
  }

  /** LM Studio, and OpenAI for some kinds of calls, give the arguments at the end alone, and the id that holds. */
  #endItem(outputIndex: number, item: Fields): Partial<AnswerPart> {
    const call = decodeCall(item);
    const index = this.#calls.get(outputIndex);
    if (call === null || index === undefined || this.#begunCalls.has(index)) return {};
    return { toolCalls: [{ index, id: call.id, name: null, arguments: call.arguments }] };
  }
}

/** The summary of a reasoning item, or the thoughts themselves, which open models give. */
function reasoningOf(item: Fields): string {
  if (item['type'] !== 'reasoning') return '';
  const summary = toFieldsList(item['summary']);
  const parts = summary.length > 0 ? summary : toFieldsList(item['content']);
  return parts.map((part) => toText(part['text'])).join('\n');
}

/** Items that OpenAI works off by itself, and texts. All others wait for the client, as tool calls do. */
const NO_CALLS: ReadonlySet<unknown> = new Set([
  'message',
  'reasoning',
  'web_search_call',
  'file_search_call',
  'code_interpreter_call',
  'image_generation_call',
  'mcp_call',
  'mcp_list_tools',
  'compaction',
]);

function decodeCall(item: Fields): ToolCall | null {
  // What OpenAI's own tools gave back stands among the items as well.
  if (NO_CALLS.has(item['type']) || toText(item['type']).endsWith('_output')) return null;
  return {
    id: toWord(item['call_id']) ?? toText(item['id']),
    // Calls of built-in tools have no name but their kind.
    name: toWord(item['name']) ?? toText(item['type']),
    arguments:
      item['type'] === 'custom_tool_call'
        ? JSON.stringify(toText(item['input']))
        : isFields(item['arguments'])
          ? JSON.stringify(item['arguments'])
          : toText(item['arguments']),
  };
}

function joined(parts: readonly Fields[], type: string, field: string): string {
  return parts
    .filter((part) => part['type'] === type)
    .map((part) => toText(part[field]))
    .join('');
}

function decodeEnd(response: Fields, hasCalls: boolean): FinishReason {
  const reason = toFields(response['incomplete_details'])['reason'];
  if (reason === 'max_output_tokens') return 'length';
  if (reason === 'content_filter') return 'content_filter';
  return hasCalls ? 'tool_calls' : 'stop';
}

/** Cached and reasoning tokens lie inside the two sums, as in chat completions. */
function decodeUsage(value: unknown): TokenUsage | null {
  if (!isFields(value)) return null;
  const input = toFields(value['input_tokens_details']);
  return {
    promptTokens: toCount(value['input_tokens']),
    completionTokens: toCount(value['output_tokens']),
    cachedTokens: toCount(input['cached_tokens']),
    cacheWriteTokens: toCount(input['cache_write_tokens']),
    reasoningTokens: toCount(toFields(value['output_tokens_details'])['reasoning_tokens']),
    isEstimated: false,
  };
}
