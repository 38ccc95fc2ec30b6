import { isUtf8 } from 'node:buffer';
import { TallyrankError } from '../../core/errors.ts';
import type { Fields } from './fields.ts';
import { isFields } from './fields.ts';

const MODEL_LENGTH_MAX = 256;

/** An escaped NUL inside a JSON text. */
const ESCAPED_NUL = Buffer.from('\\u0000');
const BACKSLASH = 0x5c;

/** The object of a request body, read once, with sentences for people. @throws {TallyrankError} `bad_request` */
export function parseJsonBody(bytes: Buffer): Fields {
  const body = parseJson(bytes);
  if (!isFields(body)) throw badRequest('The request body must be a JSON object.', null);
  return body;
}

/** The name in `model`. @throws {TallyrankError} `bad_request` when there is none */
export function modelOfBody({ model }: Fields): string {
  if (typeof model !== 'string' || model.trim() === '') {
    throw badRequest('model is missing: give the name of a model as a text, or "auto".', 'model');
  }
  if (model.length > MODEL_LENGTH_MAX) throw badRequest('model is longer than any name of a model.', 'model');
  return model;
}

/**
 * JSON of something that came from a client.
 *
 * @throws {TallyrankError} `bad_request` when it is nested so deeply that it cannot be written again
 */
export function stringifyRequest(
  value: unknown,
  replacer?: (key: string, value: unknown) => unknown,
): string {
  try {
    return JSON.stringify(value, replacer);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TallyrankError('bad_request', 'The request body is nested too deeply; send a flatter one.');
  }
}

/** The refusal of a request; `param` is the field that was wrong. */
export function badRequest(message: string, param: string | null): TallyrankError {
  return new TallyrankError('bad_request', message, param === null ? {} : { param });
}

/** A field, what it must be if it is there at all, and the words for that. null stands for "left out". */
export type FieldCheck = readonly [field: string, isRight: (value: unknown) => boolean, should: string];

/** @throws {TallyrankError} `bad_request` for the first field that is not as it should be */
export function checkFields(body: Fields, checks: readonly FieldCheck[]): void {
  for (const [field, isRight, should] of checks) {
    const value = body[field];
    if (value !== undefined && value !== null && !isRight(value))
      throw badRequest(`${field} must be ${should}.`, field);
  }
}

export function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

export function isNumber(value: unknown): boolean {
  return typeof value === 'number';
}

export function isText(value: unknown): boolean {
  return typeof value === 'string';
}

export function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

export function isFieldsList(value: unknown): boolean {
  return Array.isArray(value) && value.every(isFields);
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw badRequest('The request body is empty: send a JSON object.', null);
  if (bytes.includes(0))
    throw badRequest('The request body holds a NUL byte: send JSON in UTF-8 without any.', null);
  if (!isUtf8(bytes)) throw badRequest('The request body is not valid UTF-8: send JSON in UTF-8.', null);
  if (hasEscapedNul(bytes)) {
    throw badRequest('The request body holds a NUL character (\\u0000): remove it from the texts.', null);
  }
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    // The parser's sentence quotes the text around the fault; its place is all that may be told again.
    const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec(String(error))?.[0];
    throw badRequest(`The request body is not valid JSON${place === undefined ? '' : ` (${place})`}.`, null);
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
