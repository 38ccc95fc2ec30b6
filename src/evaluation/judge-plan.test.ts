import { describe, expect, it } from 'vitest';
import type { RankedModelAnswer, RankingsAnswer } from '../ranking/answers.ts';
import type { CandidatePair, JudgeCandidate } from '../store/queries/judge-sample.ts';
import { planJudging } from './judge-plan.ts';

const OPTIONS = { limit: 10, pairShare: 0, pairedCount: 1_000 };

function candidates(useCase: string, modelId: string, count: number, isRated = false): JudgeCandidate[] {
  return Array.from({ length: count }, (_, at) => ({
    requestId: `${useCase}-${modelId}-${at}-${isRated}`,
    useCase,
    modelId,
    isRated,
  }));
}

function ranking(
  useCase: string,
  models: readonly (readonly [modelId: string, low: number, high: number, requestCount?: number])[],
): RankingsAnswer {
  const alternatives = models.map(([modelId, low, high, totalRequests = 100]) => {
    const quality = {
      value: (low + high) / 2,
      interval: [low, high] as const,
      sampleCount: 1,
      isAssumed: false,
    };
    return { modelId, totalRequests, parts: { quality } } as unknown as RankedModelAnswer;
  });
  return { useCase, best: null, alternatives } as unknown as RankingsAnswer;
}

function countsOf(chosen: readonly JudgeCandidate[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { useCase, modelId } of chosen) {
    counts[`${useCase}/${modelId}`] = (counts[`${useCase}/${modelId}`] ?? 0) + 1;
  }
  return counts;
}

describe('planJudging', () => {
  it('is even where nothing is known', () => {
    const drawn = [...candidates('a', 'm', 40), ...candidates('a', 'n', 40), ...candidates('b', 'm', 40)];
    const { scores } = planJudging(drawn, [], [], { ...OPTIONS, limit: 9 });
    expect(countsOf(scores)).toEqual({ 'a/m': 3, 'a/n': 3, 'b/m': 3 });
  });

  it('takes from the others what a small group does not have', () => {
    const drawn = [...candidates('a', 'm', 1), ...candidates('a', 'n', 40)];
    expect(countsOf(planJudging(drawn, [], [], OPTIONS).scores)).toEqual({ 'a/m': 1, 'a/n': 9 });
  });

  it('aims where the interval is wide', () => {
    const drawn = [...candidates('a', 'wide', 40), ...candidates('a', 'narrow', 40)];
    const rankings = [
      ranking('a', [
        ['wide', 0.1, 0.5],
        ['narrow', 0.8, 0.9],
      ]),
    ];
    const counts = countsOf(planJudging(drawn, [], rankings, { ...OPTIONS, limit: 18 }).scores);
    expect(counts['a/wide']).toBeGreaterThan(12);
  });

  it('aims where the order is open', () => {
    const models = ['one', 'two', 'worst'];
    const drawn = models.flatMap((model) => candidates('a', model, 40));
    const rankings = [
      ranking('a', [
        ['one', 0.6, 0.8],
        ['two', 0.7, 0.9],
        ['worst', 0.1, 0.3],
      ]),
    ];
    const counts = countsOf(planJudging(drawn, [], rankings, { ...OPTIONS, limit: 30 }).scores);
    expect(counts).toEqual({ 'a/one': 12, 'a/two': 12, 'a/worst': 6 });
  });

  it('gives a frequent use case more, and a rare one something', () => {
    const drawn = [...candidates('often', 'm', 90), ...candidates('rare', 'm', 90)];
    const rankings = [ranking('often', [['m', 0.5, 0.7, 9_900]]), ranking('rare', [['m', 0.5, 0.7, 100]])];
    const counts = countsOf(planJudging(drawn, [], rankings, { ...OPTIONS, limit: 50 }).scores);
    expect(counts['often/m']).toBeGreaterThan(40);
    expect(counts['rare/m']).toBeGreaterThan(0);
  });

  it('spends half on rated answers until the agreement is known, then a tenth', () => {
    const drawn = [...candidates('a', 'm', 90), ...candidates('a', 'm', 90, true)];
    const ratedOf = (pairedCount: number): number =>
      planJudging(drawn, [], [], { limit: 40, pairShare: 0, pairedCount }).scores.filter(
        ({ isRated }) => isRated,
      ).length;
    expect(ratedOf(0)).toBe(20);
    expect(ratedOf(200)).toBe(4);
    const onlyRated = candidates('a', 'm', 90, true);
    expect(planJudging(onlyRated, [], [], { ...OPTIONS, limit: 40 }).scores).toHaveLength(40);
  });

  it('keeps a share for pairs, and gives back what there are none for', () => {
    const pair = (at: number): CandidatePair => ({
      useCase: 'a',
      requestId: `one-${at}`,
      modelId: 'm',
      otherRequestId: `other-${at}`,
      otherModelId: 'n',
    });
    const drawn = candidates('a', 'm', 40);
    const many = planJudging(
      drawn,
      Array.from({ length: 40 }, (_, at) => pair(at)),
      [],
      { ...OPTIONS, pairShare: 0.3 },
    );
    expect([many.scores.length, many.pairs.length]).toEqual([7, 3]);
    const few = planJudging(drawn, [pair(0)], [], { ...OPTIONS, pairShare: 0.3 });
    expect([few.scores.length, few.pairs.length]).toEqual([9, 1]);
    expect(planJudging([], [], [], OPTIONS)).toEqual({ scores: [], pairs: [] });
  });
});
