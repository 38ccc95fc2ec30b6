import { type CostSums, toCostSums } from '../../src/store/queries/savings-evidence.ts';

/** What the roll-up counts of one request, for sums that no store has counted. null: not known. */
export function costSumsOf(request: {
  readonly costUsd: number | null;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly promptLength: number;
}): CostSums {
  const { costUsd, promptTokens, completionTokens } = request;
  const usd = costUsd ?? 0;
  const isKnown = costUsd !== null && promptTokens !== null && completionTokens !== null;
  const k = isKnown ? 1 : 0;
  const x = isKnown ? promptTokens : 0;
  const o = isKnown ? completionTokens : 0;
  const l = Math.log1p(x);
  const t = k * request.promptLength;
  const priced = costUsd === null ? 0 : 1;
  const products = [
    x * x,
    x * o,
    o * o,
    x * usd,
    o * usd,
    k * usd * usd,
    x * l,
    l * l,
    l * usd,
    t * t,
    t * x,
  ];
  return toCostSums([1, priced, usd, usd * usd, k, x, o, k * usd, l, t, ...products]);
}
