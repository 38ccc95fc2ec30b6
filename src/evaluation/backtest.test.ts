import { beforeAll, describe, expect, it } from 'vitest';
import { promptOf, SUBJECTS } from '../../tests/kit/subjects.ts';
import type { Embedder } from '../discovery/embedders/embedder.ts';
import { openEmbedder } from '../discovery/embedders/open-embedder.ts';
import { createRandom } from '../stats/random.ts';
import { type BacktestOptions, backtest, splitPrompts } from './backtest.ts';
import type { PolicyResult } from './backtest-results.ts';
import { MatrixBuilder, type OutcomeMatrix } from './outcome-file.ts';

let embedder: Embedder;
beforeAll(async () => {
  embedder = await openEmbedder();
});

interface World {
  readonly promptCount?: number;
  /** Chance that a model answers a subject well, and its cost; each model is good at some subjects. */
  readonly skillOf: (model: string, subject: string) => number;
  readonly costs: Readonly<Record<string, number | null>>;
  /** False: no outcome of this model on this prompt. */
  readonly has?: (model: string, at: number) => boolean;
}

function worldOf({ promptCount = 360, skillOf, costs, has = () => true }: World): OutcomeMatrix {
  const random = createRandom(5);
  const builder = new MatrixBuilder();
  for (let at = 0; at < promptCount; at++) {
    const subject = SUBJECTS[at % SUBJECTS.length] ?? 'food';
    for (const [model, costUsd] of Object.entries(costs)) {
      const score = random.next() < skillOf(model, subject) ? 1 : 0;
      if (!has(model, at)) continue;
      const row = { score, costUsd, latencyMs: null, isSuccess: true, model, domain: subject };
      builder.add({ promptId: `p${at}`, prompt: promptOf(subject, at), ...row }, at + 1);
    }
  }
  return builder.build();
}

/** "coder" is best at code, "linguist" at the rest, "cheap" is never best. */
const SKILLS: World['skillOf'] = (model, subject) => {
  if (model === 'cheap') return 0.3;
  return (model === 'coder') === (subject === 'code') ? 0.97 : 0.4;
};
const COSTS = { coder: 0.02, linguist: 0.01, cheap: 0.0001 };

const run = (matrix: OutcomeMatrix, options: Partial<BacktestOptions> = {}) =>
  backtest(matrix, {
    embedder,
    trainShare: 0.7,
    seed: 1,
    feedback: 'full',
    lambdas: [0],
    promptsMax: null,
    ...options,
  });

const named = (
  policies: readonly PolicyResult[],
  name: PolicyResult['name'],
  lambda?: number,
): PolicyResult => {
  const found = policies.find((policy) => policy.name === name && policy.lambda === lambda);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

describe('backtest', () => {
  it('sends each use case to the model that is best there, and says by how much that beats one model', async () => {
    const { report, notes } = await run(worldOf({ skillOf: SKILLS, costs: COSTS }), { lambdas: [0, 1] });
    const { policies, useCases } = report;
    expect(report).toMatchObject({ promptCount: 360, modelCount: 3, trainCount: 252, testCount: 108 });
    expect(notes).toEqual([]);
    const ours = named(policies, 'tallyrank', 0);
    const single = named(policies, 'best-single');
    expect(single).toMatchObject({ model: 'linguist', gain: 0 });
    expect(ours.quality).toBeGreaterThan(single.quality);
    expect(ours.gainInterval[0]).toBeGreaterThan(0);
    expect(ours.quality).toBeGreaterThan(named(policies, 'domain-oracle').quality - 0.03);
    const code = useCases.find(({ domain }) => domain?.name === 'code');
    expect(code?.policies[0]).toMatchObject({ name: 'tallyrank', mostly: 'coder' });
    expect(useCases.reduce((sum, { testCount }) => sum + testCount, 0)).toBe(108);
  });

  it('takes the cheapest model at lambda 1, and falls in cost from lambda to lambda', async () => {
    const lambdas = [0, 0.3, 0.6, 0.9, 1];
    const { report } = await run(worldOf({ skillOf: SKILLS, costs: COSTS }), { lambdas });
    const costs = lambdas.map((lambda) => named(report.policies, 'tallyrank', lambda).costUsd ?? Number.NaN);
    expect(costs.at(-1)).toBeCloseTo(0.0001, 9);
    expect(costs).toEqual([...costs].sort((one, other) => other - one));
    expect(new Set(costs).size).toBeGreaterThan(2);
  });

  it('brackets every policy between random and oracle, and every mean by its interval', async () => {
    const { report } = await run(worldOf({ skillOf: SKILLS, costs: COSTS }));
    const oracle = named(report.policies, 'oracle').quality;
    for (const { quality, qualityInterval } of report.policies) {
      expect(quality).toBeLessThanOrEqual(oracle);
      expect(qualityInterval[0]).toBeLessThanOrEqual(quality);
      expect(qualityInterval[1]).toBeGreaterThanOrEqual(quality);
    }
    expect(named(report.policies, 'random').quality).toBeLessThan(
      named(report.policies, 'tallyrank', 0).quality,
    );
  });

  it('gives the same answer for the same seed, and another split for another', async () => {
    const matrix = worldOf({ skillOf: SKILLS, costs: COSTS });
    const one = await run(matrix);
    expect(await run(matrix)).toEqual(one);
    const other = await run(matrix, { seed: 2 });
    expect(other.report.policies).not.toEqual(one.report.policies);
  });

  it('learns from one outcome per prompt under bandit feedback', async () => {
    const matrix = worldOf({ skillOf: SKILLS, costs: COSTS, promptCount: 900 });
    const { report } = await run(matrix, { feedback: 'bandit' });
    const ours = named(report.policies, 'tallyrank', 0);
    expect(ours.gain).toBeGreaterThan(0);
    expect(ours.quality).toBeLessThan(named(report.policies, 'oracle').quality);
  });

  it('never takes an unknown cost for none', async () => {
    const costs = { coder: 0.02, linguist: 0.01, unpriced: null };
    const skillOf: World['skillOf'] = (model) => (model === 'unpriced' ? 0.9 : 0.5);
    const { report, notes } = await run(worldOf({ skillOf, costs }), { lambdas: [0, 0.5, 1] });
    const of = (lambda: number) => named(report.policies, 'tallyrank', lambda);
    expect(of(0)).toMatchObject({ costUsd: null });
    expect(of(0).quality).toBeGreaterThan(0.8);
    expect(of(0.5).costUsd).toBeGreaterThan(0.009);
    expect(of(1).costUsd).toBeCloseTo(0.01, 9);
    expect(report.policies.find(({ model }) => model === 'unpriced')?.costUsd).toBeNull();
    expect(named(report.policies, 'random').costUsd).toBeNull();
    expect(notes.join()).toContain('1 of 3 models have no known cost (unpriced)');
  });

  it('lets quality alone decide where no cost is known, and says so', async () => {
    const matrix = worldOf({ skillOf: SKILLS, costs: { coder: null, linguist: null } });
    const { report, notes } = await run(matrix, { lambdas: [0, 0.5, 1] });
    expect(report.policies.filter(({ name }) => name === 'tallyrank')).toHaveLength(1);
    expect(report.policies.every(({ costUsd }) => costUsd === null)).toBe(true);
    expect(notes.join()).toContain('quality alone decides');
  });

  it('takes everything free for free', async () => {
    const { report } = await run(worldOf({ skillOf: SKILLS, costs: { coder: 0, linguist: 0 } }), {
      lambdas: [0, 0.5, 1],
    });
    expect(report.policies.every(({ costUsd }) => costUsd === 0)).toBe(true);
  });

  it('chooses among the models that a prompt has, and says how many lack some', async () => {
    const has: World['has'] = (model, at) => model !== 'linguist' || at % 3 !== 0;
    const { report, notes } = await run(worldOf({ skillOf: SKILLS, costs: COSTS, has }));
    expect(notes.join()).toContain('120 of 360 prompts have no outcome of some models');
    for (const name of ['best-single', 'random', 'oracle', 'domain-oracle'] as const) {
      expect(named(report.policies, name).sampleCount).toBe(108);
    }
    expect(named(report.policies, 'tallyrank', 0).sampleCount).toBe(108);
    const linguist = report.policies.find(({ name, model }) => name === 'single' && model === 'linguist');
    expect(linguist?.sampleCount).toBeLessThan(108);
  });

  it('does not take a model for the best that answered a handful of prompts well', async () => {
    const costs = { ...COSTS, lucky: 0.001 };
    const has: World['has'] = (model, at) => model !== 'lucky' || at < 6;
    const skillOf: World['skillOf'] = (model, subject) => (model === 'lucky' ? 1 : SKILLS(model, subject));
    const { report } = await run(worldOf({ skillOf, costs, has }));
    expect(named(report.policies, 'best-single').model).toBe('linguist');
  });

  it('works on a handful of prompts, and refuses a single one', async () => {
    const few = worldOf({ skillOf: SKILLS, costs: COSTS, promptCount: 8 });
    const { report } = await run(few);
    expect(report).toMatchObject({ promptCount: 8, trainCount: 6, testCount: 2 });
    await expect(run(worldOf({ skillOf: SKILLS, costs: COSTS, promptCount: 1 }))).rejects.toMatchObject({
      code: 'bad_request',
    });
  });

  it('is not led astray by model names in prompts', async () => {
    const builder = new MatrixBuilder();
    for (let at = 0; at < 80; at++) {
      const rest = { costUsd: 0.01, latencyMs: null, isSuccess: true, domain: null };
      const prompt = `@bad please answer question ${at} of the quiz`;
      builder.add({ promptId: `p${at}`, prompt, model: 'bad', score: 0, ...rest }, at);
      builder.add({ promptId: `p${at}`, prompt, model: 'auto', score: 1, ...rest }, at);
    }
    const { report } = await run(builder.build());
    expect(named(report.policies, 'tallyrank', 0).quality).toBe(1);
  });

  it('stops when it is told to', async () => {
    const signal = AbortSignal.abort();
    await expect(run(worldOf({ skillOf: SKILLS, costs: COSTS }), { signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});

describe('splitPrompts', () => {
  it('keeps equal texts on one side, and takes as many as it is told to', () => {
    const outcomes = new Map();
    const prompts = Array.from({ length: 200 }, (_, at) => ({
      promptId: `p${at}`,
      prompt: `Question ${at % 50}`,
      domain: null,
      outcomes,
    }));
    const { train, test } = splitPrompts(prompts, { trainShare: 0.5, seed: 3 });
    const texts = new Set(train.map(({ prompt }) => prompt));
    expect(test.some(({ prompt }) => texts.has(prompt))).toBe(false);
    expect(train.length + test.length).toBe(200);
    expect(texts.size).toBe(25);
    const limited = splitPrompts(prompts, { trainShare: 0.5, seed: 3, promptsMax: 10 });
    expect(limited.train.length + limited.test.length).toBe(40);
  });
});
