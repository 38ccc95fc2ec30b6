import { bareModelName, billionsOfText, familyOfName } from '../core/model-name-facts.ts';
import type { ListedModel } from './providers/provider.ts';

/** Words in the names of models that make vectors of texts. */
const EMBEDS = /(embed|\bbge\b|\bgte-)/i;

/** Words in the names of others that cannot answer a chat. */
const NEITHER =
  /(rerank|whisper|\btts\b|-tts|dall-e|moderation|\bsora\b|transcribe|realtime|-audio|gpt-image|^davinci-002|^babbage-002|-instruct-0914|^gpt-3\.5-turbo-instruct)/i;

/** Models of which it is publicly documented that they take images. */
const TAKES_IMAGES =
  /(^claude-(3|opus|sonnet|haiku|fable)|^gpt-4o|^gpt-4\.1|^gpt-4-turbo|^gpt-5|^o[134](?!-mini$|-mini-2024)|^gemini|llava|vision|pixtral|-vl\b|vl:|minicpm-v|moondream)/i;

/**
 * What a name tells of a model that nobody describes: "mistral:7b" has 7 billion parameters, an embedder
 * cannot chat. null where the name is silent.
 */
export function factsOfName(name: string): ListedModel {
  const bare = bareModelName(name);
  return {
    name,
    family: familyOfName(bare),
    parameterBillions: billionsOfText(bare),
    contextTokens: null,
    hasTools: null,
    hasImages: TAKES_IMAGES.test(bare) ? true : null,
    isChat: EMBEDS.test(bare) || NEITHER.test(bare) ? false : null,
  };
}

/** Whether a model makes vectors of texts: it does not chat, and its name says nothing else. */
export function isEmbeddingModel({
  isChat,
  name,
}: {
  readonly isChat: boolean;
  readonly name: string;
}): boolean {
  return !isChat && !NEITHER.test(bareModelName(name));
}
