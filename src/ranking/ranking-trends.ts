import type { Timeframe } from '../core/timeframe.ts';
import { shownTimeframe } from '../core/timeframe.ts';
import { detectChangePoints, type Level } from '../stats/change-points.ts';
import { dispersion, type Moments, posteriorInterval, posteriorOf } from '../stats/posterior.ts';
import type { SeriesBucket } from '../stats/series-sums.ts';
import type { Database } from '../store/database.ts';
import type { TrendHour } from '../store/queries/ranking-trends.ts';
import { readRatedHours, readTrendHours } from '../store/queries/ranking-trends.ts';
import { binMiddleMs } from './latency-bins.ts';

/** A level with what it rests on. */
export interface TrendLevel {
  readonly value: number;
  /** 95 % at one look; null where a single value says nothing of the spread. */
  readonly interval: readonly [number, number] | null;
  readonly sampleCount: number;
}

export interface TrendPoint extends TrendLevel {
  /** Start of the step, ISO 8601. */
  readonly at: string;
}

/** A moment at which the level moved. */
export interface TrendChange {
  /** Start of the first hour of the new level, as estimated. */
  readonly at: string;
  /** When enough had been seen to say so. */
  readonly detectedAt: string;
  readonly before: TrendLevel;
  readonly after: TrendLevel;
  /** Level after minus level before. */
  readonly difference: number;
  readonly pValue: number;
}

export interface Trend {
  /** Steps in which there was something to measure, oldest first. */
  readonly points: readonly TrendPoint[];
  /** null: too little to say (see docs/ranking.md). */
  readonly changePoints: readonly TrendChange[] | null;
}

export interface ModelTrends {
  readonly modelId: string;
  /** Share of the requests that count for or against the model, 0..1. */
  readonly success: Trend;
  /** Geometric mean of successful requests, without loading and queueing, milliseconds. */
  readonly latencyMs: Trend;
  /** Mean cost of priced requests, US dollars. */
  readonly costUsd: Trend;
  /** Mean of explicit feedback, 0..1, by the hour of the request; null where nobody said anything. */
  readonly quality: Trend | null;
}

export interface TrendsAnswer {
  readonly useCase: string;
  readonly redirectedFrom: string | null;
  readonly window: { readonly from: string; readonly to: string; readonly label: string };
  readonly stepMs: number;
  /** Expected false change points in a year of one series (a model's success, say) that does not change. */
  readonly falseAlarmsPerYear: number;
  /** Series that were watched: expected false change points add up. */
  readonly seriesCount: number;
  readonly models: readonly ModelTrends[];
}

export interface TrendsAsked {
  readonly runId: string;
  readonly useCase: string;
  readonly redirectedFrom: string | null;
  /** null: all models. */
  readonly modelId: string | null;
  readonly window: Timeframe;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FALSE_ALARMS_PER_YEAR = 0.05;
/** A level is compared with what was before it, and that often lies before the window that is shown. */
const HISTORY_MS = 90 * DAY_MS;
/** Longest window and its step: some hundred points at most. */
const STEPS: readonly (readonly [windowMaxMs: number, stepMs: number])[] = [
  [4 * DAY_MS, HOUR_MS],
  [15 * DAY_MS, 6 * HOUR_MS],
  [400 * DAY_MS, DAY_MS],
];
const WIDEST_STEP_MS = 7 * DAY_MS;
const Z_95 = 1.959964;
/** Jeffreys: an interval that holds near 0 and 1 as well (Brown, Cai and DasGupta 2001, Statistical Science 16). */
const RATE_PRIOR = { mean: 0.5, weight: 1 } as const;

/** How values of a series are tested, and how its levels are shown. */
interface Measure {
  readonly kind: 'rate' | 'real';
  /** From the unit of the series to the one that is shown; rising. */
  readonly shown: (value: number) => number;
}

const MEASURES = {
  rate: { kind: 'rate', shown: (value) => value },
  logarithm: { kind: 'real', shown: Math.exp },
  amount: { kind: 'real', shown: (value) => Math.max(0, value) },
} as const satisfies Record<string, Measure>;

/** How the models of a use case did over time, and when their level moved. Reads the hourly roll-up and signals. */
export async function rankingTrends(db: Database, asked: TrendsAsked): Promise<TrendsAnswer> {
  const { runId, useCase, redirectedFrom, modelId, window } = asked;
  const from = new Date(Math.min(window.from.getTime(), window.to.getTime() - HISTORY_MS));
  const question = { runId, useCase, modelId, from, to: window.to };
  const [hours, rated] = await Promise.all([readTrendHours(db, question), readRatedHours(db, question)]);
  const lengthMs = window.to.getTime() - window.from.getTime();
  const stepMs = STEPS.find(([windowMaxMs]) => lengthMs <= windowMaxMs)?.[1] ?? WIDEST_STEP_MS;
  const trend = (measure: Measure, buckets: readonly SeriesBucket[]): Trend =>
    trendOf(measure, buckets, window, stepMs);
  const models = [...groupByModel(hours)].map(([id, own]): ModelTrends => {
    const said = rated.filter((hour) => hour.modelId === id);
    return {
      modelId: id,
      success: trend(MEASURES.rate, own.map(successBucket)),
      latencyMs: trend(MEASURES.logarithm, own.map(latencyBucket)),
      costUsd: trend(MEASURES.amount, own.map(costBucket)),
      quality: said.length === 0 ? null : trend(MEASURES.rate, said),
    };
  });
  return {
    useCase,
    redirectedFrom,
    window: shownTimeframe(window),
    stepMs,
    falseAlarmsPerYear: FALSE_ALARMS_PER_YEAR,
    seriesCount: models.reduce((count, { quality }) => count + (quality === null ? 3 : 4), 0),
    models,
  };
}

function groupByModel(hours: readonly TrendHour[]): Map<string, TrendHour[]> {
  const models = new Map<string, TrendHour[]>();
  for (const hour of hours) models.set(hour.modelId, [...(models.get(hour.modelId) ?? []), hour]);
  return models;
}

function successBucket({ atMs, successCount, failureCount }: TrendHour): SeriesBucket {
  return { atMs, count: successCount + failureCount, sum: successCount, squareSum: successCount };
}

/** Logarithms: latencies differ by factors, and one slow answer must not look like a change. */
function latencyBucket({ atMs, latencyBins }: TrendHour): SeriesBucket {
  let [count, sum, squareSum] = [0, 0, 0];
  for (const [bin, requests] of latencyBins) {
    const value = Math.log(binMiddleMs(bin));
    count += requests;
    sum += requests * value;
    squareSum += requests * value ** 2;
  }
  return { atMs, count, sum, squareSum };
}

function costBucket({ atMs, pricedCount, costSumUsd, costSquareSum }: TrendHour): SeriesBucket {
  return { atMs, count: pricedCount, sum: costSumUsd, squareSum: costSquareSum };
}

function trendOf(
  measure: Measure,
  buckets: readonly SeriesBucket[],
  { from, to }: Timeframe,
  stepMs: number,
): Trend {
  const { kind } = measure;
  const seen = buckets.filter(({ count }) => count > 0);
  const steps = new Map<number, Moments>();
  for (const { atMs, count, sum, squareSum } of seen) {
    if (atMs + HOUR_MS <= from.getTime()) continue;
    const at = Math.floor(atMs / stepMs) * stepMs;
    const step = steps.get(at) ?? { count: 0, sum: 0, squareSum: 0 };
    steps.set(at, {
      count: step.count + count,
      sum: step.sum + sum,
      squareSum: step.squareSum + squareSum,
    });
  }
  const changes = detectChangePoints(seen, { kind, falseAlarmsPerYear: FALSE_ALARMS_PER_YEAR });
  const shownChanges = changes?.filter(({ atMs }) => atMs >= from.getTime() && atMs < to.getTime());
  return {
    points: [...steps].map(([atMs, moments]) => ({
      at: new Date(atMs).toISOString(),
      ...levelOf(moments, measure),
    })),
    changePoints:
      shownChanges?.map(({ atMs, detectedAtMs, before, after, pValue }) => {
        const [one, other] = [shownLevel(before, measure), shownLevel(after, measure)];
        return {
          at: new Date(atMs).toISOString(),
          detectedAt: new Date(detectedAtMs).toISOString(),
          before: one,
          after: other,
          difference: other.value - one.value,
          pValue,
        };
      }) ?? null,
  };
}

function shownLevel({ mean, interval: [low, high], sampleCount }: Level, { shown }: Measure): TrendLevel {
  return { value: shown(mean), interval: [shown(low), shown(high)], sampleCount };
}

function levelOf(moments: Moments, { kind, shown }: Measure): TrendLevel {
  const { count, sum, squareSum } = moments;
  const mean = sum / count;
  if (kind === 'rate') {
    const posterior = posteriorOf(moments, RATE_PRIOR, dispersion(moments, 1));
    const [low, high] = posteriorInterval(posterior);
    return { value: mean, interval: [Math.min(low, mean), Math.max(high, mean)], sampleCount: count };
  }
  if (count < 2) return { value: shown(mean), interval: null, sampleCount: count };
  const variance = Math.max(0, squareSum / count - mean ** 2) * (count / (count - 1));
  const halfWidth = Z_95 * Math.sqrt(variance / count);
  return {
    value: shown(mean),
    interval: [shown(mean - halfWidth), shown(mean + halfWidth)],
    sampleCount: count,
  };
}
