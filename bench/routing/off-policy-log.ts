import type { Outcome, OutcomePrompt } from '../../src/evaluation/outcome-file.ts';
import type { Arm } from '../../src/routing/arms.ts';
import { chancesOf } from '../../src/routing/chances.ts';
import type { Random } from '../../src/stats/random.ts';
import type { DecisionGroup, LoggedDecision } from '../../src/store/queries/logged-decisions.ts';

/** Prompts whose outcomes are known for every model: what may happen. */
export interface World {
  readonly name: string;
  readonly models: readonly string[];
  readonly prompts: readonly OutcomePrompt[];
}

/**
 * How a log came about.
 * - `uniform 0.1`: the incumbent of the domain, and in a tenth of the decisions any model
 * - `thompson 0.1`: the best so far, and up to a tenth by the product's Thompson sampling, learnt as it goes
 * - `none`: the incumbent always
 * - `wrong`: as `uniform 0.1`, with propensities logged as if half of the decisions explored
 * - `repeats`: as `uniform 0.1`, each prompt asked five times by one user
 */
export type Logging = 'uniform 0.1' | 'thompson 0.1' | 'none' | 'wrong' | 'repeats';

export interface DrawnDecision {
  readonly prompt: OutcomePrompt;
  readonly modelId: string;
  readonly propensity: number;
  readonly userKey: number;
}

const SHARE = 0.1;
const WRONG_SHARE = 0.5;
const REPEATS = 5;
/** Outcomes per model that the incumbents are chosen by. */
const EARLIER_COUNT = 15;
/** Decisions between two looks at the posteriors. */
const BATCH = 50;
/** As the product has it (src/routing/exploration.ts). */
const NEW_MODEL_REQUESTS = 20;
const PRIOR_MEAN = 0.6;
const PRIOR_WORTH = 4;

export function domainOf({ domain }: OutcomePrompt): string {
  return domain ?? 'all';
}

/** The best model of each domain by a few outcomes of each: what an operator would have in use. */
export function drawIncumbents({ models, prompts }: World, random: Random): ReadonlyMap<string, string> {
  return bestByDomain(prompts, models, (own) => {
    const some = Array.from({ length: EARLIER_COUNT }, () => own[random.int(own.length)]);
    return some.filter((prompt) => prompt !== undefined);
  });
}

/** The best model of each domain by all outcomes. */
export function oracleByDomain({ models, prompts }: World): ReadonlyMap<string, string> {
  return bestByDomain(prompts, models, (own) => own);
}

export function outcomeOf(prompt: OutcomePrompt, modelId: string): Outcome {
  const outcome = prompt.outcomes.get(modelId);
  if (outcome === undefined) throw new RangeError(`${modelId} has no outcome on ${prompt.promptId}`);
  return outcome;
}

/** A log of `count` decisions on prompts drawn with replacement, so that the truth is the mean over all prompts. */
export function drawLog(world: World, logging: Logging, count: number, random: Random): DrawnDecision[] {
  const incumbents = drawIncumbents(world, random);
  const posteriors = new Posteriors(world.models);
  const log: DrawnDecision[] = [];
  let prompt = world.prompts[0] as OutcomePrompt;
  for (let at = 0; at < count; at++) {
    if (logging !== 'repeats' || at % REPEATS === 0)
      prompt = world.prompts[random.int(world.prompts.length)] as OutcomePrompt;
    const domain = domainOf(prompt);
    const share = logging === 'none' ? 0 : SHARE;
    const isThompson = logging === 'thompson 0.1';
    if (isThompson && at % BATCH === 0) posteriors.look();
    const probabilities = isThompson
      ? posteriors.probabilities(domain)
      : epsilonGreedy(world.models, incumbents.get(domain) ?? '', share);
    const chosen = drawOne(probabilities, random);
    const modelId = world.models[chosen] ?? '';
    posteriors.add(domain, chosen, outcomeOf(prompt, modelId).score);
    const logged =
      logging === 'wrong'
        ? epsilonGreedy(world.models, incumbents.get(domain) ?? '', WRONG_SHARE)
        : probabilities;
    const userKey = logging === 'repeats' ? 1 + Math.floor(at / REPEATS) : 0;
    log.push({ prompt, modelId, propensity: logged[chosen] ?? 1, userKey });
  }
  return log;
}

/** As the store answers. Every decision is rated; a score of half or more is a success. */
export function groupsOf(log: readonly DrawnDecision[], models: readonly string[]): DecisionGroup[] {
  const groups = new Map<string, { useCase: string; modelId: string; decisions: LoggedDecision[] }>();
  for (const { prompt, modelId, propensity, userKey } of log) {
    const useCase = domainOf(prompt);
    const key = `${useCase}\n${modelId}`;
    const group = groups.get(key) ?? { useCase, modelId, decisions: [] };
    const { score, costUsd } = outcomeOf(prompt, modelId);
    const success = score >= 0.5 ? 1 : 0;
    const rest = { latencyMs: null, userKey, sessionKey: 0 };
    group.decisions.push({ propensity, success, costUsd, quality: score, ...rest });
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => ({ ...group, ableIds: models }));
}

function bestByDomain(
  prompts: readonly OutcomePrompt[],
  models: readonly string[],
  sample: (own: readonly OutcomePrompt[]) => readonly OutcomePrompt[],
): ReadonlyMap<string, string> {
  const domains = new Map<string, OutcomePrompt[]>();
  for (const prompt of prompts) {
    const domain = domainOf(prompt);
    const own = domains.get(domain);
    if (own === undefined) domains.set(domain, [prompt]);
    else own.push(prompt);
  }
  return new Map(
    [...domains].map(([domain, own]) => {
      const some = sample(own);
      const means = models.map(
        (model) => some.reduce((sum, prompt) => sum + outcomeOf(prompt, model).score, 0) / some.length,
      );
      return [domain, models[means.indexOf(Math.max(...means))] ?? ''];
    }),
  );
}

function epsilonGreedy(models: readonly string[], bestId: string, share: number): readonly number[] {
  return models.map((model) => share / models.length + (model === bestId ? 1 - share : 0));
}

function drawOne(probabilities: readonly number[], random: Random): number {
  let left = random.next();
  for (const [at, probability] of probabilities.entries()) {
    left -= probability;
    if (left < 0) return at;
  }
  return probabilities.findLastIndex((probability) => probability > 0);
}

/** What is believed of each model in each domain; what is drawn by changes only at a look, as in a gateway. */
class Posteriors {
  readonly #models: readonly string[];
  readonly #sums = new Map<string, { readonly counts: number[]; readonly scores: number[] }>();
  readonly #known = new Map<string, readonly number[]>();

  constructor(models: readonly string[]) {
    this.#models = models;
  }

  add(domain: string, chosen: number, score: number): void {
    const cell = this.#cell(domain);
    cell.counts[chosen] = (cell.counts[chosen] ?? 0) + 1;
    cell.scores[chosen] = (cell.scores[chosen] ?? 0) + score;
  }

  look(): void {
    this.#known.clear();
  }

  /** The product's chances, with the mean of a Beta posterior of the score as the score of a model. */
  probabilities(domain: string): readonly number[] {
    const known = this.#known.get(domain);
    if (known !== undefined) return known;
    const { counts, scores } = this.#cell(domain);
    const arms = this.#models
      .map((modelId, at): Arm => {
        const sampleCount = counts[at] ?? 0;
        const mean = (PRIOR_MEAN * PRIOR_WORTH + (scores[at] ?? 0)) / (PRIOR_WORTH + sampleCount);
        const deviation = 100 * Math.sqrt((mean * (1 - mean)) / (PRIOR_WORTH + sampleCount + 1));
        return {
          modelId,
          mean: 100 * mean,
          deviation,
          notWorse: 1,
          sampleCount,
          hasEnoughEvidence: sampleCount >= NEW_MODEL_REQUESTS,
          costUsd: 0,
          barredBecause: null,
        };
      })
      .sort((one, other) => other.mean - one.mean);
    const { probabilities } = chancesOf({
      arms,
      method: 'thompson',
      share: SHARE,
      newModelRequests: NEW_MODEL_REQUESTS,
      isFirstEstablished: false,
    });
    const chances = new Map(arms.map(({ modelId }, at) => [modelId, probabilities[at] ?? 0]));
    const made = this.#models.map((modelId) => chances.get(modelId) ?? 0);
    this.#known.set(domain, made);
    return made;
  }

  #cell(domain: string): { readonly counts: number[]; readonly scores: number[] } {
    const known = this.#sums.get(domain);
    if (known !== undefined) return known;
    const cell = { counts: this.#models.map(() => 0), scores: this.#models.map(() => 0) };
    this.#sums.set(domain, cell);
    return cell;
  }
}
