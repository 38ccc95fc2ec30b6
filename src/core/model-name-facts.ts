/** Families by the beginning of the bare name; the first that fits. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^gpt-oss/i, 'gpt-oss'],
  [/^(?:gpt|chatgpt)(?![a-z])|^o[134]\b/i, 'gpt'],
  [/^claude/i, 'claude'],
  [/^(codellama|code-llama|llama|meta-llama)/i, 'llama'],
  [/^(mistral|mixtral|ministral|codestral|magistral|devstral|pixtral)/i, 'mistral'],
  [/^(qwen|qwq)/i, 'qwen'],
  [/^(codegemma|gemma)/i, 'gemma'],
  [/^gemini/i, 'gemini'],
  [/^deepseek/i, 'deepseek'],
  [/^phi/i, 'phi'],
  [/^(command|aya|c4ai)/i, 'command'],
  [/^granite/i, 'granite'],
  [/^grok/i, 'grok'],
];

/** "meta-llama/llama-3.3-70b" is a llama; the maker before the slash is not part of the name. */
export function bareModelName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** Family that the name of a model tells, without its provider; null where the name is silent. */
export function familyOfName(name: string): string | null {
  const bare = bareModelName(name);
  return FAMILIES.find(([pattern]) => pattern.test(bare))?.[1] ?? null;
}

/** "8.0B", "llama3:70b", "mixtral-8x7b" (56), "270M" (0.27) -> billions; null when there is no size. */
export function billionsOfText(text: string): number | null {
  const match = /(?:^|[^a-z0-9.])(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)([bm])(?![a-z0-9])/i.exec(text);
  if (!match) return null;
  const size = Number(match[1] ?? 1) * Number(match[2]);
  return match[3]?.toLowerCase() === 'm' ? size / 1000 : size;
}
