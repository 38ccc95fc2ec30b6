import { describe, expect, it } from 'vitest';
import { PolicyBook } from '../core/policy.ts';
import type { Moments } from '../stats/posterior.ts';
import { NO_MOMENTS } from '../stats/posterior.ts';
import { buildRankings } from './build-rankings.ts';
import type { EvidenceBook, ModelEvidence } from './evidence.ts';
import { noEvidence } from './evidence.ts';
import { type ComparedModel, comparedModels, modelPriors } from './model-priors.ts';

const ASSUMED = { mean: 0.8, weight: 10 };

function model(modelId: string, rate: number, count = 200, usdPerMtok: number | null = null): ComparedModel {
  return { modelId, usdPerMtok, observed: rates(rate, count) };
}

function rates(rate: number, count: number): Moments {
  return { count, sum: count * rate, squareSum: count * rate };
}

function newcomer(modelId: string, usdPerMtok: number | null = null): ComparedModel {
  return { modelId, usdPerMtok, observed: NO_MOMENTS };
}

/** The prior of the last of the models. */
function expected(...models: readonly ComparedModel[]): { mean: number; weight: number } {
  const prior = modelPriors(models, ASSUMED).get(models.at(-1)?.modelId ?? '');
  if (prior === undefined) throw new Error('no prior');
  return prior;
}

const LOCAL = [
  model('ollama:llama3.2:1b', 0.4),
  model('ollama:llama3.2:3b', 0.5),
  model('ollama:llama3.1:70b', 0.9),
  model('ollama:qwen2.5:1.5b', 0.45),
  model('ollama:qwen2.5:72b', 0.9),
];

describe('modelPriors', () => {
  it('assumes what it is told to where nobody has evidence', () => {
    expect(modelPriors([], ASSUMED).size).toBe(0);
    const { mean, weight } = expected(newcomer('ollama:a:7b'), newcomer('ollama:b:7b'));
    expect(mean).toBe(ASSUMED.mean);
    expect(weight).toBeCloseTo(ASSUMED.weight, 9);
  });

  it('expects more of a big newcomer than of a small one', () => {
    const big = expected(...LOCAL, newcomer('ollama:mistral:65b'));
    const small = expected(...LOCAL, newcomer('ollama:mistral:1b'));
    expect(big.mean - small.mean).toBeGreaterThan(0.1);
  });

  it('expects of a family what it has shown', () => {
    const models = [model('openai:gpt-4o', 0.9), model('openai:gpt-4.1', 0.9), model('x:reka-core', 0.4)];
    const relative = expected(...models, newcomer('openai:gpt-4o-mini'));
    const stranger = expected(...models, newcomer('x:jamba-large'));
    expect(relative.mean).toBeGreaterThan(stranger.mean + 0.05);
    expect(relative.weight).toBeGreaterThan(stranger.weight);
  });

  it('takes the price for the size where the name is silent', () => {
    const models = [
      model('a:one', 0.9, 200, 5),
      model('b:two', 0.9, 200, 4),
      model('c:three', 0.4, 200, 0.05),
      model('d:four', 0.4, 200, 0.04),
    ];
    const dear = expected(...models, newcomer('e:five', 6));
    const cheap = expected(...models, newcomer('e:five', 0.03));
    expect(dear.mean - cheap.mean).toBeGreaterThan(0.1);
  });

  it("leaves a model's own observations out of what is expected of it, but for the mean of all", () => {
    const fine = modelPriors([...LOCAL, model('ollama:mistral:7b', 1)], ASSUMED).get('ollama:mistral:7b');
    const broken = modelPriors([...LOCAL, model('ollama:mistral:7b', 0.5)], ASSUMED).get('ollama:mistral:7b');
    const unseen = expected(...LOCAL, newcomer('ollama:mistral:7b'));
    expect(Math.abs((fine?.mean ?? 0) - (broken?.mean ?? 1))).toBeLessThan(0.06);
    expect(fine?.mean).toBeCloseTo(unseen.mean, 1);
  });

  it('takes three failures of a lone model for no law', () => {
    expect(expected(model('a:one', 0, 3), newcomer('b:two')).mean).toBeGreaterThan(0.5);
  });

  it('never expects less of a model without votes than of its relative whose vote was bad', () => {
    const models = [model('openai:gpt-4o', 0, 1), newcomer('openai:gpt-4o-mini')];
    const priors = modelPriors(models, ASSUMED);
    const voted = priors.get('openai:gpt-4o') ?? ASSUMED;
    const posterior = (voted.weight * voted.mean) / (voted.weight + 1);
    expect(priors.get('openai:gpt-4o-mini')?.mean).toBeGreaterThan(posterior);
  });

  it('is surer where models agree than where they differ', () => {
    const agreeing = Array.from({ length: 8 }, (_, at) => model(`ollama:model${at}:7b`, 0.85));
    const differing = agreeing.map((one, at) => model(one.modelId, at % 2 ? 1 : 0.4));
    const sure = expected(...agreeing, newcomer('ollama:new:7b'));
    const unsure = expected(...differing, newcomer('ollama:new:7b'));
    expect(sure.weight).toBeGreaterThan(1.5 * unsure.weight);
  });

  it('stays within its bounds for twins, copies, odd names and hundreds of models', () => {
    const models = [
      ...Array.from({ length: 300 }, (_, at) => model(`p${at}:gpt-4o`, at % 2, 1 + at)),
      model('', 1),
      model(':', 0),
      model('日本語', 0.5, 0.01),
      newcomer('p:gpt-4o', 0),
      newcomer('p:mixtral-8x22b', 1e9),
    ];
    const priors = modelPriors(models, ASSUMED);
    expect(priors.size).toBe(305);
    for (const { mean, weight } of priors.values()) {
      expect(mean).toBeGreaterThanOrEqual(0.01);
      expect(mean).toBeLessThanOrEqual(0.995);
      expect(weight).toBeGreaterThanOrEqual(2);
      expect(weight).toBeLessThanOrEqual(20);
    }
  });
});

function evidence(
  modelId: string,
  given: Partial<ModelEvidence> & { readonly quality?: number },
): ModelEvidence {
  const { quality, ...sums } = given;
  const none = noEvidence(modelId);
  const feedbackCount = quality === undefined ? 0 : 200;
  const feedbackSum = feedbackCount * (quality ?? 0);
  return {
    ...none,
    requestCount: 200,
    successCount: 200,
    pricedCount: 200,
    ...sums,
    marks: {
      ...none.marks,
      unseen: { silentCount: 0, feedbackCount, feedbackSum, feedbackSquareSum: feedbackSum },
    },
  };
}

function book(models: readonly ModelEvidence[]): EvidenceBook {
  return new Map([['chat', new Map(models.map((one) => [one.modelId, one]))]]);
}

describe('comparedModels', () => {
  it('prices a model by its mean request over all use cases', () => {
    const one = evidence('openai:gpt-4o', {
      costSumUsd: 0.2,
      tokenCount: 100,
      promptTokenSum: 60_000,
      completionTokenSum: 40_000,
    });
    const models = new Map([
      ['chat', new Map([[one.modelId, one]])],
      ['code', new Map([[one.modelId, one]])],
    ]);
    const [compared] = comparedModels(models, () => NO_MOMENTS);
    expect(compared?.usdPerMtok).toBeCloseTo(1, 9);
  });

  it('knows no price of a model that was never priced', () => {
    const [compared] = comparedModels(book([evidence('odd:one', { pricedCount: 0 })]), () => NO_MOMENTS);
    expect(compared?.usdPerMtok).toBeNull();
  });
});

describe('a ranking with a new model', () => {
  it('expects the quality of its relatives, marked as assumed', () => {
    const built = buildRankings(
      book([
        evidence('ollama:llama3.1:70b', { quality: 0.95 }),
        evidence('ollama:llama3.3:70b', { quality: 0.95 }),
        evidence('ollama:gemma3:1b', { quality: 0.3 }),
        evidence('ollama:gemma3:270m', { quality: 0.3 }),
        evidence('ollama:llama4:100b', { requestCount: 3, successCount: 3 }),
        evidence('ollama:gemma4:1b', { requestCount: 3, successCount: 3 }),
      ]),
      new PolicyBook(),
    );
    const of = (modelId: string) => {
      const row = built.rankings[0]?.models.find((one) => one.modelId === modelId);
      if (row === undefined) throw new Error(`${modelId} is not ranked`);
      return row.quality;
    };
    expect(of('ollama:llama4:100b')).toMatchObject({ isAssumed: true, sampleCount: 0 });
    expect(of('ollama:llama4:100b').value - of('ollama:gemma4:1b').value).toBeGreaterThan(0.2);
    expect(of('ollama:llama3.1:70b').value).toBeGreaterThan(0.9);
  });
});
