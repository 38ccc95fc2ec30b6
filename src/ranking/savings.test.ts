import { describe, expect, it } from 'vitest';
import { costSumsOf } from '../../tests/kit/cost-sums.ts';
import { PolicyBook } from '../core/policy.ts';
import type { Timeframe } from '../core/timeframe.ts';
import { createRandom } from '../stats/random.ts';
import {
  addCostSums,
  type CostSums,
  type SavingsEvidenceRow,
  toCostSums,
} from '../store/queries/savings-evidence.ts';
import { buildRankings } from './build-rankings.ts';
import type { ModelEvidence } from './evidence.ts';
import { noEvidence } from './evidence.ts';
import { latencyBin } from './latency-bins.ts';
import { computeSavings, type SavingsFrame } from './savings.ts';

const DAY_MS = 86_400_000;
const NONE = toCostSums([]);

function windowOfDays(days: number): Timeframe {
  return { from: new Date(0), to: new Date(days * DAY_MS), label: `${days} days` };
}

function evidence(modelId: string, requestCount: number, costUsd: number, successRate = 0.95): ModelEvidence {
  const successCount = Math.round(requestCount * successRate);
  return {
    ...noEvidence(modelId),
    requestCount,
    successCount,
    failureCount: requestCount - successCount,
    latencyCount: successCount,
    latencySumMs: successCount * 2_000,
    latencyBins: new Map([[latencyBin(2_000), successCount]]),
    pricedCount: requestCount,
    costSumUsd: requestCount * costUsd,
    // Costs vary: half of the requests cost nothing, half twice the mean.
    costSquareSum: requestCount * 2 * costUsd ** 2,
    marks: {
      ...noEvidence(modelId).marks,
      unseen: { silentCount: 0, feedbackCount: 900, feedbackSum: 720, feedbackSquareSum: 720 },
    },
  };
}

/** `count` requests without token counts; half of them cost nothing, half twice the mean. */
function sums(count: number, costSumUsd: number, pricedCount = count): CostSums {
  return toCostSums([
    count,
    pricedCount,
    costSumUsd,
    pricedCount === 0 ? 0 : (2 * costSumUsd ** 2) / pricedCount,
  ]);
}

function row(
  useCase: string,
  modelId: string,
  asked: CostSums,
  given: Partial<SavingsEvidenceRow> = {},
): SavingsEvidenceRow {
  return { useCase, modelId, asked, evidence: asked, before: NONE, routed: NONE, ...given };
}

/** A model that served before the asked window only. */
function earlier(useCase: string, modelId: string, evidence: CostSums): SavingsEvidenceRow {
  return row(useCase, modelId, NONE, { evidence });
}

interface Priced {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Requests at $2 and $8 per million tokens, times `dearness`. */
function tokenSums(requests: readonly Priced[], dearness = 1, tokensPerCharacter = 0.25): CostSums {
  return addCostSums(
    requests.map(({ promptTokens, completionTokens }) =>
      costSumsOf({
        costUsd: costOf({ promptTokens, completionTokens }, dearness),
        promptTokens,
        completionTokens,
        promptLength: promptTokens / tokensPerCharacter,
      }),
    ),
  );
}

function costOf({ promptTokens, completionTokens }: Priced, dearness = 1): number {
  return (dearness * (2 * promptTokens + 8 * completionTokens)) / 1e6;
}

function savings(
  rows: readonly SavingsEvidenceRow[],
  useCases: Readonly<Record<string, readonly ModelEvidence[]>>,
  days = 30,
  given: Partial<SavingsFrame> = {},
) {
  const book = new Map(
    Object.entries(useCases).map(([useCase, models]) => [
      useCase,
      new Map(models.map((model) => [model.modelId, model])),
    ]),
  );
  const rankings = new Map(
    buildRankings(book, new PolicyBook()).rankings.map((ranking) => [ranking.useCase, ranking]),
  );
  return computeSavings(rows, rankings, {
    window: windowOfDays(days),
    policies: new PolicyBook(),
    version: 'v',
    defaultModel: null,
    routedSince: null,
    ...given,
  });
}

const CHAT = { chat: [evidence('openai:gpt-4', 1_000, 0.03), evidence('openai:gpt-mini', 1_000, 0.002)] };

describe('computeSavings', () => {
  it('re-prices what other models answered at the own mean cost of the best candidate', () => {
    const answer = savings(
      [row('chat', 'openai:gpt-4', sums(4_000, 120)), row('chat', 'openai:gpt-mini', sums(1_000, 2))],
      CHAT,
    );
    expect(answer).toMatchObject({
      actualCost: '122.00',
      optimalCost: '10.00',
      potentialSavings: '112.00',
      savingsPercent: '91.8%',
      message: 'Could save $112.00/month by using best models per use case',
      sampleCount: 5_000,
      unpricedCount: 0,
      scaling: 1,
      version: 'v',
    });
    expect(answer.observedShare).toBeCloseTo(0.2, 12);
    expect(answer.interval[0]).toBeLessThan(112);
    expect(answer.interval[1]).toBeGreaterThan(112);
    expect(answer.interval[1] - answer.interval[0]).toBeLessThan(10);
  });

  it('says money per month in the sentence and of the window in the fields', () => {
    const answer = savings(
      [row('chat', 'openai:gpt-4', sums(1_000, 30)), earlier('chat', 'openai:gpt-mini', sums(1_000, 2))],
      CHAT,
      10,
    );
    expect(answer.potentialSavings).toBe('28.00');
    expect(answer.scaling).toBeCloseTo(3, 12);
    expect(answer.monthly.savingsUsd).toBeCloseTo(84, 9);
    expect(answer.message).toBe('Could save $84.00/month by using best models per use case');
  });

  it('never pretends: a dearer best model is a negative saving', () => {
    const useCases = { law: [evidence('a:weak', 1_000, 0, 0.6), evidence('b:good', 1_000, 0.01, 0.97)] };
    const answer = savings(
      [row('law', 'a:weak', sums(1_000, 0)), earlier('law', 'b:good', sums(1_000, 10))],
      useCases,
    );
    expect(answer).toMatchObject({ actualCost: '0.00', potentialSavings: '-10.00', savingsPercent: '0.0%' });
    expect(answer.message).toContain('would cost $10.00/month more');
    expect(answer.perUseCase[0]?.note).toContain('dearer');
  });

  it('leaves use cases alone where nobody has enough evidence, or nobody is shown to be not worse', () => {
    const scarce = savings([row('rare', 'a:model', sums(5, 1))], { rare: [evidence('a:model', 5, 0.2)] });
    expect(scarce).toMatchObject({ actualCost: '1.00', optimalCost: '1.00', potentialSavings: '0.00' });
    expect(scarce.message).toContain('Too little data');
    expect(scarce.perUseCase[0]).toMatchObject({ bestModelId: null, observedShare: 1 });
    expect(savings([row('new', 'a:model', sums(5, 1))], {}).perUseCase[0]?.bestModelId).toBeNull();
  });

  it('leaves unpriced requests out and counts them', () => {
    const answer = savings(
      [row('chat', 'openai:gpt-4', sums(1_000, 27, 900)), row('chat', 'odd:x', sums(50, 0, 0))],
      CHAT,
    );
    expect(answer).toMatchObject({ sampleCount: 900, unpricedCount: 150, actualCost: '27.00' });
  });

  it('answers with zeros and words when there is nothing', () => {
    expect(savings([], {})).toMatchObject({
      actualCost: '0.00',
      optimalCost: '0.00',
      potentialSavings: '0.00',
      savingsPercent: '0.0%',
      message: 'Nothing to compare yet: no request with a known price in this window.',
      observedShare: null,
      alwaysFlagship: null,
    });
  });

  it('says so where the best model has no priced request to go by', () => {
    const answer = savings([row('chat', 'openai:gpt-4', sums(1_000, 30))], CHAT);
    expect(answer.perUseCase[0]?.bestModelId).toBeNull();
    expect(answer.perUseCase[0]?.note).toContain('openai:gpt-mini has no request with a known price');
  });
});

describe('re-pricing by the lengths of prompts', () => {
  /** Answers take a hundred tokens and a tenth of the prompt, about. */
  const requests = (count: number, promptTokens: number): Priced[] =>
    Array.from({ length: count }, (_, at) => {
      const asked = Math.round(promptTokens * (0.5 + (at % 11) / 10));
      return { promptTokens: asked, completionTokens: 100 + Math.round(asked / 10) + (at % 7) };
    });
  const optimal = (own: CostSums, moved: CostSums): number => {
    const rows = [row('chat', 'openai:gpt-4', moved), row('chat', 'openai:gpt-mini', own)];
    const [part] = savings(rows, CHAT).perUseCase;
    expect(part?.bestModelId).toBe('openai:gpt-mini');
    return (part?.optimalCostUsd ?? Number.NaN) - own.costSumUsd;
  };

  it('charges prompts that are longer than those of the best model', () => {
    const moved = requests(500, 2_000);
    const truth = moved.reduce((total, one) => total + costOf(one), 0);
    const priced = optimal(tokenSums(requests(200, 1_000)), tokenSums(moved, 10));
    // Answers grow in proportion here, and the forecast takes them to grow with the logarithm.
    expect(Math.abs(priced / truth - 1)).toBeLessThan(0.06);
    // Its own mean would be wrong by half.
    expect((500 * tokenSums(requests(200, 1_000)).costSumUsd) / 200).toBeLessThan(0.6 * truth);
  });

  it('takes the best model’s own lengths of answers, not those of the model that answered', () => {
    const wordy = requests(500, 1_000).map((one) => ({ ...one, completionTokens: 3_000 }));
    const truth = requests(500, 1_000).reduce((total, one) => total + costOf(one), 0);
    const priced = optimal(tokenSums(requests(200, 1_000)), tokenSums(wordy, 10));
    expect(Math.abs(priced / truth - 1)).toBeLessThan(0.01);
  });

  it('is not misled by another vocabulary: the same prompts have more tokens there', () => {
    const own = requests(200, 1_000);
    const truth = requests(500, 1_000).reduce((total, one) => total + costOf(one), 0);
    const moved = requests(500, 1_000).map((one) => ({ ...one, promptTokens: 1.2 * one.promptTokens }));
    const priced = optimal(tokenSums(own), tokenSums(moved, 10, 0.3));
    expect(Math.abs(priced / truth - 1)).toBeLessThan(0.01);
  });

  it('falls back on the mean where no tokens are known', () => {
    expect(optimal(sums(200, 2), sums(500, 30))).toBeCloseTo(5, 9);
    expect(optimal(tokenSums(requests(200, 1_000)), sums(500, 30))).toBeCloseTo(
      (500 * tokenSums(requests(200, 1_000)).costSumUsd) / 200,
      9,
    );
  });

  it('reckons with answers that run away where those of other models do', () => {
    const width = (moved: readonly Priced[]): number => {
      const rows = [
        row('chat', 'openai:gpt-4', tokenSums(moved, 10)),
        row('chat', 'openai:gpt-mini', tokenSums(requests(200, 1_000))),
      ];
      const { interval } = savings(rows, CHAT);
      return interval[1] - interval[0];
    };
    const wild = requests(500, 1_000).map((one, at) =>
      at % 100 === 7 ? { ...one, completionTokens: 20_000 } : one,
    );
    expect(width(wild)).toBeGreaterThan(3 * width(requests(500, 1_000)));
  });

  it('holds what the best model would have cost in 95 % of the cases', () => {
    const random = createRandom(7);
    const draw = (count: number, promptTokens: number): Priced[] =>
      Array.from({ length: count }, () => {
        const asked = Math.round(promptTokens * Math.exp(0.6 * random.normal()));
        return {
          promptTokens: asked,
          completionTokens: Math.round(20 * asked ** 0.4 * Math.exp(0.5 * random.normal())),
        };
      });
    let held = 0;
    const rounds = 300;
    for (let round = 0; round < rounds; round++) {
      const own = draw(60, 400);
      const moved = draw(400, 500);
      const rows = [
        row('chat', 'openai:gpt-4', tokenSums(moved, 10)),
        row('chat', 'openai:gpt-mini', tokenSums(own)),
      ];
      const answer = savings(rows, CHAT);
      const truth = moved.reduce((total, one) => total + costOf(one, 10) - costOf(one), 0);
      if (answer.interval[0] <= truth && truth <= answer.interval[1]) held++;
    }
    expect(held / rounds).toBeGreaterThan(0.9);
    expect(held / rounds).toBeLessThan(0.99);
  });
});

describe('against the flagship', () => {
  const rows = [
    row('chat', 'openai:gpt-4', sums(400, 12)),
    row('chat', 'openai:gpt-mini', sums(600, 1.2)),
    row('poems', 'openai:gpt-mini', sums(100, 0.2)),
  ];

  it('is the dearest model with enough requests, and says so', () => {
    const { alwaysFlagship } = savings(rows, CHAT, 15);
    expect(alwaysFlagship).toMatchObject({
      modelId: 'openai:gpt-4',
      chosenAs: 'dearest',
      elsewhereCount: 100,
    });
    expect(alwaysFlagship?.costUsd).toBeCloseTo(1_100 * 0.03, 9);
    // Optimal: a thousand chats and the hundred poems as they are.
    expect(alwaysFlagship?.savingsUsd).toBeCloseTo(33 - 2.2, 9);
    expect(alwaysFlagship?.savedNowUsd).toBeCloseTo(33 - 13.4, 9);
    expect(alwaysFlagship?.monthlyUsd).toBeCloseTo(2 * 30.8, 9);
    expect(alwaysFlagship?.observedShare).toBeCloseTo(400 / 1_100, 9);
    expect(alwaysFlagship?.note).toContain('dearest model in use');
    expect(alwaysFlagship?.interval[0]).toBeLessThan(30.8);
  });

  it('is the configured default model by any of its names, unless it has too few requests', () => {
    expect(savings(rows, CHAT, 30, { defaultModel: 'gpt-mini' }).alwaysFlagship).toMatchObject({
      modelId: 'openai:gpt-mini',
      chosenAs: 'default',
      // Where it is the best model, what it saves against itself is nothing, for certain.
      savingsUsd: 0,
      interval: [0, 0],
    });
    expect(savings(rows, CHAT, 30, { defaultModel: 'anthropic:opus' }).alwaysFlagship?.chosenAs).toBe(
      'dearest',
    );
  });

  it('is nobody where no model has enough requests', () => {
    expect(savings([row('chat', 'openai:gpt-4', sums(19, 12))], CHAT).alwaysFlagship).toBeNull();
  });

  it('is not the model of the longest prompts, where prices per token are known', () => {
    const long = Array.from({ length: 50 }, (_, at) => ({
      promptTokens: 20_000 + at,
      completionTokens: 10 + (at % 9),
    }));
    const short = Array.from({ length: 50 }, (_, at) => ({
      promptTokens: 100 + at,
      completionTokens: 90 + (at % 9),
    }));
    const lengths = [row('files', 'a:cheap', tokenSums(long)), row('chat', 'b:dear', tokenSums(short, 5))];
    expect(savings(lengths, {}).alwaysFlagship?.modelId).toBe('b:dear');
  });
});

describe('realised savings', () => {
  const since = new Date(20 * DAY_MS);
  const mixed = (before: CostSums, routed: CostSums, useCase = 'chat', modelId = 'openai:gpt-4') =>
    row(useCase, modelId, NONE, { evidence: addCostSums([before, routed]), before, routed });

  it('are what auto cost since it was switched on against the mix of models before', () => {
    const rows = [
      mixed(sums(600, 18), sums(100, 3)),
      mixed(sums(400, 0.8), sums(900, 1.8), 'chat', 'openai:gpt-mini'),
    ];
    const { realised } = savings(rows, CHAT, 30, { routedSince: since });
    // Before: $0.0188 a request.
    expect(realised).toMatchObject({ since: since.toISOString(), requestCount: 1_000, scaling: 3 });
    expect(realised.againstMixBefore?.otherwiseCostUsd).toBeCloseTo(18.8, 9);
    expect(realised.againstMixBefore?.savingsUsd).toBeCloseTo(14, 9);
    expect(realised.againstMixBefore?.monthlyUsd).toBeCloseTo(42, 9);
    expect(realised.againstMixBefore?.beforeCount).toBe(1_000);
    expect(realised.againstMixBefore?.interval[0]).toBeGreaterThan(10);
    expect(realised.againstMixBefore?.interval[1]).toBeLessThan(18);
    expect(realised.againstFlagship).toMatchObject({ modelId: 'openai:gpt-4' });
    expect(realised.againstFlagship?.otherwiseCostUsd).toBeCloseTo(30, 9);
    expect(realised.message).toMatch(/^Since 1970-01-21.*: saved \$14\.00 \(95 %: .*against the mix before/);
  });

  it('leave use cases out that nobody asked about before, and say how many requests were compared', () => {
    const rows = [mixed(sums(600, 18), sums(100, 3)), mixed(sums(19, 1), sums(50, 1), 'poems')];
    const { realised } = savings(rows, CHAT, 30, { routedSince: since });
    expect(realised.againstMixBefore).toMatchObject({ requestCount: 100, actualCostUsd: 3 });
    expect(realised.message).toContain('100 of 150 requests compared');
  });

  it('are null with words where there is no before, or no routing', () => {
    const fresh = savings([mixed(NONE, sums(100, 3))], CHAT, 30, { routedSince: since }).realised;
    expect(fresh).toMatchObject({ againstMixBefore: null, requestCount: 100 });
    expect(fresh.message).toContain('Nothing to compare with');
    const never = savings([], {}).realised;
    expect(never).toMatchObject({
      since: null,
      againstMixBefore: null,
      againstFlagship: null,
      scaling: null,
    });
    expect(never.message).toContain('has not been switched on');
    const later = savings([], {}, 30, { routedSince: new Date(31 * DAY_MS) }).realised;
    expect(later.since).toBeNull();
  });

  it('are negative where routing was dearer', () => {
    const rows = [mixed(sums(600, 1), sums(100, 3))];
    const { realised } = savings(rows, CHAT, 30, { routedSince: since });
    expect(realised.againstMixBefore?.savingsUsd).toBeLessThan(0);
    expect(realised.message).toMatch(/spent \$2\.83 more/);
  });
});
