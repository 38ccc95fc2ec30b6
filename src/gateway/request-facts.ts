import type { RequiredAbilities } from '../core/model-catalog.ts';
import { POLICIES } from '../core/policy.ts';
import type { ChatRequest } from './chat.ts';
import { toFieldsList, toText } from './protocols/fields.ts';
import { stringifyRequest } from './protocols/json-body.ts';
import { kindOfPart } from './protocols/parts.ts';

/** The virtual models: names of policies that choose a real one. */
export const AUTO_MODELS: readonly string[] = Object.keys(POLICIES);

/** Characters of a token of English prose, roughly; only used to leave out models with a small context. */
const CHARACTERS_PER_TOKEN = 4;

/** What the request asks of a model. */
export function needsOf(request: ChatRequest): RequiredAbilities {
  let length = 0;
  let needsImages = false;
  let needsAudio = false;
  let needsFiles = false;
  for (const { content } of request.messages) {
    if (typeof content === 'string') {
      length += content.length;
      continue;
    }
    for (const part of toFieldsList(content)) {
      const kind = kindOfPart(part);
      if (kind === null) length += toText(part['text']).length;
      else if (kind === 'image') needsImages = true;
      else if (kind === 'audio') needsAudio = true;
      else needsFiles = true;
    }
  }
  return {
    needsTools: (request.tools?.length ?? 0) > 0 && request.tool_choice !== 'none',
    needsImages,
    needsAudio,
    needsFiles,
    promptTokens: Math.ceil(length / CHARACTERS_PER_TOKEN),
    answerTokens: request.max_completion_tokens ?? request.max_tokens ?? null,
  };
}

/** Longest data URL that the record keeps; the bytes of an image would fill the store and tell nobody anything. */
const DATA_URL_LENGTH_MAX = 200;

/** Fields in which bytes stand without the beginning of a data URL: of sound, and of files. */
const BARE_BYTES: ReadonlySet<string> = new Set(['data', 'file_data']);

/** The conversation for the record; a single plain prompt is a conversation of its own and needs none. */
export function conversationOf(request: ChatRequest): string | null {
  const [first, second] = request.messages;
  if (second === undefined && first?.role === 'user' && typeof first.content === 'string') return null;
  const hasData = request.messages.some(({ content }) => Array.isArray(content) && content.some(isData));
  return stringifyRequest(request.messages, hasData ? cutBytes : undefined);
}

function isData({ type }: { readonly type?: unknown }): boolean {
  return type !== 'text';
}

function cutBytes(field: string, value: unknown): unknown {
  if (typeof value !== 'string' || value.length <= DATA_URL_LENGTH_MAX) return value;
  if (value.startsWith('data:')) return `${value.slice(0, value.indexOf(',') + 1)}…`;
  return BARE_BYTES.has(field) ? '…' : value;
}
