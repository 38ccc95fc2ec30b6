import type { SignalKind } from '../core/signal.ts';
import type { TimeframeQuery } from '../core/timeframe.ts';
import { parseTimeframe, shownTimeframe } from '../core/timeframe.ts';
import { correlationInterval, correlationOf } from '../stats/correlation.ts';
import { studentReach } from '../stats/student.ts';
import { wilsonInterval } from '../stats/wilson.ts';
import type { Database } from '../store/database.ts';
import { currentRunId } from '../store/queries/current-run.ts';
import type { SignalFiguresRow } from '../store/queries/signal-figures.ts';
import { readSignalFigures, SCORE_KINDS } from '../store/queries/signal-figures.ts';
import type { ModelRanker } from './model-ranker.ts';
import { resolveRanked } from './ranked-names.ts';

/** A figure with what it rests on; null where nothing was seen to make it of. */
export interface SignalFigure {
  readonly value: number | null;
  /** 95 %; null where the value is, or where too few were seen. */
  readonly interval: readonly [low: number, high: number] | null;
  readonly sampleCount: number;
}

/** One kind of signal, and what it is worth against explicit ratings. */
export interface SignalAnswer {
  readonly kind: SignalKind;
  /** Requests with the signal, in a session or not. */
  readonly count: number;
  /** Share of the requests in sessions that have it: clients without sessions do not dilute it. */
  readonly rate: SignalFigure;
  /** Mean rating 0..1 of rated requests in sessions, with the event and without; null for scores. */
  readonly ratingWith: SignalFigure | null;
  readonly ratingWithout: SignalFigure | null;
  /** Correlation with the rating, -1..1, and its square: the share of the ratings' variance that the signal explains. */
  readonly correlation: SignalFigure;
  readonly agreement: SignalFigure;
  /** What is missing to judge by; null where nothing is. */
  readonly note: string | null;
}

export interface SignalsAnswer {
  readonly useCase: string | null;
  readonly modelId: string | null;
  readonly window: { readonly from: string; readonly to: string; readonly label: string };
  readonly requestCount: number;
  readonly sessionCount: number;
  readonly signals: readonly SignalAnswer[];
}

export interface SignalsQuestion extends TimeframeQuery {
  /** Slug, or what it was before; left out: all use cases. */
  readonly useCase?: string | undefined;
  readonly modelId?: string | undefined;
}

export interface SignalsSources {
  readonly db: Database;
  readonly ranker: Pick<ModelRanker, 'getRankings' | 'getAllRankings'>;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

const DEFAULT_WINDOW = '30 days';

/** Pairs below which an agreement is not worth a look, though it is shown with its interval. */
const PAIRS_MIN = 20;

/**
 * Every kind of signal by itself: how often it is seen, and how it agrees with what people say where both exist.
 *
 * @throws {TallyrankError} `unknown_use_case`, `unknown_model`, `ambiguous_model`, `bad_timeframe`
 */
export async function signalsReport(
  { db, ranker, clock }: SignalsSources,
  { useCase, modelId, ...timeframe }: SignalsQuestion,
): Promise<SignalsAnswer> {
  const window = parseTimeframe(timeframe, clock(), DEFAULT_WINDOW);
  const rankings =
    useCase === undefined ? (await ranker.getAllRankings()).rankings : [await ranker.getRankings(useCase)];
  const ids = rankings.flatMap(({ best, alternatives }) =>
    [...(best === null ? [] : [best]), ...alternatives].map((model) => model.modelId),
  );
  const asked = {
    useCase: useCase === undefined ? null : (rankings[0]?.useCase ?? useCase),
    modelId: modelId === undefined ? null : resolveRanked(modelId, [...new Set(ids)], 'modelId'),
  };
  const runId = await currentRunId(db);
  const figures = await readSignalFigures(db, { ...asked, runId, from: window.from, to: window.to });
  return {
    ...asked,
    window: shownTimeframe(window),
    requestCount: figures.requestCount,
    sessionCount: figures.sessionCount,
    signals: figures.kinds.map((row) => signalAnswer(row, figures.sessionCount)),
  };
}

function signalAnswer(row: SignalFiguresRow, sessionCount: number): SignalAnswer {
  const { kind, count, pairs } = row;
  const isScore = SCORE_KINDS.includes(kind);
  // Rows of the hour that the window begins in may be in one count and not yet in the other.
  const inSession = Math.min(row.sessionCount, sessionCount);
  const correlation = correlationOf(pairs);
  const interval = correlation === null ? null : correlationInterval(correlation, pairs.count);
  return {
    kind,
    count,
    rate: {
      value: sessionCount === 0 ? null : inSession / sessionCount,
      interval: sessionCount === 0 ? null : wilsonInterval(inSession, sessionCount),
      sampleCount: sessionCount,
    },
    ratingWith: isScore ? null : meanFigure(pairs.xSum, pairs.xySum, pairs.signedSquareSum),
    ratingWithout: isScore
      ? null
      : meanFigure(
          pairs.count - pairs.xSum,
          pairs.ySum - pairs.xySum,
          pairs.ySquareSum - pairs.signedSquareSum,
        ),
    correlation: { value: correlation, interval, sampleCount: pairs.count },
    agreement: {
      value: correlation === null ? null : correlation ** 2,
      interval: interval && squared(interval),
      sampleCount: pairs.count,
    },
    note: noteOf(row, isScore, correlation),
  };
}

/** Student's interval (1908) from sums, kept to 0..1. */
function meanFigure(count: number, sum: number, squareSum: number): SignalFigure {
  if (count === 0) return { value: null, interval: null, sampleCount: 0 };
  const mean = sum / count;
  if (count < 2) return { value: mean, interval: null, sampleCount: count };
  const variance = Math.max(0, squareSum - count * mean * mean) / (count - 1);
  const reach = studentReach(0.95, count - 1) * Math.sqrt(variance / count);
  return {
    value: mean,
    interval: [Math.max(0, mean - reach), Math.min(1, mean + reach)],
    sampleCount: count,
  };
}

/** Limits of the square of what lies between `low` and `high`. */
function squared([low, high]: readonly [number, number]): readonly [number, number] {
  const [one, other] = [low ** 2, high ** 2];
  return [low < 0 && high > 0 ? 0 : Math.min(one, other), Math.max(one, other)];
}

function noteOf(
  { kind, count, pairs }: SignalFiguresRow,
  isScore: boolean,
  correlation: number | null,
): string | null {
  if (count === 0) return 'Not seen in this window.';
  const other = isScore && kind !== 'judge_score' ? OTHER_RATING[kind] : 'an explicit rating';
  if (pairs.count === 0)
    return `No request has both this and ${other ?? 'another'}: what it is worth is not known.`;
  if (correlation === null) {
    return `${pairs.count} requests can be compared, but one side never varies: what it is worth is not known.`;
  }
  if (pairs.count < PAIRS_MIN) {
    return `Too little to judge by: ${pairs.count} of ${PAIRS_MIN} requests that can be compared with ${other ?? 'another'}.`;
  }
  return null;
}

/** What explicit ratings of one kind are compared with. */
const OTHER_RATING: Partial<Record<SignalKind, string>> = {
  feedback: 'an imported score',
  imported_score: 'feedback',
};
