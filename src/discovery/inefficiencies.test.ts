import { describe, expect, it } from 'vitest';
import type { EvidenceRow } from '../store/queries/ranking-evidence.ts';
import { findInefficiencies } from './inefficiencies.ts';

function row(given: Partial<EvidenceRow>): EvidenceRow {
  const requestCount = given.requestCount ?? 100;
  return {
    useCase: 'casual_chat',
    modelId: 'openai:gpt-4o',
    requestCount,
    successCount: requestCount,
    failureCount: 0,
    sessionCount: 0,
    latencyCount: requestCount,
    latencySumMs: 1_000 * requestCount,
    latencyBins: new Map(),
    pricedCount: requestCount,
    costSumUsd: 0,
    costSquareSum: 0,
    tokenCount: 0,
    promptTokenSum: 0,
    completionTokenSum: 0,
    ...given,
  };
}

const expensive = row({ requestCount: 450, costSumUsd: 13.5 });
const free = row({ modelId: 'ollama:mistral', requestCount: 200 });

describe('findInefficiencies', () => {
  it('finds an expensive model on casual queries that a free one serves as well', () => {
    const [found] = findInefficiencies({ rows: [expensive, free], feedback: [], repeated: [] });
    expect(found).toMatchObject({
      type: 'expensive_for_casual',
      modelId: 'openai:gpt-4o',
      useCase: 'casual_chat',
      requestCount: 450,
      message: 'openai:gpt-4o used for 450 casual_chat queries ($0.030/req)',
      suggestion: 'Route casual_chat to ollama:mistral (free)',
    });
    expect(found?.wastedUsd).toBeCloseTo(13.5, 6);
  });

  it('does not suggest what the ranking keeps from auto', () => {
    const judged = (isCandidate: boolean) => [
      {
        useCase: 'casual_chat',
        models: [{ modelId: 'ollama:mistral', hasEnoughEvidence: true, isCandidate }],
      },
    ];
    const evidence = { rows: [expensive, free], feedback: [], repeated: [] };
    expect(findInefficiencies({ ...evidence, rankings: judged(true) })).toHaveLength(1);
    expect(findInefficiencies({ ...evidence, rankings: judged(false) })).toEqual([]);
  });

  it('lets a free model stand on its record elsewhere in simple use cases only', () => {
    const elsewhere = row({ modelId: 'ollama:mistral', useCase: 'travel', requestCount: 200 });
    const casual = findInefficiencies({ rows: [expensive, elsewhere], feedback: [], repeated: [] });
    expect(casual[0]?.type).toBe('expensive_for_casual');
    const code = row({ useCase: 'technical_code', requestCount: 450, costSumUsd: 13.5 });
    expect(findInefficiencies({ rows: [code, elsewhere], feedback: [], repeated: [] })).toEqual([]);
  });

  it('does not call a cheaper model better that fails more or pleases less', () => {
    const failing = row({
      modelId: 'ollama:mistral',
      requestCount: 200,
      successCount: 150,
      failureCount: 50,
    });
    const found = findInefficiencies({ rows: [expensive, failing], feedback: [], repeated: [] });
    expect(found.map(({ type }) => type)).toEqual(['frequent_failures']);
    const feedback = [
      { useCase: 'casual_chat', modelId: 'openai:gpt-4o', feedbackCount: 40, feedbackSum: 38 },
      { useCase: 'casual_chat', modelId: 'ollama:mistral', feedbackCount: 40, feedbackSum: 20 },
    ];
    expect(findInefficiencies({ rows: [expensive, free], feedback, repeated: [] })).toEqual([]);
  });

  it('does not speak of models without a price', () => {
    const unpriced = row({ requestCount: 450, pricedCount: 0 });
    expect(findInefficiencies({ rows: [unpriced, free], feedback: [], repeated: [] })).toEqual([]);
  });

  it('finds idle free models and paid repeats', () => {
    const found = findInefficiencies({
      rows: [
        row({ useCase: 'technical_code', requestCount: 1_000, costSumUsd: 20 }),
        row({ useCase: 'technical_code', modelId: 'ollama:mistral', requestCount: 10 }),
      ],
      feedback: [],
      repeated: [
        { modelId: 'openai:gpt-4o', promptCount: 2, requestCount: 80, costUsd: 2.4, repeatedCostUsd: 2.3 },
      ],
    });
    expect(found.map(({ type }) => type)).toEqual(['duplicate_prompts', 'local_idle']);
    expect(found[1]?.message).toMatch(/free and answered only 1\.0 % of requests/);
  });
});
