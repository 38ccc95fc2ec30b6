import { isUtf8 } from 'node:buffer';
import { TallyrankError } from '../../core/errors.ts';
import type { ChatRequest } from '../chat.ts';
import { isFields } from './fields.ts';

const MODEL_LENGTH_MAX = 256;

/** Answers that may be asked for at once; OpenAI's own limit. */
const CHOICES_MAX = 128;

/** An escaped NUL inside a JSON text. */
const ESCAPED_NUL = Buffer.from('\\u0000');
const BACKSLASH = 0x5c;

type Check = readonly [
  field: keyof ChatRequest & string,
  isRight: (value: unknown) => boolean,
  should: string,
];

/** What we read ourselves; all else is the provider's to judge. null stands for "left out" everywhere. */
const CHECKS: readonly Check[] = [
  ['stream', isBoolean, 'true or false'],
  ['n', (value) => isInteger(value, 1, CHOICES_MAX), `a whole number from 1 to ${CHOICES_MAX}`],
  ['stream_options', isFields, 'an object, e.g. {"include_usage": true}'],
  ['tools', isFieldsList, 'a list of objects'],
  ['parallel_tool_calls', isBoolean, 'true or false'],
  ['response_format', isFields, 'an object, e.g. {"type": "json_object"}'],
  ['max_tokens', isNumber, 'a number'],
  ['max_completion_tokens', isNumber, 'a number'],
  ['temperature', isNumber, 'a number'],
  ['top_p', isNumber, 'a number'],
  ['seed', isNumber, 'a number'],
  ['presence_penalty', isNumber, 'a number'],
  ['frequency_penalty', isNumber, 'a number'],
  ['stop', (value) => typeof value === 'string' || isTextList(value), 'a text or a list of texts'],
  ['user', (value) => typeof value === 'string', 'a text'],
  ['metadata', isFields, 'an object'],
];

/**
 * The chat request in a body. Parsed once, by hand: this is the hot path, and the sentences are for people.
 *
 * @throws {TallyrankError} `bad_request`, with the field in `param` and a sentence that says what to change
 */
export function parseChatRequest(bytes: Buffer): ChatRequest {
  const body = parseJson(bytes);
  if (!isFields(body)) throw bad('The request body must be a JSON object.', null);
  const { model, messages } = body;
  if (typeof model !== 'string' || model.trim() === '') {
    throw bad('model is missing: give the name of a model as a text, or "auto".', 'model');
  }
  if (model.length > MODEL_LENGTH_MAX) throw bad('model is longer than any name of a model.', 'model');
  if (!Array.isArray(messages)) {
    throw bad('messages must be a list, e.g. [{"role": "user", "content": "Hello"}].', 'messages');
  }
  if (messages.length === 0) throw bad('messages is empty: send at least one message.', 'messages');
  for (let at = 0; at < messages.length; at++) checkMessage(messages[at], at);
  for (const [field, isRight, should] of CHECKS) {
    const value = body[field];
    if (value !== undefined && value !== null && !isRight(value))
      throw bad(`${field} must be ${should}.`, field);
  }
  return body as ChatRequest;
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw bad('The request body is empty: send a JSON object.', null);
  if (bytes.includes(0))
    throw bad('The request body holds a NUL byte: send JSON in UTF-8 without any.', null);
  if (!isUtf8(bytes)) throw bad('The request body is not valid UTF-8: send JSON in UTF-8.', null);
  if (hasEscapedNul(bytes)) {
    throw bad('The request body holds a NUL character (\\u0000): remove it from the texts.', null);
  }
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    // The parser's sentence quotes the text around the fault; its place is all that may be told again.
    const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec(String(error))?.[0];
    throw bad(`The request body is not valid JSON${place === undefined ? '' : ` (${place})`}.`, null);
  }
}

/** True when a text of the JSON holds U+0000; a backslash that is itself escaped does not count. */
function hasEscapedNul(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(ESCAPED_NUL); at >= 0; at = bytes.indexOf(ESCAPED_NUL, at + 1)) {
    let before = 0;
    while (bytes[at - 1 - before] === BACKSLASH) before++;
    if (before % 2 === 0) return true;
  }
  return false;
}

function checkMessage(message: unknown, at: number): void {
  const name = `messages[${at}]`;
  if (!isFields(message)) throw bad(`${name} must be an object with role and content.`, name);
  const { role, content } = message;
  if (typeof role !== 'string' || role === '') {
    throw bad(`${name}.role must be a text, e.g. "user".`, `${name}.role`);
  }
  if (content === undefined || content === null || typeof content === 'string') return;
  if (!Array.isArray(content)) {
    throw bad(`${name}.content must be a text or a list of parts.`, `${name}.content`);
  }
  for (const part of content) {
    if (!isFields(part) || typeof part['type'] !== 'string') {
      throw bad(
        `${name}.content must hold objects with a type, e.g. {"type": "text", "text": "…"}.`,
        `${name}.content`,
      );
    }
    if (part['type'] === 'text' && typeof part['text'] !== 'string') {
      throw bad(`A part of ${name}.content has type "text" and no text.`, `${name}.content`);
    }
  }
}

function bad(message: string, param: string | null): TallyrankError {
  return new TallyrankError('bad_request', message, param === null ? {} : { param });
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number';
}

function isInteger(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function isFieldsList(value: unknown): boolean {
  return Array.isArray(value) && value.every(isFields);
}
