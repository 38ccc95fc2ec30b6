import { hash } from 'node:crypto';
import { withoutInsertedBlocks } from './client-blocks.ts';
import { clipMiddle, withoutPastedText } from './pasted-text.ts';

/** One message as far as its text matters; the content shapes of OpenAI, Anthropic and Ollama all fit. */
export interface PromptMessage {
  readonly role?: unknown;
  readonly content?: unknown;
}

/** The text of a request that is hashed, embedded, classified and shown. */
export interface PromptText {
  /** The user's last turn, without reminder blocks. */
  readonly prompt: string;
  /** Up to two user turns before it, oldest first, joined by newlines; '' when there are none. */
  readonly context: string;
}

/**
 * How many earlier user turns help to understand a follow-up. Agreement on referential follow-ups is 14 %
 * with none, 47 % with one and 78 % with two, and flat beyond (LiteLLM's published classifier context study).
 */
const CONTEXT_TURNS = 2;

/**
 * Changes with what {@link classifiedText} makes of a text: vectors that were stored for the older text must
 * not be taken for those of the newer.
 */
export const CLASSIFIED_TEXT_VERSION = 2;

/**
 * Of a longer text only head and tail are looked at. The store cuts in the same place when it hands prompts to
 * discovery, so that both classify the same words.
 */
const LOOKED_AT_MAX = 8_000;
const LOOKED_AT_HALF = 3_000;
/** Earlier turns only help to understand the last one: more of them would drown it in features and vectors. */
const CONTEXT_LENGTH_MAX = 400;

/** The user's last turns of a conversation. System and assistant turns are left out. */
export function promptOfMessages(messages: readonly PromptMessage[]): PromptText {
  const turns: string[] = [];
  for (let at = messages.length - 1; at >= 0 && turns.length <= CONTEXT_TURNS; at--) {
    const message = messages[at];
    if (message?.role !== 'user') continue;
    const text = withoutInsertedBlocks(textOfContent(message.content));
    if (text !== '') turns.push(text);
  }
  const [prompt = '', ...earlier] = turns;
  return { prompt, context: earlier.reverse().join('\n') };
}

/** The text of a prompt given as a string or as messages. */
export function toPromptText(input: string | readonly PromptMessage[]): PromptText {
  return typeof input === 'string' ? { prompt: input, context: '' } : promptOfMessages(input);
}

/**
 * What is embedded and classified: earlier turns in short, then what the last one asks, without what was pasted
 * into it. At most some 1,700 characters; linear in the first and last 3,000 of the text.
 */
export function classifiedText(text: PromptText): string {
  const prompt = askedText(text.prompt);
  if (text.context === '') return prompt;
  return `${clipMiddle(askedText(text.context), CONTEXT_LENGTH_MAX / 2, CONTEXT_LENGTH_MAX / 2)}\n${prompt}`;
}

function askedText(text: string): string {
  const looked = text.length > LOOKED_AT_MAX ? clipMiddle(text, LOOKED_AT_HALF, LOOKED_AT_HALF) : text;
  return withoutPastedText(looked);
}

/**
 * Key under which equal prompts meet: 16 hexadecimal digits (64 bits of SHA-256 over the text after NFKC,
 * lower case and collapsed white space). Two of ten million prompts collide with probability 3e-6.
 */
export function promptHash(text: PromptText): string {
  const whole = text.context === '' ? text.prompt : `${text.context}\n${text.prompt}`;
  const lower = (NOT_ASCII.test(whole) ? whole.normalize('NFKC') : whole).toLowerCase();
  const normal = (UNEVEN_SPACE.test(lower) ? lower.replace(/\s+/g, ' ') : lower).trim();
  return hash('sha256', normal).slice(0, 16);
}

const NOT_ASCII = /[^\0-\x7f]/;
/** White space that is not a single blank: what {@link promptHash} would change. */
const UNEVEN_SPACE = /[^\S ]| {2}/;

/** Text of a content field: a string, or the text parts of an array of parts; other parts have no text. */
export function textOfContent(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part: unknown) => {
      if (typeof part === 'string') return part;
      const text = (part as { text?: unknown } | null)?.text;
      return typeof text === 'string' ? text : '';
    })
    .filter((text) => text !== '')
    .join('\n');
}
