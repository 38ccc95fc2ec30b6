import type { CatalogModel, ModelCatalog, RequiredAbilities } from '../core/model-catalog.ts';
import { isAutoName } from '../core/policy.ts';
import type { PromptMessage, PromptText } from '../core/prompt-text.ts';
import type { RuleSubject } from '../core/request-conditions.ts';
import type { RequestLimits } from '../core/request-limits.ts';

/** A request as far as routing looks at it. */
export interface RoutingMessage {
  /** The prompt, or the messages of a conversation. */
  readonly content: string | readonly PromptMessage[];
  /** The text of `content`, where the caller has it already. */
  readonly text?: PromptText | undefined;
  readonly routing?:
    | {
        /** True: the caller names a model. False: an @mention in the prompt is only text. Left out: we look. */
        readonly explicit?: boolean | undefined;
        readonly model?: string | undefined;
      }
    | undefined;
  /** The model asked for; null, "auto" and "auto:…" leave the choice to us. */
  readonly model?: string | null | undefined;
  /** A preset, "auto:cheap" or "cheap"; `model` says it too, and wins. */
  readonly policy?: string | null | undefined;
  readonly needs?: RequiredAbilities | undefined;
  /** False: nothing is left to chance for this request. */
  readonly explore?: boolean | undefined;
  /** What the request itself, or its key, demands of the models; all must hold. */
  readonly limits?: readonly RequestLimits[] | undefined;
  readonly userId?: string | null | undefined;
  readonly sessionId?: string | null | undefined;
  readonly roomId?: string | null | undefined;
  readonly keyId?: string | null | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Names in lower case; only hand-written use-case rules look at them. */
  readonly headers?: RuleSubject['headers'];
  readonly priority?: number | null | undefined;
}

/** What rules get: the message with everything looked up that they may ask for. */
export interface ClassifiedMessage extends RoutingMessage {
  readonly text: PromptText;
  readonly routing: { readonly explicit: boolean; readonly model?: string | undefined };
  readonly useCase: string;
  readonly useCaseConfidence: number | null;
}

/** A mention stands at the head or tail of what people type; further in lies pasted text, whose @words mean nothing. */
const MENTION_SEARCH_LENGTH = 2_000;
const MENTIONS_MAX = 16;
const MENTION = /(?<![^\s([{"'])@([\p{L}\p{N}][\p{L}\p{N}_.:/-]*)/gu;

/**
 * The model that the caller named, by field or by an @mention that is a model's name; null when the choice is
 * ours.
 *
 * @throws {TallyrankError} `unknown_model`, `ambiguous_model` for a field that names no model
 */
export function explicitModel(
  message: RoutingMessage,
  text: PromptText,
  catalog: ModelCatalog,
): CatalogModel | null {
  if (message.model && !isAutoName(message.model)) return catalog.resolve(message.model);
  const { explicit, model } = message.routing ?? {};
  if (explicit === true && model !== undefined) return isAutoName(model) ? null : catalog.resolve(model);
  return explicit === false ? null : mentionedModel(text.prompt, catalog);
}

/** The first @mention that is a chat model's name, e.g. "@gpt-4o"; any other @word is just text. */
function mentionedModel(prompt: string, catalog: ModelCatalog): CatalogModel | null {
  if (!prompt.includes('@')) return null;
  const searched =
    prompt.length <= 2 * MENTION_SEARCH_LENGTH
      ? prompt
      : `${prompt.slice(0, MENTION_SEARCH_LENGTH)}\n${prompt.slice(-MENTION_SEARCH_LENGTH)}`;
  let count = 0;
  for (const [, name = ''] of searched.matchAll(MENTION)) {
    if (++count > MENTIONS_MAX) return null;
    const written = name.replace(/[.:/-]+$/, '');
    const model =
      catalog.get(catalog.canonicalId(written)) ?? catalog.get(catalog.canonicalId(written.toLowerCase()));
    if (model?.isChat) return model;
  }
  return null;
}
