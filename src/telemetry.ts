import { type Logger as Pino, pino } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Decision } from './core/decision.ts';
import type { UsageRecord } from './core/usage-record.ts';
import { providerOf } from './core/usage-record.ts';

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

/**
 * Log and metrics of the program: one function per business event. Labels come from closed sets (models,
 * providers, use cases, codes), never from users.
 */
export class Telemetry {
  readonly registry = new Registry();
  readonly logger: Pino;
  readonly #requests: Counter;
  readonly #duration: Histogram;
  readonly #firstToken: Histogram;
  readonly #overhead: Histogram;
  readonly #promptTokens: Counter;
  readonly #completionTokens: Counter;
  readonly #cost: Counter;
  readonly #fallbacks: Counter;
  readonly #decisions: Counter;

  constructor(logLevel: string) {
    // Standard error: standard output belongs to answers (--json).
    this.logger = pino({ level: logLevel, base: null }, pino.destination({ dest: 2, sync: false }));
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry, prefix: PREFIX });
    const counter = (name: string, help: string, labelNames: string[]): Counter =>
      new Counter({ name: PREFIX + name, help, labelNames, registers });
    const histogram = (name: string, help: string, labelNames: string[], buckets: number[]): Histogram =>
      new Histogram({ name: PREFIX + name, help, labelNames, buckets, registers });
    const model = ['model', 'provider'];
    this.#requests = counter('requests_total', 'Finished requests', [
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
    this.#promptTokens = counter('input_tokens_total', 'Prompt tokens', model);
    this.#completionTokens = counter('output_tokens_total', 'Completion tokens', model);
    this.#cost = counter('cost_usd_total', 'Cost of priced requests in dollars', model);
    this.#fallbacks = counter('fallbacks_total', 'Attempts beyond the first', []);
    this.#decisions = counter('decisions_total', 'Routing decisions', ['cause']);
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

  /** A request ended and its row is in the journal. */
  requestFinished(record: UsageRecord, decision: Decision | null): void {
    const labels = { model: record.modelId, provider: providerOf(record.modelId) };
    this.#requests.inc({
      ...labels,
      use_case: record.useCase,
      status: record.failure === null ? 'success' : 'failure',
      error_type: record.failure?.code ?? '',
      fault: record.failure?.fault ?? '',
    });
    if (record.latencyMs !== null) this.#duration.observe(labels, record.latencyMs / 1000);
    if (record.firstTokenMs !== null) this.#firstToken.observe(labels, record.firstTokenMs / 1000);
    if (record.overheadMs !== null) this.#overhead.observe(record.overheadMs / 1000);
    if (record.usage.promptTokens !== null) this.#promptTokens.inc(labels, record.usage.promptTokens);
    if (record.usage.completionTokens !== null)
      this.#completionTokens.inc(labels, record.usage.completionTokens);
    if (record.costUsd !== null) this.#cost.inc(labels, record.costUsd);
    if (record.attemptCount > 1) this.#fallbacks.inc(record.attemptCount - 1);
    if (decision) this.#decisions.inc({ cause: decision.cause });
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
