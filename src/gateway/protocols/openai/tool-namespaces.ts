import type { Fields } from '../fields.ts';
import { toFieldsList, toText, toWord } from '../fields.ts';

/*
 * Responses has tools in groups with a name of their own; chat has functions alone. A grouped function goes on under
 * both names, and its calls come back apart.
 */

const BETWEEN = '__';

/** A group of functions, as clients like Codex send their tools for helpers and MCP servers. */
export function isNamespace({ type, tools }: Fields): boolean {
  return type === 'namespace' && toFieldsList(tools).every((tool) => tool['type'] === 'function');
}

/** The functions of a group, under names that tell the group. */
export function functionsOf(namespace: Fields): Fields[] {
  const group = toText(namespace['name']);
  return toFieldsList(namespace['tools']).map((tool) => ({
    ...tool,
    name: joinedName(group, toText(tool['name'])),
  }));
}

/** The name by which a model knows the function of a call; `namespace` is null for one in no group. */
export function joinedName(namespace: string | null, name: string): string {
  return namespace === null ? name : namespace + BETWEEN + name;
}

/** The name of a call as its client wrote it, by the tools of its request. */
export function splitName(body: Fields, joined: string): Fields {
  for (const tool of toFieldsList(body['tools'])) {
    const namespace = isNamespace(tool) ? toWord(tool['name']) : null;
    if (namespace === null || !joined.startsWith(namespace + BETWEEN)) continue;
    const name = joined.slice(namespace.length + BETWEEN.length);
    if (toFieldsList(tool['tools']).some((each) => each['name'] === name)) return { name, namespace };
  }
  return { name: joined };
}
