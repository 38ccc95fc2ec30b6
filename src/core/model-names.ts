/** Providers whose name before a colon is a provider and not a model of Ollama's. */
const PROVIDERS: ReadonlySet<string> = new Set([
  'ollama',
  'openai',
  'anthropic',
  'azure',
  'openrouter',
  'groq',
  'mistral',
  'deepseek',
  'google',
  'together',
  'fireworks',
  'perplexity',
  'x-ai',
  'cohere',
  'vllm',
  'lmstudio',
]);

/** Makers whose bare model names nobody else uses. */
const MAKERS: readonly (readonly [RegExp, string])[] = [
  [/^(gpt-|chatgpt|o[134](-|$)|text-embedding-|davinci|babbage)/, 'openai'],
  [/^claude-/, 'anthropic'],
  [/^gemini-/, 'google'],
];

/** What stands after the colon in an Ollama name: a size, a quantization, "latest". */
const OLLAMA_TAG = /^(latest|\d+(\.\d+)?[bm]\b|[a-z0-9.]*-?q\d|instruct|chat|text|code)/i;

/**
 * Canonical `provider:name` of a name that no catalog knows, as far as the name alone tells:
 * "gpt-4o" -> "openai:gpt-4o", "mistral:7b" -> "ollama:mistral:7b". A bare name that could be anybody's
 * stays as it is: its provider, and so its price, is unknown.
 */
export function canonicalModelName(name: string): string {
  const colon = name.indexOf(':');
  if (colon > 0) {
    const before = name.slice(0, colon);
    const isTag = OLLAMA_TAG.test(name.slice(colon + 1));
    if (!PROVIDERS.has(before) || (before === 'mistral' && isTag)) return isTag ? `ollama:${name}` : name;
    return name;
  }
  const maker = MAKERS.find(([pattern]) => pattern.test(name))?.[1];
  return maker === undefined ? name : `${maker}:${name}`;
}
