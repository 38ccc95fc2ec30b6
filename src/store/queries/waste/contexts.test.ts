import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../../tests/kit/scratch-store.ts';
import { NO_TOKEN_USAGE, type UsageRecord } from '../../../core/usage-record.ts';
import { oversizedContextsQuery, readOversizedContexts } from './contexts.ts';
import { readTokenCosts } from './token-costs.ts';

const START_MS = Date.UTC(2026, 9, 5, 10, 0, 0);
const scope = { runId: 'starter', from: new Date(START_MS), to: new Date(START_MS + 86_400_000) };

/** A request of `promptTokens`, whatever its last turn, at 1 $ a million new tokens. */
const sent = (
  at: number,
  promptTokens: number | null,
  given: Partial<UsageRecord> = {},
): Partial<UsageRecord> => ({
  startedAtMs: START_MS + at * 1_000,
  usage: { ...NO_TOKEN_USAGE, promptTokens, completionTokens: 10 },
  costUsd: promptTokens === null ? null : promptTokens / 1e6,
  ...given,
});
const typical = Array.from({ length: 60 }, (_, at) => sent(at, 1_000));

describe('readOversizedContexts', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  it('finds what is beyond four typical requests, with the tokens in excess', async () => {
    await store.insertRequests([
      ...typical,
      sent(100, 24_000),
      sent(101, 14_000, {
        usage: { ...NO_TOKEN_USAGE, promptTokens: 14_000, completionTokens: 10, cachedTokens: 7_000 },
      }),
      sent(102, 14_000, { costUsd: null }),
      sent(103, 3_999),
    ]);
    const [found, ...others] = await readOversizedContexts(store.db, scope);
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      useCase: 'food_dining',
      modelId: 'ollama:mistral:7b',
      sampleCount: 64,
      typicalTokens: 1_000,
      limitTokens: 4_000,
      requestCount: 3,
      pricedCount: 2,
      excessFreshTokens: 25_000,
      excessCachedTokens: 5_000,
    });
    expect(found?.costUsd).toBeCloseTo(0.038, 9);
  });

  it('takes a long question for what was asked, and says nothing of a use case that is long throughout', async () => {
    await store.insertRequests([
      ...typical,
      sent(100, 24_000, { promptLength: 90_000 }),
      ...Array.from({ length: 60 }, (_, at) => sent(at, 30_000, { useCase: 'technical_code' })),
    ]);
    expect(await readOversizedContexts(store.db, scope)).toEqual([]);
  });

  it('says nothing of "other", of short requests, of few, and of none', async () => {
    expect(await readOversizedContexts(store.db, scope)).toEqual([]);
    await store.insertRequests([
      ...typical.map((row) => ({ ...row, useCase: 'other' })),
      sent(100, 24_000, { useCase: 'other' }),
      ...Array.from({ length: 60 }, (_, at) => sent(at, 10, { useCase: 'casual_chat' })),
      sent(100, 1_900, { useCase: 'casual_chat' }),
      ...Array.from({ length: 48 }, (_, at) => sent(at, 1_000, { useCase: 'travel' })),
      sent(100, 24_000, { useCase: 'travel' }),
      sent(101, null, { useCase: 'travel' }),
      sent(102, 0, { useCase: 'travel' }),
    ]);
    expect(await readOversizedContexts(store.db, scope)).toEqual([]);
  });

  it('goes by the use cases of the run that is asked for', async () => {
    const hash = 'cccccccccccccccc';
    await store.insertRequests([
      ...typical.map((row) => ({ ...row, promptHash: hash })),
      sent(100, 24_000, { promptHash: hash }),
    ]);
    await store.db.insertRows('assignments', [
      { run_id: 'run-1', prompt_hash: hash, use_case: 'coffee_places', confidence: 1 },
    ]);
    expect(await readOversizedContexts(store.db, { ...scope, runId: 'run-1' })).toMatchObject([
      { useCase: 'coffee_places', requestCount: 1 },
    ]);
    expect(await readOversizedContexts(store.db, { ...scope, runId: 'run-2' })).toEqual([]);
  });

  it('answers again, for one model in one use case, by the query that it hands out', async () => {
    await store.insertRequests([
      ...typical,
      sent(100, 24_000),
      sent(101, 24_000, { modelId: 'openai:gpt-4o' }),
    ]);
    const { sql, params } = oversizedContextsQuery(scope, {
      modelId: 'openai:gpt-4o',
      useCase: 'food_dining',
    });
    expect(await store.db.query(sql, params)).toMatchObject([
      { modelId: 'openai:gpt-4o', sampleCount: 62, requestCount: 1, excessFreshTokens: 20_000 },
    ]);
  });
});

describe('readTokenCosts', () => {
  it('sums the products of tokens and cost over priced requests', async () => {
    await using store = await openScratchStore();
    const usage = { ...NO_TOKEN_USAGE, promptTokens: 100, cachedTokens: 40, completionTokens: 10 };
    await store.insertRequests([
      sent(0, 100, { usage, costUsd: 2 }),
      sent(1, 100, { costUsd: null }),
      sent(2, 100, { costUsd: 0 }),
      sent(3, null),
    ]);
    expect(await readTokenCosts(store.db, scope)).toEqual([
      {
        modelId: 'ollama:mistral:7b',
        requestCount: 1,
        ff: 3_600,
        fc: 2_400,
        fo: 600,
        cc: 1_600,
        co: 400,
        oo: 100,
        fUsd: 120,
        cUsd: 80,
        oUsd: 20,
        usdUsd: 4,
      },
    ]);
  });
});
