import type { CandidateChance } from '../core/decision.ts';
import type { DrawTable } from './exploration.ts';
import type { Plan } from './plan.ts';

/** Rows of models that may be drawn and have none in the plan. More, and every decision among hundreds stores them all. */
const UNRANKED_MAX = 20;
/** A probability is read by people and by estimates with percents of error. */
const DIGITS = 6;

/** What decisions log of the models that they might have taken; the same rows while plan and probabilities are the same. */
export class CandidateChances {
  readonly #byPlan = new WeakMap<Plan, readonly CandidateChance[]>();
  readonly #byTable = new WeakMap<DrawTable, readonly CandidateChance[]>();

  /** @param table  the probabilities that the model is drawn by; null where nothing is left to chance */
  rowsOf(plan: Plan, table: DrawTable | null): readonly CandidateChance[] {
    // A shadow is drawn, but never chosen.
    const isCertain = table === null || table.isShadow;
    const known = isCertain ? this.#byPlan.get(plan) : this.#byTable.get(table);
    if (known !== undefined) return known;
    if (isCertain) {
      const rows = plan.rows.map((row) => ({ ...row, probability: null }));
      this.#byPlan.set(plan, rows);
      return rows;
    }
    const rows = rowsOfTable(plan, table);
    this.#byTable.set(table, rows);
    return rows;
  }
}

function rowsOfTable(plan: Plan, table: DrawTable): readonly CandidateChance[] {
  const drawable = new Map(table.rows.map(({ modelId, probability }) => [modelId, probability]));
  const rows = plan.rows.map((row) => ({ ...row, probability: rounded(drawable.get(row.modelId) ?? 0) }));
  for (const { modelId } of rows) drawable.delete(modelId);
  const others = [...drawable]
    .filter(([, probability]) => probability > 0)
    .sort(([, one], [, other]) => other - one)
    .slice(0, UNRANKED_MAX);
  return [
    ...rows,
    ...others.map(([modelId, probability]) => ({
      modelId,
      score: null,
      isCandidate: false,
      reason: 'no requests yet',
      probability: rounded(probability),
    })),
  ];
}

/** As probabilities are logged beside the exact propensity. */
export function rounded(probability: number): number {
  return Number(probability.toPrecision(DIGITS));
}
