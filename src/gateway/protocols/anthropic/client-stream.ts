import type { TallyrankError } from '../../../core/errors.ts';
import type { AnswerPart, ToolCallDelta } from '../../chat.ts';
import { malformed } from '../../upstream-errors.ts';
import type { Fields } from '../fields.ts';
import { eventFrame } from '../framing.ts';
import type { AnswerHead, AnswerStream, StreamEnd } from '../inbound.ts';
import { encodeError, encodeUsage } from './client-answer.ts';
import { encodeStopReason, toToolId, UNSIGNED } from './wire-words.ts';

/** The content block that is being written: blocks follow each other, never overlap. */
type OpenBlock =
  | { readonly kind: 'text' | 'thinking' }
  | { readonly kind: 'tool_use'; readonly callIndex: number; readonly callId: string | null };

/** Events of `/v1/messages`; those of a provider of the same protocol pass as they are. */
export class MessagesStream implements AnswerStream {
  readonly #head: AnswerHead;
  #hasBegun = false;
  #isForwarding = false;
  #isEnding = false;
  #held = '';
  #blockCount = 0;
  #open: OpenBlock | null = null;
  /** Tool calls whose block is closed. */
  readonly #closedCalls = new Set<number>();

  constructor(head: AnswerHead) {
    this.#head = head;
  }

  part(part: AnswerPart): string {
    if (part.wire === null) return this.#encode(part);
    this.#isForwarding = true;
    // After the stop reason only `message_stop` follows.
    this.#isEnding ||= part.finishReason !== null;
    if (!this.#isEnding) return part.wire;
    this.#held += part.wire;
    return '';
  }

  end({ answer }: StreamEnd): string {
    if (this.#isForwarding) {
      const isWhole = this.#held.includes('"message_stop"');
      return isWhole ? this.#held : this.#held + eventFrame('message_stop', { type: 'message_stop' });
    }
    const delta = {
      stop_reason: encodeStopReason(answer.finishReason, answer.stopSequence),
      stop_sequence: answer.stopSequence,
    };
    return (
      this.#begin() +
      this.#close() +
      eventFrame('message_delta', { type: 'message_delta', delta, usage: encodeUsage(answer.usage) }) +
      eventFrame('message_stop', { type: 'message_stop' })
    );
  }

  error(error: TallyrankError, requestId: string): string {
    return `event: error\ndata: ${encodeError(error, requestId)}\n\n`;
  }

  #encode(part: AnswerPart): string {
    let frames = '';
    if (part.reasoning !== '') {
      frames += this.#openBlock({ kind: 'thinking' }, { type: 'thinking', thinking: '', signature: '' });
      frames += this.#delta({ type: 'thinking_delta', thinking: part.reasoning });
    }
    const text = part.text + part.refusal;
    if (text !== '') {
      frames += this.#openBlock({ kind: 'text' }, { type: 'text', text: '' });
      frames += this.#delta({ type: 'text_delta', text });
    }
    for (const call of part.toolCalls) frames += this.#encodeCall(call);
    return frames === '' ? '' : this.#begin() + frames;
  }

  #encodeCall(call: ToolCallDelta): string {
    const open = this.#open;
    const isOpen =
      open?.kind === 'tool_use' &&
      open.callIndex === call.index &&
      // Servers that leave the index out tell their calls apart by ids alone.
      (call.id === null || call.id === open.callId);
    let frames = '';
    if (!isOpen) {
      if (call.id === null && this.#closedCalls.has(call.index)) {
        throw malformed(this.#head.model, 'pieces of several tool calls in turns');
      }
      const block = { type: 'tool_use', id: toToolId(call.id ?? ''), name: call.name ?? '', input: {} };
      frames += this.#openBlock({ kind: 'tool_use', callIndex: call.index, callId: call.id }, block);
    }
    if (call.arguments !== '') {
      frames += this.#delta({ type: 'input_json_delta', partial_json: call.arguments });
    }
    return frames;
  }

  #begin(): string {
    if (this.#hasBegun) return '';
    this.#hasBegun = true;
    const { id, model } = this.#head;
    const message = {
      id,
      type: 'message',
      role: 'assistant',
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      // What the prompt cost is known at the end only, where `message_delta` tells it.
      usage: { input_tokens: 0, output_tokens: 0 },
    };
    return (
      eventFrame('message_start', { type: 'message_start', message }) + eventFrame('ping', { type: 'ping' })
    );
  }

  #openBlock(block: OpenBlock, start: Fields): string {
    if (block.kind !== 'tool_use' && this.#open?.kind === block.kind) return '';
    const closed = this.#close();
    this.#open = block;
    const index = this.#blockCount++;
    const event = { type: 'content_block_start', index, content_block: start };
    return closed + eventFrame('content_block_start', event);
  }

  #delta(delta: Fields): string {
    const event = { type: 'content_block_delta', index: this.#blockCount - 1, delta };
    return eventFrame('content_block_delta', event);
  }

  #close(): string {
    const open = this.#open;
    if (open === null) return '';
    this.#open = null;
    const signature =
      open.kind === 'thinking' ? this.#delta({ type: 'signature_delta', signature: UNSIGNED }) : '';
    if (open.kind === 'tool_use') this.#closedCalls.add(open.callIndex);
    const event = { type: 'content_block_stop', index: this.#blockCount - 1 };
    return signature + eventFrame('content_block_stop', event);
  }
}
