import type { AbTest } from '../../core/ab-test.ts';
import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { EXPLICIT_RATING } from '../explicit-rating.ts';

const TESTS = `SELECT definition FROM ab_tests FINAL WHERE NOT is_removed ORDER BY name`;

/** Which A/B tests are there, whatever became of them? Reads all of `ab_tests`: a row a test. */
export async function readAbTests(db: Database): Promise<AbTest[]> {
  const rows = await db.query<{ definition: string }>(TESTS);
  return rows.map(({ definition }) => JSON.parse(definition) as AbTest);
}

/** Keeps a test; the row with the latest `changedAt` counts. */
export async function putAbTest(
  db: Database,
  test: AbTest,
  change: { readonly changedAt: Date; readonly changedBy: string; readonly isRemoved?: boolean },
): Promise<void> {
  await db.insertRows('ab_tests', [
    {
      name: test.name,
      definition: JSON.stringify(test),
      is_removed: change.isRemoved === true,
      changed_at: change.changedAt,
      changed_by: change.changedBy,
    },
  ]);
}

/** Sums over the units of one arm that have a value, of one metric: what a ratio of totals and its variance need. */
export interface AbSums {
  readonly unitCount: number;
  /** Requests with a value, n of a unit, summed over the units; and its squares. */
  readonly requestCount: number;
  readonly requestSquareSum: number;
  /** The unit's total y, its squares, and y n. */
  readonly sum: number;
  readonly squareSum: number;
  readonly productSum: number;
}

export interface AbArmSums {
  readonly arm: string;
  readonly unitCount: number;
  readonly requestCount: number;
  /** Requests that another model answered than the arm's, or that it failed for another one. */
  readonly fallbackCount: number;
  /** Requests of the satisfaction with a rating; the others have only what their session shows. */
  readonly ratedCount: number;
  /** 1: the model that the arm chose answered; 0: it or its provider failed, also where a fallback answered. */
  readonly success: AbSums;
  /** A rating 0..1, else 0 where the session asked again, corrected or left, and 1 where it did not. */
  readonly satisfaction: AbSums;
  /** Dollars of the request, whoever answered. */
  readonly cost: AbSums;
  /** Natural logarithm of the milliseconds of answered requests. */
  readonly latency: AbSums;
}

const METRICS = ['success', 'satisfaction', 'cost', 'latency'] as const;

const WINDOW = `started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}`;
/** Signals lie in the partition of their request. */
const OF_TEST = `${WINDOW} AND request_id IN (SELECT request_id FROM decisions WHERE ${WINDOW} AND ab_test = {name:String})`;

const FALLBACK = `(logged.model_id != decided.model_id OR has(logged.failed_model_ids, decided.model_id))`;

/** One per request; NULL: says nothing. */
const VALUES: Readonly<Record<(typeof METRICS)[number], string>> = {
  success: `multiIf(${FALLBACK}, 0, logged.success, 1, logged.fault IN ('provider', 'model'), 0, NULL)`,
  satisfaction: `multiIf(
      isNotNull(learnt.rating), learnt.rating,
      logged.session_id = '', NULL,
      learnt.complaints > 0 OR logged.error_code = 'caller_cancelled', 0,
      logged.success, 1,
      NULL
    )`,
  cost: 'logged.cost_usd',
  latency: 'if(logged.success AND logged.latency_ms > 0, log(logged.latency_ms), NULL)',
};

const SUMS = `
SELECT
  arm,
  count() AS unitCount,
  sum(requests) AS requestCount,
  sum(fallbacks) AS fallbackCount,
  sum(rated) AS ratedCount,
  ${METRICS.map(
    (metric) => `[
    countIf(${metric}_n > 0), sum(${metric}_n), sum(${metric}_n * ${metric}_n),
    sum(${metric}_y), sum(${metric}_y * ${metric}_y), sum(${metric}_y * ${metric}_n)
  ] AS ${metric}`,
  ).join(',\n  ')}
FROM (
  SELECT
    decided.ab_arm AS arm,
    cityHash64(multiIf(
      {stickyBy:String} = 'user' AND logged.user_id != '', concat('user:', logged.user_id),
      {stickyBy:String} != 'request' AND logged.session_id != '', concat('session:', logged.session_id),
      toString(decided.request_id)
    )) AS unit,
    count() AS requests,
    countIf(${FALLBACK}) AS fallbacks,
    countIf(isNotNull(learnt.rating)) AS rated,
    ${METRICS.map(
      (metric) => `count(${VALUES[metric]}) AS ${metric}_n,
    sum(ifNull(toFloat64(${VALUES[metric]}), 0)) AS ${metric}_y`,
    ).join(',\n    ')}
  FROM (
    SELECT request_id, ab_arm, model_id FROM decisions WHERE ${WINDOW} AND ab_test = {name:String}
  ) AS decided
  INNER JOIN (
    SELECT
      request_id, model_id, failed_model_ids, success, fault, error_code, cost_usd, latency_ms, user_id, session_id
    FROM usage_log
    WHERE ${OF_TEST}
  ) AS logged ON logged.request_id = decided.request_id
  LEFT JOIN (
    SELECT
      request_id,
      ${EXPLICIT_RATING} AS rating,
      countIf(kind IN ('re_ask', 'correction', 'abandonment')) AS complaints
    FROM signals FINAL
    WHERE ${OF_TEST}
    GROUP BY request_id
  ) AS learnt ON learnt.request_id = decided.request_id
  GROUP BY arm, unit
)
GROUP BY arm
ORDER BY arm`;

type StoredSums = { readonly [Field in keyof AbArmSums]: unknown } & { readonly arm: string };

/**
 * What came of the requests of a test, by the arm that they were given? Reads `decisions`, `usage_log` and `signals` of
 * the days of the test. A unit is whom the arm sticks to.
 */
export async function readAbSums(db: Database, test: AbTest, to: Date): Promise<AbArmSums[]> {
  const rows = await db.query<StoredSums>(SUMS, {
    name: test.name,
    stickyBy: test.stickyBy,
    from: storedMoment(test.startsAtMs),
    to: storedMoment(to.getTime()),
  });
  return rows.map((row) => ({
    arm: row.arm,
    unitCount: Number(row.unitCount),
    requestCount: Number(row.requestCount),
    fallbackCount: Number(row.fallbackCount),
    ratedCount: Number(row.ratedCount),
    success: sumsOf(row.success),
    satisfaction: sumsOf(row.satisfaction),
    cost: sumsOf(row.cost),
    latency: sumsOf(row.latency),
  }));
}

function sumsOf(stored: unknown): AbSums {
  const [unitCount = 0, requestCount = 0, requestSquareSum = 0, sum = 0, squareSum = 0, productSum = 0] = (
    stored as readonly unknown[]
  ).map(Number);
  return { unitCount, requestCount, requestSquareSum, sum, squareSum, productSum };
}
