import { setTimeout as delay } from 'node:timers/promises';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { CatalogModel } from '../core/model-catalog.ts';
import { ModelCatalog } from '../core/model-catalog.ts';
import { providerOf } from '../core/usage-record.ts';
import type { OpenCircuit } from './circuit-breaker.ts';
import { CircuitBreakers } from './circuit-breaker.ts';
import { ConcurrencyLimit } from './concurrency.ts';
import { factsOfName, isForSoundAlone, NOT_CARRIED } from './model-facts.ts';
import { AnthropicProvider } from './providers/anthropic.ts';
import type { HttpProviderOptions } from './providers/http-provider.ts';
import { OllamaProvider } from './providers/ollama.ts';
import { OpenAiProvider } from './providers/openai.ts';
import type { ListedModel, Provider, ProviderKind } from './providers/provider.ts';
import type { RetrySettings } from './retry.ts';
import { NO_RETRIES } from './retry.ts';
import type { UpstreamLimits, UpstreamPools } from './upstream.ts';

/** A model that the operator names; what is left out is asked of the provider or guessed from the name. */
export interface ModelSettings {
  /** The provider's own name. */
  readonly name: string;
  /** What it is, where its name does not tell, e.g. of a deployment. */
  readonly model?: string | undefined;
  readonly aliases?: readonly string[] | undefined;
  readonly contextTokens?: number | undefined;
  readonly hasTools?: boolean | undefined;
  readonly hasImages?: boolean | undefined;
  readonly hasAudio?: boolean | undefined;
  readonly hasFiles?: boolean | undefined;
  readonly isAutoAllowed?: boolean | undefined;
}

export interface ProviderSettings {
  /** The name before the colon of a canonical model id; no colon in it. */
  readonly id: string;
  readonly kind: ProviderKind | 'azure';
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  /** Only these are offered, whether the provider lists them or not. undefined: all that it lists. */
  readonly models?: readonly (string | ModelSettings)[] | undefined;
  readonly isLocal: boolean;
  /** Of kind openai: it has OpenAI's Responses in full. undefined: OpenAI and Azure have, by their hosts. */
  readonly hasResponses?: boolean | undefined;
  /** Of kind azure: version of its API, or "v1". undefined: {@link AZURE_VERSION}. */
  readonly apiVersion?: string | undefined;
  /** Calls of its models at a time. undefined: no bound. */
  readonly maxConcurrent?: number | undefined;
  /** Calls that may wait for a free place, and for how long. undefined: 100, a minute. */
  readonly queueMax?: number | undefined;
  readonly queueWaitMs?: number | undefined;
  /** How often a call is made again that failed in passing. undefined: never. */
  readonly retries?: number | undefined;
  /** Milliseconds that one request waits between such calls, in sum. undefined: ten seconds. */
  readonly retryWaitMaxMs?: number | undefined;
  /** Its own limits of time, in milliseconds. undefined: those of all providers. */
  readonly connectTimeoutMs?: number | undefined;
  readonly firstTokenTimeoutMs?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
  readonly totalTimeoutMs?: number | undefined;
}

/** The version that Azure supports longest of those with dates. */
const AZURE_VERSION = '2024-10-21';
const QUEUE_MAX = 100;
const QUEUE_WAIT_MS = 60_000;
const RETRY_WAIT_MAX_MS = 10_000;

/** Whether a provider answered when it was last asked. */
export interface ProviderHealth {
  readonly id: string;
  readonly kind: ProviderKind | 'azure';
  /** null: not asked yet. */
  readonly isUp: boolean | null;
  /** Milliseconds since 1970; null: not asked yet. */
  readonly checkedAtMs: number | null;
  /** Code and sentence of the failure; null while it is up. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly modelCount: number;
  /** Its models that are left alone for a while, since they failed again and again. */
  readonly openCircuits: readonly OpenCircuit[];
  /** Calls under way and waiting; null where their number is not bounded. */
  readonly calls: { readonly runningCount: number; readonly waitingCount: number } | null;
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

/**
 * Times in a row that a list may be late before its provider is taken for away: one that computes, or lists hundreds of
 * models, may be late once. Who refuses a connection is away at once; who answers, with whatever error, is not.
 */
const LATE_MAX = 2;

interface Entry {
  readonly settings: ProviderSettings;
  readonly provider: Provider;
  readonly concurrency: ConcurrencyLimit | undefined;
  readonly retries: RetrySettings;
  listed: readonly ListedModel[];
  isUp: boolean | null;
  checkedAtMs: number | null;
  error: ProviderHealth['error'];
  /** Lists in a row that came too late. */
  lateCount: number;
}

/** The configured providers and their models. `refresh` asks them anew; everybody else reads what is known. */
export class ProviderRegistry {
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #logger: Logger;
  readonly #clock: () => number;
  readonly #listTimeoutMs: number;
  #catalog: ModelCatalog;
  #away: ReadonlySet<string> = new Set();
  /** One per model, over all requests. */
  readonly breakers: CircuitBreakers;

  constructor(options: ProviderRegistryOptions) {
    const entries = new Map<string, Entry>();
    for (const settings of options.settings) {
      if (entries.has(settings.id) || settings.id.includes(':') || settings.id === 'auto') {
        throw new TallyrankError(
          'bad_config',
          `The provider id "${settings.id}" is taken, reserved or holds a colon; choose another.`,
        );
      }
      const concurrency = concurrencyOf(settings);
      const provider = openProvider(settings, options.upstream, concurrency);
      entries.set(settings.id, {
        settings,
        provider,
        concurrency,
        retries: {
          retries: settings.retries ?? 0,
          waitMaxMs: settings.retryWaitMaxMs ?? RETRY_WAIT_MAX_MS,
        },
        listed: [],
        isUp: null,
        checkedAtMs: null,
        error: null,
        lateCount: 0,
      });
    }
    this.#entries = entries;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.breakers = new CircuitBreakers(options.clock);
    this.#listTimeoutMs = options.listTimeoutMs ?? LIST_TIMEOUT_MS;
    this.#catalog = this.#buildCatalog();
  }

  /** All models that are known now; replaced whole by `refresh`. */
  get catalog(): ModelCatalog {
    return this.#catalog;
  }

  /**
   * Whether a model would be called now: its provider could be reached lately, and its circuit is not open. undefined
   * while that holds for all, so that the hot path need not ask for each model.
   */
  get isReachable(): ((modelId: string) => boolean) | undefined {
    if (this.#away.size === 0 && this.breakers.areAllClosed) return undefined;
    return this.#isUp;
  }

  readonly #isUp = (modelId: string): boolean =>
    !this.#away.has(providerOf(modelId)) && this.breakers.isPassable(modelId);

  /** How often a call of a model is made again. */
  retriesOf(modelId: string): RetrySettings {
    return this.#entries.get(providerOf(modelId))?.retries ?? NO_RETRIES;
  }

  provider(id: string): Provider | null {
    return this.#entries.get(id)?.provider ?? null;
  }

  health(): readonly ProviderHealth[] {
    const circuits = this.breakers.open();
    return [...this.#entries.values()].map(({ settings, isUp, checkedAtMs, error, listed, concurrency }) => ({
      id: settings.id,
      kind: settings.kind,
      isUp,
      checkedAtMs,
      error,
      modelCount: settings.models?.length ?? listed.length,
      openCircuits: circuits.filter(({ modelId }) => providerOf(modelId) === settings.id),
      calls:
        concurrency === undefined
          ? null
          : { runningCount: concurrency.runningCount, waitingCount: concurrency.waitingCount },
    }));
  }

  /**
   * Asks all providers for their models, at the same time and for a short time. A provider that is away keeps
   * the models it had and is said to be away; it never makes this fail.
   */
  async refresh(): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => this.#ask(entry)));
    this.#catalog = this.#buildCatalog();
    this.#away = new Set([...this.#entries.values()].filter(isAway).map(({ settings }) => settings.id));
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
    if (isUp && entry.isUp === false) this.breakers.closeOf(entry.settings.id);
    entry.isUp = isUp;
    entry.checkedAtMs = this.#clock();
    entry.lateCount = error?.code === 'upstream_timeout' ? entry.lateCount + 1 : 0;
    entry.error = error === null ? null : { code: error.code, message: error.message };
  }

  #buildCatalog(): ModelCatalog {
    return new ModelCatalog([...this.#entries.values()].flatMap(modelsOf));
  }
}

function isAway({ error, lateCount }: Entry): boolean {
  return (
    error?.code === 'upstream_unreachable' || error?.code === 'network_unavailable' || lateCount >= LATE_MAX
  );
}

function concurrencyOf(settings: ProviderSettings): ConcurrencyLimit | undefined {
  const { id, maxConcurrent, queueMax = QUEUE_MAX, queueWaitMs = QUEUE_WAIT_MS } = settings;
  if (maxConcurrent === undefined) return undefined;
  return new ConcurrencyLimit({ provider: id, maxConcurrent, queueMax, queueWaitMs });
}

/** undefined where a provider has the limits of all. */
function limitsOf(settings: ProviderSettings, upstream: UpstreamPools): UpstreamLimits | undefined {
  const given = {
    connectMs: settings.connectTimeoutMs,
    firstTokenMs: settings.firstTokenTimeoutMs,
    idleMs: settings.idleTimeoutMs,
    totalMs: settings.totalTimeoutMs,
  };
  const own = Object.fromEntries(Object.entries(given).filter(([, ms]) => ms !== undefined));
  return Object.keys(own).length === 0 ? undefined : upstream.limitsWith(own);
}

function openProvider(
  settings: ProviderSettings,
  upstream: UpstreamPools,
  concurrency: ConcurrencyLimit | undefined,
): Provider {
  const { id, baseUrl, apiKey, hasResponses } = settings;
  const limits = limitsOf(settings, upstream);
  const options: HttpProviderOptions = { id, baseUrl, apiKey, upstream, limits, concurrency };
  switch (settings.kind) {
    case 'ollama':
      return new OllamaProvider(options);
    case 'anthropic':
      return new AnthropicProvider(options);
    case 'openai':
      return new OpenAiProvider({ ...options, hasResponses });
    case 'azure': {
      const azureVersion = settings.apiVersion ?? AZURE_VERSION;
      return new OpenAiProvider({ ...options, hasResponses, azureVersion });
    }
  }
}

function modelsOf({ settings, listed }: Entry): CatalogModel[] {
  if (settings.models === undefined) return listed.map((facts) => describe(settings, facts, null));
  const byName = new Map(listed.map((model) => [model.name, model]));
  return settings.models.map((given) => {
    const own = typeof given === 'string' ? { name: given } : given;
    const facts = byName.get(own.name) ?? { ...factsOfName(own.model ?? own.name), name: own.name };
    return describe(settings, facts, own);
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
    hasAudio: own?.hasAudio ?? facts.hasAudio,
    hasFiles: own?.hasFiles ?? facts.hasFiles,
    ...NOT_CARRIED[settings.kind],
    isAutoAllowed: own?.isAutoAllowed ?? !isForSoundAlone(own?.model ?? facts.name),
    isChat: facts.isChat ?? true,
  };
}
