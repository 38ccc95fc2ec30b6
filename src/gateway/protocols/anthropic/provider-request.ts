import { TallyrankError } from '../../../core/errors.ts';
import { isAutoName } from '../../../core/policy.ts';
import type { ChatMessage, ChatRequest, ChatTool } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { isFields, toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from '../fields.ts';
import type { ClientRequest } from '../inbound.ts';
import { stringifyRequest } from '../json-body.ts';
import { withModelName } from '../model-name.ts';
import {
  allowedTools,
  fileOfPart,
  imageOfPart,
  isImagePart,
  refuseManyChoices,
  refusePart,
  textOfMessage,
} from '../parts.ts';
import type { ThinkingWays } from './thinking.ts';
import { encodeThinking, fitThinking, isUnsigned, thinkingWaysOfName } from './thinking.ts';
import { toToolId } from './wire-words.ts';

/** Anthropic demands a limit; this one cuts no ordinary answer and every model of theirs allows it. */
export const ANTHROPIC_TOKENS_DEFAULT = 4_096;

/**
 * The body of a client that speaks Anthropic's protocol itself: its own, but for the model. Thoughts of other
 * providers' models are taken out of the conversation, since Anthropic refuses what it did not sign.
 *
 * @param ways  in which the model may be told to think; what a client of `auto` says of it is fitted to that
 */
export function forwardMessagesRequest(
  { body, bytes, request }: ClientRequest,
  modelName: string,
  ways: ThinkingWays | null = null,
): string | Buffer {
  const fit = isAutoName(request.model) ? fitThinking(body, request, ways) : body;
  const messages = Array.isArray(body['messages']) ? body['messages'] : [];
  const hasUnsigned = messages.some((message) => blocksOf(message).some(isUnsigned));
  if (!hasUnsigned && fit === body) return withModelName({ body, bytes }, modelName);
  const signed = hasUnsigned ? { messages: messages.map(withoutUnsigned) } : {};
  return stringifyRequest({ ...fit, model: modelName, ...signed });
}

/**
 * The body for Anthropic's `/v1/messages`.
 *
 * @param ways  in which the model may be told to think; left out: what its name tells
 * @throws {TallyrankError} `bad_request` for parts that Anthropic cannot carry
 */
export function encodeAnthropicRequest(
  request: ChatRequest,
  modelName: string,
  provider: string,
  isStream: boolean,
  ways: ThinkingWays | null = thinkingWaysOfName(modelName),
): string {
  refuseManyChoices(request, provider);
  const { fields, limitTokens, takesSampling } = encodeThinking(request, ways, ANTHROPIC_TOKENS_DEFAULT);
  const system = encodeSystem(request);
  const stops = typeof request.stop === 'string' ? [request.stop] : request.stop;
  return stringifyRequest({
    model: modelName,
    max_tokens: limitTokens,
    messages: encodeMessages(request.messages, provider),
    ...(system.length === 0 ? {} : { system }),
    ...(isStream ? { stream: true } : {}),
    ...(takesSampling ? encodeSampling(request) : {}),
    ...(stops && stops.length > 0 ? { stop_sequences: stops } : {}),
    ...(request.user ? { metadata: { user_id: request.user } } : {}),
    ...encodeTools(request, provider),
    ...fields,
  });
}

function encodeSampling(request: ChatRequest): Fields {
  const { temperature, top_p: topP } = request;
  const topK = toCount(request['top_k']);
  return {
    // OpenAI's scale goes to 2, Anthropic's to 1.
    ...(typeof temperature === 'number' ? { temperature: Math.min(temperature, 1) } : {}),
    ...(typeof topP === 'number' ? { top_p: topP } : {}),
    ...(topK === null ? {} : { top_k: topK }),
  };
}

function blocksOf(message: unknown): readonly Fields[] {
  return toFieldsList(toFields(message)['content']);
}

function withoutUnsigned(message: unknown): unknown {
  const blocks = blocksOf(message);
  if (!blocks.some(isUnsigned)) return message;
  const content = blocks.filter((block) => !isUnsigned(block));
  // A turn of thoughts alone would be empty, which is refused as well.
  const kept = content.length > 0 ? content : [{ type: 'text', text: '…' }];
  return { ...toFields(message), content: kept };
}

/** Instructions stand beside the conversation; a demanded JSON form is put into words there. */
function encodeSystem(request: ChatRequest): string | Fields[] {
  const given = request.messages.filter(isInstruction);
  const texts = given.map(textOfMessage);
  const wanted = formInWords(request);
  if (wanted !== null) texts.push(wanted);
  const hasHints = given.some(({ content }) => toFieldsList(content).some((part) => part['cache_control']));
  if (!hasHints) return texts.filter((text) => text !== '').join('\n\n');
  const blocks = given.flatMap(({ content }) =>
    typeof content === 'string' ? [{ type: 'text', text: content }] : toFieldsList(content).map(encodeText),
  );
  return [...blocks, ...(wanted === null ? [] : [{ type: 'text', text: wanted }])];
}

function formInWords({ response_format: format }: ChatRequest): string | null {
  if (format?.type === 'json_object') return 'Answer with one JSON object and nothing else.';
  if (format?.type !== 'json_schema') return null;
  const schema = stringifyRequest(format.json_schema?.schema ?? {});
  return `Answer with one JSON document and nothing else. It must follow this JSON schema:\n${schema}`;
}

function isInstruction(message: ChatMessage): boolean {
  return message.role === 'system' || message.role === 'developer';
}

function encodeMessages(messages: readonly ChatMessage[], provider: string): Fields[] {
  const encoded: { role: string; content: unknown[] }[] = [];
  for (const message of messages) {
    if (isInstruction(message)) continue;
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const content = encodeContent(message, provider);
    if (content.length === 0) continue;
    const last = encoded.at(-1);
    // The results of several tool calls must stand in the one message that follows them.
    if (last?.role === role) last.content.push(...content);
    else encoded.push({ role, content });
  }
  return encoded;
}

function encodeContent(message: ChatMessage, provider: string): unknown[] {
  if (message.role === 'tool') return [encodeToolResult(message, provider)];
  const blocks: unknown[] = toFieldsList(message.thinking_blocks).filter((block) => !isUnsigned(block));
  if (typeof message.content === 'string') {
    if (message.content !== '') blocks.push({ type: 'text', text: message.content });
  } else {
    for (const part of toFieldsList(message.content)) blocks.push(encodePart(part, provider));
  }
  for (const call of toFieldsList(message.tool_calls)) {
    const called = toFields(call['function']);
    blocks.push({
      type: 'tool_use',
      id: toToolId(toText(call['id'])),
      name: toText(called['name']),
      input: tryParseFields(toText(called['arguments'])) ?? {},
    });
  }
  return blocks;
}

function encodeToolResult(message: ChatMessage, provider: string): Fields {
  const parts = toFieldsList(message.content);
  const isPlain = parts.every((part) => part['type'] === 'text');
  return {
    type: 'tool_result',
    tool_use_id: toToolId(toText(message.tool_call_id)),
    content: isPlain ? textOfMessage(message) : parts.map((part) => encodePart(part, provider)),
    ...(message.is_error === true ? { is_error: true } : {}),
    ...cacheHint(message.cache_control),
  };
}

function encodePart(part: Fields, provider: string): unknown {
  if (part['type'] === 'text') return encodeText(part);
  if (part['type'] === 'refusal') return { type: 'text', text: toText(part['refusal']) };
  const hint = cacheHint(part['cache_control']);
  if (part['type'] === 'file') return { ...encodeFile(part, provider), ...hint };
  if (!isImagePart(part)) refusePart(part, provider);
  const image = imageOfPart(part);
  const source =
    image.base64 === null
      ? { type: 'url', url: image.url }
      : { type: 'base64', media_type: image.mediaType, data: image.base64 };
  return { type: 'image', source, ...hint };
}

function encodeFile(part: Fields, provider: string): Fields {
  const file = fileOfPart(part);
  const title = file === null || file.name === null ? {} : { title: file.name };
  if (file?.mediaType === 'application/pdf') {
    return {
      type: 'document',
      source: { type: 'base64', media_type: file.mediaType, data: file.base64 },
      ...title,
    };
  }
  if (file?.mediaType.startsWith('text/')) {
    const data = Buffer.from(file.base64, 'base64').toString();
    return { type: 'document', source: { type: 'text', media_type: 'text/plain', data }, ...title };
  }
  const what = file === null ? 'a file that is not sent as bytes' : `a file of type ${file.mediaType}`;
  const text = `The provider ${provider} takes PDFs and texts as data URLs (data:application/pdf;base64,…), not ${what}.`;
  throw new TallyrankError('bad_request', text, { param: 'messages' });
}

function encodeText(part: Fields): Fields {
  return { type: 'text', text: toText(part['text']), ...cacheHint(part['cache_control']) };
}

function cacheHint(hint: unknown): Fields {
  return hint ? { cache_control: hint } : {};
}

function encodeTools(request: ChatRequest, provider: string): Fields {
  if (!request.tools || request.tools.length === 0) return {};
  const tools = allowedTools(request).map((tool) => encodeTool(tool, provider));
  const choice = encodeToolChoice(request);
  return choice === null ? { tools } : { tools, tool_choice: choice };
}

function encodeTool(tool: ChatTool, provider: string): Fields {
  if (!isFields(tool.function)) refusePart(tool as Fields, provider);
  const { name, description, parameters } = tool.function;
  return {
    name,
    ...(description === undefined || description === null ? {} : { description }),
    input_schema: parameters ?? { type: 'object', properties: {} },
    ...cacheHint(tool.cache_control),
  };
}

function encodeToolChoice(request: ChatRequest): Fields | null {
  const isSerial = request.parallel_tool_calls === false ? { disable_parallel_tool_use: true } : {};
  const choice = request.tool_choice;
  if (choice === 'none') return { type: 'none' };
  const { mode } = toFields(toFields(choice)['allowed_tools']);
  if (choice === 'required' || mode === 'required') return { type: 'any', ...isSerial };
  const name = toWord(toFields(toFields(choice)['function'])['name']);
  if (name !== null) return { type: 'tool', name, ...isSerial };
  return request.parallel_tool_calls === false ? { type: 'auto', ...isSerial } : null;
}
