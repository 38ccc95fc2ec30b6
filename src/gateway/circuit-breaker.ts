import { TallyrankError } from '../core/errors.ts';
import { providerOf } from '../core/usage-record.ts';
import { SHORT_RETRY_AFTER_MS } from './retry.ts';

/** When a circuit opens, and for how long. */
export interface BreakerSettings {
  /** Failures in a row that open it. Fewer, and a stutter closes a model off; more, and callers wait for a dead one. */
  readonly failuresInRow: number;
  /** Share of failures among the last {@link WINDOW_CALLS} calls that opens it, 0..1, from ten calls on. */
  readonly failureShare: number;
  /** Milliseconds until the first probe; doubled with each probe that fails, up to {@link OPEN_MAX_MS}. */
  readonly openMs: number;
}

const BREAKER_DEFAULTS: BreakerSettings = { failuresInRow: 5, failureShare: 0.5, openMs: 5_000 };

/** Calls that the share looks back on. */
const WINDOW_CALLS = 20;
const WINDOW_CALLS_MIN = 10;
/** Calls older than this say nothing of now. */
const WINDOW_MS = 60_000;
/** A provider that is back should be found within two minutes. */
const OPEN_MAX_MS = 120_000;

/** Longest time for which a model that limits our rate is passed over: its word may be about a whole day's quota. */
const REST_MAX_MS = 60_000;

/** resting: it limits our rate, and said for how long; only `auto` heeds it. */
type CircuitState = 'open' | 'half_open' | 'resting';

/** A model that is left alone. */
export interface OpenCircuit {
  /** Canonical model id. */
  readonly modelId: string;
  /** half_open: the next call, or the one under way, is the probe. */
  readonly state: CircuitState;
  /** Milliseconds since 1970 from which a probe is let through. */
  readonly probeAtMs: number;
}

interface Circuit {
  /** The last calls, oldest first; true for failures. */
  readonly calls: { readonly atMs: number; readonly hasFailed: boolean }[];
  failuresInRow: number;
  /** null: closed. */
  openUntilMs: number | null;
  openMs: number;
  /** When the probe that is under way began; null: none is. */
  probedAtMs: number | null;
}

/**
 * A circuit breaker per model (M. Nygard, Release It!, 2007): a model whose provider keeps failing is left alone for a
 * while, then one call probes it. A model that never failed has no circuit and costs one look into an empty map.
 */
export class CircuitBreakers {
  readonly #circuits = new Map<string, Circuit>();
  /** Until when a model that limits our rate is better not asked. */
  readonly #restsUntilMs = new Map<string, number>();
  readonly #settings: BreakerSettings;
  readonly #clock: () => number;
  /** Circuits that are open or half open. */
  #openCount = 0;

  /** @param clock  milliseconds since 1970 */
  constructor(clock: () => number, settings: Partial<BreakerSettings> = {}) {
    this.#clock = clock;
    this.#settings = { ...BREAKER_DEFAULTS, ...settings };
  }

  /** True while every circuit is closed and nobody rests: the hot path asks no further. */
  get areAllClosed(): boolean {
    return this.#openCount === 0 && this.#restsUntilMs.size === 0;
  }

  /** True for a model that may be chosen now: it would be called, and has not just said that we come too often. */
  isPassable(modelId: string): boolean {
    if (this.#openCount > 0 && this.#blockedForMs(modelId) !== null) return false;
    const untilMs = this.#restsUntilMs.get(modelId);
    if (untilMs === undefined) return true;
    if (this.#clock() < untilMs) return false;
    this.#restsUntilMs.delete(modelId);
    return true;
  }

  /**
   * Asks to call a model. Of a circuit that is half open, the first to ask is the probe.
   *
   * @throws {TallyrankError} `upstream_paused` with the time until the next probe
   */
  enter(modelId: string): void {
    if (this.#openCount === 0) return;
    const waitMs = this.#blockedForMs(modelId);
    if (waitMs !== null) {
      const text = `The model ${modelId} failed again and again and is left alone for ${Math.ceil(waitMs / 1000)} s; see GET /api/models.`;
      throw new TallyrankError('upstream_paused', text, { retryAfterMs: waitMs });
    }
    const circuit = this.#circuits.get(modelId);
    if (circuit?.openUntilMs != null) circuit.probedAtMs = this.#clock();
  }

  /** A call answered, or failed by no fault of its provider's. */
  noteSuccess(modelId: string): void {
    if (this.#restsUntilMs.size > 0) this.#restsUntilMs.delete(modelId);
    this.#noteWell(modelId);
  }

  /** A call was turned away for a time that the provider named: it is well, and better left to others for now. */
  noteRateLimited(modelId: string, retryAfterMs: number | null): void {
    this.#noteWell(modelId);
    if (retryAfterMs === null || retryAfterMs <= SHORT_RETRY_AFTER_MS) return;
    this.#restsUntilMs.set(modelId, this.#clock() + Math.min(REST_MAX_MS, retryAfterMs));
  }

  #noteWell(modelId: string): void {
    if (this.#circuits.size === 0) return;
    const circuit = this.#circuits.get(modelId);
    if (circuit === undefined) return;
    if (circuit.openUntilMs !== null) {
      // Of a server that drains, old streams end well while it turns new ones away; only the probe tells something new.
      if (circuit.probedAtMs === null) return;
      this.#openCount--;
      this.#circuits.delete(modelId);
      return;
    }
    circuit.failuresInRow = 0;
    this.#remember(circuit, false);
  }

  /** A call failed by its provider's fault. */
  noteFailure(modelId: string): void {
    const { failuresInRow, failureShare, openMs } = this.#settings;
    let circuit = this.#circuits.get(modelId);
    if (circuit === undefined) {
      circuit = { calls: [], failuresInRow: 0, openUntilMs: null, openMs, probedAtMs: null };
      this.#circuits.set(modelId, circuit);
    }
    if (circuit.openUntilMs !== null) {
      // Calls that began before it opened end after; only the probe tells something new.
      if (circuit.probedAtMs === null) return;
      circuit.openMs = Math.min(OPEN_MAX_MS, circuit.openMs * 2);
      circuit.openUntilMs = this.#clock() + circuit.openMs;
      circuit.probedAtMs = null;
      return;
    }
    circuit.failuresInRow++;
    this.#remember(circuit, true);
    const { calls } = circuit;
    const failed = calls.filter(({ hasFailed }) => hasFailed).length;
    const isOften = calls.length >= WINDOW_CALLS_MIN && failed >= failureShare * calls.length;
    if (circuit.failuresInRow < failuresInRow && !isOften) return;
    circuit.openUntilMs = this.#clock() + circuit.openMs;
    this.#openCount++;
  }

  /** A provider that was away is back: what its models did before tells nothing of now. */
  closeOf(provider: string): void {
    for (const [modelId, { openUntilMs }] of this.#circuits) {
      if (providerOf(modelId) !== provider) continue;
      if (openUntilMs !== null) this.#openCount--;
      this.#circuits.delete(modelId);
    }
  }

  /** A probe that ended without telling anything, e.g. as its caller left: the next call may probe. */
  noteNothing(modelId: string): void {
    if (this.#openCount === 0) return;
    const circuit = this.#circuits.get(modelId);
    if (circuit !== undefined) circuit.probedAtMs = null;
  }

  /** The circuits that are not closed, and the models that rest. */
  open(): readonly OpenCircuit[] {
    const nowMs = this.#clock();
    const open = [...this.#circuits].flatMap(([modelId, { openUntilMs }]) =>
      openUntilMs === null
        ? []
        : [{ modelId, state: nowMs < openUntilMs ? 'open' : 'half_open', probeAtMs: openUntilMs } as const],
    );
    const resting = [...this.#restsUntilMs].flatMap(([modelId, untilMs]) =>
      nowMs < untilMs ? [{ modelId, state: 'resting', probeAtMs: untilMs } as const] : [],
    );
    return [...open, ...resting];
  }

  /** Milliseconds until the model may be called; null: now. */
  #blockedForMs(modelId: string): number | null {
    const circuit = this.#circuits.get(modelId);
    if (circuit === undefined || circuit.openUntilMs === null) return null;
    const nowMs = this.#clock();
    if (nowMs < circuit.openUntilMs) return circuit.openUntilMs - nowMs;
    const { probedAtMs } = circuit;
    // A probe whose end was never told must not close the model off for good.
    if (probedAtMs === null || nowMs - probedAtMs > OPEN_MAX_MS) return null;
    return circuit.openMs;
  }

  #remember({ calls }: Circuit, hasFailed: boolean): void {
    const nowMs = this.#clock();
    calls.push({ atMs: nowMs, hasFailed });
    while (calls.length > WINDOW_CALLS || (calls[0] !== undefined && nowMs - calls[0].atMs > WINDOW_MS)) {
      calls.shift();
    }
  }
}
