import { CAST, type CastModel, costUsdOf, modelIdOf } from './cast.ts';
import type { KnownPrompt } from './data.ts';
import type { AnalysisAnswer, Phase, Ranking, SentRequest } from './facts.ts';
import type { Product } from './product.ts';

export interface ReplayFacts {
  readonly product: Product;
  readonly before: Phase;
  readonly after: Phase;
  readonly analysis: AnalysisAnswer;
  /** As phase two found them. */
  readonly rankings: readonly Ranking[];
  readonly seed: number;
}

/** The margin of the not-worse rule: further below the best single model means that routing did harm. */
const MARGIN = 0.05;

/** Prints the tables of a replay. Sets a bad exit code when `auto` falls below the best single model's margin or rows are missing. */
export async function printReport(facts: ReplayFacts): Promise<void> {
  const { product, before, after, analysis, rankings } = facts;
  const stats = await product.ask<{ total: { requestCount: number } }>('/api/usage/stats?timeframe=1%20day');
  const savings = await product.ask<{ message: string; sampleCount: number }>('/api/savings');
  const sentCount = before.requests.length + after.requests.length + before.failedCount + after.failedCount;
  print(
    '',
    `# Replay, seed ${facts.seed}: RouterDC prompts and outcomes, LLMPerf latencies, INVENTED prices`,
  );
  printRankings(analysis, rankings);
  printTraffic(before, after);
  const isNotWorse = printOutcomes(before, after);
  printLatency(before, after);
  print('', savings.message, `(${savings.sampleCount} priced requests)`);
  print(
    '',
    `rows in the store ${stats.total.requestCount}, requests sent ${sentCount}, of them failed ${before.failedCount + after.failedCount}`,
  );
  print(`feedback given: ${before.feedbackCount} in phase one, ${after.feedbackCount} in phase two`);
  if (!isNotWorse || stats.total.requestCount !== sentCount) process.exitCode = 1;
}

function printRankings(analysis: AnalysisAnswer, rankings: readonly Ranking[]): void {
  print('', `## ${analysis.categories.length} use cases found`);
  const bests = new Map(rankings.map((ranking) => [ranking.useCase, ranking]));
  const rows = analysis.categories.map(({ categorySlug, sampleCount, keywords }) => {
    const ranking = bests.get(categorySlug);
    return [
      categorySlug,
      String(sampleCount),
      ranking?.best?.modelId ?? '–',
      ranking?.best?.score?.toFixed(1) ?? '–',
      keywords.slice(0, 4).join(' '),
    ];
  });
  printTable(['use case', 'prompts seen', 'best for auto', 'score', 'keywords'], rows);
}

function printTraffic(before: Phase, after: Phase): void {
  print('', '## Share of traffic per model');
  const rows = CAST.map((model) => [
    modelIdOf(model),
    model.outputUsdPerMtok === 0 ? 'free' : `$${model.inputUsdPerMtok}/$${model.outputUsdPerMtok} per Mtok`,
    share(before.requests, model),
    share(after.requests, model),
  ]);
  printTable(['model', 'invented price', 'phase one', 'phase two (auto)'], rows);
}

/** @returns false when auto's mean outcome lies below the best single model's by more than the margin */
function printOutcomes(before: Phase, after: Phase): boolean {
  print('', '## True outcome and cost per 1,000 first requests');
  const firsts = after.requests.filter(({ isReAsk }) => !isReAsk);
  const prompts = firsts.map(({ prompt }) => prompt);
  const singles = CAST.map((model) => ({
    model,
    outcome: meanOutcome(prompts, model),
    costUsd: meanCost(prompts, model),
  }));
  const best = singles.reduce((one, other) => (other.outcome > one.outcome ? other : one));
  const oracle = mean(prompts.map((prompt) => Math.max(...CAST.map((model) => outcomeOf(prompt, model)))));
  const auto = figuresOf(firsts);
  const rows = [
    [
      'phase one, fixed mix (its own prompts)',
      ...figuresOf(before.requests.filter(({ isReAsk }) => !isReAsk)).cells,
    ],
    ['phase two, auto', ...auto.cells],
    [`best single model (${best.model.name})`, best.outcome.toFixed(4), perThousand(best.costUsd)],
    [
      'the fixed mix on the same prompts',
      mixOf(prompts).outcome.toFixed(4),
      perThousand(mixOf(prompts).costUsd),
    ],
    [
      'random model',
      mean(singles.map(({ outcome }) => outcome)).toFixed(4),
      perThousand(mean(singles.map(({ costUsd }) => costUsd))),
    ],
    ['oracle', oracle.toFixed(4), '–'],
    ...singles.map(({ model, outcome, costUsd }) => [
      `always ${model.name}`,
      outcome.toFixed(4),
      perThousand(costUsd),
    ]),
  ];
  printTable(['policy', 'mean outcome', 'cost'], rows);
  const difference = auto.outcome - best.outcome;
  const isNotWorse = difference >= -MARGIN;
  print(
    `auto minus best single model: ${difference.toFixed(4)} (standard error ${standardError(firsts, best.model).toFixed(4)}); ${isNotWorse ? 'within' : 'BELOW'} the margin of ${MARGIN}`,
  );
  return isNotWorse;
}

function printLatency(before: Phase, after: Phase): void {
  const added = [...before.requests, ...after.requests]
    .map(({ addedLatencyMs }) => addedLatencyMs)
    .sort((a, b) => a - b);
  const quantile = (q: number): string =>
    `${(added[Math.floor(q * (added.length - 1))] ?? Number.NaN).toFixed(1)} ms`;
  print(
    '',
    `added latency, with this script's own timers and both clients in it: p50 ${quantile(0.5)}, p95 ${quantile(0.95)}, p99 ${quantile(0.99)}`,
  );
}

function figuresOf(requests: readonly SentRequest[]): { outcome: number; cells: string[] } {
  const outcome = mean(requests.map((request) => request.outcome));
  const costUsd = mean(requests.map((request) => request.costUsd));
  return { outcome, cells: [outcome.toFixed(4), perThousand(costUsd)] };
}

/** What the mix of phase one would give on these prompts: outcomes and costs weighted by its shares. */
function mixOf(prompts: readonly KnownPrompt[]): { outcome: number; costUsd: number } {
  const total = CAST.reduce((sum, { share: part }) => sum + part, 0);
  const weighted = (of: (model: CastModel) => number): number =>
    CAST.reduce((sum, model) => sum + (model.share / total) * of(model), 0);
  return {
    outcome: weighted((model) => meanOutcome(prompts, model)),
    costUsd: weighted((model) => meanCost(prompts, model)),
  };
}

function standardError(firsts: readonly SentRequest[], best: CastModel): number {
  const differences = firsts.map(({ prompt, outcome }) => outcome - outcomeOf(prompt, best));
  const center = mean(differences);
  return Math.sqrt(mean(differences.map((value) => (value - center) ** 2)) / differences.length);
}

function share(requests: readonly SentRequest[], model: CastModel): string {
  const count = requests.filter((request) => request.model === model).length;
  return `${((100 * count) / requests.length).toFixed(1)} %`;
}

const meanOutcome = (prompts: readonly KnownPrompt[], model: CastModel): number =>
  mean(prompts.map((prompt) => outcomeOf(prompt, model)));
const meanCost = (prompts: readonly KnownPrompt[], model: CastModel): number =>
  mean(prompts.map(({ prompt }) => costUsdOf(model, prompt)));
const outcomeOf = (prompt: KnownPrompt, model: CastModel): number =>
  prompt.outcomes.get(model.outcomeName) ?? 0;
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const perThousand = (costUsd: number): string => `$${(1000 * costUsd).toFixed(2)}`;

function print(...texts: string[]): void {
  console.log(texts.join('\n'));
}

function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  print(
    `| ${header.join(' | ')} |`,
    `|${'---|'.repeat(header.length)}`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  );
}
