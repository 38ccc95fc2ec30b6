import { describe, expect, it } from 'vitest';
import { PolicyBook } from '../../core/policy.ts';
import { createRandom } from '../../stats/random.ts';
import type { OversizedContextRow } from '../../store/queries/waste/contexts.ts';
import type { TokenCostRow } from '../../store/queries/waste/token-costs.ts';
import { findOversizedContexts, fitTokenPrices } from './oversized-context.ts';

type Tokens = readonly [fresh: number, cached: number, output: number];

function sums(requests: readonly (readonly [Tokens, usd: number])[]): TokenCostRow {
  const sum = (of: (tokens: Tokens, usd: number) => number): number =>
    requests.reduce((all, [tokens, usd]) => all + of(tokens, usd), 0);
  return {
    modelId: 'openai:gpt-4o',
    requestCount: requests.length,
    ff: sum(([f]) => f * f),
    fc: sum(([f, c]) => f * c),
    fo: sum(([f, , o]) => f * o),
    cc: sum(([, c]) => c * c),
    co: sum(([, c, o]) => c * o),
    oo: sum(([, , o]) => o * o),
    fUsd: sum(([f], usd) => f * usd),
    cUsd: sum(([, c], usd) => c * usd),
    oUsd: sum(([, , o], usd) => o * usd),
    usdUsd: sum((_, usd) => usd * usd),
  };
}

/** 2.50, 1.25 and 10 $ a million. */
const priceOf = ([fresh, cached, output]: Tokens): number =>
  (2.5 * fresh + 1.25 * cached + 10 * output) / 1e6;

function requestsOf(seed: number, count: number, cachedMax: number): Tokens[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => [
    Math.floor(random.next() * 30_000),
    Math.floor(random.next() * cachedMax),
    Math.floor(random.next() * 2_000),
  ]);
}

describe('fitTokenPrices', () => {
  it('tells the prices of tokens from what requests cost', () => {
    const prices = fitTokenPrices(sums(requestsOf(1, 200, 20_000).map((t) => [t, priceOf(t)])));
    expect((prices?.freshUsd ?? 0) * 1e6).toBeCloseTo(2.5, 6);
    expect((prices?.cachedUsd ?? 0) * 1e6).toBeCloseTo(1.25, 6);
    expect((prices?.outputUsd ?? 0) * 1e6).toBeCloseTo(10, 6);
  });

  it('does so where nothing is ever cached', () => {
    const prices = fitTokenPrices(sums(requestsOf(2, 50, 0).map((t) => [t, priceOf(t)])));
    expect((prices?.freshUsd ?? 0) * 1e6).toBeCloseTo(2.5, 6);
    expect(prices?.cachedUsd).toBe(0);
  });

  it('claims no price from few requests, from equal ones, or from none', () => {
    expect(fitTokenPrices(undefined)).toBeNull();
    expect(fitTokenPrices(sums([]))).toBeNull();
    expect(fitTokenPrices(sums([[[100, 0, 10], 1]]))).toBeNull();
    expect(
      fitTokenPrices(sums(Array.from({ length: 50 }, () => [[100, 0, 10], priceOf([100, 0, 10])]))),
    ).toBeNull();
  });

  it('claims none where prices changed, or costs have nothing to do with tokens', () => {
    const tokens = requestsOf(3, 200, 0);
    expect(fitTokenPrices(sums(tokens.map((t, at) => [t, priceOf(t) * (at % 2 === 0 ? 1 : 2)])))).toBeNull();
    expect(fitTokenPrices(sums(tokens.map((t) => [t, 0.01])))).toBeNull();
  });
});

describe('findOversizedContexts', () => {
  const row: OversizedContextRow = {
    useCase: 'casual_chat',
    modelId: 'openai:gpt-4o',
    sampleCount: 500,
    typicalTokens: 812.4,
    limitTokens: 3_249.6,
    requestCount: 20,
    pricedCount: 20,
    costUsd: 1.5,
    excessFreshTokens: 200_000,
    excessCachedTokens: 120_000,
  };
  const nothing = {
    scope: { runId: 'run', from: new Date(0), to: new Date(1) },
    rows: [],
    ratings: [],
    rankings: [],
    retries: [],
    duplicates: [],
    failures: [],
    attempts: [],
    policies: new PolicyBook(),
  };
  const tokenCosts = [sums(requestsOf(4, 100, 20_000).map((t) => [t, priceOf(t)]))];

  it('prices the tokens in excess', () => {
    const [found] = findOversizedContexts({ ...nothing, contexts: [row], tokenCosts });
    expect(found?.wastedUsd).toBeCloseTo(0.65, 6);
    expect(found).toMatchObject({ type: 'oversized_context', costUsd: 1.5, sampleCount: 500 });
    expect(found?.message).toBe(
      '20 casual_chat queries to openai:gpt-4o carried more than 3,250 tokens, mostly context; typical are 812 ($0.65 for what is beyond)',
    );
    expect(found?.queries).toHaveLength(2);
  });

  it('claims no money where the price of a token cannot be told, and none of free models', () => {
    const find = (given: Partial<OversizedContextRow>) =>
      findOversizedContexts({ ...nothing, contexts: [{ ...row, ...given }], tokenCosts: [] });
    expect(find({})).toMatchObject([{ costUsd: 1.5, wastedUsd: null }]);
    expect(find({ costUsd: null, pricedCount: 0 })).toMatchObject([{ costUsd: null, wastedUsd: null }]);
    expect(find({ costUsd: 0 })).toMatchObject([{ costUsd: 0, wastedUsd: 0 }]);
    expect(find({ requestCount: 4 })).toEqual([]);
  });
});
