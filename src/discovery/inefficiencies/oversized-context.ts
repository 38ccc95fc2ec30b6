import { oversizedContextsQuery } from '../../store/queries/waste/contexts.ts';
import { type TokenCostRow, tokenCostsQuery } from '../../store/queries/waste/token-costs.ts';
import type { InefficiencyEvidence } from './evidence.ts';
import { dollars, type Inefficiency, isWorthReading, NOTHING_MORE } from './inefficiency.ts';

/**
 * Requests that carried far more context than their use case typically needs. The money is that of the tokens
 * beyond the limit, where the model's price per token can be told from its costs; else it is not claimed.
 */
export function findOversizedContexts({ contexts, tokenCosts, scope }: InefficiencyEvidence): Inefficiency[] {
  return contexts
    .map((row) => {
      const prices = fitTokenPrices(tokenCosts.find(({ modelId }) => modelId === row.modelId));
      const isFree = row.costUsd === 0;
      const wastedUsd =
        row.pricedCount === 0
          ? null
          : isFree
            ? 0
            : prices && prices.freshUsd * row.excessFreshTokens + prices.cachedUsd * row.excessCachedTokens;
      return {
        ...NOTHING_MORE,
        type: 'oversized_context' as const,
        modelId: row.modelId,
        useCase: row.useCase,
        requestCount: row.requestCount,
        pricedCount: row.pricedCount,
        costUsd: row.costUsd,
        wastedUsd,
        sampleCount: row.sampleCount,
        message:
          `${row.requestCount} ${row.useCase} queries to ${row.modelId} carried more than ${tokens(row.limitTokens)} tokens, mostly ` +
          `context; typical are ${tokens(row.typicalTokens)}` +
          (wastedUsd === null || wastedUsd === 0 ? '' : ` (${dollars(wastedUsd)} for what is beyond)`),
        suggestion: 'Resend less of the conversation: cut it, or sum it up',
        queries: [
          oversizedContextsQuery(scope, { modelId: row.modelId, useCase: row.useCase }),
          tokenCostsQuery(scope, { modelId: row.modelId }),
        ],
      };
    })
    .filter(isWorthReading);
}

function tokens(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** Dollars per token. */
export interface TokenPrices {
  readonly freshUsd: number;
  readonly cachedUsd: number;
  readonly outputUsd: number;
}

/** Root mean square of what the prices leave unexplained, as a share of the cost's. More: tiers, or prices that changed. */
const RESIDUAL_SHARE_MAX = 0.05;
/** Three prices from three requests always fit. */
const FIT_REQUESTS_MIN = 10;
/** Share of a column that must be its own: below it new, cached and answered tokens rise and fall together. */
const INDEPENDENT_SHARE_MIN = 1e-6;

/**
 * A model's prices per token from what its requests cost: least squares of cost on new, cached and answered
 * tokens, without a constant. Costs are made of tokens and prices, so the fit is exact where prices held for
 * the whole window; null where it is not, where the tokens tell the prices not apart, or too few are priced.
 */
export function fitTokenPrices(row: TokenCostRow | undefined): TokenPrices | null {
  if (row === undefined || row.requestCount < FIT_REQUESTS_MIN || !(row.usdUsd > 0)) return null;
  const gram = [
    [row.ff, row.fc, row.fo],
    [row.fc, row.cc, row.co],
    [row.fo, row.co, row.oo],
  ];
  const target = [row.fUsd, row.cUsd, row.oUsd];
  const prices = solveScaled(gram, target);
  if (prices === null || prices.some((usd) => usd < 0)) return null;
  const explained = prices.reduce((sum, usd, at) => sum + usd * (target[at] ?? 0), 0);
  if (Math.max(0, row.usdUsd - explained) > RESIDUAL_SHARE_MAX ** 2 * row.usdUsd) return null;
  const [freshUsd = 0, cachedUsd = 0, outputUsd = 0] = prices;
  return { freshUsd, cachedUsd, outputUsd };
}

/**
 * Solves the normal equations by Cholesky factors, columns scaled to length 1; an empty column has price 0.
 * null where a column is a combination of those before it.
 */
function solveScaled(gram: readonly (readonly number[])[], target: readonly number[]): number[] | null {
  const at = (row: number, column: number): number => gram[row]?.[column] ?? 0;
  const used = [0, 1, 2].filter((column) => at(column, column) > 0);
  const scale = used.map((column) => Math.sqrt(at(column, column)));
  const factor: number[][] = [];
  const half: number[] = [];
  for (const [i, column] of used.entries()) {
    const line: number[] = [];
    for (const [j, other] of used.slice(0, i + 1).entries()) {
      let rest = at(column, other) / ((scale[i] ?? 1) * (scale[j] ?? 1));
      for (let n = 0; n < j; n++) rest -= (line[n] ?? 0) * ((j === i ? line : factor[j])?.[n] ?? 0);
      if (i === j && rest < INDEPENDENT_SHARE_MIN) return null;
      line.push(i === j ? Math.sqrt(rest) : rest / (factor[j]?.[j] ?? 1));
    }
    factor.push(line);
    const known = half.reduce((sum, value, n) => sum + value * (line[n] ?? 0), 0);
    half.push(((target[column] ?? 0) / (scale[i] ?? 1) - known) / (line[i] ?? 1));
  }
  const solved = new Array<number>(used.length).fill(0);
  for (let i = used.length - 1; i >= 0; i--) {
    let rest = half[i] ?? 0;
    for (let n = i + 1; n < used.length; n++) rest -= (factor[n]?.[i] ?? 0) * (solved[n] ?? 0);
    solved[i] = rest / (factor[i]?.[i] ?? 1);
  }
  return [0, 1, 2].map((column) => {
    const place = used.indexOf(column);
    return place < 0 ? 0 : (solved[place] ?? 0) / (scale[place] ?? 1);
  });
}
