import { TallyrankError } from './errors.ts';

/** What a model is and can do. null: nobody told us. */
export interface CatalogModel {
  /** Canonical `provider:name`, e.g. "ollama:mistral:7b". */
  readonly modelId: string;
  readonly provider: string;
  /** The provider's own name, e.g. "mistral:7b". */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly isLocal: boolean;
  readonly family: string | null;
  /** Parameters in billions. */
  readonly parameterBillions: number | null;
  readonly contextTokens: number | null;
  readonly hasTools: boolean | null;
  readonly hasImages: boolean | null;
  /** Hears sound that a message holds. Left out: nobody told us. */
  readonly hasAudio?: boolean | null | undefined;
  /** Reads files that a message holds, PDFs above all. Left out: nobody told us. */
  readonly hasFiles?: boolean | null | undefined;
  /** False keeps it out of `auto`. */
  readonly isAutoAllowed: boolean;
  /** False for embedders and the like, which cannot answer a chat. */
  readonly isChat: boolean;
}

/** A chat model that `auto` may use and of which nothing is known but its id and what is given. */
export function plainModel(modelId: string, given: Partial<CatalogModel> = {}): CatalogModel {
  const colon = modelId.indexOf(':');
  return {
    modelId,
    provider: modelId.slice(0, Math.max(0, colon)),
    name: modelId.slice(colon + 1),
    aliases: [],
    isLocal: false,
    family: null,
    parameterBillions: null,
    contextTokens: null,
    hasTools: null,
    hasImages: null,
    isAutoAllowed: true,
    isChat: true,
    ...given,
  };
}

/** What a request asks of a model; a model that is known to lack one is not a candidate. */
export interface RequiredAbilities {
  readonly needsTools: boolean;
  readonly needsImages: boolean;
  /** Sound; left out: none. */
  readonly needsAudio?: boolean | undefined;
  /** Files; left out: none. */
  readonly needsFiles?: boolean | undefined;
  /** Tokens of the prompt, roughly; null when not counted. */
  readonly promptTokens: number | null;
  /** Tokens that the answer may have, which must fit in beside the prompt; null or left out: not said. */
  readonly answerTokens?: number | null | undefined;
}

const SUGGESTIONS_MAX = 8;

/** Ollama's tag of a name that was given none. */
const LATEST = ':latest';

/**
 * All models of all providers, immutable. A bare name or alias is accepted wherever it is unambiguous.
 */
export class ModelCatalog {
  readonly models: readonly CatalogModel[];
  readonly #byId = new Map<string, CatalogModel>();
  readonly #byAlias = new Map<string, CatalogModel[]>();
  /** By name without its tag, "mistral" for "mistral:7b": asked last, so that it never hides a whole name. */
  readonly #byBareName = new Map<string, CatalogModel[]>();

  constructor(models: readonly CatalogModel[]) {
    this.models = models;
    for (const model of models) {
      this.#byId.set(model.modelId, model);
      for (const name of new Set(aliasesOf(model))) push(this.#byAlias, name, model);
      const tag = model.name.indexOf(':');
      if (tag < 0) continue;
      const bare = model.name.slice(0, tag);
      push(this.#byBareName, bare, model);
      push(this.#byBareName, `${model.provider}:${bare}`, model);
    }
  }

  get(modelId: string): CatalogModel | null {
    return this.#byId.get(modelId) ?? null;
  }

  /**
   * The model that a caller means by `name`: the canonical id, an alias, or a provider's own name.
   *
   * @throws {TallyrankError} `unknown_model`, `ambiguous_model`; the message lists what is meant
   */
  resolve(name: string): CatalogModel {
    const exact = this.#byId.get(name);
    if (exact) return exact;
    const named = this.#named(name);
    const [only] = named;
    if (only && named.length === 1) return only;
    const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name;
    if (named.length > 1) {
      const ids = named.map((model) => model.modelId).join(', ');
      throw new TallyrankError('ambiguous_model', `The model "${shown}" could be ${ids}; say which.`, {
        param: 'model',
      });
    }
    throw new TallyrankError('unknown_model', `The model "${shown}" is not known. ${this.#suggest()}`, {
      param: 'model',
    });
  }

  /** Canonical id for a name of the log: resolved where it can be, otherwise the name as it is. */
  canonicalId(name: string): string {
    if (this.#byId.has(name)) return name;
    const named = this.#named(name);
    return named.length === 1 && named[0] ? named[0].modelId : name;
  }

  #named(name: string): readonly CatalogModel[] {
    const named = this.#byAlias.get(name) ?? this.#byBareName.get(name);
    if (named !== undefined || !name.endsWith(LATEST)) return named ?? [];
    // Ollama's clients add the tag to any name that has none.
    const bare = name.slice(0, -LATEST.length);
    const exact = this.#byId.get(bare);
    return exact === undefined ? (this.#byAlias.get(bare) ?? []) : [exact];
  }

  #suggest(): string {
    const ids = this.models.filter((model) => model.isChat).map((model) => model.modelId);
    if (ids.length === 0) return 'No provider offers a model now: see GET /api/models.';
    const more =
      ids.length > SUGGESTIONS_MAX ? `, and ${ids.length - SUGGESTIONS_MAX} more at GET /v1/models` : '';
    return `Known are: ${ids.slice(0, SUGGESTIONS_MAX).join(', ')}${more}; or "auto".`;
  }
}

/**
 * True when the model is not known to lack what the request needs. What is more than text must be known to be read: some
 * servers leave it out without a word, and the answer is then about nothing.
 */
export function hasAbilities(model: CatalogModel, needs: RequiredAbilities): boolean {
  if (needs.needsTools && model.hasTools === false) return false;
  if (needs.needsImages && model.hasImages !== true) return false;
  if (needs.needsAudio === true && model.hasAudio !== true) return false;
  if (needs.needsFiles === true && model.hasFiles !== true) return false;
  return !(
    needs.promptTokens !== null &&
    model.contextTokens !== null &&
    needs.promptTokens + (needs.answerTokens ?? 0) > model.contextTokens
  );
}

/** What a request holds and the model is known not to read, in a word; null: nothing. */
export function unreadableBy(model: CatalogModel, needs: RequiredAbilities): string | null {
  if (needs.needsImages && model.hasImages === false) return 'images';
  if (needs.needsAudio === true && model.hasAudio === false) return 'sound';
  return needs.needsFiles === true && model.hasFiles === false ? 'files' : null;
}

function push(index: Map<string, CatalogModel[]>, name: string, model: CatalogModel): void {
  index.set(name, [...(index.get(name) ?? []), model]);
}

function aliasesOf(model: CatalogModel): string[] {
  const names = [model.name, ...model.aliases];
  // Ollama's ":latest" may be left out, as its own tools allow.
  if (model.name.endsWith(LATEST)) {
    const bare = model.name.slice(0, -LATEST.length);
    names.push(bare, `${model.provider}:${bare}`);
  }
  return names;
}
