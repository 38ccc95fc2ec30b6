import type { IncomingHttpHeaders } from 'node:http';
import type { ChatMessage, ChatRequest, ChatTool, ContentPart } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { givenIn, isFields, toFields, toFieldsList, toText, toWord } from '../fields.ts';
import type { ClientRequest, NamedOnly } from '../inbound.ts';
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
  stringifyRequest,
} from '../json-body.ts';
import { API_VERSION, THREAD } from './wire-words.ts';

const isTextOrParts = (value: unknown): boolean => isText(value) || isFieldsList(value);

const CHECKS: readonly FieldCheck[] = [
  ['max_tokens', isNumber, 'a number'],
  ['stream', isBoolean, 'true or false'],
  ['system', isTextOrParts, 'a text or a list of text blocks'],
  ['tools', isFieldsList, 'a list of objects'],
  ['tool_choice', isFields, 'an object, e.g. {"type": "auto"}'],
  ['thinking', isFields, 'an object, e.g. {"type": "enabled", "budget_tokens": 2048}'],
  ['output_config', isFields, 'an object'],
  ['temperature', isNumber, 'a number'],
  ['top_p', isNumber, 'a number'],
  ['top_k', isNumber, 'a number'],
  ['stop_sequences', isTextList, 'a list of texts'],
  ['metadata', isFields, 'an object'],
  [THREAD, isFields, 'an object'],
];

/** Fields of the body that ask for something only Anthropic's own servers have. */
const OWN_FIELDS = ['mcp_servers', 'container', THREAD] as const;

/** Fields that are sent on to Anthropic in a header. */
const FORWARDED_HEADERS = ['anthropic-beta', 'anthropic-version'] as const;

/** Claude Code writes the session into the user's id. */
const SESSION_OF_USER_ID = /_session_([0-9a-f-]{36})$/;

/**
 * The request in a body of `/v1/messages` or, with `isCount`, of `/v1/messages/count_tokens`.
 *
 * @throws {TallyrankError} `bad_request`, with the field in `param` and a sentence that says what to change
 */
export function parseMessagesRequest(
  bytes: Buffer,
  headers: IncomingHttpHeaders,
  isCount = false,
): ClientRequest {
  const body = parseJsonBody(bytes);
  const model = modelOfBody(body);
  const { messages } = body;
  if (!isCount && typeof body['max_tokens'] !== 'number') {
    throw badRequest('max_tokens is missing: give the most tokens that the answer may have.', 'max_tokens');
  }
  // A thread goes on after a pause without anything new.
  const mayBeEmpty = toFields(body[THREAD])['type'] === 'continue';
  if (!Array.isArray(messages) || (messages.length === 0 && !mayBeEmpty)) {
    throw badRequest(
      'messages must be a list with at least one message, e.g. [{"role": "user", "content": "Hello"}].',
      'messages',
    );
  }
  checkFields(body, CHECKS);
  const own = new Set<string>(OWN_FIELDS.filter((field) => isAsked(body[field])));
  const request: ChatRequest = {
    model,
    messages: [
      ...decodeSystem(body['system']),
      ...messages.flatMap((each, at) => decodeMessage(each, at, own)),
    ],
    stream: body['stream'] === true,
    ...decodeTools(body, own),
    ...decodeSettings(body),
  };
  return {
    protocol: 'anthropic',
    request,
    body,
    bytes,
    headers: forwardedHeaders(headers),
    ownFeatures: [...own],
    namedOnly: threadOf(body, model),
  };
}

function isAsked(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

/** Turns of a thread are found again where it began alone: not where each is routed anew, nor at other providers. */
function threadOf(body: Fields, model: string): NamedOnly | undefined {
  if (!isAsked(body[THREAD])) return undefined;
  const refusal = `A thread lies at Anthropic, so ${model} cannot serve it: name a model of Anthropic's, or send the whole conversation without "thread".`;
  return { param: THREAD, refusal };
}

/** The version is the one we send anyway, unless the client wants another. */
function forwardedHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const forwarded: Record<string, string> = {};
  for (const name of FORWARDED_HEADERS) {
    const value = headers[name];
    const text = Array.isArray(value) ? value.join(',') : value;
    if (text !== undefined && text !== API_VERSION) forwarded[name] = text;
  }
  return forwarded;
}

function decodeSettings(body: Fields): Partial<ChatRequest> {
  const metadata = toFields(body['metadata']);
  const userId = toWord(metadata['user_id']);
  const sessionId = SESSION_OF_USER_ID.exec(userId ?? '')?.[1];
  const output = toFields(body['output_config']);
  const format = toFields(output['format'] ?? body['output_format']);
  const given = givenIn(body);
  return {
    ...given('max_tokens', 'max_completion_tokens'),
    ...given('temperature'),
    ...given('top_p'),
    ...given('top_k'),
    ...given('stop_sequences', 'stop'),
    ...given('thinking'),
    ...(toWord(output['effort']) === null ? {} : { reasoning_effort: output['effort'] }),
    ...(format['type'] === 'json_schema'
      ? {
          response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: format['schema'] } },
        }
      : {}),
    ...(userId === null ? {} : { user: userId }),
    metadata: sessionId === undefined ? metadata : { session_id: sessionId, ...metadata },
  };
}

function decodeTools(body: Fields, own: Set<string>): Partial<ChatRequest> {
  const given = toFieldsList(body['tools']);
  if (given.length === 0) return {};
  const choice = toFields(body['tool_choice']);
  return {
    tools: given.map((tool) => decodeTool(tool, own)),
    ...decodeToolChoice(choice),
    ...(choice['disable_parallel_tool_use'] === true ? { parallel_tool_calls: false } : {}),
  };
}

function decodeTool(tool: Fields, own: Set<string>): ChatTool {
  const type = toWord(tool['type']);
  if (type !== null && type !== 'custom') {
    // Known to Anthropic's models by its name alone; nobody else knows what it takes.
    own.add(`tool of type ${type}`);
    return { type };
  }
  return {
    type: 'function',
    function: {
      name: tool['name'],
      ...(tool['description'] === undefined ? {} : { description: tool['description'] }),
      parameters: tool['input_schema'] ?? { type: 'object', properties: {} },
      ...(tool['strict'] === true ? { strict: true } : {}),
    },
    ...(tool['cache_control'] ? { cache_control: tool['cache_control'] } : {}),
  };
}

function decodeToolChoice(choice: Fields): Fields {
  switch (choice['type']) {
    case 'any':
      return { tool_choice: 'required' };
    case 'none':
      return { tool_choice: 'none' };
    case 'tool':
      return { tool_choice: { type: 'function', function: { name: choice['name'] } } };
    default:
      return {};
  }
}

function decodeSystem(system: unknown): ChatMessage[] {
  if (typeof system === 'string') return system === '' ? [] : [{ role: 'system', content: system }];
  const parts = toFieldsList(system).map((block) => textPart(toText(block['text']), block));
  return parts.length === 0 ? [] : [{ role: 'system', content: parts }];
}

function decodeMessage(message: unknown, at: number, own: Set<string>): ChatMessage[] {
  const name = `messages[${at}]`;
  if (!isFields(message)) throw badRequest(`${name} must be an object with role and content.`, name);
  const { role, content } = message;
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw badRequest(`${name}.role must be "user" or "assistant".`, `${name}.role`);
  }
  if (typeof content === 'string') return [{ role, content }];
  if (!isFieldsList(content) || toFieldsList(content).some((block) => typeof block['type'] !== 'string')) {
    throw badRequest(`${name}.content must be a text or a list of blocks with a type.`, `${name}.content`);
  }
  const blocks = toFieldsList(content);
  return role === 'assistant' ? [decodeAssistant(blocks, own)] : decodeUser(role, blocks, own);
}

/** Tool results become messages of their own, before what the user says beside them. */
function decodeUser(role: string, blocks: readonly Fields[], own: Set<string>): ChatMessage[] {
  const results: ChatMessage[] = [];
  const parts: ContentPart[] = [];
  for (const block of blocks) {
    if (block['type'] === 'tool_result') results.push(decodeToolResult(block, own));
    else parts.push(...decodePart(block, own));
  }
  if (parts.length > 0) results.push({ role, content: parts });
  return results;
}

function decodeToolResult(block: Fields, own: Set<string>): ChatMessage {
  const { content } = block;
  return {
    role: 'tool',
    tool_call_id: block['tool_use_id'],
    content:
      typeof content === 'string' ? content : toFieldsList(content).flatMap((part) => decodePart(part, own)),
    ...(block['is_error'] === true ? { is_error: true } : {}),
    ...(block['cache_control'] ? { cache_control: block['cache_control'] } : {}),
  };
}

function decodeAssistant(blocks: readonly Fields[], own: Set<string>): ChatMessage {
  const parts: ContentPart[] = [];
  const toolCalls: Fields[] = [];
  const thinkingBlocks: Fields[] = [];
  let reasoning = '';
  for (const block of blocks) {
    if (block['type'] === 'thinking') {
      reasoning += toText(block['thinking']);
      thinkingBlocks.push(block);
    } else if (block['type'] === 'redacted_thinking') {
      thinkingBlocks.push(block);
    } else if (block['type'] === 'tool_use') {
      const called = { name: block['name'], arguments: stringifyRequest(block['input'] ?? {}) };
      toolCalls.push({ id: block['id'], type: 'function', function: called });
    } else {
      parts.push(...decodePart(block, own));
    }
  }
  return {
    role: 'assistant',
    content: parts.length === 0 ? null : parts,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(thinkingBlocks.length === 0 ? {} : { thinking_blocks: thinkingBlocks }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
  };
}

function decodePart(block: Fields, own: Set<string>): ContentPart[] {
  switch (block['type']) {
    case 'text':
      return [textPart(toText(block['text']), block)];
    case 'image':
      return [decodeImage(block, own)];
    case 'document':
      return decodeDocument(block, own);
    case 'search_result': {
      const texts = toFieldsList(block['content']).map((part) => toText(part['text']));
      return [textPart([toText(block['title']), toText(block['source']), ...texts].join('\n'), block)];
    }
    default:
      own.add(`block of type ${toText(block['type'])}`);
      return [block as ContentPart];
  }
}

function decodeImage(block: Fields, own: Set<string>): ContentPart {
  const source = toFields(block['source']);
  if (source['type'] === 'base64') {
    const url = `data:${toText(source['media_type'])};base64,${toText(source['data'])}`;
    return { type: 'image_url', image_url: { url }, ...cacheHint(block) };
  }
  if (source['type'] === 'url') {
    return { type: 'image_url', image_url: { url: source['url'] }, ...cacheHint(block) };
  }
  own.add(`image source of type ${toText(source['type'])}`);
  return block as ContentPart;
}

/** A PDF becomes OpenAI's file part; a document of plain text is text with its title. */
function decodeDocument(block: Fields, own: Set<string>): ContentPart[] {
  const source = toFields(block['source']);
  const title = toWord(block['title']);
  const heading = title === null ? '' : `${title}\n`;
  switch (source['type']) {
    case 'text':
      return [textPart(heading + toText(source['data']), block)];
    case 'content': {
      const { content } = source;
      if (typeof content === 'string') return [textPart(heading + content, block)];
      const parts = toFieldsList(content).flatMap((part) => decodeInDocument(part, own));
      return title === null ? parts : [textPart(title, {}), ...parts];
    }
    case 'base64': {
      const data = `data:${toText(source['media_type'])};base64,${toText(source['data'])}`;
      return [
        { type: 'file', file: { filename: title ?? 'document.pdf', file_data: data }, ...cacheHint(block) },
      ];
    }
    default:
      own.add(`document source of type ${toText(source['type'])}`);
      return [block as ContentPart];
  }
}

/** Texts and images; a document in a document is nothing that Anthropic takes. */
function decodeInDocument(block: Fields, own: Set<string>): ContentPart[] {
  if (block['type'] === 'text' || block['type'] === 'image') return decodePart(block, own);
  own.add(`block of type ${toText(block['type'])} in a document`);
  return [];
}

function textPart(text: string, block: Fields): ContentPart {
  return { type: 'text', text, ...cacheHint(block) };
}

function cacheHint(block: Fields): Fields {
  return block['cache_control'] ? { cache_control: block['cache_control'] } : {};
}
