import type { ListedModel } from './providers/provider.ts';

/** Words in the names of models that cannot answer a chat. */
const NOT_CHAT =
  /(embed|\bbge\b|\bgte-|rerank|whisper|\btts\b|-tts|dall-e|moderation|\bsora\b|transcribe|realtime|-audio|gpt-image|^davinci-002|^babbage-002|-instruct-0914|^gpt-3\.5-turbo-instruct)/i;

/** Families by the beginning of the bare name; the first that fits. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^gpt-oss/i, 'gpt-oss'],
  [/^(gpt|chatgpt|o[134])\b/i, 'gpt'],
  [/^claude/i, 'claude'],
  [/^(codellama|llama)/i, 'llama'],
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

/** Models of which it is publicly documented that they take images. */
const TAKES_IMAGES =
  /(^claude-(3|opus|sonnet|haiku|fable)|^gpt-4o|^gpt-4\.1|^gpt-4-turbo|^gpt-5|^o[134](?!-mini$|-mini-2024)|^gemini|llava|vision|pixtral|-vl\b|vl:|minicpm-v|moondream)/i;

/**
 * What a name tells of a model that nobody describes: "mistral:7b" has 7 billion parameters, an embedder
 * cannot chat. null where the name is silent.
 */
export function factsOfName(name: string): ListedModel {
  // "meta-llama/llama-3.3-70b" is a llama; the maker before the slash is not part of the family.
  const bare = name.slice(name.lastIndexOf('/') + 1);
  return {
    name,
    family: FAMILIES.find(([pattern]) => pattern.test(bare))?.[1] ?? null,
    parameterBillions: billionsOfText(bare),
    contextTokens: null,
    hasTools: null,
    hasImages: TAKES_IMAGES.test(bare) ? true : null,
    isChat: NOT_CHAT.test(bare) ? false : null,
  };
}

/** "8.0B", "llama3:70b", "mixtral-8x7b" (56), "270M" (0.27) -> billions; null when there is no size. */
export function billionsOfText(text: string): number | null {
  const match = /(?:^|[^a-z0-9.])(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)([bm])(?![a-z0-9])/i.exec(text);
  if (!match) return null;
  const size = Number(match[1] ?? 1) * Number(match[2]);
  return match[3]?.toLowerCase() === 'm' ? size / 1000 : size;
}
