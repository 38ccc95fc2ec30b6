import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { ASKED_FOR } from '../rows-under-run.ts';

/**
 * Sums and sums of products over requests, in the order of `usage_hourly.cost_sums`. From `knownCount` on they are of
 * requests whose cost and tokens are known: x tokens of the prompt, o of the answer, c dollars, l = ln(1 + x),
 * t characters of the last prompt.
 */
const FIELDS = [
  'requestCount',
  'pricedCount',
  'costSumUsd',
  'costSquareSum',
  'knownCount',
  'x',
  'o',
  'c',
  'l',
  't',
  'xx',
  'xo',
  'oo',
  'xc',
  'oc',
  'cc',
  'xl',
  'll',
  'lc',
  'tt',
  'tx',
] as const;

export type CostSums = { readonly [Field in (typeof FIELDS)[number]]: number };

/** What one model was paid in one use case, in the windows that savings look at. */
export interface SavingsEvidenceRow {
  readonly useCase: string;
  readonly modelId: string;
  /** Requests of the asked window. */
  readonly asked: CostSums;
  /** Those from which the model's costs are forecast; the asked window is among them, and so are shadows. */
  readonly evidence: CostSums;
  /** Those from before routing was switched on. */
  readonly before: CostSums;
  /** Those that asked for `auto` since then. */
  readonly routed: CostSums;
}

export interface SavingsScope {
  readonly runId: string;
  /** The asked window, half-open; the roll-up counts whole hours. */
  readonly from: Date;
  readonly to: Date;
  /** Not after `from`. */
  readonly evidenceFrom: Date;
  /** null: routing was never switched on. */
  readonly routing: { readonly since: Date; readonly beforeFrom: Date } | null;
}

const SAVINGS_SQL = `
SELECT
  use_case AS useCase,
  model_id AS modelId,
  sumForEachMergeIf(cost_sums, ${ASKED_FOR} AND hour >= toStartOfHour({from:DateTime64(3, 'UTC')})) AS asked,
  sumForEachMergeIf(cost_sums, hour >= toStartOfHour({evidenceFrom:DateTime64(3, 'UTC')})) AS evidence,
  sumForEachMergeIf(
    cost_sums,
    ${ASKED_FOR} AND hour >= toStartOfHour({beforeFrom:DateTime64(3, 'UTC')})
      AND hour < toStartOfHour({since:DateTime64(3, 'UTC')})
  ) AS before,
  sumForEachMergeIf(
    routed_cost_sums, ${ASKED_FOR} AND hour >= toStartOfHour({since:DateTime64(3, 'UTC')})
  ) AS routed
FROM usage_hourly
WHERE run_id = {runId:String}
  AND hour >= toStartOfHour(least({evidenceFrom:DateTime64(3, 'UTC')}, {beforeFrom:DateTime64(3, 'UTC')}))
  AND hour < {to:DateTime64(3, 'UTC')}
GROUP BY useCase, modelId
ORDER BY useCase, modelId`;

/** The moment at which a program that never routed will have begun: nothing is after it, and everything asked is before. */
const NEVER = new Date('2100-01-01T00:00:00Z');

/**
 * How many requests did each model answer per use case, for how much, and how did cost go with length? Reads the hourly
 * roll-up of one run.
 */
export async function readSavingsEvidence(db: Database, scope: SavingsScope): Promise<SavingsEvidenceRow[]> {
  const { since, beforeFrom } = scope.routing ?? { since: NEVER, beforeFrom: NEVER };
  const rows = await db.query<{
    readonly useCase: string;
    readonly modelId: string;
    readonly asked: readonly unknown[];
    readonly evidence: readonly unknown[];
    readonly before: readonly unknown[];
    readonly routed: readonly unknown[];
  }>(SAVINGS_SQL, {
    runId: scope.runId,
    from: storedMoment(scope.from.getTime()),
    to: storedMoment(scope.to.getTime()),
    evidenceFrom: storedMoment(scope.evidenceFrom.getTime()),
    since: storedMoment(since.getTime()),
    beforeFrom: storedMoment(beforeFrom.getTime()),
  });
  return rows.map((row) => ({
    useCase: row.useCase,
    modelId: row.modelId,
    asked: toCostSums(row.asked.map(Number)),
    evidence: toCostSums(row.evidence.map(Number)),
    before: toCostSums(row.before.map(Number)),
    routed: toCostSums(row.routed.map(Number)),
  }));
}

/** @param values  in the order of the stored array; what is missing is 0: a model that only failed has no sums */
export function toCostSums(values: readonly number[]): CostSums {
  return Object.fromEntries(FIELDS.map((field, at) => [field, values[at] ?? 0])) as CostSums;
}

export function addCostSums(parts: readonly CostSums[]): CostSums {
  return toCostSums(FIELDS.map((field) => parts.reduce((total, part) => total + part[field], 0)));
}
