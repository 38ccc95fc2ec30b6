import { describe, expect, it } from 'vitest';
import { PolicyBook } from '../../core/policy.ts';
import { createRandom } from '../../stats/random.ts';
import type { RetryRow } from '../../store/queries/waste/retries.ts';
import type { InefficiencyEvidence, ModelRecord } from './evidence.ts';
import { findInefficiencies } from './find-inefficiencies.ts';

const NOTHING: Omit<InefficiencyEvidence, 'rows'> = {
  scope: { runId: 'run', from: new Date('2026-10-05T00:00:00Z'), to: new Date('2026-10-12T00:00:00Z') },
  ratings: [],
  rankings: [],
  retries: [],
  duplicates: [],
  contexts: [],
  tokenCosts: [],
  failures: [],
  attempts: [],
  policies: new PolicyBook(),
};

const find = (rows: readonly ModelRecord[], more: Partial<InefficiencyEvidence> = {}) =>
  findInefficiencies({ ...NOTHING, rows, ...more });

/** Every request at the same cost, unless its squares say otherwise. */
function row(given: Partial<ModelRecord>): ModelRecord {
  const requestCount = given.requestCount ?? 100;
  const costSumUsd = given.costSumUsd ?? 0;
  return {
    useCase: 'casual_chat',
    modelId: 'openai:gpt-4o',
    requestCount,
    successCount: requestCount,
    failureCount: 0,
    pricedCount: requestCount,
    costSumUsd,
    costSquareSum: costSumUsd ** 2 / requestCount,
    ...given,
  };
}

const expensive = row({ requestCount: 450, costSumUsd: 13.5 });
const free = row({ modelId: 'ollama:mistral', requestCount: 200 });

describe('findInefficiencies: an expensive model', () => {
  it('is found on casual queries that a free one serves as well, with the intervals that this rests on', () => {
    const [found] = find([expensive, free]);
    expect(found).toMatchObject({
      type: 'expensive_for_casual',
      modelId: 'openai:gpt-4o',
      useCase: 'casual_chat',
      requestCount: 450,
      pricedCount: 450,
      costUsd: 13.5,
      message: 'openai:gpt-4o used for 450 casual_chat queries ($0.030/req)',
      suggestion: 'Route casual_chat to ollama:mistral (free)',
      comparison: {
        modelId: 'ollama:mistral',
        isRecordElsewhere: false,
        margin: 0.05,
        success: { sampleCount: 200 },
        quality: null,
        costMeanUsd: 0,
      },
    });
    expect(found?.wastedUsd).toBeCloseTo(13.5, 6);
    expect(found?.wastedInterval).toEqual([13.5, 13.5]);
    const { value, interval } = found?.comparison?.success ?? { value: Number.NaN, interval: [0, 0] };
    // Posterior means 201/202 and 451/452.
    expect(value).toBeCloseTo(-0.00274, 5);
    expect(interval[0]).toBeLessThan(value);
    expect(interval[0]).toBeGreaterThan(-0.05);
    expect(interval[1]).toBeGreaterThan(value);
    expect(found?.queries).toHaveLength(1);
    expect(found?.queries[0]?.params).toMatchObject({ runId: 'run', useCase: 'casual_chat' });
  });

  it('has a saving with an interval from the spread of what the cheaper one costs', () => {
    const code = row({ useCase: 'technical_code', costSumUsd: 3 });
    // Half of its requests cost nothing and half 0.01 $.
    const cheap = row({
      useCase: 'technical_code',
      modelId: 'openai:mini',
      costSumUsd: 0.5,
      costSquareSum: 0.005,
    });
    const [found] = find([code, cheap]);
    expect(found).toMatchObject({ type: 'expensive_for_use_case', wastedUsd: 2.5 });
    // 100 requests of deviation 0.005, and as much again for the mean of 100: 1.96 x 0.0707, times n / (n - 1).
    const [low = 0, high = 0] = found?.wastedInterval ?? [];
    expect(low).toBeCloseTo(2.5 - 0.1393, 3);
    expect(high).toBeCloseTo(2.5 + 0.1393, 3);
  });

  it('is not claimed where the saving may be none', () => {
    const code = row({ useCase: 'technical_code', requestCount: 200, costSumUsd: 2 });
    const cheap = row({
      useCase: 'technical_code',
      modelId: 'openai:mini',
      requestCount: 200,
      costSumUsd: 1.2,
    });
    expect(find([code, cheap])).toHaveLength(1);
    // One request of two hundred cost all of it.
    expect(find([code, { ...cheap, costSquareSum: 1.2 ** 2 }])).toEqual([]);
  });

  it('is not shown a model that is five points worse more often than in one case of ten', () => {
    const random = createRandom(5);
    const record = (modelId: string, requestCount: number, rate: number, usd: number) => {
      const successCount = Array.from({ length: requestCount }, () => random.next()).filter(
        (chance) => chance < rate,
      ).length;
      const failureCount = requestCount - successCount;
      const costSumUsd = usd * requestCount;
      return row({
        useCase: 'technical_code',
        modelId,
        requestCount,
        successCount,
        failureCount,
        costSumUsd,
      });
    };
    const claimedShare = (cheapRate: number): number => {
      const rounds = Array.from({ length: 400 }, () =>
        find([record('dear', 450, 0.97, 0.03), record('cheap', 200, cheapRate, 0.01)]).some(
          ({ type }) => type === 'expensive_for_use_case',
        ),
      );
      return rounds.filter(Boolean).length / rounds.length;
    };
    expect(claimedShare(0.92)).toBeLessThan(0.14);
    expect(claimedShare(0.97)).toBeGreaterThan(0.8);
  });

  it('is not set against what the ranking keeps from auto', () => {
    const judged = (isCandidate: boolean) => [
      {
        useCase: 'casual_chat',
        models: [{ modelId: 'ollama:mistral', hasEnoughEvidence: true, isCandidate }],
      },
    ];
    expect(find([expensive, free], { rankings: judged(true) })).toHaveLength(1);
    expect(find([expensive, free], { rankings: judged(false) })).toEqual([]);
  });

  it('is set against a record elsewhere in simple use cases only, and says so', () => {
    const elsewhere = row({ modelId: 'ollama:mistral', useCase: 'travel', requestCount: 200 });
    const [casual] = find([expensive, elsewhere]);
    expect(casual).toMatchObject({ type: 'expensive_for_casual', comparison: { isRecordElsewhere: true } });
    expect(casual?.queries[0]?.params['useCase']).toBe('');
    const code = row({ useCase: 'technical_code', requestCount: 450, costSumUsd: 13.5 });
    expect(find([code, elsewhere])).toEqual([]);
  });

  it('is not worse served by a model that fails more or pleases less', () => {
    const failing = row({
      modelId: 'ollama:mistral',
      requestCount: 200,
      successCount: 150,
      failureCount: 50,
    });
    expect(find([expensive, failing]).map(({ type }) => type)).toEqual(['frequent_failures']);
    const said = (modelId: string, feedbackSum: number) => ({
      useCase: 'casual_chat',
      modelId,
      feedbackCount: 40,
      feedbackSum,
      feedbackSquareSum: feedbackSum,
    });
    expect(
      find([expensive, free], { ratings: [said('openai:gpt-4o', 38), said('ollama:mistral', 20)] }),
    ).toEqual([]);
    const [liked] = find([expensive, free], {
      ratings: [said('openai:gpt-4o', 38), said('ollama:mistral', 37)],
    });
    expect(liked?.comparison?.quality).toMatchObject({ sampleCount: 40 });
    expect(liked?.comparison?.quality?.value).toBeCloseTo(-1 / 42, 6);
    expect(liked?.queries).toHaveLength(2);
  });

  it('is not spoken of without a price, in "other", or after a single request', () => {
    expect(find([row({ requestCount: 450, pricedCount: 0 }), free])).toEqual([]);
    expect(find([expensive, free].map((one) => ({ ...one, useCase: 'other' })))).toEqual([]);
    expect(find([row({ requestCount: 1, costSumUsd: 5 }), row({ modelId: 'b', requestCount: 1 })])).toEqual(
      [],
    );
    expect(find([])).toEqual([]);
  });
});

describe('findInefficiencies: an idle free model', () => {
  const paid = row({ useCase: 'technical_code', requestCount: 1_000, costSumUsd: 20 });

  it('has no money where it was asked too little to say what it could have served', () => {
    const idle = row({ useCase: 'technical_code', modelId: 'ollama:mistral', requestCount: 10 });
    const [found] = find([paid, idle]);
    expect(found).toMatchObject({
      type: 'local_idle',
      requestCount: 0,
      costUsd: null,
      wastedUsd: null,
      sampleCount: 10,
    });
    expect(found?.message).toMatch(
      /free and answered only 1\.0 % of requests.*too little to say what of theirs/,
    );
  });

  it('has the cost of what it could have served where it is shown to be not worse', () => {
    const other = row({ useCase: 'travel', requestCount: 1_000, costSumUsd: 7 });
    const idle = row({ useCase: 'technical_code', modelId: 'ollama:mistral', requestCount: 60 });
    const found = find([paid, other, idle]).find(({ type }) => type === 'local_idle');
    expect(found).toMatchObject({ requestCount: 1_000, pricedCount: 1_000, costUsd: 20, wastedUsd: 20 });
    expect(found?.message).toMatch(/\$20\.00 of it for technical_code, where it is not worse/);
  });

  it('is not found where nothing is paid, or where it is not idle', () => {
    const local = row({ modelId: 'ollama:mistral', requestCount: 10 });
    expect(find([row({ requestCount: 1_000 }), local])).toEqual([]);
    expect(find([paid, row({ modelId: 'ollama:mistral', useCase: 'travel', requestCount: 100 })])).toEqual(
      [],
    );
  });
});

describe('findInefficiencies: what is asked twice', () => {
  const retry = (given: Partial<RetryRow>): RetryRow => ({
    modelId: 'openai:gpt-4o',
    after: 'failure',
    requestCount: 20,
    askerCount: 2,
    failedCount: 15,
    pricedCount: 10,
    costUsd: 0.5,
    failedPricedCount: 5,
    failedCostUsd: 0.2,
    waitedMs: 40_000,
    ...given,
  });
  const rows = [row({ requestCount: 1_000 })];

  it('counts what failed again as wasted after a failure, and all of it after a success', () => {
    const found = find(rows, { retries: [retry({}), retry({ after: 'success', failedCount: 0 })] });
    expect(found).toMatchObject([
      { type: 'retries_after_success', costUsd: 0.5, wastedUsd: 0.5, sampleCount: 1_000 },
      { type: 'retries_after_failure', costUsd: 0.5, wastedUsd: 0.2, waitedMs: 40_000 },
    ]);
    expect(found[1]?.message).toBe(
      '2 askers sent 20 requests to openai:gpt-4o again right after a failure, and 15 failed again',
    );
  });

  it('claims no waste where no price is known, none where all went well, and nothing of a few', () => {
    const unknown = { pricedCount: 0, costUsd: null, failedPricedCount: 0, failedCostUsd: null };
    expect(find(rows, { retries: [retry(unknown)] })).toMatchObject([{ costUsd: null, wastedUsd: null }]);
    expect(find(rows, { retries: [retry({ failedCount: 0, failedCostUsd: null })] })).toMatchObject([
      { costUsd: 0.5, wastedUsd: 0 },
    ]);
    expect(find(rows, { retries: [retry({ requestCount: 4 })] })).toEqual([]);
    // Nine of a thousand, and no money in them.
    expect(find(rows, { retries: [retry({ ...unknown, requestCount: 9 })] })).toEqual([]);
  });

  it('counts duplicates with money, or often and unpriced, but not free ones', () => {
    const same = { modelId: 'openai:gpt-4o', promptCount: 2, requestCount: 80, waitedMs: null };
    expect(find(rows, { duplicates: [{ ...same, pricedCount: 80, costUsd: 2.3 }] })).toMatchObject([
      { type: 'duplicate_prompts', requestCount: 80, costUsd: 2.3, wastedUsd: 2.3 },
    ]);
    expect(find(rows, { duplicates: [{ ...same, pricedCount: 0, costUsd: null }] })).toMatchObject([
      { costUsd: null, wastedUsd: null },
    ]);
    expect(find(rows, { duplicates: [{ ...same, pricedCount: 80, costUsd: 0 }] })).toEqual([]);
  });

  it('adds up the attempts that the gateway made in vain', () => {
    const attempts = [
      { modelId: 'ollama:slow', code: 'upstream_timeout', attemptCount: 30 },
      { modelId: 'ollama:slow', code: '', attemptCount: 3 },
      { modelId: 'openai:gpt-4o', code: 'empty_answer', attemptCount: 9 },
    ];
    const found = find([...rows, row({ modelId: 'ollama:slow', requestCount: 67, pricedCount: 0 })], {
      attempts,
    });
    expect(found).toMatchObject([
      { type: 'failed_attempts', modelId: 'ollama:slow', requestCount: 33, sampleCount: 100, costUsd: null },
    ]);
    expect(found[0]?.message).toContain('33 % of what it was asked (upstream_timeout 30, unknown 3)');
  });
});

describe('findInefficiencies: failures', () => {
  const lost = {
    useCase: 'casual_chat',
    modelId: 'ollama:slow',
    pricedCount: 0,
    costUsd: null,
    waitedCount: 0,
    waitedMs: null,
  };

  it('are timeouts with the time that people waited, and frequent ones with their rate', () => {
    const slow = row({
      modelId: 'ollama:slow',
      requestCount: 100,
      successCount: 60,
      failureCount: 40,
      pricedCount: 0,
    });
    const found = find([slow], {
      failures: [
        { ...lost, isTimeout: true, requestCount: 30, waitedCount: 30, waitedMs: 1_800_000 },
        { ...lost, isTimeout: false, requestCount: 10, pricedCount: 10, costUsd: 0.75 },
      ],
    });
    expect(found).toMatchObject([
      {
        type: 'frequent_failures',
        requestCount: 40,
        sampleCount: 100,
        pricedCount: 10,
        costUsd: 0.75,
        wastedUsd: 0.75,
        failureRate: { value: 0.4, sampleCount: 100 },
      },
      { type: 'timeouts', requestCount: 30, costUsd: null, wastedUsd: null, waitedMs: 1_800_000 },
    ]);
    expect(found[0]?.failureRate?.interval[0]).toBeCloseTo(0.31, 1);
    expect(found[1]?.message).toBe('30 requests to ollama:slow timed out; people waited 30 min for nothing');
  });

  it('are left alone while they are few', () => {
    const sound = row({ modelId: 'ollama:slow', requestCount: 100, successCount: 97, failureCount: 3 });
    expect(
      find([sound], { failures: [{ ...lost, isTimeout: true, requestCount: 3 }] }).map(({ type }) => type),
    ).toEqual([]);
  });
});
