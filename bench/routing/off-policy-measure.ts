import { PolicyBook } from '../../src/core/policy.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { starterSnapshot } from '../../src/core/starter-snapshot.ts';
import { evidenceOf, hashOf, snapshotOf } from '../../src/evaluation/learn-outcomes.ts';
import { evaluateOffPolicy, type RewardName, rankedDirectModel } from '../../src/evaluation/off-policy.ts';
import { routedTarget, singleTarget, type TargetPolicy } from '../../src/evaluation/off-policy-target.ts';
import type { OutcomePrompt } from '../../src/evaluation/outcome-file.ts';
import { createRandom, type Random } from '../../src/stats/random.ts';
import { readRoutingSets } from './frontier-sets.ts';
import {
  type DrawnDecision,
  domainOf,
  drawLog,
  groupsOf,
  type Logging,
  oracleByDomain,
  outcomeOf,
  type World,
} from './off-policy-log.ts';

export type TargetName = 'best single' | 'middle single' | 'domain oracle' | 'learnt before' | 'learnt here';
export type EstimatorName = 'snips' | 'doublyRobust' | 'direct' | 'logged';

/** One estimate held against the truth. */
export interface Tried {
  readonly set: string;
  readonly logging: Logging;
  readonly count: number;
  readonly target: TargetName;
  readonly reward: RewardName;
  readonly estimator: EstimatorName;
  readonly truth: number;
  readonly value: number;
  /** null: the estimator has none. */
  readonly interval: readonly [number, number] | null;
  readonly isRefused: boolean;
  readonly effectiveCount: number;
  readonly uncoveredShare: number;
  readonly weightMean: number;
  readonly weightMeanError: number;
}

export interface MeasureOptions {
  readonly folder: string;
  readonly sets: string;
  readonly seed: number;
  readonly pathCount: number;
  readonly counts: readonly number[];
  say(text: string): void;
}

/** An ordinary installation has a handful of models. */
const MODELS_MAX = 6;
const LOGGINGS: readonly Logging[] = ['uniform 0.1', 'thompson 0.1', 'repeats', 'none', 'wrong'];
/** Ways of logging that are there to be refused, or to be survived, are looked at in one length. */
const ONE_COUNT: ReadonlySet<Logging> = new Set(['repeats', 'none', 'wrong']);
const NO_LIMITS = { effectiveMin: 0, uncoveredMax: 1, weightDistanceMax: Number.POSITIVE_INFINITY };
const REWARDS: readonly RewardName[] = ['quality', 'success', 'costUsd'];
/** Quality alone decides, so that what the learnt policies choose does not hang on prices. */
const QUALITY_ALONE = new PolicyBook({
  '*': {
    weights: { success: 0, speed: 0, cost: 0, quality: 1 },
    successMargin: 1,
    qualityMargin: 1,
    certainty: 0,
    evidenceMin: 0,
  },
});

export function measureOffPolicy(options: MeasureOptions): Tried[] {
  const { folder, sets, seed, pathCount, counts, say } = options;
  const tried: Tried[] = [];
  const middle = counts[Math.floor(counts.length / 2)] ?? 0;
  for (const { name, matrix, hasCosts } of readRoutingSets(folder, sets)) {
    const random = createRandom(seed);
    const models = [...matrix.models];
    random.shuffle(models);
    const world: World = {
      name,
      models: models.slice(0, MODELS_MAX).sort(),
      prompts: withoutTexts(matrix.prompts),
    };
    const bench = new SetBench(world, hasCosts);
    for (const logging of LOGGINGS) {
      for (const count of ONE_COUNT.has(logging) ? [middle] : counts) {
        for (let path = 0; path < pathCount; path++) tried.push(...bench.path(logging, count, random));
      }
    }
    say(`${name}: ${world.models.length} models, ${world.prompts.length} prompts`);
  }
  return tried;
}

/** What does not change from log to log. */
class SetBench {
  readonly #world: World;
  readonly #rewards: readonly RewardName[];
  readonly #labels: ReadonlyMap<string, string>;
  readonly #fixed: readonly (readonly [TargetName, TargetPolicy])[];

  constructor(world: World, hasCosts: boolean) {
    this.#world = world;
    this.#rewards = hasCosts ? REWARDS : REWARDS.filter((name) => name !== 'costUsd');
    this.#labels = new Map(world.prompts.map((prompt) => [hashOf(prompt), domainOf(prompt)]));
    const oracle = oracleByDomain(world);
    const bySingle = [...world.models].sort(
      (one, other) => this.#truth(singleTarget(other), 'quality') - this.#truth(singleTarget(one), 'quality'),
    );
    this.#fixed = [
      ['best single', singleTarget(bySingle[0] ?? '')],
      ['middle single', singleTarget(bySingle[Math.floor(bySingle.length / 2)] ?? '')],
      ['domain oracle', (useCase) => oracle.get(useCase) ?? null],
    ];
  }

  path(logging: Logging, count: number, random: Random): Tried[] {
    const { models } = this.#world;
    const log = drawLog(this.#world, logging, count, random);
    const groups = groupsOf(log, models);
    const snapshot = this.#learn(log);
    const before = this.#learn(drawLog(this.#world, logging, count, random));
    const expect = rankedDirectModel(snapshot, QUALITY_ALONE);
    const targets = [
      ...this.#fixed,
      ['learnt before', learntTarget(before)] as const,
      ['learnt here', learntTarget(snapshot)] as const,
    ];
    return targets.flatMap(([target, policy]) => {
      const { refusal } = evaluateOffPolicy(groups, policy, expect);
      const { overlap, rewards } = evaluateOffPolicy(groups, policy, expect, NO_LIMITS);
      return this.#rewards.flatMap((reward): Tried[] => {
        const { logged, snips, doublyRobust } = rewards[reward];
        const head = {
          set: this.#world.name,
          logging,
          count,
          target,
          reward,
          truth: this.#truth(policy, reward),
          isRefused: refusal !== null,
          effectiveCount: overlap.effectiveCount,
          uncoveredShare: overlap.uncoveredShare,
          weightMean: overlap.weightMean,
          weightMeanError: overlap.weightMeanError,
        };
        const none = { interval: null };
        const made: Tried[] = [
          { ...head, estimator: 'direct', value: directValue(log, models, policy, expect, reward), ...none },
        ];
        if (logged !== null) made.push({ ...head, estimator: 'logged', value: logged.value, ...none });
        if (snips !== null) made.push({ ...head, estimator: 'snips', ...snips });
        if (doublyRobust !== null) made.push({ ...head, estimator: 'doublyRobust', ...doublyRobust });
        return made;
      });
    });
  }

  #learn(log: readonly DrawnDecision[]): Snapshot {
    const { models } = this.#world;
    const seen = log.map(({ prompt, modelId }) => {
      const outcome = outcomeOf(prompt, modelId);
      return { prompt, seen: new Map([[modelId, { ...outcome, isSuccess: outcome.score >= 0.5 }]]) };
    });
    const unpriced = new Set(this.#rewards.includes('costUsd') ? [] : models);
    const book = evidenceOf(seen, models, { labels: this.#labels }, unpriced);
    const { useCases, classifier } = starterSnapshot();
    return snapshotOf({ useCases, classifier, labels: this.#labels }, book, QUALITY_ALONE);
  }

  /** Mean over all prompts. */
  #truth(policy: TargetPolicy, reward: RewardName): number {
    const { prompts, models } = this.#world;
    const chosen = new Map<string, string>();
    return meanOf(prompts, (prompt) => {
      const domain = domainOf(prompt);
      const modelId = chosen.get(domain) ?? policy(domain, models) ?? '';
      chosen.set(domain, modelId);
      return rewardOf(prompt, modelId, reward);
    });
  }
}

/** Domains are the use cases here, so nobody reads the texts; short ones are quicker to hash. */
function withoutTexts(prompts: readonly OutcomePrompt[]): OutcomePrompt[] {
  return prompts.map((prompt) => ({ ...prompt, prompt: prompt.promptId }));
}

function learntTarget(snapshot: Snapshot): TargetPolicy {
  const routed = routedTarget({
    preset: 'auto',
    policies: QUALITY_ALONE,
    snapshot,
    defaultModel: null,
    typicalCostUsd: () => 0,
  });
  const known = new Map<string, string | null>();
  return (useCase, models) => {
    const choice = known.get(useCase) ?? routed(useCase, models);
    known.set(useCase, choice);
    return choice;
  };
}

/** What the direct model alone would say. */
function directValue(
  log: readonly DrawnDecision[],
  models: readonly string[],
  policy: TargetPolicy,
  expect: ReturnType<typeof rankedDirectModel>,
  reward: RewardName,
): number {
  return meanOf(log, ({ prompt }) => {
    const domain = domainOf(prompt);
    return expect(reward, domain, policy(domain, models) ?? '') ?? 0;
  });
}

function rewardOf(prompt: OutcomePrompt, modelId: string, reward: RewardName): number {
  const { score, costUsd } = outcomeOf(prompt, modelId);
  if (reward === 'quality') return score;
  return reward === 'success' ? (score >= 0.5 ? 1 : 0) : (costUsd ?? 0);
}

function meanOf<Item>(items: readonly Item[], of: (item: Item) => number): number {
  let sum = 0;
  for (const item of items) sum += of(item);
  return sum / items.length;
}
