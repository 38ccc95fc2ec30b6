import type { ChatMessage, ChatRequest, ChatTool } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { isFields, toFields, toFieldsList, toText } from '../fields.ts';
import { stringifyRequest } from '../json-body.ts';
import { isImagePart, refusePart, textOfMessage, textOfToolResult } from '../parts.ts';
import { adaptRequest, THINKS } from './adapt-request.ts';
import { encodeEffort } from './effort.ts';

/** What differs between OpenAI itself and the servers that follow it. */
export interface OpenAiDialect {
  /** OpenAI and Azure: they refuse what they do not know, and have newer words for some of it. */
  readonly isOpenAi: boolean;
  /** OpenRouter: hints for caching reach the models that know them. */
  readonly takesCacheHints: boolean;
  /** OpenRouter, of a model that thinks by its list: every word for an effort, whatever the model's own words are. */
  readonly takesEfforts?: boolean | undefined;
  /** Mistral: refuses fields that it does not know, and ids of tool calls that are not nine letters and digits. */
  readonly isMistral?: boolean | undefined;
}

/** Longest id of a user that OpenAI takes; Claude Code's are longer. */
const USER_LENGTH_MAX = 64;

/** Fields of the neutral form that every server of this protocol knows. */
const SHARED_FIELDS = [
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'tool_choice',
  'parallel_tool_calls',
  'response_format',
] as const;

/**
 * The body for an OpenAI-compatible server of a request that came in another protocol: only what the neutral
 * form and this protocol share. Thoughts of earlier turns, `top_k` and the budget of thoughts stay behind.
 *
 * @throws {TallyrankError} `bad_request` for parts that OpenAI's protocol cannot carry
 */
export function encodeNeutralRequest(
  request: ChatRequest,
  modelName: string,
  provider: string,
  isStream: boolean,
  dialect: OpenAiDialect,
): string {
  const limit = request.max_completion_tokens ?? request.max_tokens;
  const isThinker = THINKS.test(modelName);
  const effort = encodeEffort(request, modelName, dialect);
  const body: Record<string, unknown> = {
    model: modelName,
    messages: encodeMessages(request.messages, provider, dialect),
    [dialect.isOpenAi ? 'max_completion_tokens' : 'max_tokens']: limit,
    ...(isThinker && dialect.isOpenAi ? {} : { temperature: request.temperature, top_p: request.top_p }),
    ...(effort === null ? {} : { reasoning_effort: effort }),
    ...(request.user && request.user.length <= USER_LENGTH_MAX ? { user: request.user } : {}),
  };
  for (const field of SHARED_FIELDS) body[field] = request[field];
  if (request.tools && request.tools.length > 0) {
    body['tools'] = request.tools.map((tool) => encodeTool(tool, provider, dialect));
  }
  if (isStream) Object.assign(body, { stream: true, stream_options: { include_usage: true } });
  const sent =
    dialect.isMistral === true ? adaptRequest(body as unknown as ChatRequest, modelName, dialect) : body;
  // null means "left out", and some servers mind it.
  return stringifyRequest(Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== null)));
}

function encodeMessages(
  messages: readonly ChatMessage[],
  provider: string,
  dialect: OpenAiDialect,
): Fields[] {
  const encoded: Fields[] = [];
  // Results of tools are texts here: their images follow as a turn of the user's, after the last result.
  let images: Fields[] = [];
  for (const message of messages) {
    if (message.role === 'tool') {
      encoded.push({
        role: 'tool',
        tool_call_id: message.tool_call_id,
        content: textOfToolResult(message),
      });
      images.push(...imagesOf(message, provider, dialect));
      continue;
    }
    if (images.length > 0) encoded.push({ role: 'user', content: images });
    images = [];
    encoded.push(encodeMessage(message, provider, dialect));
  }
  if (images.length > 0) encoded.push({ role: 'user', content: images });
  return encoded;
}

function imagesOf(message: ChatMessage, provider: string, dialect: OpenAiDialect): Fields[] {
  return toFieldsList(message.content)
    .filter((part) => part['type'] !== 'text')
    .map((part) => encodePart(part, provider, dialect));
}

function encodeMessage(message: ChatMessage, provider: string, dialect: OpenAiDialect): Fields {
  const toolCalls = toFieldsList(message.tool_calls);
  return {
    // The newer word for a system message is OpenAI's own.
    role: message.role === 'developer' && !dialect.isOpenAi ? 'system' : message.role,
    content: encodeContent(message, provider, dialect),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(encodeToolCall) }),
  };
}

/** Texts as one text, which every server reads; parts only where one of them is something else. */
function encodeContent(message: ChatMessage, provider: string, dialect: OpenAiDialect): unknown {
  const { content } = message;
  if (!Array.isArray(content)) return content ?? null;
  const parts = toFieldsList(content);
  const hasHints = dialect.takesCacheHints && parts.some((part) => part['cache_control']);
  const isText = (part: Fields): boolean => part['type'] === 'text' || part['type'] === 'refusal';
  if (!hasHints && parts.every(isText)) return textOfMessage(message);
  return parts.map((part) => encodePart(part, provider, dialect));
}

function encodePart(part: Fields, provider: string, dialect: OpenAiDialect): Fields {
  const hint = part['cache_control'];
  const hints = dialect.takesCacheHints && hint ? { cache_control: hint } : {};
  if (part['type'] === 'text') return { type: 'text', text: toText(part['text']), ...hints };
  if (part['type'] === 'refusal') return { type: 'text', text: toText(part['refusal']), ...hints };
  if (part['type'] === 'file') return { type: 'file', file: part['file'], ...hints };
  if (part['type'] === 'input_audio') return { type: 'input_audio', input_audio: part['input_audio'] };
  if (!isImagePart(part)) refusePart(part, provider);
  return { type: 'image_url', image_url: part['image_url'], ...hints };
}

function encodeToolCall(call: Fields): Fields {
  const called = toFields(call['function']);
  return {
    id: toText(call['id']),
    type: 'function',
    function: { name: toText(called['name']), arguments: toText(called['arguments']) },
  };
}

function encodeTool(tool: ChatTool, provider: string, dialect: OpenAiDialect): Fields {
  if (!isFields(tool.function)) refusePart(tool as Fields, provider);
  const hint = tool.cache_control;
  return {
    type: 'function',
    function: tool.function,
    ...(dialect.takesCacheHints && hint ? { cache_control: hint } : {}),
  };
}
