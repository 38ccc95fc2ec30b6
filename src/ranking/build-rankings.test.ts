import { describe, expect, it } from 'vitest';
import { PolicyBook } from '../core/policy.ts';
import type { RankedModel } from '../core/snapshot.ts';
import { createRandom } from '../stats/random.ts';
import { buildRankings, themesOf } from './build-rankings.ts';
import type { EvidenceBook, Mark, MarkEvidence, ModelEvidence } from './evidence.ts';
import { noEvidence } from './evidence.ts';
import { latencyBin } from './latency-bins.ts';

interface Given {
  readonly requestCount: number;
  readonly successRate: number;
  readonly latencyMs?: number;
  /** null: unpriced */
  readonly costUsd?: number | null;
  readonly marks?: Partial<Record<Mark, Partial<MarkEvidence>>>;
}

const NO_MARK: MarkEvidence = { silentCount: 0, feedbackCount: 0, feedbackSum: 0, feedbackSquareSum: 0 };

function evidence(modelId: string, given: Given): ModelEvidence {
  const successCount = Math.round(given.requestCount * given.successRate);
  const { latencyMs = 2_100, costUsd = 0, marks = {} } = given;
  return {
    ...noEvidence(modelId),
    requestCount: given.requestCount,
    successCount,
    failureCount: given.requestCount - successCount,
    latencyCount: successCount,
    latencySumMs: successCount * latencyMs,
    latencyBins: new Map([[latencyBin(latencyMs), successCount]]),
    pricedCount: costUsd === null ? 0 : given.requestCount,
    costSumUsd: given.requestCount * (costUsd ?? 0),
    costSquareSum: given.requestCount * (costUsd ?? 0) ** 2,
    marks: {
      abandoned: { ...NO_MARK, ...marks.abandoned },
      reAsked: { ...NO_MARK, ...marks.reAsked },
      thanked: { ...NO_MARK, ...marks.thanked },
      untroubled: { ...NO_MARK, ...marks.untroubled },
      unseen: { ...NO_MARK, ...marks.unseen },
    },
  };
}

function book(useCases: Readonly<Record<string, readonly ModelEvidence[]>>): EvidenceBook {
  return new Map(
    Object.entries(useCases).map(([useCase, models]) => [
      useCase,
      new Map(models.map((model) => [model.modelId, model])),
    ]),
  );
}

function ranked(built: ReturnType<typeof buildRankings>, useCase: string, modelId: string): RankedModel {
  const model = built.rankings
    .find((ranking) => ranking.useCase === useCase)
    ?.models.find((one) => one.modelId === modelId);
  if (model === undefined) throw new Error(`${modelId} is not ranked in ${useCase}`);
  return model;
}

const build = (useCases: Readonly<Record<string, readonly ModelEvidence[]>>) =>
  buildRankings(book(useCases), new PolicyBook());

describe('themes', () => {
  const useCases = Array.from({ length: 12 }, (_, at) => `use_case_${at}`);
  const isMath = (at: number): boolean => at < 6;
  /** Two models, each good at one theme; the last use case of the first theme hardly knows either. */
  const cells = Object.fromEntries(
    useCases.map((useCase, at) => [
      useCase,
      ['solver', 'writer', 'other'].map((modelId, model) =>
        evidence(modelId, {
          requestCount: at === 5 ? 2 : 200,
          successRate: model === 2 ? 0.8 : isMath(at) === (model === 0) ? 0.95 : 0.6,
        }),
      ),
    ]),
  );
  const themed = useCases.map((slug, at) => ({
    slug,
    name: slug,
    keywords: [],
    examplePrompts: [],
    sampleCount: 0,
    distinctPromptCount: 0,
    typicalLength: null,
    theme: isMath(at) ? 'Mathematics' : 'Writing',
  }));

  it('let a use case that was hardly asked lean on those of its theme', () => {
    const themes = themesOf(themed);
    const plain = build(cells);
    const built = buildRankings(book(cells), new PolicyBook(), { themes });
    const gap = (of: typeof plain): number =>
      ranked(of, 'use_case_5', 'solver').success.value - ranked(of, 'use_case_5', 'writer').success.value;
    expect(gap(built)).toBeGreaterThan(gap(plain) + 0.1);
    expect(gap(built)).toBeLessThan(0.45);
  });

  it('are those of the use cases that have one', () => {
    const [first, ...others] = themed;
    if (first === undefined) throw new Error('no use case');
    const { theme: _, ...alone } = first;
    const themes = themesOf([alone, ...others]);
    expect(themes.has('use_case_0')).toBe(false);
    expect(themes.get('use_case_1')).toBe('Mathematics');
  });
});

describe("the original's example", () => {
  it('scores 92.5 within two points for 0.95 success over 1,250 requests at 2,100 ms and $0', () => {
    const built = build({
      casual_chat: [evidence('ollama:mistral', { requestCount: 1_250, successRate: 0.95 })],
    });
    const { score } = ranked(built, 'casual_chat', 'ollama:mistral');
    expect(Math.abs((score ?? 0) - 92.5)).toBeLessThan(2);
  });

  it('puts $0.002 and then $0.03 at 4,200 ms behind it, all else equal', () => {
    const given = { requestCount: 1_250, successRate: 0.95 };
    const built = build({
      casual_chat: [
        evidence('openai:gpt-4', { ...given, latencyMs: 4_200, costUsd: 0.03 }),
        evidence('openai:gpt-3.5', { ...given, costUsd: 0.002 }),
        evidence('ollama:mistral', given),
      ],
    });
    expect(built.rankings[0]?.models.map(({ modelId }) => modelId)).toEqual([
      'ollama:mistral',
      'openai:gpt-3.5',
      'openai:gpt-4',
    ]);
  });
});

describe('buildRankings', () => {
  it('lets a small sample lean on the record of the same model elsewhere', () => {
    const others = evidence('a:good', { requestCount: 2_000, successRate: 0.98 });
    const built = build({
      here: [
        evidence('a:good', { requestCount: 4, successRate: 0.5 }),
        evidence('b:unknown', { requestCount: 4, successRate: 0.5 }),
      ],
      elsewhere: [others],
    });
    const known = ranked(built, 'here', 'a:good').success;
    const unknown = ranked(built, 'here', 'b:unknown').success;
    expect(known.value).toBeGreaterThan(0.7);
    expect(unknown.value).toBeLessThan(known.value);
    expect(unknown.high - unknown.low).toBeGreaterThan(known.high - known.low);
  });

  it('ranks some of the use cases as it ranks all of them', () => {
    const evidences = book({
      here: [
        evidence('a', { requestCount: 30, successRate: 0.8 }),
        evidence('b', { requestCount: 9, successRate: 1 }),
      ],
      there: [
        evidence('a', { requestCount: 400, successRate: 0.6 }),
        evidence('b', { requestCount: 90, successRate: 0.9 }),
      ],
      nowhere: [evidence('a', { requestCount: 50, successRate: 0.2 })],
    });
    const all = buildRankings(evidences, new PolicyBook());
    const some = buildRankings(evidences, new PolicyBook(), { useCases: new Set(['here']) });
    expect(some.rankings).toEqual(all.rankings.filter(({ useCase }) => useCase === 'here'));
    expect(some.overall).toEqual(all.overall);
  });

  it('expects little of a model in a use case that all the others find hard', () => {
    const built = build({
      hard: [
        evidence('a', { requestCount: 500, successRate: 0.3 }),
        evidence('b', { requestCount: 500, successRate: 0.35 }),
        evidence('c:new-here', { requestCount: 2, successRate: 0.5 }),
      ],
      easy: ['a', 'b', 'c:new-here'].map((id) => evidence(id, { requestCount: 500, successRate: 0.95 })),
    });
    expect(ranked(built, 'hard', 'c:new-here').success.value).toBeLessThan(0.75);
  });

  it('lets the own evidence win when there is much of it', () => {
    const built = build({
      here: [evidence('a:model', { requestCount: 3_000, successRate: 0.7 })],
      elsewhere: [evidence('a:model', { requestCount: 9_000, successRate: 0.99 })],
    });
    expect(ranked(built, 'here', 'a:model').success.value).toBeCloseTo(0.7, 2);
  });

  it('counts a slow tail in the speed part', () => {
    const steady = evidence('a:steady', { requestCount: 1_000, successRate: 1, latencyMs: 3_000 });
    const uneven: ModelEvidence = {
      ...evidence('b:uneven', { requestCount: 1_000, successRate: 1, latencyMs: 1_000 }),
      latencyBins: new Map([
        [latencyBin(1_000), 700],
        [latencyBin(90_000), 300],
      ]),
    };
    const built = build({ here: [steady, uneven] });
    expect(ranked(built, 'here', 'a:steady').speed.value).toBeGreaterThan(
      ranked(built, 'here', 'b:uneven').speed.value,
    );
  });

  it('marks parts without evidence as assumed and gives them the prior, never 0', () => {
    const built = build({ here: [evidence('a:model', { requestCount: 30, successRate: 1 })] });
    const { quality } = ranked(built, 'here', 'a:model');
    expect(quality).toMatchObject({ isAssumed: true, sampleCount: 0 });
    expect(quality.value).toBeCloseTo(0.8, 9);
    expect(quality.high - quality.low).toBeGreaterThan(0.2);
  });

  it('has no score for a model whose price nobody knows', () => {
    const built = build({ here: [evidence('x:odd', { requestCount: 500, successRate: 1, costUsd: null })] });
    expect(ranked(built, 'here', 'x:odd')).toMatchObject({
      score: null,
      cost: null,
      isCandidate: false,
      notCandidateReason: 'no price known',
    });
  });

  it('pools all use cases in the ranking over all', () => {
    const built = build({
      one: [evidence('a:model', { requestCount: 100, successRate: 1 })],
      two: [evidence('a:model', { requestCount: 300, successRate: 0.5 })],
    });
    expect(built.overall).toMatchObject({ useCase: '*', requestCount: 400 });
    expect(built.overall.models[0]?.successRate).toBeCloseTo(0.625, 12);
  });

  it('has score intervals that hold the true score about as often as they say', () => {
    const seed = 20261123;
    const random = createRandom(seed);
    let held = 0;
    let count = 0;
    for (let round = 0; round < 60; round++) {
      const truths = new Map<string, number>();
      const useCases: Record<string, ModelEvidence[]> = {};
      for (const modelId of ['a', 'b', 'c']) {
        const mean = 0.7 + 0.25 * random.next();
        for (const useCase of ['u', 'v', 'w', 'x']) {
          const truth = random.beta(20 * mean, 20 * (1 - mean));
          truths.set(`${useCase} ${modelId}`, truth);
          const successes = Array.from({ length: 60 }, () => random.next() < truth).filter(Boolean).length;
          useCases[useCase] = [
            ...(useCases[useCase] ?? []),
            evidence(modelId, { requestCount: 60, successRate: successes / 60 }),
          ];
        }
      }
      const built = build(useCases);
      for (const [key, truth] of truths) {
        const [useCase = '', modelId = ''] = key.split(' ');
        const { low, high } = ranked(built, useCase, modelId).success;
        count++;
        if (truth >= low && truth <= high) held++;
      }
    }
    expect(held / count, `seed ${seed}`).toBeGreaterThan(0.93);
  });
});

describe('quality evidence', () => {
  const feedback = (count: number, mean: number): Partial<MarkEvidence> => ({
    feedbackCount: count,
    feedbackSum: count * mean,
    feedbackSquareSum: count * mean,
  });

  it('learns from feedback what a re-ask means and how far it can be trusted', () => {
    const built = build({
      here: [
        evidence('a:model', {
          requestCount: 1_000,
          successRate: 1,
          marks: { reAsked: feedback(300, 0.1), untroubled: feedback(700, 0.9) },
        }),
      ],
    });
    const { calibration } = built;
    expect(calibration.pairCount).toBe(1_000);
    expect(calibration.expected.reAsked.mean).toBeCloseTo(0.12, 1);
    expect(calibration.expected.untroubled.mean).toBeCloseTo(0.9, 1);
    expect(calibration.agreementMeasured).toBeCloseTo(0.596, 2);
    expect(calibration.agreement).toBeGreaterThan(0.5);
  });

  it('gives re-asks hardly any weight while nobody gave feedback', () => {
    const built = build({
      here: [
        evidence('a:asked-again', {
          requestCount: 100,
          successRate: 1,
          marks: { reAsked: { silentCount: 100 } },
        }),
        evidence('b:left-alone', {
          requestCount: 100,
          successRate: 1,
          marks: { untroubled: { silentCount: 100 } },
        }),
      ],
    });
    expect(built.calibration.agreement).toBe(0.05);
    const again = ranked(built, 'here', 'a:asked-again').quality;
    const alone = ranked(built, 'here', 'b:left-alone').quality;
    expect(again.sampleCount).toBeCloseTo(5, 9);
    expect(again.value).toBeLessThan(alone.value);
    expect(alone.value - again.value).toBeLessThan(0.25);
  });

  it('takes nothing from requests outside sessions', () => {
    const built = build({
      here: [
        evidence('a:batch', { requestCount: 100, successRate: 1, marks: { unseen: { silentCount: 100 } } }),
      ],
    });
    expect(ranked(built, 'here', 'a:batch').quality).toMatchObject({ sampleCount: 0, isAssumed: true });
  });

  it('prefers the model that people rate higher', () => {
    const built = build({
      here: [
        evidence('a:liked', { requestCount: 400, successRate: 1, marks: { unseen: feedback(400, 0.9) } }),
        evidence('b:disliked', { requestCount: 400, successRate: 1, marks: { unseen: feedback(400, 0.6) } }),
      ],
    });
    expect(ranked(built, 'here', 'a:liked').isCandidate).toBe(true);
    expect(ranked(built, 'here', 'b:disliked').notCandidateReason).toMatch(/^quality 0\.\d\d below a:liked/);
  });
});
