import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import OpenAI from 'openai';
import type { Decision } from '../../src/core/decision.ts';
import type { Logger } from '../../src/core/log.ts';
import type { ModelCatalog } from '../../src/core/model-catalog.ts';
import type { TokenUsage } from '../../src/core/usage-record.ts';
import type {
  GatewayDeps,
  LoggedOutcome,
  LoggedRequest,
  RequestLog,
  RoutedMessage,
} from '../../src/gateway/deps.ts';
import { gatewayPlugin } from '../../src/gateway/plugin.ts';
import type { ProviderSettings } from '../../src/gateway/provider-registry.ts';
import { ProviderRegistry } from '../../src/gateway/provider-registry.ts';
import type { ResponseCache } from '../../src/gateway/response-cache.ts';
import type { UpstreamLimits } from '../../src/gateway/upstream.ts';
import { UpstreamPools } from '../../src/gateway/upstream.ts';
import { decisionOf } from './decisions.ts';
import type { FakeProvider } from './fake-provider.ts';

export const SILENT_LOGGER: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A finished record with what was known when it was opened. */
export interface TestRecord {
  readonly facts: LoggedRequest;
  readonly outcome: LoggedOutcome;
  readonly decision: Decision | null;
}

/** A log in memory. `gate` keeps records from being written; a token costs one micro-dollar. */
export class TestLog implements RequestLog {
  readonly records: TestRecord[] = [];
  gate: Promise<unknown> = Promise.resolve();
  /** Resolves when the first record is about to be written. */
  readonly finishing: Promise<void>;
  #onFinishing: () => void = () => undefined;
  readonly #open = new Map<string, LoggedRequest>();
  readonly #waiters: (() => void)[] = [];

  constructor() {
    this.finishing = new Promise((resolve) => {
      this.#onFinishing = resolve;
    });
  }

  get openCount(): number {
    return this.#open.size;
  }

  logRequest(facts: LoggedRequest): string {
    const requestId = `request-${this.#open.size + this.records.length + 1}`;
    this.#open.set(requestId, facts);
    return requestId;
  }

  async finish(requestId: string, outcome: LoggedOutcome, decision: Decision | null): Promise<void> {
    this.#onFinishing();
    await this.gate;
    const facts = this.#open.get(requestId);
    if (!facts) throw new Error(`${requestId} is not open`);
    this.#open.delete(requestId);
    this.records.push({ facts, outcome, decision });
    for (const wake of this.#waiters.splice(0)) wake();
  }

  costOf(_modelId: string, usage: TokenUsage): number | null {
    const { promptTokens, completionTokens } = usage;
    return promptTokens === null || completionTokens === null
      ? null
      : (promptTokens + completionTokens) / 1e6;
  }

  /** The record of that number, when it is written. */
  async record(at: number): Promise<TestRecord> {
    for (;;) {
      const record = this.records[at];
      if (record) return record;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }
}

export interface TestGateway extends AsyncDisposable {
  readonly url: string;
  readonly client: OpenAI;
  readonly log: TestLog;
  readonly registry: ProviderRegistry;
  /** What the router was asked, in order. */
  readonly routed: RoutedMessage[];
}

export interface TestGatewayOptions {
  /** Under these ids. */
  readonly providers: Readonly<Record<string, FakeProvider>>;
  readonly limits?: Partial<UpstreamLimits>;
  /** Overrides of what the router decides. Default: the named model, or all chat models in order. */
  readonly decide?: (message: RoutedMessage) => Partial<Decision>;
  readonly bodyMaxBytes?: number;
  /** Settings of all providers, over those that the kit gives. */
  readonly settings?: Partial<ProviderSettings>;
  /** What the gateway is handed beside or in place of the kit's own. */
  readonly deps?: Partial<GatewayDeps>;
  /** Time of the registry, milliseconds since 1970. */
  readonly registryClock?: () => number;
  /** Left out: every answer is a new one. */
  readonly cache?: ResponseCache;
  /** The providers of kind openai have Responses. */
  readonly hasResponses?: boolean;
}

/** The gateway alone, on a free port, with a router that needs no ranking and a log in memory. */
export async function startGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const upstream = new UpstreamPools(options.limits);
  const registry = new ProviderRegistry({
    settings: Object.entries(options.providers).map(([id, provider]) => ({
      id,
      kind: provider.kind,
      baseUrl: provider.baseUrl,
      apiKey: 'secret-key',
      isLocal: provider.kind === 'ollama',
      hasResponses: options.hasResponses,
      ...options.settings,
    })),
    upstream,
    logger: SILENT_LOGGER,
    clock: options.registryClock ?? Date.now,
  });
  await registry.refresh();
  const log = new TestLog();
  const routed: RoutedMessage[] = [];
  const app = Fastify({ logger: false });
  await app.register(gatewayPlugin, {
    providers: registry,
    log,
    logger: SILENT_LOGGER,
    clock: () => performance.timeOrigin + performance.now(),
    bodyMaxBytes: options.bodyMaxBytes,
    cache: options.cache,
    router: {
      route: async (message: RoutedMessage) => {
        routed.push(message);
        return { ...decisionFor(message, registry.catalog), ...options.decide?.(message) };
      },
    },
    ...options.deps,
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }),
    log,
    registry,
    routed,
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections();
      app.server.close();
      await once(app.server, 'close');
      await upstream[Symbol.asyncDispose]();
    },
  };
}

function decisionFor(message: RoutedMessage, catalog: ModelCatalog): Decision {
  const chatIds = catalog.models.filter((model) => model.isChat).map((model) => model.modelId);
  const isNamed = message.policy === null;
  return decisionOf({
    cause: isNamed ? 'explicit' : 'ranking',
    ruleName: isNamed ? null : 'data-driven',
    policy: message.policy,
    useCase: 'casual_chat',
    useCaseConfidence: 0.9,
    modelIds: isNamed ? [catalog.resolve(message.model).modelId] : chatIds,
    propensity: isNamed ? 1 : 0.9,
    snapshotVersion: 'v1',
    reason: 'best of 3 – by the ranking',
  });
}
