/**
 * Blocks that clients put into a user's turn on their own: surroundings, tool lists, reminders. They are never
 * what the user asked. Names as the clients write them: Claude Code, Cline and Roo, Cursor, Copilot, Codex,
 * Windsurf, Continue.
 */
const INSERTED = [
  'system-reminder',
  'system_reminder',
  'environment_details',
  'environment_info',
  'environment_context',
  'user_info',
  'user_rules',
  'user_instructions',
  'user_memories',
  'project_layout',
  'workspace_info',
  'repoContext',
  'editorContext',
  'reminderInstructions',
  'context_window',
  'additional_data',
  'additional_metadata',
  'attached_files',
  'open_and_recently_viewed_files',
  'ide_opened_file',
  'ide_selection',
  'ide_diagnostics',
  'available_skills',
  'local-command-caveat',
  'local-command-stdout',
  'turn_aborted',
] as const;

/** Blocks that hold material to work on: documents of a retrieval, dropped files, an editor's buffers. */
const DOCUMENTS = [
  'context',
  'contexts',
  'document',
  'documents',
  'document_content',
  'source',
  'sources',
  'search_results',
  'file',
  'files',
  'file_content',
  'file_contents',
  'attachment',
  'attachments',
  'article',
  'transcript',
  'passage',
  'email',
  'conversation',
  'chat_history',
  'code_snippet',
  'logs',
] as const;

/** Tags around what the user typed, in a turn that the client wrote around it. */
const ASKS = ['user_query', 'userRequest', 'user_message'] as const;

type BlockKind = 'inserted' | 'document';

const KINDS: ReadonlyMap<string, BlockKind> = new Map<string, BlockKind>([
  ...INSERTED.map((name) => [name, 'inserted'] as const),
  ...DOCUMENTS.map((name) => [name, 'document'] as const),
]);

const NAME_LENGTH_MAX = Math.max(...Array.from(KINDS.keys(), (name) => name.length));
/** Attributes of an opening tag: a path, a language. Longer is no tag. */
const TAG_LENGTH_MAX = 400;

/** `text` without the blocks that clients inserted. Linear in its length. */
export function withoutInsertedBlocks(text: string): string {
  return rewriteBlocks(text, (kind) => (kind === 'inserted' ? '' : null));
}

/** What the user typed, where the client says so by a tag; the last one counts. null where none does. */
export function askedBlock(text: string): string | null {
  if (!text.includes('</user')) return null;
  for (const name of ASKS) {
    const end = text.lastIndexOf(`</${name}>`);
    const begin = end < 0 ? -1 : text.lastIndexOf(`<${name}>`, end);
    const asked = begin < 0 ? '' : text.slice(begin + name.length + 2, end).trim();
    if (asked !== '') return asked;
  }
  return null;
}

/** `text` with `shorten` applied to the content of each document block, without its tags. */
export function withShortDocuments(text: string, shorten: (content: string) => string): string {
  return rewriteBlocks(text, (kind, content) => (kind === 'document' ? `\n${shorten(content)}\n` : null));
}

/**
 * Replaces blocks from left to right; null leaves one as it is. A block without an end is text. Each name is
 * searched for its end at most once in vain, so a hostile row of opening tags costs no more than a plain text.
 */
function rewriteBlocks(text: string, rewrite: (kind: BlockKind, content: string) => string | null): string {
  let at = text.indexOf('<');
  if (at < 0) return text.trim();
  const endless = new Set<string>();
  const parts: string[] = [];
  let from = 0;
  while (at >= 0) {
    const tag = openingTag(text, at);
    let next = at + 1;
    if (tag !== null && !endless.has(tag.name)) {
      const close = `</${tag.name}>`;
      const end = text.indexOf(close, tag.contentAt);
      if (end < 0) endless.add(tag.name);
      else {
        const written = rewrite(tag.kind, text.slice(tag.contentAt, end));
        // A block that stays is not entered: what it holds is its own.
        next = end + close.length;
        if (written !== null) {
          parts.push(text.slice(from, at), written);
          from = next;
        }
      }
    }
    at = text.indexOf('<', next);
  }
  return (parts.length === 0 ? text : parts.join('') + text.slice(from)).trim();
}

function openingTag(text: string, at: number): { name: string; kind: BlockKind; contentAt: number } | null {
  let end = at + 1;
  while (end - at <= NAME_LENGTH_MAX && isNameSign(text.charCodeAt(end))) end++;
  const name = text.slice(at + 1, end);
  const kind = KINDS.get(name);
  if (kind === undefined) return null;
  if (text.charCodeAt(end) === 62) return { name, kind, contentAt: end + 1 };
  if (text.charCodeAt(end) !== 32) return null;
  const rest = text.slice(end, end + TAG_LENGTH_MAX).indexOf('>');
  return rest < 0 ? null : { name, kind, contentAt: end + rest + 1 };
}

function isNameSign(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code === 45;
}
