import { bareModelName, billionsOfText, familyOfName } from '../core/model-name-facts.ts';
import type { ListedModel, ProviderKind } from './providers/provider.ts';

/** Words in the names of models that make vectors of texts. */
const EMBEDS = /(embed|\bbge\b|\bgte-)/i;

/** Models of before there were chats: they go on with a text, and OpenAI has them at `/v1/completions` alone. */
const COMPLETES = /^(davinci-002|babbage-002|gpt-3(\.5|5)-turbo-instruct)/i;

/** Words in the names of others that cannot answer a chat. */
const NEITHER =
  /(rerank|whisper|\btts\b|-tts|dall-e|moderation|\bsora\b|transcribe|realtime|-audio|gpt-image)/i;

const CANNOT_CHAT = [EMBEDS, NEITHER, COMPLETES];

/** Models that refuse a request with no sound in it or asked of it: nobody but who names them wants them. */
const SOUND_ALONE = /(^gpt-audio|^gpt-4o(-mini)?-audio)/i;

/** Models of which it is publicly documented that they take images. */
const TAKES_IMAGES =
  /(^claude-(3|opus|sonnet|haiku|fable)|^gpt-4o|^gpt-4\.1|^gpt-4-turbo|^gpt-5|^o[134](?!-mini$|-mini-2024)|^gemini|llava|vision|pixtral|-vl\b|vl:|minicpm-v|moondream)/i;

/** The same of sound. */
const TAKES_AUDIO = /(^gpt-audio|^gpt-4o(-mini)?-audio|^gemini-(1\.5|[2-9])|^voxtral|^qwen.*-(audio|omni))/i;

/** The same of files: each reads PDFs. */
const TAKES_FILES =
  /(^claude-(3-[57]|opus|sonnet|haiku|fable|mythos)|^gpt-4o(?!.*audio)|^gpt-4\.1|^gpt-5|^o1(?!-mini|-preview)|^o[34](?!-mini$|-mini-2025-01)|^o4-mini)/i;

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
    hasImages: SOUND_ALONE.test(bare) ? false : TAKES_IMAGES.test(bare) ? true : null,
    hasAudio: TAKES_AUDIO.test(bare) ? true : null,
    hasFiles: TAKES_FILES.test(bare) ? true : null,
    isChat: !SOUND_ALONE.test(bare) && CANNOT_CHAT.some((words) => words.test(bare)) ? false : null,
  };
}

/** What no model of a provider is sent, since its protocol has no words for it. */
export const NOT_CARRIED: Readonly<
  Record<ProviderKind | 'azure', { readonly hasAudio?: false; readonly hasFiles?: false }>
> = { openai: {}, azure: {}, anthropic: { hasAudio: false }, ollama: { hasAudio: false, hasFiles: false } };

/** True for models that `auto` leaves out unless the operator wants them: they refuse an ordinary request. */
export function isForSoundAlone(name: string): boolean {
  return SOUND_ALONE.test(bareModelName(name));
}

/** True for models that go on with a text and cannot chat. */
export function isCompletionModel(name: string): boolean {
  return COMPLETES.test(bareModelName(name));
}

/** Whether a model makes vectors of texts: it does not chat, and its name says nothing else. */
export function isEmbeddingModel({
  isChat,
  name,
}: {
  readonly isChat: boolean;
  readonly name: string;
}): boolean {
  const bare = bareModelName(name);
  return !isChat && !NEITHER.test(bare) && !COMPLETES.test(bare);
}
