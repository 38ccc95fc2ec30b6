import { describe, expect, it } from 'vitest';
import { rankedModel } from '../../tests/kit/ranked-model.ts';
import { PolicyBook } from '../core/policy.ts';
import type { RankedModel, ScorePart, Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { createRandom } from '../stats/random.ts';
import type { DecisionGroup, LoggedDecision } from '../store/queries/logged-decisions.ts';
import { evaluateOffPolicy, rankedDirectModel } from './off-policy.ts';
import { routedTarget, singleTarget, targetModelId } from './off-policy-target.ts';

const MODELS = ['p:cheap', 'p:dear'];

const decision = (given: Partial<LoggedDecision> = {}): LoggedDecision => ({
  propensity: 1,
  success: 1,
  costUsd: 0.01,
  latencyMs: 1_000,
  quality: null,
  userKey: 0,
  sessionKey: 0,
  ...given,
});

const group = (modelId: string, decisions: readonly LoggedDecision[], useCase = 'chat'): DecisionGroup => ({
  useCase,
  modelId,
  ableIds: MODELS,
  decisions,
});

/** Chooses the dear model but for a share; the dear one succeeds with 0.9 at a cent, the cheap one with 0.7 at a tenth. */
function log(count: number, share = 0.2, seed = 1, logged = share): DecisionGroup[] {
  const random = createRandom(seed);
  const decisions: Record<string, LoggedDecision[]> = { 'p:cheap': [], 'p:dear': [] };
  for (let at = 0; at < count; at++) {
    const isCheap = random.next() < share;
    const success = random.next() < (isCheap ? 0.7 : 0.9) ? 1 : 0;
    decisions[isCheap ? 'p:cheap' : 'p:dear']?.push(
      decision({
        propensity: isCheap ? logged : 1 - logged,
        success,
        costUsd: isCheap ? 0.001 : 0.01,
        latencyMs: success === 1 ? (isCheap ? 400 : 2_000) : null,
        quality: at % 50 === 0 ? success : null,
      }),
    );
  }
  return Object.entries(decisions).map(([modelId, own]) => group(modelId, own));
}

const nothing = (): null => null;

describe('evaluateOffPolicy', () => {
  it('finds what a policy would have come to that the log hardly followed', () => {
    const made = evaluateOffPolicy(log(4_000), singleTarget('p:cheap'), nothing);
    expect(made).toMatchObject({ refusal: null, sampleCount: 4_000, clusteredBy: 'request' });
    expect(made.overlap.uncovered).toEqual([]);
    const { success, costUsd, latencyMs } = made.rewards;
    expect(success.snips?.value).toBeCloseTo(0.7, 1);
    expect(success.snips?.interval[0]).toBeLessThan(0.7);
    expect(success.snips?.interval[1]).toBeGreaterThan(0.7);
    expect(success.logged?.value).toBeCloseTo(0.86, 1);
    expect(success.doublyRobust?.differenceInterval[1]).toBeLessThan(0);
    expect(costUsd.snips?.value).toBeCloseTo(0.001);
    expect(costUsd.snips?.difference).toBeCloseTo(-0.0072, 3);
    expect(latencyMs.snips?.value).toBe(400);
  });

  it('estimates quality on rated decisions alone, and refuses it where these are too few', () => {
    const { quality, success } = evaluateOffPolicy(log(4_000), singleTarget('p:cheap'), nothing).rewards;
    expect(success.refusal).toBeNull();
    expect(quality).toMatchObject({ sampleCount: 80, snips: null, doublyRobust: null });
    expect(quality.refusal).toContain('50 needed');
    expect(quality.logged?.value).toBeGreaterThan(0.7);
    const many = evaluateOffPolicy(log(40_000), singleTarget('p:cheap'), nothing).rewards.quality;
    expect(many.sampleCount).toBe(800);
    expect(many.snips?.value).toBeCloseTo(0.7, 1);
  });

  it('says why it knows nothing of a reward', () => {
    const rows = [
      group(
        'p:dear',
        Array.from({ length: 80 }, () => decision({ costUsd: null })),
      ),
    ];
    const { costUsd, quality } = evaluateOffPolicy(rows, singleTarget('p:dear'), nothing).rewards;
    expect(costUsd).toMatchObject({ sampleCount: 0, logged: null, snips: null });
    expect(costUsd.refusal).toContain('No price');
    expect(quality.refusal).toContain('Nobody rated');
  });

  it('gives no estimate where the target was never explored, and names the place', () => {
    const known = [
      ...log(4_000),
      group(
        'p:dear',
        Array.from({ length: 400 }, () => decision()),
        'code',
      ),
    ];
    const made = evaluateOffPolicy(known, singleTarget('p:cheap'), nothing);
    expect(made.refusal).toContain('p:cheap for "code"');
    expect(made.refusal).toContain('exploration share');
    expect(made.overlap.uncovered).toEqual([{ useCase: 'code', modelId: 'p:cheap', decisionCount: 400 }]);
    expect(made.rewards.success).toMatchObject({ snips: null, doublyRobust: null, refusal: made.refusal });
    expect(made.rewards.success.logged).not.toBeNull();
  });

  it('gives no estimate where nothing was left to chance', () => {
    const certain = [
      group(
        'p:dear',
        Array.from({ length: 500 }, () => decision()),
      ),
      group(
        'p:cheap',
        Array.from({ length: 500 }, () => decision()),
      ),
    ];
    const made = evaluateOffPolicy(certain, singleTarget('p:cheap'), nothing);
    expect(made.overlap.uncoveredShare).toBe(0.5);
    expect(made.refusal).not.toBeNull();
  });

  it('gives no estimate from a handful of matched decisions', () => {
    const made = evaluateOffPolicy(log(200, 0.05), singleTarget('p:cheap'), nothing);
    expect(made.overlap.effectiveCount).toBeLessThan(50);
    expect(made.refusal).toContain('50 needed');
  });

  it('gives no estimate from probabilities that are not those of the draws', () => {
    const made = evaluateOffPolicy(log(4_000, 0.2, 1, 0.4), singleTarget('p:cheap'), nothing);
    expect(made.overlap.weightMean).toBeCloseTo(0.5, 1);
    expect(made.refusal).toContain('probabilities');
  });

  it('gives no estimate without decisions, and fails at nothing', () => {
    const made = evaluateOffPolicy([], singleTarget('p:cheap'), nothing);
    expect(made.refusal).toContain('"auto"');
    expect(made).toMatchObject({
      sampleCount: 0,
      choices: [],
      overlap: { uncoveredShare: 1, weightMean: 0 },
    });
  });

  it('takes the decisions of a user together once there are users enough', () => {
    const of = (userCount: number): DecisionGroup[] =>
      log(900).map((one) => ({
        ...one,
        decisions: one.decisions.map((each, at) => ({ ...each, userKey: 1 + (at % userCount) })),
      }));
    expect(evaluateOffPolicy(of(60), singleTarget('p:cheap'), nothing).clusteredBy).toBe('user');
    expect(evaluateOffPolicy(of(3), singleTarget('p:cheap'), nothing).clusteredBy).toBe('request');
  });

  it('gives no estimate of what one user makes up', () => {
    const decisions = Array.from({ length: 2_000 }, (_, at) =>
      decision({ userKey: at < 40 ? 2 + at : 1, success: at % 2 }),
    );
    const { success } = evaluateOffPolicy(
      [group('p:dear', decisions)],
      singleTarget('p:dear'),
      nothing,
    ).rewards;
    expect(success.refusal).toContain('One user');
    expect(success.snips).toBeNull();
  });
});

const part = (value: number): ScorePart => ({
  value,
  low: value - 0.01,
  high: value + 0.01,
  sampleCount: 500,
  isAssumed: false,
});

function snapshot(models: readonly RankedModel[]): Snapshot {
  const ranking = { useCase: 'chat', requestCount: 1_000, models };
  const overall = { ...ranking, useCase: '*' };
  return { ...starterSnapshot(), version: 'v1', rankings: new Map([['chat', ranking]]), overall };
}

const CHEAP = rankedModel(
  'p:cheap',
  { success: part(0.88), speed: part(0.95), cost: part(0.9), quality: part(0.8) },
  { latencyMeanMs: 400 },
);
const DEAR = rankedModel(
  'p:dear',
  { success: part(0.95), speed: part(0.9), cost: part(0.2), quality: part(0.8) },
  { latencyMeanMs: null },
);

describe('a target', () => {
  const target = (preset: string, policies = new PolicyBook()) =>
    routedTarget({
      preset,
      policies,
      snapshot: snapshot([CHEAP, DEAR]),
      defaultModel: null,
      typicalCostUsd: (modelId) => (modelId === 'p:dear' ? 0.01 : 0.001),
    });

  it('is what the router would choose by each preset, of those that may serve', () => {
    expect(target('auto')('chat', MODELS)).toBe('p:dear');
    expect(target('auto:cheap')('chat', MODELS)).toBe('p:cheap');
    expect(target('auto:cheap')('chat', ['p:dear'])).toBe('p:dear');
    expect(target('auto:cheap')('chat', [])).toBeNull();
  });

  it('follows other settings', () => {
    const policies = new PolicyBook({ chat: { successMargin: 0.2 } });
    expect(target('auto', policies)('chat', MODELS)).toBe('p:cheap');
  });

  it('takes the order of the priors for models that nobody ranked', () => {
    expect(target('auto')('chat', ['p:new', 'p:newer'])).toBe('p:new');
  });

  it('refuses a preset that there is not, and a model that nobody knows', () => {
    expect(() => target('auto:nice')).toThrow(/auto:cheap/);
    expect(() => targetModelId('nope', MODELS)).toThrow(/not known/);
    expect(targetModelId('cheap', [...MODELS, 'p:cheap'])).toBe('p:cheap');
    expect(targetModelId('auto:fast', MODELS)).toBeNull();
  });
});

describe('rankedDirectModel', () => {
  const expected = rankedDirectModel(snapshot([CHEAP, DEAR]), new PolicyBook());

  it('has the posterior means, cost as dollars again', () => {
    expect(expected('success', 'chat', 'p:cheap')).toBe(0.88);
    expect(expected('quality', 'elsewhere', 'p:dear')).toBe(0.8);
    // 0.9 = 1 / (1 + c / $0.01)
    expect(expected('costUsd', 'chat', 'p:cheap')).toBeCloseTo(0.01 / 9);
    expect(expected('latencyMs', 'chat', 'p:cheap')).toBe(400);
  });

  it('knows nothing of models that nobody asked', () => {
    expect(expected('latencyMs', 'chat', 'p:dear')).toBeNull();
    expect(expected('success', 'chat', 'p:new')).toBeNull();
  });
});
