import { banditOutcomes } from '../../src/evaluation/learn-outcomes.ts';
import type { OutcomePrompt } from '../../src/evaluation/outcome-file.ts';
import type { ExplorationChange } from '../../src/routing/exploration.ts';
import { createRandom } from '../../src/stats/random.ts';
import { ExploringGateway, meanOf, meansOf, weightsOf } from './exploring-gateway.ts';

/*
 * A model joins a gateway that knows the others: half of the prompts are a log of earlier requests, one outcome each of a
 * model drawn evenly; then it is offered, and the other half is routed.
 */

/** Prompts between two looks. */
const LOOK = 50;
/** Requests of each known model in each domain in the log before, on average; sets with more models give some of them up. */
const KNOWN_REQUESTS = 20;
const MODELS_MIN = 3;
/** The margin of quality of `auto`. */
const KNOWN_WITHIN = 0.05;

/** Prompts after which something was so and remained so; null: not within the prompts there are. */
export interface Placement {
  /** Its shown quality was within 0.05 of the true one, for half of the prompts at least. */
  readonly knownAfter: number | null;
  /** Half of what taking it where it is best could gain was gained; null also where there was nothing to gain. */
  readonly gainedAfter: number | null;
  /** Share of all prompts that it was given. */
  readonly takenShare: number;
}

interface Join {
  /** In the order in which they come. */
  readonly prompts: readonly OutcomePrompt[];
  readonly models: readonly string[];
  readonly newcomer: string;
  readonly exploration: ExplorationChange;
  readonly seed: number;
}

export async function follow({ prompts, models, newcomer, exploration, seed }: Join): Promise<Placement> {
  const known = models.filter((model) => model !== newcomer);
  const middle = Math.floor(prompts.length / 2);
  const means = meansOf(prompts, models);
  const weights = weightsOf(prompts);
  const gateway = new ExploringGateway(prompts, known, { exploration, seed });
  const before = prompts.slice(0, middle).map((prompt) => only(prompt, known));
  gateway.learn(banditOutcomes(before, createRandom(seed + 1)));
  gateway.offer(models);
  const missed = async (): Promise<number> => {
    let sum = 0;
    for (const [domain, weight] of weights) {
      const truths = means.get(domain) ?? new Map<string, number>();
      const own = truths.get(newcomer) ?? 0;
      if (Math.max(...truths.values()) > own) continue;
      sum += weight * (own - (truths.get(await gateway.choiceIn(domain)) ?? 0));
    }
    return sum;
  };
  const missedAtFirst = await missed();
  let knownAfter: number | null = null;
  let gainedAfter: number | null = null;
  let takenCount = 0;
  for (const [at, prompt] of prompts.slice(middle).entries()) {
    const { model } = await gateway.answer(only(prompt, models));
    takenCount += Number(model === newcomer);
    if ((at + 1) % LOOK !== 0) continue;
    let [known, all] = [0, 0];
    for (const [domain, weight] of weights) {
      const shown = gateway.qualitiesIn(domain).get(newcomer);
      const error = shown === undefined ? 1 : shown - (means.get(domain)?.get(newcomer) ?? 0);
      if (Math.abs(error) <= KNOWN_WITHIN) known += weight;
      all += weight;
    }
    if (2 * known < all) knownAfter = null;
    else knownAfter ??= at + 1;
    if (missedAtFirst === 0 || 2 * (await missed()) > missedAtFirst) gainedAfter = null;
    else gainedAfter ??= at + 1;
  }
  return { knownAfter, gainedAfter, takenShare: takenCount / (prompts.length - middle) };
}

function only(prompt: OutcomePrompt, models: readonly string[]): OutcomePrompt {
  const kept = new Set(models);
  return { ...prompt, outcomes: new Map([...prompt.outcomes].filter(([model]) => kept.has(model))) };
}

/** As many models as half of the prompts can make known, evenly by mean quality, best and worst among them. */
export function modelsThatFit(
  prompts: readonly OutcomePrompt[],
  models: readonly string[],
): readonly string[] {
  const fitting = Math.floor(prompts.length / 2 / (weightsOf(prompts).size * KNOWN_REQUESTS)) + 1;
  const count = Math.min(models.length, Math.max(MODELS_MIN, fitting));
  const overall = new Map(
    models.map((model) => [model, meanOf(prompts.map(({ outcomes }) => outcomes.get(model)?.score ?? 0))]),
  );
  const sorted = [...models].sort((one, other) => (overall.get(other) ?? 0) - (overall.get(one) ?? 0));
  return Array.from({ length: count }, (_, at) => {
    return sorted[Math.round((at * (sorted.length - 1)) / Math.max(1, count - 1))] ?? '';
  });
}
