import type { CostSums, SavingsEvidenceRow } from '../store/queries/savings-evidence.ts';
import { addCostSums } from '../store/queries/savings-evidence.ts';
import {
  type AnswerSpread,
  answerSpreadOf,
  type Forecast,
  forecastCost,
  type MovedRequests,
  type TokenPrices,
  tokenPricesOf,
} from './cost-forecast.ts';

/** Requests of one model. */
export interface ModelSums {
  readonly modelId: string;
  readonly sums: CostSums;
}

/** Requests of a model in a use case from which the tokens per character of its prompts can be had. */
const SLOPE_REQUESTS_MIN = 20;
/**
 * What prompts of one use case differ in tokens per character because of whom they were sent to, in logarithms;
 * smaller, and a difference of contents is taken for one of vocabularies.
 */
const CONTENT_SPREAD = 0.005;
/** Vocabularies differ by some 10 to 20 % (standard deviation of the logarithm, before looking). */
const VOCABULARY_SPREAD = 0.1;

interface LogSlope {
  readonly value: number;
  readonly variance: number;
}

/** What every model's requests cost, use case by use case, and forecasts made from it. */
export class CostBook {
  readonly #byModel = new Map<string, Map<string, CostSums>>();
  readonly #everywhere = new Map<string, CostSums>();
  readonly #prices = new Map<string, TokenPrices | null>();
  readonly #ratios = new Map<string, LogSlope>();

  constructor(rows: readonly SavingsEvidenceRow[]) {
    for (const { modelId, useCase, evidence } of rows) {
      const ofModel = this.#byModel.get(modelId) ?? new Map<string, CostSums>();
      ofModel.set(useCase, evidence);
      this.#byModel.set(modelId, ofModel);
    }
    for (const [modelId, ofModel] of this.#byModel) {
      const sums = addCostSums([...ofModel.values()]);
      this.#everywhere.set(modelId, sums);
      this.#prices.set(modelId, tokenPricesOf(sums));
    }
  }

  /** Over all use cases. */
  everywhere(modelId: string): CostSums | null {
    return this.#everywhere.get(modelId) ?? null;
  }

  /** Its requests there whose price is known. */
  pricedCount(modelId: string, useCase: string): number {
    return this.#byModel.get(modelId)?.get(useCase)?.pricedCount ?? 0;
  }

  /** As the model's own costs say; null where tokens do not explain them. */
  pricesOf(modelId: string): TokenPrices | null {
    return this.#prices.get(modelId) ?? null;
  }

  /**
   * What `moved` would cost `modelId`, by its own requests in `useCase`, or by those everywhere.
   *
   * @param useCase  null: everywhere
   * @returns null where it has no priced request there
   */
  forecast(modelId: string, useCase: string | null, moved: readonly ModelSums[]): Forecast | null {
    const own = useCase === null ? this.everywhere(modelId) : this.#byModel.get(modelId)?.get(useCase);
    if (own === null || own === undefined) return null;
    return forecastCost(
      own,
      movedOf(this.inVocabularyOf(modelId, moved)),
      this.pricesOf(modelId),
      this.#spreadsBeside(modelId, useCase),
    );
  }

  #spreadsBeside(modelId: string, useCase: string | null): AnswerSpread[] {
    return [...this.#byModel].flatMap(([other, ofModel]) => {
      const sums = useCase === null ? this.everywhere(other) : ofModel.get(useCase);
      if (other === modelId || sums === null || sums === undefined) return [];
      return answerSpreadOf(sums, this.pricesOf(other)) ?? [];
    });
  }

  /**
   * Requests of several models as one, their tokens counted in the vocabulary of `modelId`, and how uncertain that is
   * (standard deviation of the logarithm of the tokens).
   */
  inVocabularyOf(
    modelId: string,
    requests: readonly ModelSums[],
  ): { readonly sums: CostSums; readonly tokenError: number } {
    let errors = 0;
    const scaled = requests.map(({ modelId: other, sums }) => {
      const ratio = this.tokenRatio(modelId, other);
      const own = scaleTokens(sums, ratio.value);
      errors += Math.sqrt(ratio.variance) * own.x;
      return own;
    });
    const sums = addCostSums(scaled);
    return { sums, tokenError: sums.x === 0 ? 0 : errors / sums.x };
  }

  /**
   * Logarithm of the tokens of `modelId` to one of `other` for the same text: vocabularies differ. From the slopes of
   * tokens on characters in the use cases that both have, so that system prompts and other contents do not count;
   * averaged by their certainty, and drawn towards no difference while that is low (normal posterior; Gelman et al.,
   * Bayesian Data Analysis 3rd ed., 2.5).
   */
  tokenRatio(modelId: string, other: string): LogSlope {
    if (modelId === other) return { value: 0, variance: 0 };
    const key = `${modelId}\n${other}`;
    const known = this.#ratios.get(key) ?? this.#computeTokenRatio(modelId, other);
    this.#ratios.set(key, known);
    return known;
  }

  #computeTokenRatio(modelId: string, other: string): LogSlope {
    let weight = 1 / VOCABULARY_SPREAD ** 2;
    let weighted = 0;
    for (const [useCase, sums] of this.#byModel.get(modelId) ?? []) {
      const own = logSlopeOf(sums);
      const theirs = logSlopeOf(this.#byModel.get(other)?.get(useCase));
      if (own === null || theirs === null) continue;
      const worth = 1 / (own.variance + theirs.variance + CONTENT_SPREAD ** 2);
      weight += worth;
      weighted += worth * (own.value - theirs.value);
    }
    return { value: weighted / weight, variance: 1 / weight };
  }
}

/** Requests whose price is known. */
export function countOf(models: readonly ModelSums[]): number {
  return models.reduce((total, { sums }) => total + sums.pricedCount, 0);
}

/** Dollars that they cost. */
export function costOf(models: readonly ModelSums[]): number {
  return models.reduce((total, { sums }) => total + sums.costSumUsd, 0);
}

/** What a forecast needs of the requests to price. */
export function movedOf(requests: { readonly sums: CostSums; readonly tokenError: number }): MovedRequests {
  const { knownCount, pricedCount, x, l } = requests.sums;
  return {
    count: pricedCount,
    means: knownCount === 0 ? null : { promptTokens: x / knownCount, logPromptTokens: l / knownCount },
    tokenError: requests.tokenError,
  };
}

/** The same requests with e^`logRatio` times the tokens in their prompts. */
function scaleTokens(sums: CostSums, logRatio: number): CostSums {
  if (logRatio === 0) return sums;
  const ratio = Math.exp(logRatio);
  return {
    ...sums,
    x: ratio * sums.x,
    xx: ratio ** 2 * sums.xx,
    xo: ratio * sums.xo,
    xc: ratio * sums.xc,
    tx: ratio * sums.tx,
    // ln(1 + r x) is ln r + ln(1 + x) but for prompts of a few tokens.
    l: sums.l + sums.knownCount * logRatio,
    ll: sums.ll + 2 * logRatio * sums.l + sums.knownCount * logRatio ** 2,
    lc: sums.lc + logRatio * sums.c,
    xl: ratio * (sums.xl + logRatio * sums.x),
  };
}

/** Logarithm of the tokens that one more character of a prompt makes (least squares), and its variance by the delta method. */
function logSlopeOf(sums: CostSums | undefined): LogSlope | null {
  if (sums === undefined || sums.knownCount < SLOPE_REQUESTS_MIN) return null;
  const { knownCount: n, t, tt, x, xx, tx } = sums;
  const lengthSpread = tt - (t * t) / n;
  const together = tx - (t * x) / n;
  if (lengthSpread <= 0 || together <= 0) return null;
  const slope = together / lengthSpread;
  const rest = Math.max(0, xx - (x * x) / n - slope * together);
  return { value: Math.log(slope), variance: rest / (n - 2) / lengthSpread / slope ** 2 };
}
