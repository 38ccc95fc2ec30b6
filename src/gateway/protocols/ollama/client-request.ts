import type { ChatMessage, ChatRequest, ContentPart } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { isFields, toFields, toFieldsList, toText, toWord } from '../fields.ts';
import type { ClientRequest } from '../inbound.ts';
import type { FieldCheck } from '../json-body.ts';
import {
  badRequest,
  checkFields,
  isBoolean,
  isFieldsList,
  isText,
  isTextList,
  modelOfBody,
  parseJsonBody,
} from '../json-body.ts';
import { isStrictSchema } from './strict-schema.ts';

const LEVELS: ReadonlySet<unknown> = new Set(['high', 'medium', 'low']);

/** What `/api/chat` and `/api/generate` have in common. */
const CHECKS: readonly FieldCheck[] = [
  ['stream', isBoolean, 'true or false'],
  ['format', (value) => isText(value) || isFields(value), '"json" or a JSON schema'],
  ['options', isFields, 'an object, e.g. {"temperature": 0}'],
  ['think', (value) => isBoolean(value) || LEVELS.has(value), 'true, false, "high", "medium" or "low"'],
  ['tools', isFieldsList, 'a list of objects'],
  ['prompt', isText, 'a text'],
  ['system', isText, 'a text'],
  ['suffix', isText, 'a text'],
  ['template', isText, 'a text'],
  ['raw', isBoolean, 'true or false'],
  ['images', isTextList, 'a list of images in base64'],
];

/** Fields of `/api/generate` that have no counterpart in a chat. */
const OWN_FIELDS = ['raw', 'suffix', 'template', 'context'] as const;

/**
 * What a client of Ollama asked. A request without messages or prompt asks for no answer: it has Ollama load the
 * model, or let go of it, and nothing else.
 */
export type OllamaRequest =
  | { readonly kind: 'chat'; readonly client: ClientRequest }
  | { readonly kind: 'load'; readonly model: string; readonly body: Fields };

/**
 * The request in a body of `/api/chat`.
 *
 * @throws {TallyrankError} `bad_request`, with the field in `param` and a sentence that says what to change
 */
export function parseOllamaChat(bytes: Buffer): OllamaRequest {
  const body = parseOllamaBody(bytes);
  const { messages } = body;
  if (messages !== undefined && messages !== null && !isFieldsList(messages)) {
    throw badRequest(
      'messages must be a list of objects, e.g. [{"role": "user", "content": "Hello"}].',
      'messages',
    );
  }
  const given = toFieldsList(messages);
  if (given.length === 0) return { kind: 'load', model: modelOfBody(body), body };
  const request: ChatRequest = {
    model: modelOfBody(body),
    messages: decodeMessages(given),
    ...decodeSettings(body),
    ...(toFieldsList(body['tools']).length === 0 ? {} : { tools: toFieldsList(body['tools']) }),
  };
  return { kind: 'chat', client: clientOf('ollama', request, body, bytes, []) };
}

/**
 * The request in a body of `/api/generate`.
 *
 * @throws {TallyrankError} `bad_request`, with the field in `param` and a sentence that says what to change
 */
export function parseOllamaGenerate(bytes: Buffer): OllamaRequest {
  const body = parseOllamaBody(bytes);
  const prompt = toText(body['prompt']);
  const images = imagesOf(body['images'], 'images');
  const own = OWN_FIELDS.filter((field) => isAsked(body[field]));
  if (prompt === '' && images.length === 0 && own.length === 0) {
    return { kind: 'load', model: modelOfBody(body), body };
  }
  const system = toText(body['system']);
  const request: ChatRequest = {
    model: modelOfBody(body),
    messages: [
      ...(system === '' ? [] : [{ role: 'system', content: system }]),
      { role: 'user', content: contentOf(prompt, images) },
    ],
    ...decodeSettings(body),
  };
  return { kind: 'chat', client: clientOf('ollama-generate', request, body, bytes, own) };
}

function clientOf(
  protocol: ClientRequest['protocol'],
  request: ChatRequest,
  body: Fields,
  bytes: Buffer,
  ownFeatures: readonly string[],
): ClientRequest {
  return { protocol, request, body, bytes, headers: {}, ownFeatures };
}

function parseOllamaBody(bytes: Buffer): Fields {
  const body = parseJsonBody(bytes);
  checkFields(body, CHECKS);
  return body;
}

/** Fields that ask for nothing are sent by clients all the same. */
function isAsked(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== '' && value !== false;
}

/** Runtime options that other protocols know are named as they name them; those of a local server stay beside. */
function decodeSettings(body: Fields): Fields {
  const { num_predict, stop, temperature, top_p, top_k, seed, presence_penalty, frequency_penalty, ...rest } =
    toFields(body['options']);
  const given = { temperature, top_p, top_k, seed, presence_penalty, frequency_penalty };
  const stops = typeof stop === 'string' ? [stop] : Array.isArray(stop) ? stop.filter(isText) : [];
  return {
    // Ollama streams unless told otherwise.
    stream: body['stream'] !== false,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === 'number')),
    // -1 and -2 stand for "no limit".
    ...(typeof num_predict === 'number' && num_predict >= 0 ? { max_completion_tokens: num_predict } : {}),
    ...(stops.length === 0 ? {} : { stop: stops }),
    ...(Object.keys(rest).length === 0 ? {} : { options: rest }),
    ...decodeFormat(body['format']),
    ...decodeThink(body['think']),
  };
}

function decodeFormat(format: unknown): Fields {
  if (format === 'json') return { response_format: { type: 'json_object' } };
  if (!isFields(format)) return {};
  // Ollama keeps to the schema; OpenAI does when told to, which not every schema allows.
  const strict = isStrictSchema(format) ? { strict: true } : {};
  return {
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: format, ...strict } },
  };
}

/** Without a level, thinking is as deep as it is by default. */
function decodeThink(think: unknown): Fields {
  if (typeof think === 'boolean') return { reasoning_effort: think ? 'medium' : 'none' };
  return LEVELS.has(think) ? { reasoning_effort: think } : {};
}

/** A call of a tool that no message has answered yet. */
interface OpenCall {
  readonly id: string;
  readonly name: string;
}

/** Ollama's tool calls have no ids of old, and their results name the tool, in the order of the calls. */
function decodeMessages(messages: readonly Fields[]): ChatMessage[] {
  const open: OpenCall[] = [];
  let callCount = 0;
  return messages.map((message, at) => {
    const name = `messages[${at}]`;
    const { role, content } = message;
    if (typeof role !== 'string' || role === '') {
      throw badRequest(`${name}.role must be a text, e.g. "user".`, `${name}.role`);
    }
    if (content !== undefined && content !== null && typeof content !== 'string') {
      throw badRequest(`${name}.content must be a text; images go into images.`, `${name}.content`);
    }
    if (role === 'tool') return { role, content: content ?? '', tool_call_id: answeredBy(message, open) };
    const toolCalls = toFieldsList(message['tool_calls']).map((call) => decodeToolCall(call, callCount++));
    open.push(...toolCalls.map((call) => ({ id: call.id, name: call.function.name })));
    const thinking = toText(message['thinking']);
    return {
      role,
      content: contentOf(content ?? '', imagesOf(message['images'], `${name}.images`)),
      ...(thinking === '' ? {} : { reasoning_content: thinking }),
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
    };
  });
}

/** Nine letters and digits are an id that every provider takes; Mistral takes no other. */
function decodeToolCall(call: Fields, at: number) {
  const called = toFields(call['function']);
  const given = called['arguments'];
  return {
    id: toWord(call['id']) ?? `call${String(at).padStart(5, '0')}`,
    type: 'function',
    function: {
      name: toText(called['name']),
      arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {}),
    },
  };
}

/** The call that a result belongs to: by its id, else the first open one of the tool, else the first open one. */
function answeredBy(message: Fields, open: OpenCall[]): string {
  const id = toWord(message['tool_call_id']);
  const name = toWord(message['tool_name']) ?? toWord(message['name']);
  const byId = open.findIndex((call) => call.id === id);
  const byName = open.findIndex((call) => call.name === name);
  const at = byId >= 0 ? byId : byName;
  const [call] = open.splice(Math.max(0, at), 1);
  return id ?? call?.id ?? 'call00000';
}

function contentOf(text: string, images: readonly ContentPart[]): string | ContentPart[] {
  if (images.length === 0) return text;
  return [...(text === '' ? [] : [{ type: 'text', text }]), ...images];
}

/** How the bytes of an image begin, in base64. */
const IMAGE_BEGINNINGS: readonly (readonly [beginning: string, mediaType: string])[] = [
  ['iVBORw0KGgo', 'image/png'],
  ['/9j/', 'image/jpeg'],
  ['R0lGOD', 'image/gif'],
  ['UklGR', 'image/webp'],
];

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/** Images come bare. What we do not recognise is sent on as bytes, and the provider says whether it can read it. */
function imagesOf(value: unknown, name: string): ContentPart[] {
  if (value === undefined || value === null) return [];
  if (!isTextList(value)) throw badRequest(`${name} must be a list of images in base64.`, name);
  return (value as string[]).map((given, at) => {
    const image = given.replace(/\s+/g, '');
    if (image.startsWith('data:')) return { type: 'image_url', image_url: { url: image } };
    if (!BASE64.test(image)) throw badRequest(`${name}[${at}] is not base64.`, `${name}[${at}]`);
    const known = IMAGE_BEGINNINGS.find(([beginning]) => image.startsWith(beginning));
    const mediaType = known?.[1] ?? 'application/octet-stream';
    return { type: 'image_url', image_url: { url: `data:${mediaType};base64,${image}` } };
  });
}
