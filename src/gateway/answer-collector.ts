import type { FinishReason, ProviderTimings, TokenUsage } from '../core/usage-record.ts';
import { NO_TIMINGS, NO_TOKEN_USAGE } from '../core/usage-record.ts';
import type { AnswerPart, ChatAnswer, ThinkingBlock, ToolCall, ToolCallDelta } from './chat.ts';

/**
 * Characters of a streamed answer that are kept for the record. Smaller cuts long answers in the log; larger
 * lets a runaway model fill the memory. The client gets the whole answer in any case.
 */
const KEPT_LENGTH_MAX = 4_000_000;

/** Tool calls, and blocks of thoughts, of one answer that are kept; no client asks for more at once. */
const KEPT_TOOL_CALLS_MAX = 256;

/** Puts a streamed answer together for the record while its parts pass by. */
export class AnswerCollector {
  #text = '';
  #reasoning = '';
  #refusal = '';
  readonly #toolCalls = new Map<number, { id: string; name: string; arguments: string }>();
  readonly #thinkingBlocks: ThinkingBlock[] = [];
  #stopSequence: string | null = null;
  #length = 0;
  #isCut = false;
  #finishReason: FinishReason | null = null;
  #usage: TokenUsage | null = null;
  #usageWire: Readonly<Record<string, unknown>> | null = null;
  #responseId: string | null = null;
  #modelReported: string | null = null;
  #timings: ProviderTimings = NO_TIMINGS;

  collect(part: AnswerPart): void {
    const length = part.text.length + part.reasoning.length + part.refusal.length;
    if (length > 0 && this.#hasRoomFor(length)) {
      this.#text += part.text;
      this.#reasoning += part.reasoning;
      this.#refusal += part.refusal;
    }
    for (const delta of part.toolCalls) this.#collectToolCall(delta);
    for (const block of part.thinkingBlocks) {
      if (this.#thinkingBlocks.length < KEPT_TOOL_CALLS_MAX) this.#thinkingBlocks.push(block);
    }
    this.#stopSequence = part.stopSequence ?? this.#stopSequence;
    this.#finishReason = part.finishReason ?? this.#finishReason;
    this.#usage = part.usage ?? this.#usage;
    this.#usageWire = part.usageWire ?? this.#usageWire;
    this.#responseId ??= part.responseId;
    this.#modelReported ??= part.modelReported;
    this.#timings = part.timings ?? this.#timings;
  }

  /** True when the answer was longer than what is kept, so that its form cannot be judged. */
  get isCut(): boolean {
    return this.#isCut;
  }

  get hasFinished(): boolean {
    return this.#finishReason !== null;
  }

  get modelReported(): string | null {
    return this.#modelReported;
  }

  /** The provider's last usage object as it came, for clients that speak the same protocol. */
  get usageWire(): Readonly<Record<string, unknown>> | null {
    return this.#usageWire;
  }

  /** What has come so far. */
  answer(): ChatAnswer {
    const toolCalls: ToolCall[] = [...this.#toolCalls.values()];
    return {
      text: this.#text,
      reasoning: this.#reasoning,
      refusal: this.#refusal,
      toolCalls,
      thinkingBlocks: this.#thinkingBlocks,
      finishReason: this.#finishReason,
      stopSequence: this.#stopSequence,
      usage: this.#usage ?? NO_TOKEN_USAGE,
      responseId: this.#responseId,
      modelReported: this.#modelReported,
      timings: this.#timings,
      wire: null,
    };
  }

  #collectToolCall(delta: ToolCallDelta): void {
    let call = this.#toolCalls.get(delta.index);
    if (call === undefined) {
      if (this.#toolCalls.size >= KEPT_TOOL_CALLS_MAX) {
        this.#isCut = true;
        return;
      }
      call = { id: '', name: '', arguments: '' };
      this.#toolCalls.set(delta.index, call);
    }
    if (delta.id !== null) call.id = delta.id;
    if (delta.name !== null) call.name = delta.name;
    if (this.#hasRoomFor(delta.arguments.length)) call.arguments += delta.arguments;
  }

  #hasRoomFor(length: number): boolean {
    if (this.#length + length > KEPT_LENGTH_MAX) this.#isCut = true;
    else this.#length += length;
    return !this.#isCut;
  }
}
