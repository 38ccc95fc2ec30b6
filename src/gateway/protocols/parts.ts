import { TallyrankError } from '../../core/errors.ts';
import type { ChatMessage, ChatRequest, ChatTool } from '../chat.ts';
import type { Fields } from './fields.ts';
import { toFields, toFieldsList, toText, toWord } from './fields.ts';

/** An image of a message: bytes in base64, or an address. */
export type ImagePart =
  | { readonly mediaType: string; readonly base64: string; readonly url: null }
  | { readonly mediaType: null; readonly base64: null; readonly url: string };

const DATA_URL = /^data:([a-z]+\/[a-z0-9.+-]+);base64,/i;

/** The texts of a message's content, joined by newlines. */
export function textOfMessage(message: ChatMessage): string {
  const { content } = message;
  if (typeof content === 'string') return content;
  return toFieldsList(content)
    .map((part) => toText(part['text']) || toText(part['refusal']))
    .filter((text) => text !== '')
    .join('\n');
}

/** The same of a tool's result, with a word before it when the tool failed and the protocol has no field for that. */
export function textOfToolResult(message: ChatMessage): string {
  const text = textOfMessage(message);
  return message.is_error === true && !/^\s*error/i.test(text) ? `Error: ${text}` : text;
}

/** What parts hold that is not text, in the words of the protocols that our clients speak. */
const KINDS: Readonly<Record<string, 'image' | 'audio' | 'file'>> = {
  image_url: 'image',
  input_image: 'image',
  image: 'image',
  input_audio: 'audio',
  audio_url: 'audio',
  file: 'file',
  input_file: 'file',
  document: 'file',
};

/** What a part holds that not every model can read; null for text and for what we do not know. */
export function kindOfPart({ type }: Fields): 'image' | 'audio' | 'file' | null {
  return typeof type === 'string' && Object.hasOwn(KINDS, type) ? (KINDS[type] ?? null) : null;
}

export function isImagePart(part: Fields): boolean {
  return kindOfPart(part) === 'image';
}

/**
 * The image of an `image_url` part.
 *
 * @throws {TallyrankError} `bad_request` when it is neither base64 in a data URL nor an http(s) address
 */
export function imageOfPart(part: Fields): ImagePart {
  if (part['type'] === 'image') {
    throw new TallyrankError(
      'bad_request',
      'Send an image as bytes or by address: its file is known to one provider only.',
      {
        param: 'messages',
      },
    );
  }
  const given = part['image_url'];
  const url = typeof given === 'string' ? given : toText(toFields(given)['url']);
  const match = DATA_URL.exec(url);
  if (match)
    return { mediaType: (match[1] ?? '').toLowerCase(), base64: url.slice(match[0].length), url: null };
  if (/^https?:\/\//i.test(url)) return { mediaType: null, base64: null, url };
  throw new TallyrankError(
    'bad_request',
    'image_url.url must be an http(s) address or a data URL such as data:image/png;base64,….',
    { param: 'messages' },
  );
}

/** A file of a message as base64. */
export interface FilePart {
  readonly name: string | null;
  readonly mediaType: string;
  readonly base64: string;
}

/** The file of OpenAI's `file` part; null for other parts and for files that are named by an id alone. */
export function fileOfPart(part: Fields): FilePart | null {
  if (part['type'] !== 'file') return null;
  const file = toFields(part['file']);
  const data = toText(file['file_data']);
  const match = DATA_URL.exec(data);
  if (!match) return null;
  const mediaType = (match[1] ?? '').toLowerCase();
  return { name: toWord(file['filename']), mediaType, base64: data.slice(match[0].length) };
}

/** @throws {TallyrankError} `bad_request` for a part that the chosen model's protocol cannot carry */
export function refusePart(part: Fields, provider: string): never {
  throw new TallyrankError(
    'bad_request',
    `The provider ${provider} takes nothing of type "${toText(part['type']).slice(0, 40)}"; send text or images.`,
    { param: 'messages' },
  );
}

/** The tools that may be called: all, or those that `tool_choice` allows, for protocols that cannot say so. */
export function allowedTools({ tools, tool_choice: choice }: ChatRequest): readonly ChatTool[] {
  const allowed = toFields(toFields(choice)['allowed_tools'])['tools'];
  if (!tools || !Array.isArray(allowed)) return tools ?? [];
  const names = new Set(toFieldsList(allowed).map((tool) => toFields(tool['function'])['name']));
  return tools.filter((tool) => names.has(tool.function?.name));
}

/** @throws {TallyrankError} `bad_request` when several answers are asked of a protocol that gives one */
export function refuseManyChoices(request: ChatRequest, provider: string): void {
  if ((request.n ?? 1) <= 1) return;
  throw new TallyrankError(
    'bad_request',
    `The provider ${provider} gives one answer at a time; leave n out.`,
    {
      param: 'n',
    },
  );
}
