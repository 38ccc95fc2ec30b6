import type { TallyrankError } from '../../../core/errors.ts';
import type { AnswerPart, ThinkingBlock, ToolCallDelta } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { toFields, tryParseFields } from '../fields.ts';
import { eventFrame } from '../framing.ts';
import type { AnswerHead, AnswerStream, ClientRequest, StreamEnd } from '../inbound.ts';
import { encodeError } from './chat-client-answer.ts';
import {
  callItem,
  finishedResponse,
  itemIds,
  messageItem,
  reasoningItem,
  refusalPart,
  responseOf,
  textPart,
} from './responses-client-answer.ts';
import { REASONING_ID, sealThoughts } from './responses-thoughts.ts';
import { splitName } from './tool-namespaces.ts';

/** The output item that is being written: items follow each other. The protocol tells each whole text again. */
type OpenItem =
  | { readonly kind: 'reasoning'; readonly id: string; text: string; blocks: ThinkingBlock[] }
  | { readonly kind: 'message'; readonly id: string; text: string; refusal: string }
  | {
      readonly kind: 'call';
      readonly id: string;
      readonly index: number;
      readonly callId: string;
      readonly name: string;
      arguments: string;
    };

/** Events of `/v1/responses`; those of a provider of the same protocol pass as they are. */
export class ResponsesStream implements AnswerStream {
  readonly #client: ClientRequest;
  readonly #head: AnswerHead;
  readonly #idOf: (prefix: string, at: number) => string;
  #sequence = 0;
  #hasBegun = false;
  #isForwarding = false;
  #isEnding = false;
  #held = '';
  #open: OpenItem | null = null;
  readonly #output: Fields[] = [];

  constructor(client: ClientRequest, head: AnswerHead) {
    this.#client = client;
    this.#head = head;
    this.#idOf = itemIds(head);
  }

  part(part: AnswerPart): string {
    if (part.wire === null) return this.#encode(part);
    this.#isForwarding = true;
    this.#isEnding ||= part.finishReason !== null;
    if (!this.#isEnding) return part.wire;
    this.#held += part.wire;
    return '';
  }

  end({ answer }: StreamEnd): string {
    if (this.#isForwarding) return this.#held;
    const frames = this.#begin() + this.#close();
    const response = finishedResponse(this.#client, this.#head, answer, this.#output);
    return frames + this.#event(`response.${String(response['status'])}`, { response });
  }

  error(error: TallyrankError): string {
    const said = toFields(tryParseFields(encodeError(error))?.['error']);
    const { message, code, param } = said;
    // The reference has the fields side by side; OpenAI itself nests them, and its SDKs throw for that alone.
    return this.#event('error', { code, message, param, error: said });
  }

  #encode(part: AnswerPart): string {
    let frames = '';
    if (part.reasoning !== '' || part.thinkingBlocks.length > 0) frames += this.#encodeThoughts(part);
    if (part.text !== '') frames += this.#encodeText(part.text);
    if (part.refusal !== '') frames += this.#encodeRefusal(part.refusal);
    for (const call of part.toolCalls) frames += this.#encodeCall(call);
    return frames;
  }

  #encodeThoughts(part: AnswerPart): string {
    let frames = '';
    let item = this.#open;
    if (item?.kind !== 'reasoning') {
      frames += this.#begin() + this.#close();
      item = { kind: 'reasoning', id: this.#nextId(REASONING_ID), text: '', blocks: [] };
      this.#open = item;
      frames += this.#added(reasoningItem(item.id, '', null));
      frames += this.#itemEvent('response.reasoning_summary_part.added', item.id, {
        summary_index: 0,
        part: { type: 'summary_text', text: '' },
      });
    }
    item.blocks.push(...part.thinkingBlocks);
    if (part.reasoning === '') return frames;
    item.text += part.reasoning;
    const delta = { summary_index: 0, delta: part.reasoning };
    return frames + this.#itemEvent('response.reasoning_summary_text.delta', item.id, delta);
  }

  #openMessage(isText: boolean): { frames: string; item: OpenItem & { kind: 'message' } } {
    const open = this.#open;
    // Text after a refusal would have to go before it: it gets a message of its own.
    if (open?.kind === 'message' && !(isText && open.refusal !== '')) return { frames: '', item: open };
    const frames = this.#begin() + this.#close();
    const item = { kind: 'message' as const, id: this.#nextId('msg_'), text: '', refusal: '' };
    this.#open = item;
    return { frames: frames + this.#added(messageItem(item.id, [], 'in_progress')), item };
  }

  #encodeText(text: string): string {
    const opened = this.#openMessage(true);
    const { item } = opened;
    let { frames } = opened;
    if (item.text === '') {
      const part = { content_index: 0, part: textPart('') };
      frames += this.#itemEvent('response.content_part.added', item.id, part);
    }
    item.text += text;
    const delta = { content_index: 0, delta: text, logprobs: [] };
    return frames + this.#itemEvent('response.output_text.delta', item.id, delta);
  }

  #encodeRefusal(refusal: string): string {
    const opened = this.#openMessage(false);
    const { item } = opened;
    let { frames } = opened;
    const index = item.text === '' ? 0 : 1;
    if (item.refusal === '') {
      const part = { content_index: index, part: refusalPart('') };
      frames += this.#itemEvent('response.content_part.added', item.id, part);
    }
    item.refusal += refusal;
    const delta = { content_index: index, delta: refusal };
    return frames + this.#itemEvent('response.refusal.delta', item.id, delta);
  }

  #encodeCall(call: ToolCallDelta): string {
    let frames = '';
    let item = this.#open;
    const isOpen =
      item?.kind === 'call' && item.index === call.index && (call.id === null || call.id === item.callId);
    if (!isOpen || item?.kind !== 'call') {
      frames += this.#begin() + this.#close();
      const id = this.#nextId('fc_');
      item = {
        kind: 'call',
        id,
        index: call.index,
        callId: call.id ?? `call_${id}`,
        name: call.name ?? '',
        arguments: '',
      };
      this.#open = item;
      const started = { id: item.callId, name: item.name, arguments: '' };
      frames += this.#added(callItem(this.#client, id, started, 'in_progress'));
    }
    if (call.arguments === '') return frames;
    item.arguments += call.arguments;
    const delta = { delta: call.arguments };
    return frames + this.#itemEvent('response.function_call_arguments.delta', item.id, delta);
  }

  #begin(): string {
    if (this.#hasBegun) return '';
    this.#hasBegun = true;
    const response = responseOf(this.#client, this.#head, 'in_progress');
    return this.#event('response.created', { response }) + this.#event('response.in_progress', { response });
  }

  #close(): string {
    const item = this.#open;
    if (item === null) return '';
    switch (item.kind) {
      case 'reasoning': {
        const part = { type: 'summary_text', text: item.text };
        const done = { summary_index: 0, text: item.text };
        return (
          this.#itemEvent('response.reasoning_summary_text.done', item.id, done) +
          this.#itemEvent('response.reasoning_summary_part.done', item.id, { summary_index: 0, part }) +
          this.#done(reasoningItem(item.id, item.text, sealThoughts(item.blocks)))
        );
      }
      case 'message':
        return this.#closeMessage(item);
      case 'call': {
        const call = { id: item.callId, name: item.name, arguments: item.arguments };
        const done = { arguments: item.arguments, name: splitName(this.#client.body, item.name)['name'] };
        return (
          this.#itemEvent('response.function_call_arguments.done', item.id, done) +
          this.#done(callItem(this.#client, item.id, call, 'completed'))
        );
      }
    }
  }

  #closeMessage(item: OpenItem & { kind: 'message' }): string {
    const content: Fields[] = [];
    let frames = '';
    const closePart = (name: string, text: Fields, part: Fields): void => {
      const index = { content_index: content.length };
      frames += this.#itemEvent(name, item.id, { ...index, ...text });
      frames += this.#itemEvent('response.content_part.done', item.id, { ...index, part });
      content.push(part);
    };
    if (item.text !== '') {
      closePart('response.output_text.done', { text: item.text, logprobs: [] }, textPart(item.text));
    }
    if (item.refusal !== '') {
      closePart('response.refusal.done', { refusal: item.refusal }, refusalPart(item.refusal));
    }
    return frames + this.#done(messageItem(item.id, content, 'completed'));
  }

  #added(item: Fields): string {
    return this.#event('response.output_item.added', { output_index: this.#output.length, item });
  }

  #done(item: Fields): string {
    this.#open = null;
    const event = this.#event('response.output_item.done', { output_index: this.#output.length, item });
    this.#output.push(item);
    return event;
  }

  #itemEvent(name: string, itemId: string, data: Fields): string {
    return this.#event(name, { item_id: itemId, output_index: this.#output.length, ...data });
  }

  #event(name: string, data: Fields): string {
    return eventFrame(name, { type: name, sequence_number: this.#sequence++, ...data });
  }

  #nextId(prefix: string): string {
    return this.#idOf(prefix, this.#output.length);
  }
}
