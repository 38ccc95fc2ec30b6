import type { StoredQuery } from '../../store/queries/stored-query.ts';

export type InefficiencyType =
  /** A paid model on a use case that asks little of a model. */
  | 'expensive_for_casual'
  /** A dearer model where a cheaper one is not worse. */
  | 'expensive_for_use_case'
  /** A free model that gets next to nothing while others are paid. */
  | 'local_idle'
  /** A client that sends a failed request again as it was. */
  | 'retries_after_failure'
  /** The same asker sends again at once what was answered. */
  | 'retries_after_success'
  /** Models that the gateway tried in vain before another answered. */
  | 'failed_attempts'
  /** Far more context than the use case typically needs. */
  | 'oversized_context'
  /** The same request paid for again, which an exact cache would have answered. */
  | 'duplicate_prompts'
  | 'timeouts'
  | 'frequent_failures';

/** An estimated figure with its 95 % interval and the observations that it rests on. */
export interface Estimate {
  readonly value: number;
  readonly interval: readonly [number, number];
  readonly sampleCount: number;
}

/** What the model concerned and one that is not worse were compared by: the other's share minus its own. */
export interface Comparison {
  readonly modelId: string;
  /** True when the other's record comes from all its use cases, for want of one here. */
  readonly isRecordElsewhere: boolean;
  /** How far below zero a difference still counts as not worse. */
  readonly margin: number;
  /** Difference in the share of requests that succeeded; the smaller of the two samples. */
  readonly success: Estimate;
  /** Difference in the mean rating, 0..1; null where too few people rated either. */
  readonly quality: Estimate | null;
  /** What a request costs with the other, US dollars. */
  readonly costMeanUsd: number;
}

export interface Inefficiency {
  readonly type: InefficiencyType;
  readonly modelId: string;
  /** null: it concerns the model everywhere. */
  readonly useCase: string | null;
  /** Requests concerned. */
  readonly requestCount: number;
  /** Those of them whose price is known: the money is theirs alone. */
  readonly pricedCount: number;
  /** What these requests cost, US dollars; null where no price is known. */
  readonly costUsd: number | null;
  /** What of it could have been saved, US dollars; null where that cannot be said. Findings overlap: not to be added up. */
  readonly wastedUsd: number | null;
  /** 95 % interval of `wastedUsd` where it is an estimate; null where it was counted, or is unknown. */
  readonly wastedInterval: readonly [number, number] | null;
  /** Time that people waited for these answers, milliseconds; null where it is unknown or beside the point. */
  readonly waitedMs: number | null;
  /** Requests that were looked at to find this. */
  readonly sampleCount: number;
  readonly failureRate: Estimate | null;
  readonly comparison: Comparison | null;
  readonly message: string;
  readonly suggestion: string;
  /** What was asked of the store to find this, ready to be asked again. */
  readonly queries: readonly StoredQuery[];
}

/** What most findings have nothing to say of. */
export const NOTHING_MORE = {
  wastedInterval: null,
  waitedMs: null,
  failureRate: null,
  comparison: null,
} as const;

/** Below this, a finding costs more to read than to leave. */
const WASTED_USD_MIN = 0.01;
/** Fewer are chance: a double click, a dropped line. */
const REQUESTS_MIN = 5;
/** Of the requests looked at; below it, what no price can be put on is left alone. */
const SHARE_MIN = 0.01;

/** Money at stake, or a habit: by its sum where it is known to be wasted, else by its share of the requests. */
export function isWorthReading({
  requestCount,
  sampleCount,
  wastedUsd,
}: Pick<Inefficiency, 'requestCount' | 'sampleCount' | 'wastedUsd'>): boolean {
  if (requestCount < REQUESTS_MIN) return false;
  return isMoney(wastedUsd) || requestCount >= SHARE_MIN * sampleCount;
}

export function isMoney(usd: number | null): boolean {
  return usd !== null && usd >= WASTED_USD_MIN;
}

/** "$12.40", "$0.0021". */
export function dollars(usd: number): string {
  return `$${usd >= 0.01 || usd === 0 ? usd.toFixed(2) : usd.toPrecision(2)}`;
}

export function perRequest(usd: number): string {
  return `$${usd >= 0.001 ? usd.toFixed(3) : usd.toPrecision(2)}/req`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** "3 requests", "1 request". */
export function times(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
