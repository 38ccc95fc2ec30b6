import type { PolicyResult } from './backtest-results.ts';
import type { SeenPrompt } from './learn-outcomes.ts';
import type { Outcome, OutcomeMatrix, OutcomePrompt } from './outcome-file.ts';

/** A model that answered fewer of the training prompts than this share of the most answered is no single choice. */
const SINGLE_COVERAGE_MIN = 0.5;

/** A policy on every held-out prompt. */
export interface Run extends Values {
  readonly head: Pick<PolicyResult, 'name' | 'model' | 'lambda' | 'usdPerPoint'>;
}

interface Values {
  /** NaN where there is none. */
  readonly scores: Float64Array;
  readonly costsUsd: Float64Array;
  /** What was chosen; null where several were, or none. */
  readonly models: readonly (string | null)[];
}

/** What came of a choice of models; NaN where there is none, or where it has no outcome. */
export function picked(test: readonly OutcomePrompt[], models: readonly (string | null)[]): Values {
  const outcomes = test.map(({ outcomes: all }, at) => all.get(models[at] ?? ''));
  return {
    scores: Float64Array.from(outcomes, (outcome) => outcome?.score ?? Number.NaN),
    costsUsd: Float64Array.from(outcomes, (outcome) => outcome?.costUsd ?? Number.NaN),
    models,
  };
}

/** What the router is compared with; best-single first. */
export function baselines(
  matrix: OutcomeMatrix,
  seen: readonly SeenPrompt[],
  test: readonly OutcomePrompt[],
): Run[] {
  const order = bestFirst(seen, matrix.models);
  const firstOf = (models: readonly string[], { outcomes }: OutcomePrompt): string | null =>
    models.find((model) => outcomes.has(model)) ?? null;
  const domains = new Set(test.map(({ domain }) => domain));
  const orders = new Map(
    [...domains].map((domain) => [
      domain,
      bestFirst(
        seen.filter(({ prompt }) => prompt.domain === domain),
        order,
      ),
    ]),
  );
  const best = order[0] ?? '';
  return [
    {
      head: { name: 'best-single', model: best },
      ...picked(
        test,
        test.map((one) => firstOf(order, one)),
      ),
    },
    { head: { name: 'random' }, ...expected(test) },
    ...(domains.size < 2
      ? []
      : [
          {
            head: { name: 'domain-oracle' as const },
            ...picked(
              test,
              test.map((one) => firstOf(orders.get(one.domain) ?? order, one)),
            ),
          },
        ]),
    { head: { name: 'oracle' }, ...picked(test, test.map(oracleOf)) },
    ...matrix.models.map((model) => ({
      head: { name: 'single' as const, model },
      ...picked(
        test,
        test.map(({ outcomes }) => (outcomes.has(model) ? model : null)),
      ),
    })),
  ];
}

/** Models by their mean score, those that answered few of the prompts last; of equals the cheaper one first. */
function bestFirst(seen: readonly SeenPrompt[], models: readonly string[]): string[] {
  const sums = new Map(models.map((model) => [model, { count: 0, score: 0, pricedCount: 0, costUsd: 0 }]));
  for (const { seen: outcomes } of seen) {
    for (const [model, { score, costUsd }] of outcomes) {
      const sum = sums.get(model);
      if (sum === undefined) continue;
      sum.count++;
      sum.score += score;
      if (costUsd === null) continue;
      sum.pricedCount++;
      sum.costUsd += costUsd;
    }
  }
  const countMax = Math.max(...[...sums.values()].map(({ count }) => count));
  const rows = [...sums].map(([model, { count, score, pricedCount, costUsd }]) => ({
    model,
    isCovered: count >= SINGLE_COVERAGE_MIN * countMax && count > 0,
    score: count === 0 ? 0 : score / count,
    costUsd: pricedCount === 0 ? Number.POSITIVE_INFINITY : costUsd / pricedCount,
  }));
  // The sort is stable: what else is equal keeps the order that it came in.
  return rows
    .sort(
      (one, other) =>
        Number(other.isCovered) - Number(one.isCovered) ||
        other.score - one.score ||
        (one.costUsd === other.costUsd ? 0 : one.costUsd - other.costUsd),
    )
    .map(({ model }) => model);
}

function oracleOf({ outcomes }: OutcomePrompt): string | null {
  const cost = ({ costUsd }: Outcome): number => costUsd ?? Number.POSITIVE_INFINITY;
  let best: [string, Outcome] | null = null;
  for (const [model, outcome] of outcomes) {
    const isBetter =
      best === null ||
      outcome.score > best[1].score ||
      (outcome.score === best[1].score && cost(outcome) < cost(best[1]));
    if (isBetter) best = [model, outcome];
  }
  return best?.[0] ?? null;
}

function expected(test: readonly OutcomePrompt[]): Values {
  const means = test.map(({ outcomes }) => {
    const all = [...outcomes.values()];
    const costs = all.map(({ costUsd }) => costUsd ?? Number.NaN);
    return {
      score: all.reduce((sum, { score }) => sum + score, 0) / all.length,
      costUsd: costs.reduce((sum, costUsd) => sum + costUsd, 0) / all.length,
    };
  });
  return {
    scores: Float64Array.from(means, ({ score }) => score),
    costsUsd: Float64Array.from(means, ({ costUsd }) => costUsd),
    models: test.map(() => null),
  };
}
