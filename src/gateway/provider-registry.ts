import { setTimeout as delay } from 'node:timers/promises';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { CatalogModel } from '../core/model-catalog.ts';
import { ModelCatalog } from '../core/model-catalog.ts';
import { factsOfName } from './model-facts.ts';
import { AnthropicProvider } from './providers/anthropic.ts';
import type { HttpProviderOptions } from './providers/http-provider.ts';
import { OllamaProvider } from './providers/ollama.ts';
import { OpenAiProvider } from './providers/openai.ts';
import type { ListedModel, Provider, ProviderKind } from './providers/provider.ts';
import type { UpstreamPools } from './upstream.ts';

/** A model that the operator names; what is left out is asked of the provider or guessed from the name. */
export interface ModelSettings {
  /** The provider's own name. */
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly contextTokens?: number | undefined;
  readonly hasTools?: boolean | undefined;
  readonly hasImages?: boolean | undefined;
  readonly isAutoAllowed?: boolean | undefined;
}

export interface ProviderSettings {
  /** The name before the colon of a canonical model id; no colon in it. */
  readonly id: string;
  readonly kind: ProviderKind;
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  /** Only these are offered, whether the provider lists them or not. undefined: all that it lists. */
  readonly models?: readonly (string | ModelSettings)[] | undefined;
  readonly isLocal: boolean;
}

/** Whether a provider answered when it was last asked. */
export interface ProviderHealth {
  readonly id: string;
  readonly kind: ProviderKind;
  /** null: not asked yet. */
  readonly isUp: boolean | null;
  /** Milliseconds since 1970; null: not asked yet. */
  readonly checkedAtMs: number | null;
  /** Code and sentence of the failure; null while it is up. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly modelCount: number;
}

export interface ProviderRegistryOptions {
  readonly settings: readonly ProviderSettings[];
  readonly upstream: UpstreamPools;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** How long a provider may take to list its models; it is not waited for beyond. */
  readonly listTimeoutMs?: number;
}

const LIST_TIMEOUT_MS = 2_000;

interface Entry {
  readonly settings: ProviderSettings;
  readonly provider: Provider;
  listed: readonly ListedModel[];
  isUp: boolean | null;
  checkedAtMs: number | null;
  error: ProviderHealth['error'];
}

/** The configured providers and their models. `refresh` asks them anew; everybody else reads what is known. */
export class ProviderRegistry {
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #logger: Logger;
  readonly #clock: () => number;
  readonly #listTimeoutMs: number;
  #catalog: ModelCatalog;

  constructor(options: ProviderRegistryOptions) {
    const entries = new Map<string, Entry>();
    for (const settings of options.settings) {
      if (entries.has(settings.id) || settings.id.includes(':') || settings.id === 'auto') {
        throw new TallyrankError(
          'bad_config',
          `The provider id "${settings.id}" is taken, reserved or holds a colon; choose another.`,
        );
      }
      const provider = openProvider(settings, options.upstream);
      entries.set(settings.id, {
        settings,
        provider,
        listed: [],
        isUp: null,
        checkedAtMs: null,
        error: null,
      });
    }
    this.#entries = entries;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#listTimeoutMs = options.listTimeoutMs ?? LIST_TIMEOUT_MS;
    this.#catalog = this.#buildCatalog();
  }

  /** All models that are known now; replaced whole by `refresh`. */
  get catalog(): ModelCatalog {
    return this.#catalog;
  }

  provider(id: string): Provider | null {
    return this.#entries.get(id)?.provider ?? null;
  }

  health(): readonly ProviderHealth[] {
    return [...this.#entries.values()].map(({ settings, isUp, checkedAtMs, error, listed }) => ({
      id: settings.id,
      kind: settings.kind,
      isUp,
      checkedAtMs,
      error,
      modelCount: settings.models?.length ?? listed.length,
    }));
  }

  /**
   * Asks all providers for their models, at the same time and for a short time. A provider that is away keeps
   * the models it had and is said to be away; it never makes this fail.
   */
  async refresh(): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => this.#ask(entry)));
    this.#catalog = this.#buildCatalog();
  }

  async #ask(entry: Entry): Promise<void> {
    const stop = new AbortController();
    const done = new AbortController();
    const late = delay(this.#listTimeoutMs, undefined, { signal: done.signal, ref: false }).then(
      () => {
        const text = `The provider ${entry.settings.id} did not list its models within ${this.#listTimeoutMs} ms.`;
        stop.abort(new TallyrankError('upstream_timeout', text));
      },
      () => null,
    );
    try {
      entry.listed = await entry.provider.listModels(stop.signal);
      this.#note(entry, null);
    } catch (thrown) {
      this.#note(entry, toTallyrankError(thrown));
    } finally {
      done.abort();
      await late;
    }
  }

  #note(entry: Entry, error: TallyrankError | null): void {
    const isUp = error === null;
    const facts = { provider: entry.settings.id, modelCount: entry.listed.length, code: error?.code ?? null };
    if (isUp && entry.isUp !== true) this.#logger.info(facts, 'A provider is up.');
    if (!isUp && entry.isUp !== false) this.#logger.warn(facts, 'A provider is away.');
    entry.isUp = isUp;
    entry.checkedAtMs = this.#clock();
    entry.error = error === null ? null : { code: error.code, message: error.message };
  }

  #buildCatalog(): ModelCatalog {
    return new ModelCatalog([...this.#entries.values()].flatMap(modelsOf));
  }
}

function openProvider(settings: ProviderSettings, upstream: UpstreamPools): Provider {
  const { id, baseUrl, apiKey } = settings;
  const options: HttpProviderOptions = { id, baseUrl, apiKey, upstream };
  switch (settings.kind) {
    case 'ollama':
      return new OllamaProvider(options);
    case 'anthropic':
      return new AnthropicProvider(options);
    case 'openai':
      return new OpenAiProvider(options);
  }
}

function modelsOf({ settings, listed }: Entry): CatalogModel[] {
  if (settings.models === undefined) return listed.map((facts) => describe(settings, facts, null));
  const byName = new Map(listed.map((model) => [model.name, model]));
  return settings.models.map((given) => {
    const own = typeof given === 'string' ? { name: given } : given;
    return describe(settings, byName.get(own.name) ?? factsOfName(own.name), own);
  });
}

function describe(settings: ProviderSettings, facts: ListedModel, own: ModelSettings | null): CatalogModel {
  return {
    modelId: `${settings.id}:${facts.name}`,
    provider: settings.id,
    name: facts.name,
    aliases: own?.aliases ?? [],
    isLocal: settings.isLocal,
    family: facts.family,
    parameterBillions: facts.parameterBillions,
    contextTokens: own?.contextTokens ?? facts.contextTokens,
    hasTools: own?.hasTools ?? facts.hasTools,
    hasImages: own?.hasImages ?? facts.hasImages,
    isAutoAllowed: own?.isAutoAllowed ?? true,
    isChat: facts.isChat ?? true,
  };
}
