import type { ThinkingBlock } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { toFieldsList, toText, tryParseFields } from '../fields.ts';

/** Before what we put into `encrypted_content`; OpenAI's own begins otherwise. */
const MARK = 'tallyrank.';

/**
 * Signed thoughts of another protocol as the `encrypted_content` of a reasoning item, which clients send back
 * unread. null: there are none.
 */
export function sealThoughts(blocks: readonly ThinkingBlock[]): string | null {
  if (blocks.length === 0) return null;
  return MARK + Buffer.from(JSON.stringify({ blocks })).toString('base64');
}

/** The thoughts of such a field; none of one that is not ours. */
export function openThoughts(sealed: unknown): readonly Fields[] {
  const text = toText(sealed);
  if (!text.startsWith(MARK)) return [];
  const parsed = tryParseFields(Buffer.from(text.slice(MARK.length), 'base64').toString());
  return toFieldsList(parsed?.['blocks']);
}

/** Ids of reasoning items that we made, which OpenAI would look for in vain. */
export const REASONING_ID = 'rs_tallyrank_';
