import { describe, expect, it } from 'vitest';
import { PolicyBook } from '../core/policy.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { SavingsEvidenceRow } from '../store/queries/savings-evidence.ts';
import { buildRankings } from './build-rankings.ts';
import type { ModelEvidence } from './evidence.ts';
import { noEvidence } from './evidence.ts';
import { latencyBin } from './latency-bins.ts';
import { computeSavings } from './savings.ts';

const DAY_MS = 86_400_000;

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

function row(useCase: string, modelId: string, requestCount: number, costSumUsd: number): SavingsEvidenceRow {
  return { useCase, modelId, requestCount, pricedCount: requestCount, costSumUsd };
}

function savings(
  rows: readonly SavingsEvidenceRow[],
  useCases: Readonly<Record<string, readonly ModelEvidence[]>>,
  days = 30,
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
  });
}

const CHAT = { chat: [evidence('openai:gpt-4', 1_000, 0.03), evidence('openai:gpt-mini', 1_000, 0.002)] };

describe('computeSavings', () => {
  it('re-prices what other models answered at the own mean cost of the best candidate', () => {
    const answer = savings(
      [row('chat', 'openai:gpt-4', 4_000, 120), row('chat', 'openai:gpt-mini', 1_000, 2)],
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
    const answer = savings([row('chat', 'openai:gpt-4', 1_000, 30)], CHAT, 10);
    expect(answer.potentialSavings).toBe('28.00');
    expect(answer.scaling).toBeCloseTo(3, 12);
    expect(answer.monthly.savingsUsd).toBeCloseTo(84, 9);
    expect(answer.message).toBe('Could save $84.00/month by using best models per use case');
  });

  it('never pretends: a dearer best model is a negative saving', () => {
    const useCases = { law: [evidence('a:weak', 1_000, 0, 0.6), evidence('b:good', 1_000, 0.01, 0.97)] };
    const answer = savings([row('law', 'a:weak', 1_000, 0)], useCases);
    expect(answer).toMatchObject({ actualCost: '0.00', potentialSavings: '-10.00', savingsPercent: '0.0%' });
    expect(answer.message).toContain('would cost $10.00/month more');
    expect(answer.perUseCase[0]?.note).toContain('dearer');
  });

  it('leaves use cases alone where nobody has enough evidence, or nobody is shown to be not worse', () => {
    const scarce = savings([row('rare', 'a:model', 5, 1)], { rare: [evidence('a:model', 5, 0.2)] });
    expect(scarce).toMatchObject({ actualCost: '1.00', optimalCost: '1.00', potentialSavings: '0.00' });
    expect(scarce.message).toContain('Too little data');
    expect(scarce.perUseCase[0]).toMatchObject({ bestModelId: null, observedShare: 1 });
    expect(savings([row('new', 'a:model', 5, 1)], {}).perUseCase[0]?.bestModelId).toBeNull();
  });

  it('leaves unpriced requests out and counts them', () => {
    const rows = [
      { ...row('chat', 'openai:gpt-4', 1_000, 27), pricedCount: 900 },
      row('chat', 'odd:x', 50, 0),
    ];
    const answer = savings(
      [rows[0] as SavingsEvidenceRow, { ...(rows[1] as SavingsEvidenceRow), pricedCount: 0 }],
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
    });
  });
});
