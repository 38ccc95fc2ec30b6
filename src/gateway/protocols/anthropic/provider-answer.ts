import type { TokenUsage } from '../../../core/usage-record.ts';
import { NO_TIMINGS } from '../../../core/usage-record.ts';
import type { AnswerPart, ChatAnswer, ThinkingBlock, ToolCall, ToolCallDelta } from '../../chat.ts';
import { EMPTY_PART } from '../../chat.ts';
import { cutOff, malformed, reportedFailure } from '../../upstream-errors.ts';
import type { Fields } from '../fields.ts';
import { sumKnown, toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from '../fields.ts';
import { SseReader } from '../framing.ts';
import { decodeStopReason } from './wire-words.ts';

/**
 * @param keepsWire  the client speaks the protocol too and may have the bytes
 * @throws {TallyrankError} `upstream_malformed`, `upstream_failed`
 */
export function decodeAnthropicAnswer(provider: string, bytes: Buffer, keepsWire: boolean): ChatAnswer {
  const body = tryParseFields(bytes.toString());
  if (body === null) throw malformed(provider, 'a body that is not a JSON object');
  if (body['type'] === 'error') throw reportedFailure(provider, body['error']);
  if (!Array.isArray(body['content'])) throw malformed(provider, 'without content');
  let text = '';
  let reasoning = '';
  const toolCalls: ToolCall[] = [];
  const thinkingBlocks: ThinkingBlock[] = [];
  for (const block of toFieldsList(body['content'])) {
    if (block['type'] === 'text') text += toText(block['text']);
    else if (block['type'] === 'thinking') reasoning += toText(block['thinking']);
    else if (isCall(block, body['stop_reason'])) {
      const given = JSON.stringify(block['input'] ?? {});
      toolCalls.push({ id: toText(block['id']), name: toText(block['name']), arguments: given });
    }
    const thoughts = toThinkingBlock(block);
    if (thoughts !== null) thinkingBlocks.push(thoughts);
  }
  return {
    text,
    reasoning,
    refusal: '',
    toolCalls,
    thinkingBlocks,
    finishReason: decodeStopReason(body['stop_reason']),
    stopSequence: toWord(body['stop_sequence']),
    usage: decodeUsage(toFields(body['usage'])),
    responseId: toWord(body['id']),
    modelReported: toWord(body['model']),
    timings: NO_TIMINGS,
    wire: keepsWire ? bytes : null,
  };
}

/** A turn that pauses in the work of Anthropic's own tools waits for the client just as a tool call does. */
function isCall({ type }: Fields, stopReason: unknown): boolean {
  return type === 'tool_use' || (stopReason === 'pause_turn' && isOwnCall(type));
}

function isOwnCall(type: unknown): boolean {
  return type === 'server_tool_use' || type === 'mcp_tool_use';
}

/** Thoughts that can be sent back: signed or encrypted; null for any other block. */
function toThinkingBlock(block: Fields): ThinkingBlock | null {
  if (block['type'] === 'redacted_thinking') {
    return { type: 'redacted_thinking', data: toText(block['data']) };
  }
  const signature = toWord(block['signature']);
  if (block['type'] !== 'thinking' || signature === null) return null;
  return { type: 'thinking', thinking: toText(block['thinking']), signature };
}

/** Calls of own tools that are remembered; only their number above none matters. */
const OWN_CALLS_MAX = 64;

/** Blocks that begin empty; all others are work of Anthropic's own tools. */
const KNOWN_BLOCKS: ReadonlySet<unknown> = new Set(['text', 'thinking']);

/** Reads the events of a streamed answer. Usage comes in two halves that are put together here. */
export class AnthropicStreamReader {
  readonly #provider: string;
  readonly #keepsWire: boolean;
  readonly #frames: SseReader;
  /** Index of a content block to the index of its tool call. */
  readonly #toolCalls = new Map<number, number>();
  /** Calls of Anthropic's own tools: they count if the turn pauses in them. */
  readonly #ownCalls: Fields[] = [];
  /** The block of thoughts that is being read. */
  #thinking = '';
  #usage: Fields = {};
  #hasBegun = false;
  #hasEnded = false;

  /** @param keepsWire  the client speaks the protocol too and may have the events as they are */
  constructor(provider: string, keepsWire: boolean) {
    this.#provider = provider;
    this.#keepsWire = keepsWire;
    this.#frames = new SseReader(provider);
  }

  /** @throws {TallyrankError} `upstream_malformed`, `upstream_failed` */
  push(bytes: Buffer): AnswerPart[] {
    return this.#decodeAll(this.#frames.push(bytes));
  }

  /** @throws {TallyrankError} `upstream_cut` when neither stop reason nor end had come */
  end(): AnswerPart[] {
    const parts = this.#decodeAll(this.#frames.end());
    if (!this.#hasBegun) throw malformed(this.#provider, 'nothing of its protocol');
    if (!this.#hasEnded) throw cutOff(this.#provider);
    return parts;
  }

  #decodeAll(events: readonly string[]): AnswerPart[] {
    const parts: AnswerPart[] = [];
    for (const data of events) {
      const event = tryParseFields(data);
      if (event === null) throw malformed(this.#provider, 'an event that is not a JSON object');
      this.#hasBegun = true;
      const part = this.#decode(event);
      if (this.#keepsWire) {
        const wire = `event: ${toText(event['type'])}\ndata: ${data}\n\n`;
        parts.push({ ...(part ?? EMPTY_PART), wire });
      } else if (part !== null) {
        parts.push(part);
      }
    }
    return parts;
  }

  #decode(event: Fields): AnswerPart | null {
    switch (event['type']) {
      case 'message_start': {
        const message = toFields(event['message']);
        this.#usage = { ...this.#usage, ...toFields(message['usage']) };
        return {
          ...this.#decodeStart(message),
          responseId: toWord(message['id']),
          modelReported: toWord(message['model']),
        };
      }
      case 'content_block_start':
        return this.#startBlock(toCount(event['index']) ?? 0, toFields(event['content_block']));
      case 'content_block_delta':
        return this.#decodeDelta(toCount(event['index']) ?? 0, toFields(event['delta']));
      case 'message_delta': {
        const delta = toFields(event['delta']);
        this.#usage = { ...this.#usage, ...knownOf(toFields(event['usage'])) };
        const finishReason = decodeStopReason(delta['stop_reason']);
        if (finishReason !== null) this.#hasEnded = true;
        const stopSequence = toWord(delta['stop_sequence']);
        const ended = { ...EMPTY_PART, finishReason, stopSequence, usage: decodeUsage(this.#usage) };
        return delta['stop_reason'] === 'pause_turn' ? { ...ended, toolCalls: this.#pausedCalls() } : ended;
      }
      case 'message_stop':
        this.#hasEnded = true;
        return null;
      case 'error':
        throw reportedFailure(this.#provider, event['error']);
      default:
        return null;
    }
  }

  /** A message that goes on after a tool of Anthropic's own begins with all that it holds, and with its end. */
  #decodeStart(message: Fields): AnswerPart {
    const finishReason = decodeStopReason(message['stop_reason']);
    if (finishReason === null) return EMPTY_PART;
    this.#hasEnded = true;
    const parts = toFieldsList(message['content']).map((block, index) => this.#startBlock(index, block));
    return {
      ...EMPTY_PART,
      text: parts.map((part) => part?.text ?? '').join(''),
      toolCalls: parts.flatMap((part) => part?.toolCalls ?? []),
      finishReason,
      usage: decodeUsage(this.#usage),
    };
  }

  #startBlock(index: number, block: Fields): AnswerPart | null {
    this.#thinking = toText(block['thinking']);
    if (block['type'] === 'text' && toText(block['text']) !== '') {
      return { ...EMPTY_PART, text: toText(block['text']) };
    }
    if (block['type'] === 'redacted_thinking') {
      const thoughts = toThinkingBlock(block);
      return thoughts === null ? null : { ...EMPTY_PART, thinkingBlocks: [thoughts] };
    }
    if (block['type'] !== 'tool_use') {
      if (isOwnCall(block['type']) && this.#ownCalls.length < OWN_CALLS_MAX) this.#ownCalls.push(block);
      return KNOWN_BLOCKS.has(block['type']) ? null : { ...EMPTY_PART, isWork: true };
    }
    const callIndex = this.#toolCalls.size;
    this.#toolCalls.set(index, callIndex);
    const input = toFields(block['input']);
    // Calls out of Anthropic's code execution come whole; all others begin with {} and follow in pieces.
    const given = Object.keys(input).length === 0 ? '' : JSON.stringify(input);
    const call = { index: callIndex, id: toWord(block['id']), name: toWord(block['name']), arguments: given };
    return { ...EMPTY_PART, toolCalls: [call] };
  }

  #pausedCalls(): ToolCallDelta[] {
    return this.#ownCalls.map((block, at) => ({
      index: this.#toolCalls.size + at,
      id: toWord(block['id']),
      name: toWord(block['name']),
      arguments: '{}',
    }));
  }

  #decodeDelta(index: number, delta: Fields): AnswerPart | null {
    switch (delta['type']) {
      case 'text_delta':
        return { ...EMPTY_PART, text: toText(delta['text']) };
      case 'thinking_delta': {
        const reasoning = toText(delta['thinking']);
        this.#thinking += reasoning;
        return { ...EMPTY_PART, reasoning };
      }
      case 'signature_delta': {
        // The last piece of a block of thoughts: now it is whole.
        const block = { type: 'thinking', thinking: this.#thinking, signature: delta['signature'] };
        const thoughts = toThinkingBlock(block);
        return thoughts === null ? null : { ...EMPTY_PART, thinkingBlocks: [thoughts] };
      }
      case 'input_json_delta': {
        const callIndex = this.#toolCalls.get(index);
        const piece = toText(delta['partial_json']);
        if (callIndex === undefined || piece === '') return null;
        return { ...EMPTY_PART, toolCalls: [{ index: callIndex, id: null, name: null, arguments: piece }] };
      }
      default:
        return null;
    }
  }
}

/** `message_delta` repeats counts of the start, and has null where it does not know them. */
function knownOf(usage: Fields): Fields {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null));
}

/** Anthropic counts cached and cache-written tokens beside `input_tokens`; ours include them. */
function decodeUsage(usage: Fields): TokenUsage {
  const cachedTokens = toCount(usage['cache_read_input_tokens']);
  const cacheWriteTokens = toCount(usage['cache_creation_input_tokens']);
  const inputTokens = toCount(usage['input_tokens']);
  return {
    promptTokens: inputTokens === null ? null : sumKnown([inputTokens, cachedTokens, cacheWriteTokens]),
    completionTokens: toCount(usage['output_tokens']),
    cachedTokens,
    cacheWriteTokens,
    reasoningTokens: toCount(toFields(usage['output_tokens_details'])['thinking_tokens']),
    isEstimated: false,
  };
}
