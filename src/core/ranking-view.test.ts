import { describe, expect, it } from 'vitest';
import { rankedModel } from '../../tests/kit/ranked-model.ts';
import { POLICIES } from './policy.ts';
import { notWorseProbability, scoreOf, viewRanking } from './ranking-view.ts';
import type { RankedModel, ScorePart } from './snapshot.ts';

function part(value: number, halfWidth = 0.01, sampleCount = 500): ScorePart {
  return {
    value,
    low: Math.max(0, value - halfWidth),
    high: Math.min(1, value + halfWidth),
    sampleCount,
    isAssumed: false,
  };
}

function model(modelId: string, given: Partial<RankedModel> = {}): RankedModel {
  const parts = { success: part(0.95), speed: part(0.9), cost: part(1, 0), quality: part(0.8) };
  return rankedModel(modelId, parts, given);
}

const { auto } = POLICIES;

describe('scoreOf', () => {
  it('weighs the four parts 40/30/20/10', () => {
    const score = scoreOf(
      model('a', { success: part(0.5), speed: part(0.25), quality: part(1, 0) }),
      auto.weights,
    );
    expect(score?.score).toBeCloseTo(40 * 0.5 + 30 * 0.25 + 20 + 10, 9);
  });

  it('has no score without a price', () => {
    expect(scoreOf(model('a', { cost: null }), auto.weights)).toBeNull();
  });

  it('joins the widths of the parts by squares', () => {
    const wide = model('a', { success: part(0.5, 0.1), speed: part(0.5, 0.2), quality: part(0.5, 0) });
    const score = scoreOf(wide, auto.weights);
    expect((score?.high ?? 0) - (score?.score ?? 0)).toBeCloseTo(100 * Math.hypot(0.04, 0.06), 9);
  });
});

describe('the interval of a score', () => {
  const reachOf = (ratingCount: number): number => {
    const quality = { ...part(0.5, 0.2), sampleCount: ratingCount };
    const success = { ...part(0.5, 0.1), sampleCount: 1_980 };
    const score = scoreOf(
      model('a', { success, speed: part(0.5, 0), quality, cost: part(1, 0) }),
      auto.weights,
    );
    return (score?.high ?? 0) - (score?.score ?? 0);
  };

  it('adds up what errs together: success and quality of the same requests', () => {
    expect(reachOf(1_980)).toBeCloseTo(100 * (0.04 + 0.02), 9);
  });

  it('is nearly by squares where few of them were rated', () => {
    const correlation = Math.sqrt(20 / 2_000);
    expect(reachOf(0)).toBeCloseTo(100 * Math.sqrt(0.04 ** 2 + 0.02 ** 2 + 2 * correlation * 0.04 * 0.02), 9);
  });
});

describe('notWorseProbability', () => {
  it('is one half when the deficit is just the margin, and sharp when nothing is uncertain', () => {
    expect(notWorseProbability(part(0.75), part(0.8), 0.05)).toBeCloseTo(0.5, 3);
    expect(notWorseProbability(part(0.76, 0), part(0.8, 0), 0.05)).toBe(1);
    expect(notWorseProbability(part(0.74, 0), part(0.8, 0), 0.05)).toBe(0);
  });
});

describe('viewRanking', () => {
  it('keeps a cheap model that fails more often from being a candidate, whatever its score', () => {
    const cheap = model('ollama:free', { success: part(0.78) });
    const dear = model('openai:gpt-4o', { success: part(0.97), speed: part(0.5), cost: part(0.25, 0.01) });
    const { models, note } = viewRanking([cheap, dear], auto);
    expect(models.map(({ modelId }) => modelId)).toEqual(['ollama:free', 'openai:gpt-4o']);
    expect(models[0]).toMatchObject({
      isCandidate: false,
      notCandidateReason: 'success 0.19 below openai:gpt-4o (needs within 0.05)',
    });
    expect(models[1]).toMatchObject({ isCandidate: true, notCandidateReason: null });
    expect(note).toBeNull();
  });

  it('lists models without a price last and models with little evidence with what they lack', () => {
    const { models } = viewRanking(
      [
        model('x:unpriced', { cost: null, success: part(1, 0) }),
        model('a:new', { success: part(0.99, 0.1, 11) }),
        model('b:known', { success: part(0.9) }),
      ],
      auto,
    );
    expect(
      models.map(({ modelId, score, notCandidateReason }) => [modelId, score === null, notCandidateReason]),
    ).toEqual([
      ['a:new', false, '11 of 20 requests needed'],
      ['b:known', false, null],
      ['x:unpriced', true, 'no price known'],
    ]);
  });

  it('asks for certainty and not only for a small difference', () => {
    const vague = model('a:vague', { quality: part(0.79, 0.2) });
    const { models } = viewRanking([vague, model('b:sure')], auto);
    const row = models.find(({ modelId }) => modelId === 'a:vague');
    expect(row?.isCandidate).toBe(false);
    expect(row?.notCandidateReason).toMatch(
      /^quality not yet shown to be within 0\.05 of b:sure \(probability 0\.\d\d, needs 0\.9\)$/,
    );
  });

  it('lets a free model win where nobody rates answers and nothing speaks against it', () => {
    const vague = { quality: part(0.8, 0.2), ratingCount: 0 };
    const free = model('ollama:free', vague);
    const dear = model('openai:gpt-4o', { ...vague, cost: part(0.25, 0.01), speed: part(0.8) });
    const { models, note, isProven } = viewRanking([dear, free], auto);
    expect(models.map(({ modelId, isCandidate }) => [modelId, isCandidate])).toEqual([
      ['ollama:free', true],
      ['openai:gpt-4o', true],
    ]);
    expect(isProven).toBe(true);
    expect(note).toContain('Only 0 of 20 ratings');
  });

  it('guards unrated answers by how often people ask again', () => {
    const vague = { quality: part(0.8, 0.2), ratingCount: 0, sessionCount: 400 };
    const poor = model('ollama:free', { ...vague, reAskRate: 0.3 });
    const good = model('openai:gpt-4o', { ...vague, reAskRate: 0.05, cost: part(0.25, 0.01) });
    const { models } = viewRanking([poor, good], auto);
    expect(models.find(({ modelId }) => modelId === 'ollama:free')?.notCandidateReason).toMatch(
      /^asked again 0\.2\d more often than openai:gpt-4o/,
    );
    // A handful of re-asks is no verdict.
    const few = model('ollama:free', { ...vague, sessionCount: 10, reAskRate: 0.1 });
    const candidates = viewRanking([few, good], auto).models.filter(({ isCandidate }) => isCandidate);
    expect(candidates).toHaveLength(2);
  });

  it('holds nothing against a model whose quality is only assumed', () => {
    const rated = model('openai:gpt-4o', { quality: part(0.8, 0.1), ratingCount: 6, cost: part(0.25, 0.01) });
    const unrated = model('ollama:free', {
      quality: { ...part(0.6, 0.3, 0), isAssumed: true },
      ratingCount: 0,
    });
    const { models } = viewRanking([rated, unrated], auto);
    expect(models.find(({ modelId }) => modelId === 'ollama:free')?.isCandidate).toBe(true);
  });

  it('takes the nearest model, and says so, when nobody passes both tests', () => {
    const reliable = model('a:reliable', { success: part(0.99), quality: part(0.6) });
    const good = model('b:good', { success: part(0.93), quality: part(0.9) });
    const { models, note } = viewRanking([reliable, good], auto);
    expect(models.filter(({ isCandidate }) => isCandidate).map(({ modelId }) => modelId)).toEqual(['b:good']);
    expect(note).toContain('b:good comes nearest');
  });

  it('has no candidate at all when nobody has evidence', () => {
    const { models, note } = viewRanking([model('a', { success: part(0.9, 0.1, 3) })], auto);
    expect(models.every(({ isCandidate }) => !isCandidate)).toBe(true);
    expect(note).toBeNull();
  });
});
