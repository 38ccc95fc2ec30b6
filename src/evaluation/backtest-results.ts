import { bootstrapMeans, scoreInterval } from '../stats/bootstrap.ts';
import type { Random } from '../stats/random.ts';
import type { Run } from './baselines.ts';
import { hashOf, type LearntUseCases } from './learn-outcomes.ts';
import type { OutcomePrompt } from './outcome-file.ts';
import type { Lambda } from './route-outcomes.ts';

/** What a way to choose models came to on the held-out prompts. */
export interface PolicyResult {
  /**
   * `tallyrank`; `best-single`: the one model with the highest mean on what was learnt from; `single`: one model;
   * `random`: any model, in expectation; `domain-oracle`: told each prompt's domain, the best there on what was learnt
   * from; `oracle`: told each prompt's outcomes, the best of them.
   */
  readonly name: 'tallyrank' | 'best-single' | 'single' | 'random' | 'domain-oracle' | 'oracle';
  readonly model?: string;
  readonly lambda?: Lambda;
  /** Dollars that this lambda pays for one more point (0.01) of quality on a prompt; null: any. */
  readonly usdPerPoint?: number | null;
  /** Mean score 0..1. */
  readonly quality: number;
  /** 95 %, by the bootstrap over prompts; where all scores are equal, Wilson's. */
  readonly qualityInterval: readonly [low: number, high: number];
  /** Mean dollars per prompt; null when the cost of more than a tenth of the answers is unknown. */
  readonly costUsd: number | null;
  /** Quality less that of `best-single` on the same prompts, with its 95 % interval. */
  readonly gain: number;
  readonly gainInterval: readonly [low: number, high: number];
  /** Held-out prompts that it has an outcome on. */
  readonly sampleCount: number;
  /** Of those, without a known cost. */
  readonly unpricedCount: number;
}

/** One use case on the held-out prompts that the classifier gave it. */
export interface UseCaseResult {
  readonly useCase: string;
  readonly name: string;
  readonly trainCount: number;
  readonly testCount: number;
  /** The domain that most of its held-out prompts have, and their share; null where rows have no domains. */
  readonly domain: { readonly name: string; readonly share: number } | null;
  /** What each lambda chose most often, how often, and what became of it; then the others as above. */
  readonly policies: readonly (PolicyResult & { readonly mostly: string; readonly mostlyShare: number })[];
}

/** Without a known cost of more than this share of the answers their mean says nothing. */
const UNPRICED_SHARE_MAX = 0.1;
/** Means, intervals and gains of policies on the same prompts; one of them is best-single. */
export function resultsOf(runs: readonly Run[], random: Random): PolicyResult[] {
  const reference = runs.find(({ head }) => head.name === 'best-single')?.scores ?? new Float64Array();
  const gains = runs.map(({ scores }) => scores.map((score, at) => score - (reference[at] ?? Number.NaN)));
  const intervals = bootstrapMeans([...runs.map(({ scores }) => scores), ...gains], random);
  return runs.flatMap(({ head, scores, costsUsd }, at) => {
    const quality = meanOf(scores);
    const gain = meanOf(gains[at] ?? new Float64Array());
    // A model without an outcome on any of the prompts has no quality.
    if (quality === null || gain === null) return [];
    const sampleCount = countOf(scores);
    const pricedCount = countOf(costsUsd);
    return [
      {
        ...head,
        quality,
        qualityInterval: scoreInterval(intervals[at] ?? [quality, quality], scores),
        costUsd: sampleCount - pricedCount > UNPRICED_SHARE_MAX * sampleCount ? null : meanOf(costsUsd),
        gain,
        gainInterval: intervals[runs.length + at] ?? [gain, gain],
        sampleCount,
        unpricedCount: sampleCount - pricedCount,
      },
    ];
  });
}

/** The same per use case, by the classifier; the one with most held-out prompts first. */
export function useCaseResults(
  runs: readonly Run[],
  {
    learnt,
    train,
    test,
    useCases,
    random,
  }: {
    readonly learnt: LearntUseCases;
    readonly train: readonly OutcomePrompt[];
    readonly test: readonly OutcomePrompt[];
    readonly useCases: readonly string[];
    readonly random: Random;
  },
): UseCaseResult[] {
  const shown = runs.filter(({ head }) => head.name !== 'single');
  const members = new Map<string, number[]>();
  useCases.forEach((useCase, at) => {
    const known = members.get(useCase);
    if (known === undefined) members.set(useCase, [at]);
    else known.push(at);
  });
  const trainCounts = new Map<string, number>();
  for (const prompt of train) {
    const useCase = learnt.labels.get(hashOf(prompt)) ?? '';
    trainCounts.set(useCase, (trainCounts.get(useCase) ?? 0) + 1);
  }
  const names = new Map(learnt.useCases.map(({ slug, name }) => [slug, name]));
  return [...members]
    .sort(([, one], [, other]) => other.length - one.length)
    .map(([useCase, at]) => {
      const of = shown.map((run) => ({
        head: run.head,
        scores: Float64Array.from(at, (n) => run.scores[n] as number),
        costsUsd: Float64Array.from(at, (n) => run.costsUsd[n] as number),
        models: at.map((n) => run.models[n] ?? null),
      }));
      return {
        useCase,
        name: names.get(useCase) ?? useCase,
        trainCount: trainCounts.get(useCase) ?? 0,
        testCount: at.length,
        domain: mostOf(at.map((n) => test[n]?.domain ?? null)),
        policies: resultsOf(of, random).map((result, n) => {
          const mostly = mostOf(of[n]?.models ?? []);
          return { ...result, mostly: mostly?.name ?? '', mostlyShare: mostly?.share ?? 0 };
        }),
      };
    });
}

function mostOf(names: readonly (string | null)[]): { name: string; share: number } | null {
  const counts = new Map<string, number>();
  for (const name of names) if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
  const [first] = [...counts].sort(([, one], [, other]) => other - one);
  return first === undefined ? null : { name: first[0], share: first[1] / names.length };
}

function meanOf(values: Float64Array): number | null {
  let sum = 0;
  let count = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return count === 0 ? null : sum / count;
}

function countOf(values: Float64Array): number {
  return values.reduce((count, value) => count + (Number.isNaN(value) ? 0 : 1), 0);
}
