import { calcPrice } from '@pydantic/genai-prices';
import type { TokenUsage } from './usage-record.ts';
import { providerOf } from './usage-record.ts';

/** A price that the operator declared; it wins over the list. Dollars per million tokens. */
export interface PriceOverride {
  readonly inputUsdPerMtok: number;
  readonly outputUsdPerMtok: number;
  readonly cachedInputUsdPerMtok?: number | undefined;
  readonly cacheWriteUsdPerMtok?: number | undefined;
  /** Added per request, e.g. for providers that bill calls. */
  readonly requestUsd?: number | undefined;
}

export interface Price {
  readonly costUsd: number;
  /** What the number came from, stored on the row: "free", "override:<hash>" or "genai-prices:<version>". */
  readonly version: string;
}

export interface PriceBookOptions {
  /** By canonical model id, or by `provider:*` for all models of a provider. */
  readonly overrides?: Readonly<Record<string, PriceOverride>> | undefined;
  /** Providers whose models are free by declaration (local ones). */
  readonly freeProviders?: readonly string[] | undefined;
  /** Provider name to the id that the list knows it by, e.g. a compatible server that resells. */
  readonly listProviders?: Readonly<Record<string, string>> | undefined;
  /** Canonical model id to the name that the list knows the model by, e.g. of a deployment to its model. */
  readonly listNames?: Readonly<Record<string, string>> | undefined;
}

/** Version of the bundled list; a test compares it with the installed package. */
export const PRICE_LIST_VERSION = 'genai-prices:0.1.8';

const FREE: Price = { costUsd: 0, version: 'free' };

/** The usage that stands for "a typical request" where models are compared before they have evidence. */
const TYPICAL_USAGE: TokenUsage = {
  promptTokens: 500,
  completionTokens: 300,
  cachedTokens: null,
  cacheWriteTokens: null,
  reasoningTokens: null,
  isEstimated: true,
};

/**
 * Tokens to dollars. Pure: the same row costs the same for ever under the same version. Unknown is null,
 * never 0.
 */
export class PriceBook {
  readonly #overrides: Readonly<Record<string, PriceOverride>>;
  readonly #freeProviders: ReadonlySet<string>;
  readonly #listProviders: Readonly<Record<string, string>>;
  readonly #listNames: Readonly<Record<string, string>>;
  readonly #typical = new Map<string, number | null>();

  constructor(options: PriceBookOptions = {}) {
    this.#overrides = options.overrides ?? {};
    this.#freeProviders = new Set(options.freeProviders ?? ['ollama']);
    this.#listProviders = options.listProviders ?? {};
    this.#listNames = options.listNames ?? {};
  }

  /**
   * What the exchange cost, or null when the price or the token counts are unknown.
   *
   * @param at  moment of the request: lists carry dated prices
   * @param modelReported  what the provider says answered, for names that tell nothing, e.g. of a deployment
   */
  price(modelId: string, usage: TokenUsage, at: Date, modelReported: string | null = null): Price | null {
    const override = this.#overrides[modelId] ?? this.#overrides[`${providerOf(modelId)}:*`];
    if (override) return priceByOverride(override, usage);
    if (this.#freeProviders.has(providerOf(modelId))) return FREE;
    const provider = providerOf(modelId);
    const name = this.#listNames[modelId] ?? modelId.slice(provider.length + 1);
    const own = this.#priceByList(provider, name, usage, at);
    if (own !== null || modelReported === null || modelReported === name) return own;
    return this.#priceByList(provider, modelReported, usage, at);
  }

  /** True when a request with known token counts would get a price. */
  isPriced(modelId: string): boolean {
    return this.typicalCostUsd(modelId) !== null;
  }

  /** Dollars of a request of 500 prompt and 300 completion tokens: orders models that have no evidence. */
  typicalCostUsd(modelId: string): number | null {
    const known = this.#typical.get(modelId);
    if (known !== undefined) return known;
    const cost = this.price(modelId, TYPICAL_USAGE, new Date(0))?.costUsd ?? null;
    this.#typical.set(modelId, cost);
    return cost;
  }

  #priceByList(provider: string, name: string, usage: TokenUsage, at: Date): Price | null {
    const { promptTokens, completionTokens } = usage;
    if (promptTokens === null || completionTokens === null) return null;
    const found = calcPrice(
      {
        input_tokens: promptTokens,
        output_tokens: completionTokens,
        ...(usage.cachedTokens ? { cache_read_tokens: Math.min(usage.cachedTokens, promptTokens) } : {}),
        ...(usage.cacheWriteTokens
          ? {
              cache_write_tokens: Math.min(
                usage.cacheWriteTokens,
                promptTokens - Math.min(usage.cachedTokens ?? 0, promptTokens),
              ),
            }
          : {}),
      },
      name,
      { providerId: this.#listProviders[provider] ?? provider, timestamp: at },
    );
    return found ? { costUsd: found.total_price, version: PRICE_LIST_VERSION } : null;
  }
}

function priceByOverride(price: PriceOverride, usage: TokenUsage): Price | null {
  const { promptTokens, completionTokens } = usage;
  if (promptTokens === null || completionTokens === null) return null;
  const cached = Math.min(usage.cachedTokens ?? 0, promptTokens);
  const written = Math.min(usage.cacheWriteTokens ?? 0, promptTokens - cached);
  const perMtok =
    (promptTokens - cached - written) * price.inputUsdPerMtok +
    cached * (price.cachedInputUsdPerMtok ?? price.inputUsdPerMtok) +
    written * (price.cacheWriteUsdPerMtok ?? price.inputUsdPerMtok) +
    completionTokens * price.outputUsdPerMtok;
  const version = `override:${price.inputUsdPerMtok}/${price.outputUsdPerMtok}`;
  return { costUsd: perMtok / 1e6 + (price.requestUsd ?? 0), version };
}
