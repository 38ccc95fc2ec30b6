import type { ChatMessage, ChatRequest, ChatTool, ContentPart } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { givenIn, isFields, toFields, toFieldsList, toText, toWord } from '../fields.ts';
import type { ClientRequest } from '../inbound.ts';
import type { FieldCheck } from '../json-body.ts';
import {
  badRequest,
  checkFields,
  isBoolean,
  isFieldsList,
  isNumber,
  isText,
  modelOfBody,
  parseJsonBody,
  stringifyRequest,
} from '../json-body.ts';
import { openThoughts } from './responses-thoughts.ts';
import { functionsOf, isNamespace, joinedName } from './tool-namespaces.ts';

const CHECKS: readonly FieldCheck[] = [
  ['stream', isBoolean, 'true or false'],
  ['store', isBoolean, 'true or false'],
  ['instructions', isText, 'a text'],
  ['tools', isFieldsList, 'a list of objects'],
  ['text', isFields, 'an object, e.g. {"format": {"type": "text"}}'],
  ['reasoning', isFields, 'an object, e.g. {"effort": "low"}'],
  ['parallel_tool_calls', isBoolean, 'true or false'],
  ['max_output_tokens', isNumber, 'a number'],
  ['temperature', isNumber, 'a number'],
  ['top_p', isNumber, 'a number'],
  ['user', isText, 'a text'],
  ['metadata', isFields, 'an object'],
];

/** Fields that need OpenAI's memory of earlier answers or its library of prompts. */
const OWN_FIELDS = ['previous_response_id', 'conversation', 'prompt'] as const;

/** What is read from an input as it goes along. */
interface Reading {
  readonly messages: ChatMessage[];
  /** Thoughts that belong to the assistant's next turn. */
  reasoning: string;
  thinkingBlocks: readonly Fields[];
  /** What only OpenAI itself can do. */
  readonly own: Set<string>;
}

/**
 * The request in a body of `/v1/responses`.
 *
 * @throws {TallyrankError} `bad_request`, with the field in `param` and a sentence that says what to change
 */
export function parseResponsesRequest(bytes: Buffer): ClientRequest {
  const body = parseJsonBody(bytes);
  const model = modelOfBody(body);
  checkFields(body, CHECKS);
  if (body['background'] === true) {
    const text = 'background is not served here: leave it out and wait for the answer, or stream it.';
    throw badRequest(text, 'background');
  }
  // The answer repeats them, so it must be possible to write them.
  stringifyRequest([body['metadata'], body['text'], body['reasoning'], body['tool_choice']]);
  const own = new Set<string>(OWN_FIELDS.filter((field) => body[field]));
  // Left out means that nobody will ask for it again, as far as we know; only a wish is refused.
  if (body['store'] === true) own.add('store');
  const instructions = toText(body['instructions']);
  const reading: Reading = { messages: [], reasoning: '', thinkingBlocks: [], own };
  if (instructions !== '') reading.messages.push({ role: 'system', content: instructions });
  readInput(body, reading);
  const request: ChatRequest = {
    model,
    messages: reading.messages,
    stream: body['stream'] === true,
    ...decodeTools(body, own),
    ...decodeSettings(body),
  };
  return {
    protocol: 'openai-responses',
    request,
    body,
    bytes,
    headers: {},
    ownFeatures: [...own],
  };
}

function readInput(body: Fields, reading: Reading): void {
  const { input } = body;
  if (typeof input === 'string') {
    reading.messages.push({ role: 'user', content: input });
    return;
  }
  const isPrompted = OWN_FIELDS.some((field) => body[field]);
  if (input === undefined && isPrompted) return;
  if (!isFieldsList(input) || (toFieldsList(input).length === 0 && !isPrompted)) {
    throw badRequest('input must be a text or a list of items, e.g. "Hello".', 'input');
  }
  for (const [at, item] of toFieldsList(input).entries()) readItem(item, at, reading);
}

function readItem(item: Fields, at: number, reading: Reading): void {
  switch (item['type'] ?? 'message') {
    case 'message':
      readMessage(item, at, reading);
      return;
    case 'function_call': {
      const name = joinedName(toWord(item['namespace']), toText(item['name']));
      const called = { name, arguments: toText(item['arguments']) };
      addToolCall({ id: item['call_id'], type: 'function', function: called }, reading);
      return;
    }
    case 'function_call_output': {
      const { output } = item;
      const content = typeof output === 'string' ? output : decodeParts(output, reading.own);
      reading.messages.push({ role: 'tool', tool_call_id: item['call_id'], content });
      return;
    }
    case 'reasoning': {
      const texts = [...toFieldsList(item['summary']), ...toFieldsList(item['content'])];
      reading.reasoning += texts.map((part) => toText(part['text'])).join('\n');
      reading.thinkingBlocks = openThoughts(item['encrypted_content']);
      return;
    }
    default:
      reading.own.add(`input item of type ${toText(item['type'])}`);
  }
}

function readMessage(item: Fields, at: number, reading: Reading): void {
  const { role, content } = item;
  if (typeof role !== 'string' || role === '') {
    throw badRequest(`input[${at}].role must be a text, e.g. "user".`, `input[${at}].role`);
  }
  if (typeof content !== 'string' && !isFieldsList(content)) {
    throw badRequest(`input[${at}].content must be a text or a list of parts.`, `input[${at}].content`);
  }
  const decoded = typeof content === 'string' ? content : decodeParts(content, reading.own);
  const message = { role, content: decoded };
  reading.messages.push(role === 'assistant' ? { ...message, ...takeThoughts(reading) } : message);
}

/** Calls of one turn come as items in a row; the neutral form has them in one message. */
function addToolCall(call: Fields, reading: Reading): void {
  const last = reading.messages.at(-1);
  if (last?.role !== 'assistant') {
    reading.messages.push({
      role: 'assistant',
      content: null,
      ...takeThoughts(reading),
      tool_calls: [call],
    });
    return;
  }
  const calls = [...toFieldsList(last.tool_calls), call];
  reading.messages[reading.messages.length - 1] = { ...last, ...takeThoughts(reading), tool_calls: calls };
}

function takeThoughts(reading: Reading): Partial<ChatMessage> {
  const { reasoning, thinkingBlocks } = reading;
  reading.reasoning = '';
  reading.thinkingBlocks = [];
  return {
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    ...(thinkingBlocks.length === 0 ? {} : { thinking_blocks: thinkingBlocks }),
  };
}

function decodeParts(parts: unknown, own: Set<string>): ContentPart[] {
  return toFieldsList(parts).map((part) => decodePart(part, own));
}

function decodePart(part: Fields, own: Set<string>): ContentPart {
  switch (part['type']) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return { type: 'text', text: toText(part['text']) };
    case 'refusal':
      return { type: 'refusal', refusal: part['refusal'] };
    case 'input_image': {
      const url = toWord(part['image_url']);
      if (url === null) break;
      const detail = toWord(part['detail']);
      return { type: 'image_url', image_url: { url, ...(detail === null ? {} : { detail }) } };
    }
    case 'input_file': {
      const data = toWord(part['file_data']);
      if (data === null) break;
      return { type: 'file', file: { filename: toWord(part['filename']) ?? 'file', file_data: data } };
    }
  }
  if (part['type'] === 'input_audio' && isFields(part['input_audio'])) {
    return { type: 'input_audio', input_audio: part['input_audio'] };
  }
  own.add(`part of type ${toText(part['type'])}${part['file_id'] ? ' by file_id' : ''}`);
  return { ...part, type: toText(part['type']) };
}

function decodeTools(body: Fields, own: Set<string>): Partial<ChatRequest> {
  const given = toFieldsList(body['tools']).flatMap((tool) =>
    isNamespace(tool) ? functionsOf(tool) : [tool],
  );
  const choice = decodeToolChoice(body['tool_choice'], own);
  return {
    ...(given.length === 0 ? {} : { tools: given.map((tool) => decodeTool(tool, own)) }),
    ...(choice === null || given.length === 0 ? {} : { tool_choice: choice }),
    ...(typeof body['parallel_tool_calls'] === 'boolean' && given.length > 0
      ? { parallel_tool_calls: body['parallel_tool_calls'] }
      : {}),
  };
}

function decodeTool(tool: Fields, own: Set<string>): ChatTool {
  if (tool['type'] !== 'function') {
    own.add(`tool of type ${toText(tool['type'])}`);
    return { type: tool['type'] };
  }
  const { name, description, parameters, strict } = tool;
  return {
    type: 'function',
    function: {
      name,
      ...(description ? { description } : {}),
      parameters: parameters ?? { type: 'object', properties: {} },
      ...(typeof strict === 'boolean' ? { strict } : {}),
    },
  };
}

function decodeToolChoice(choice: unknown, own: Set<string>): unknown {
  if (typeof choice === 'string') return choice;
  if (!isFields(choice)) return null;
  const named = (tool: Fields): Fields => ({ type: 'function', function: { name: tool['name'] } });
  if (choice['type'] === 'function') return named(choice);
  if (choice['type'] === 'allowed_tools') {
    const tools = toFieldsList(choice['tools']).map(named);
    return { type: 'allowed_tools', allowed_tools: { mode: choice['mode'], tools } };
  }
  own.add(`tool_choice of type ${toText(choice['type'])}`);
  return null;
}

function decodeSettings(body: Fields): Partial<ChatRequest> {
  const given = givenIn(body);
  const effort = toWord(toFields(body['reasoning'])['effort']);
  // Codex names its session there.
  const sessionId = toWord(toFields(body['client_metadata'])['session_id']);
  const format = toFields(toFields(body['text'])['format']);
  const { type, name, description, schema, strict } = format;
  const schemaFormat = {
    type: 'json_schema',
    json_schema: {
      name: name ?? 'answer',
      ...(description ? { description } : {}),
      schema,
      ...(typeof strict === 'boolean' ? { strict } : {}),
    },
  };
  return {
    ...given('max_output_tokens', 'max_completion_tokens'),
    ...given('temperature'),
    ...given('top_p'),
    ...given('user'),
    ...given('metadata'),
    ...(sessionId === null ? {} : { metadata: { session_id: sessionId, ...toFields(body['metadata']) } }),
    ...(effort === null ? {} : { reasoning_effort: effort }),
    ...(type === 'json_object' ? { response_format: { type } } : {}),
    ...(type === 'json_schema' ? { response_format: schemaFormat } : {}),
  };
}
