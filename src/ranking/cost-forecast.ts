import { studentReach } from '../stats/student.ts';
import type { CostSums } from '../store/queries/savings-evidence.ts';

/** Dollars that are estimated, with their 95 % interval. */
export interface Forecast {
  readonly costUsd: number;
  /** How far the interval reaches below and above. */
  readonly belowUsd: number;
  readonly aboveUsd: number;
}

/** Dollars per token. */
export interface TokenPrices {
  readonly promptUsd: number;
  readonly completionUsd: number;
}

/** Requests that another model answered. */
export interface MovedRequests {
  readonly count: number;
  /** Of x and ln(1 + x), x tokens of the prompt; null: no tokens are known. */
  readonly means: { readonly promptTokens: number; readonly logPromptTokens: number } | null;
  /** Standard deviation of the logarithm of those tokens: they were counted in another model's vocabulary. */
  readonly tokenError: number;
}

export const NO_COST: Forecast = { costUsd: 0, belowUsd: 0, aboveUsd: 0 };

const COVERAGE = 0.95;
/** Of the costs' size (root mean square): prices that explain them less well are none, as discounts or fees are in them. */
const MISFIT_MAX = 0.05;
/** Below, tokens of prompt and answer rise and fall together, and nobody can tell their prices apart. */
const DETERMINANT_MIN = 1e-6;
/** Requests that a slope and a spread can be had from. */
const FITTED_MIN = 10;
/** Tokens must be known of so many of the priced requests before their lengths say anything of the others. */
const KNOWN_SHARE_MIN = 0.5;
/** Requests that the others' spread is worth. Small: runaway answers that were not seen yet are forgotten; large: all models are as unsteady as the least. */
const SPREAD_WORTH = 50;
/** Of the squares: what is left by rounding when all values are one. */
const ROUNDING = 1e-9;

/**
 * A model's prices as its own costs say: least squares of cost on the tokens of prompt and answer, without a
 * constant. Exact for list prices; with cached prompts it is what a prompt token costs on average. null where tokens do
 * not explain the costs.
 */
export function tokenPricesOf(sums: CostSums): TokenPrices | null {
  const { xx, xo, oo, xc, oc, cc } = sums;
  if (cc === 0) return sums.knownCount === 0 ? null : { promptUsd: 0, completionUsd: 0 };
  const determinant = xx * oo - xo * xo;
  if (determinant <= DETERMINANT_MIN * xx * oo) return null;
  const promptUsd = (xc * oo - oc * xo) / determinant;
  const completionUsd = (oc * xx - xc * xo) / determinant;
  const isMisfit = cc - promptUsd * xc - completionUsd * oc > MISFIT_MAX ** 2 * cc;
  return isMisfit || promptUsd < 0 || completionUsd < 0 ? null : { promptUsd, completionUsd };
}

/**
 * What requests that others answered would cost the model whose requests `own` sums up.
 *
 * Its mean cost, corrected for prompts that are longer or shorter than its own: what tokens of the prompt cost is known
 * (regression with a preassigned slope: Cochran 1977, *Sampling Techniques*, 7.2), and how answers grow with the prompt is
 * regressed on ln(1 + prompt tokens) (slope from the sample: 7.3), the slope drawn towards 0 by its own uncertainty, b (1 - se^2 /
 * b^2) and never beyond (positive part; James and Stein 1961), so that a chance slope does not carry far. The interval
 * holds what these very requests would cost: it has the errors of mean and slope and the spread of single requests
 * (Student's t; requests taken as independent and of equal spread). The spread is at least what that of the other models
 * makes plausible: an answer that runs away is rarer than a hundred requests, and dearer than all of them.
 *
 * @param spreads  of the answers of the other models there
 * @returns null where nothing is known of the model's costs
 */
export function forecastCost(
  own: CostSums,
  moved: MovedRequests,
  prices: TokenPrices | null,
  spreads: readonly AnswerSpread[] = [],
): Forecast | null {
  if (own.pricedCount === 0) return null;
  const { count, means } = moved;
  if (count === 0) return NO_COST;
  const isFitted = own.knownCount >= KNOWN_SHARE_MIN * own.pricedCount;
  const fit = fitAnswers(own, prices);
  if (means === null || fit === null || !isFitted) return forecastByMean(own, count);
  const { n, promptUsd, answerMean, logMean, slope } = fit;
  const away = means.logPromptTokens - logMean;
  const meanUsd = own.c / n + promptUsd * (means.promptTokens - own.x / n) + slope.value * away;
  // Longer answers vary more, about in proportion.
  const growth = answerMean <= 0 ? 1 : Math.max(1, 1 + (slope.value * away) / answerMean);
  const variance =
    growth ** 2 *
      (plausibleVariance(fit, spreads) * (count + (count * count) / n) +
        slope.variance * (count * away) ** 2) +
    (count * moved.tokenError * (promptUsd * means.promptTokens + slope.value)) ** 2;
  return forecastOf(count * Math.max(0, meanUsd), studentReach(COVERAGE, n - 2) * Math.sqrt(variance));
}

/** How single answers' costs spread about what their prompts explain: variance over the mean squared, of so many. */
export interface AnswerSpread {
  readonly relativeVariance: number;
  readonly count: number;
}

/** null where too little is known, or answers cost nothing. */
export function answerSpreadOf(own: CostSums, prices: TokenPrices | null): AnswerSpread | null {
  const fit = fitAnswers(own, prices);
  if (fit === null || fit.answerMean <= 0) return null;
  return { relativeVariance: fit.slope.restVariance / fit.answerMean ** 2, count: fit.n };
}

/** The model's own variance, drawn towards that of the others where theirs is greater. */
function plausibleVariance({ n, answerMean, slope }: Fit, spreads: readonly AnswerSpread[]): number {
  const count = spreads.reduce((total, one) => total + one.count, 0);
  if (count === 0) return slope.restVariance;
  const relative = spreads.reduce((total, one) => total + one.count * one.relativeVariance, 0) / count;
  const weight = Math.min(SPREAD_WORTH, count);
  const drawn = (n * slope.restVariance + weight * relative * answerMean ** 2) / (n + weight);
  return Math.max(slope.restVariance, drawn);
}

interface Fit {
  readonly n: number;
  readonly promptUsd: number;
  readonly answerMean: number;
  readonly logMean: number;
  readonly slope: { readonly value: number; readonly variance: number; readonly restVariance: number };
}

/** What answers cost, and how that goes with their prompts; null for fewer requests than that takes. */
function fitAnswers(own: CostSums, prices: TokenPrices | null): Fit | null {
  const n = own.knownCount;
  if (n < FITTED_MIN) return null;
  const promptUsd = prices?.promptUsd ?? 0;
  const answerMean = (own.c - promptUsd * own.x) / n;
  const logMean = own.l / n;
  const squares = own.cc - 2 * promptUsd * own.xc + promptUsd ** 2 * own.xx;
  const answerSpread = Math.max(0, squares - n * answerMean ** 2);
  const logSpread = Math.max(0, own.ll - n * logMean ** 2);
  const slope = slopeOf({
    together: own.lc - promptUsd * own.xl - n * answerMean * logMean,
    logSpread: logSpread > ROUNDING * own.ll ? logSpread : 0,
    answerSpread: answerSpread > ROUNDING * squares ? answerSpread : 0,
    n,
  });
  return { n, promptUsd, answerMean, logMean, slope };
}

/** The slope of answers' costs on logarithms, drawn towards 0, from sums of squares and products about the means. */
function slopeOf(about: {
  readonly together: number;
  readonly logSpread: number;
  readonly answerSpread: number;
  readonly n: number;
}): Fit['slope'] {
  const { together, logSpread, answerSpread, n } = about;
  if (logSpread === 0) return { value: 0, variance: 0, restVariance: answerSpread / (n - 1) };
  const fitted = together / logSpread;
  const fittedVariance = Math.max(0, answerSpread - fitted * together) / (n - 2) / logSpread;
  const value = fitted === 0 ? 0 : fitted * Math.max(0, 1 - fittedVariance / fitted ** 2);
  const rest = Math.max(0, answerSpread - 2 * value * together + value ** 2 * logSpread);
  // What was taken from the slope may have been true.
  return { value, variance: fittedVariance + (fitted - value) ** 2, restVariance: rest / (n - 2) };
}

/** Where lengths say nothing: all requests alike. One priced request says nothing of the spread, which is then taken to be its cost. */
function forecastByMean(own: CostSums, count: number): Forecast {
  const n = own.pricedCount;
  const meanUsd = own.costSumUsd / n;
  const squares = Math.max(0, own.costSquareSum - n * meanUsd ** 2);
  const variance = n > 1 ? squares / (n - 1) : meanUsd ** 2;
  const reach = studentReach(COVERAGE, Math.max(1, n - 1));
  return forecastOf(count * meanUsd, reach * Math.sqrt(variance * (count + (count * count) / n)));
}

/**
 * The interval on logarithms (delta method): costs are skewed, so that samples without a rare dear request understate
 * mean and spread alike, and nothing costs less than 0.
 */
function forecastOf(costUsd: number, halfWidthUsd: number): Forecast {
  if (costUsd === 0) return { costUsd, belowUsd: 0, aboveUsd: halfWidthUsd };
  const logHalf = halfWidthUsd / costUsd;
  return {
    costUsd,
    belowUsd: costUsd * (1 - Math.exp(-logHalf)),
    aboveUsd: costUsd * (Math.exp(logHalf) - 1),
  };
}

/**
 * Independent forecasts added up: each side of the interval by its squares (MOVER: Zou and Donner 2008, Statistics in
 * Medicine 27, 1693-1702).
 */
export function addForecasts(forecasts: readonly Forecast[]): Forecast {
  return {
    costUsd: forecasts.reduce((total, one) => total + one.costUsd, 0),
    belowUsd: Math.hypot(...forecasts.map((one) => one.belowUsd)),
    aboveUsd: Math.hypot(...forecasts.map((one) => one.aboveUsd)),
  };
}
