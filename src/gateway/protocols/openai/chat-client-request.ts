import type { ChatRequest } from '../../chat.ts';
import { isFields } from '../fields.ts';
import type { FieldCheck } from '../json-body.ts';
import {
  badRequest,
  checkFields,
  isBoolean,
  isFieldsList,
  isNumber,
  isText,
  isTextList,
  modelOfBody,
  parseJsonBody,
} from '../json-body.ts';

/** Answers that may be asked for at once; OpenAI's own limit. */
const CHOICES_MAX = 128;

/** What we read ourselves; all else is the provider's to judge. */
export const CHAT_CHECKS: readonly FieldCheck[] = [
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
  ['stop', (value) => isText(value) || isTextList(value), 'a text or a list of texts'],
  ['user', isText, 'a text'],
  ['metadata', isFields, 'an object'],
];

/**
 * The chat request in a body. Parsed once, by hand: this is the hot path, and the sentences are for people.
 *
 * @throws {TallyrankError} `bad_request`, with the field in `param` and a sentence that says what to change
 */
export function parseChatRequest(bytes: Buffer): ChatRequest {
  const body = parseJsonBody(bytes);
  modelOfBody(body);
  const { messages } = body;
  if (!Array.isArray(messages)) {
    throw badRequest('messages must be a list, e.g. [{"role": "user", "content": "Hello"}].', 'messages');
  }
  if (messages.length === 0) throw badRequest('messages is empty: send at least one message.', 'messages');
  for (let at = 0; at < messages.length; at++) checkMessage(messages[at], at);
  checkFields(body, CHAT_CHECKS);
  return body as ChatRequest;
}

function checkMessage(message: unknown, at: number): void {
  const name = `messages[${at}]`;
  if (!isFields(message)) throw badRequest(`${name} must be an object with role and content.`, name);
  const { role, content } = message;
  if (typeof role !== 'string' || role === '') {
    throw badRequest(`${name}.role must be a text, e.g. "user".`, `${name}.role`);
  }
  if (content === undefined || content === null || typeof content === 'string') return;
  if (!Array.isArray(content)) {
    throw badRequest(`${name}.content must be a text or a list of parts.`, `${name}.content`);
  }
  for (const part of content) {
    if (!isFields(part) || typeof part['type'] !== 'string') {
      throw badRequest(
        `${name}.content must hold objects with a type, e.g. {"type": "text", "text": "…"}.`,
        `${name}.content`,
      );
    }
    if (part['type'] === 'text' && typeof part['text'] !== 'string') {
      throw badRequest(`A part of ${name}.content has type "text" and no text.`, `${name}.content`);
    }
  }
}

function isInteger(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}
