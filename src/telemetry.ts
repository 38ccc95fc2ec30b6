import { type Logger as Pino, pino } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Decision } from './core/decision.ts';
import type { UsageRecord } from './core/usage-record.ts';
import { providerOf } from './core/usage-record.ts';
import { BinnedHistogram, type Labels, SummedCounter } from './telemetry/summed-metrics.ts';

const PREFIX = 'tallyrank_';
const SECONDS_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120];
const OVERHEAD_BUCKETS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 1];

/** What the journal and its shipping tell at the moment of a scrape. */
export interface LogHealth {
  readonly openCount: number;
  readonly droppedCount: number;
  readonly rejectedCount: number;
  readonly shippedCount: number;
  readonly journalWaitingBytes: number;
}

/** What the providers tell at the moment of a scrape. */
interface ProviderFacts {
  readonly id: string;
  readonly openCircuits: readonly { readonly modelId: string; readonly state: string }[];
  /** null: not bounded. */
  readonly calls: { readonly runningCount: number; readonly waitingCount: number } | null;
}

/**
 * Log and metrics of the program: one function per business event. Labels come from closed sets (models,
 * providers, use cases, codes), never from users.
 */
export class Telemetry {
  readonly registry = new Registry();
  readonly logger: Pino;
  readonly #requests: SummedCounter;
  readonly #duration: BinnedHistogram;
  readonly #firstToken: BinnedHistogram;
  readonly #overhead: BinnedHistogram;
  readonly #promptTokens: SummedCounter;
  readonly #completionTokens: SummedCounter;
  readonly #cost: SummedCounter;
  readonly #fallbacks: Counter;
  readonly #decisions: SummedCounter;
  readonly #shadows: Counter;
  readonly #shadowCost: Counter;
  readonly #shadowsDropped: Counter;
  readonly #cacheHits: Counter;
  readonly #cacheAvoided: Counter;

  constructor(logLevel: string) {
    // Standard error: standard output belongs to answers (--json).
    this.logger = pino({ level: logLevel, base: null }, pino.destination({ dest: 2, sync: false }));
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry, prefix: PREFIX });
    const counter = (name: string, help: string, labelNames: string[]): Counter =>
      new Counter({ name: PREFIX + name, help, labelNames, registers });
    const summed = (name: string, help: string, labelNames: string[]): SummedCounter =>
      new SummedCounter({ name: PREFIX + name, help, labelNames, registers });
    const histogram = (
      name: string,
      help: string,
      labelNames: string[],
      buckets: number[],
    ): BinnedHistogram => new BinnedHistogram({ name: PREFIX + name, help, labelNames, buckets, registers });
    const model = ['model', 'provider'];
    this.#requests = summed('requests_total', 'Finished requests', [
      ...model,
      'use_case',
      'status',
      'error_type',
      'fault',
    ]);
    this.#duration = histogram(
      'request_duration_seconds',
      'Arrival to end of the answer',
      model,
      SECONDS_BUCKETS,
    );
    this.#firstToken = histogram(
      'time_to_first_token_seconds',
      'Arrival to first content',
      model,
      SECONDS_BUCKETS,
    );
    this.#overhead = histogram(
      'overhead_seconds',
      'Time that was ours and not the provider’s',
      [],
      OVERHEAD_BUCKETS,
    );
    this.#promptTokens = summed('input_tokens_total', 'Prompt tokens', model);
    this.#completionTokens = summed('output_tokens_total', 'Completion tokens', model);
    this.#cost = summed('cost_usd_total', 'Cost of priced requests in dollars', model);
    this.#fallbacks = counter('fallbacks_total', 'Attempts beyond the first', []);
    this.#decisions = summed('decisions_total', 'Routing decisions', ['cause']);
    this.#shadows = counter('shadow_requests_total', 'Finished shadow calls', [...model, 'status']);
    this.#shadowCost = counter('shadow_cost_usd_total', 'Cost of priced shadow calls in dollars', model);
    this.#shadowsDropped = counter('shadow_dropped_total', 'Shadow calls that were not made', ['reason']);
    this.#cacheHits = counter('cache_hits_total', 'Requests answered from the cache', model);
    this.#cacheAvoided = counter(
      'cache_avoided_usd_total',
      'What answers from the cache would have cost anew, where known, in dollars',
      model,
    );
  }

  /** Gauges that are read from the tracker when somebody scrapes. */
  watchLog(health: () => LogHealth): void {
    const gauge = (name: string, help: string, read: (now: LogHealth) => number): void => {
      new Gauge({
        name: PREFIX + name,
        help,
        registers: [this.registry],
        collect() {
          this.set(read(health()));
        },
      });
    };
    gauge('active_requests', 'Requests under way', (now) => now.openCount);
    gauge(
      'log_waiting_bytes',
      'Journal bytes that the store does not have yet',
      (now) => now.journalWaitingBytes,
    );
    gauge(
      'log_dropped_total',
      'Log rows that could not be kept',
      (now) => now.droppedCount + now.rejectedCount,
    );
    gauge('log_shipped_total', 'Log rows that the store took', (now) => now.shippedCount);
  }

  /** Gauges that are read from the providers when somebody scrapes. */
  watchProviders(health: () => readonly ProviderFacts[]): void {
    const registers = [this.registry];
    new Gauge({
      name: `${PREFIX}circuit_open`,
      help: '1 for models that are left alone since they failed again and again',
      labelNames: ['model', 'provider'],
      registers,
      collect() {
        this.reset();
        for (const { id, openCircuits } of health()) {
          for (const { modelId, state } of openCircuits) {
            if (state !== 'resting') this.set({ model: modelId, provider: id }, 1);
          }
        }
      },
    });
    new Gauge({
      name: `${PREFIX}provider_calls`,
      help: 'Calls of providers whose number is bounded',
      labelNames: ['provider', 'state'],
      registers,
      collect() {
        this.reset();
        for (const { id, calls } of health()) {
          if (calls === null) continue;
          this.set({ provider: id, state: 'running' }, calls.runningCount);
          this.set({ provider: id, state: 'waiting' }, calls.waitingCount);
        }
      },
    });
  }

  /** A shadow call was drawn and not made. */
  shadowDropped(reason: string): void {
    this.#shadowsDropped.inc({ reason });
  }

  /** A shadow call ended. Nobody asked for it, so it is in no count of requests. */
  shadowFinished({ modelId, failure, costUsd }: UsageRecord): void {
    const labels = { model: modelId, provider: providerOf(modelId) };
    this.#shadows.inc({ ...labels, status: failure === null ? 'success' : 'failure' });
    if (costUsd !== null) this.#shadowCost.inc(labels, costUsd);
  }

  /** A request was answered from the cache. No model was asked, so it is in no count of requests. */
  cacheAnswered({ modelId, avoidedUsd }: UsageRecord): void {
    const labels = { model: modelId, provider: providerOf(modelId) };
    this.#cacheHits.inc(labels);
    if (avoidedUsd != null) this.#cacheAvoided.inc(labels, avoidedUsd);
  }

  /** A request ended and its row is in the journal. */
  requestFinished(record: UsageRecord, decision: Decision | null): void {
    const { modelId, usage } = record;
    const code = record.failure?.code ?? '';
    this.#requests.add(`${modelId}\n${record.useCase}\n${code}`, 1, record, labelsOfRequest);
    this.#overhead.observeMs('', record.overheadMs, record, noLabels);
    this.#duration.observeMs(modelId, record.latencyMs, record, labelsOfModel);
    this.#firstToken.observeMs(modelId, record.firstTokenMs, record, labelsOfModel);
    this.#promptTokens.add(modelId, usage.promptTokens, record, labelsOfModel);
    this.#completionTokens.add(modelId, usage.completionTokens, record, labelsOfModel);
    this.#cost.add(modelId, record.costUsd, record, labelsOfModel);
    if (record.attemptCount > 1) this.#fallbacks.inc(record.attemptCount - 1);
    if (decision) this.#decisions.add(decision.cause, 1, decision, labelsOfDecision);
    if (!this.logger.isLevelEnabled('debug')) return;
    this.logger.debug(
      {
        requestId: record.requestId,
        modelId: record.modelId,
        useCase: record.useCase,
        cause: decision?.cause ?? null,
        latencyMs: record.latencyMs,
        costUsd: record.costUsd,
        errorCode: record.failure?.code ?? null,
      },
      'request finished',
    );
  }
}

function labelsOfModel({ modelId }: UsageRecord): Labels {
  return { model: modelId, provider: providerOf(modelId) };
}

function labelsOfRequest(record: UsageRecord): Labels {
  const { useCase, failure } = record;
  return {
    ...labelsOfModel(record),
    use_case: useCase,
    status: failure === null ? 'success' : 'failure',
    error_type: failure?.code ?? '',
    fault: failure?.fault ?? '',
  };
}

function labelsOfDecision({ cause }: Decision): Labels {
  return { cause };
}

function noLabels(): Labels {
  return {};
}
