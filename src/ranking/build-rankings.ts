import type { Curves, Policy, PolicyBook } from '../core/policy.ts';
import { type ScoreParts, viewRanking } from '../core/ranking-view.ts';
import type { RankedModel, ScorePart, UseCaseRanking } from '../core/snapshot.ts';
import type { Moments, Prior } from '../stats/posterior.ts';
import {
  addMoments,
  binaryMoments,
  dispersion,
  memberPrior,
  NO_MOMENTS,
  posteriorInterval,
  posteriorOf,
  shrunkMean,
  subtractMoments,
} from '../stats/posterior.ts';
import type { EvidenceBook, ModelEvidence, PartSums } from './evidence.ts';
import { MARKS, recentOf, totalsOf } from './evidence.ts';
import { binsQuantileMs } from './latency-bins.ts';
import type { Calibration } from './quality-evidence.ts';
import { calibrateMarks, qualityMoments } from './quality-evidence.ts';
import { costValue, speedMoments } from './score.ts';
import { costMoments, type ScoreSequence, scoreSequences, withStandings } from './standing.ts';

/** What is believed of any model before any request. */
const PART_PRIORS = {
  success: { mean: 0.9, weight: 10 },
  // The curve at 5 s.
  speed: { mean: 0.75, weight: 10 },
  quality: { mean: 0.8, weight: 10 },
} as const satisfies Record<string, Prior>;

/** Spread of single values before it is measured; see `dispersion`. Latencies of one model hardly differ, as coins go. */
const PART_SPREADS = { success: 1, speed: 0.3, quality: 1 } as const;

/**
 * Observations that a model's record elsewhere is worth in a use case. Fewer, and small samples make wild
 * rankings; more, and a use case never comes into its own. 20 was measured: see docs/ranking.md.
 */
const USE_CASE_WEIGHT = 20;
/** Requests that "costs vary about as much as they amount to" is worth before the spread is measured. */
const COST_SPREAD_WEIGHT = 2;
const Z_95 = 1.959964;

/** Name of the ranking over all use cases; not the slug of any. */
const OVERALL = '*';

type PartName = keyof typeof PART_PRIORS;
const PART_NAMES: readonly PartName[] = ['success', 'speed', 'quality'];
type PartMoments = Readonly<Record<PartName, Moments>>;

export interface BuiltRankings {
  readonly rankings: readonly UseCaseRanking[];
  readonly overall: UseCaseRanking;
  readonly calibration: Calibration;
}

/** All rankings of an evidence book, by `auto`'s row of `policies`. Pure; a few milliseconds for hundreds of cells. */
export function buildRankings(book: EvidenceBook, policies: PolicyBook): BuiltRankings {
  const totals = totalsOf(book);
  const calibration = calibrateMarks(totals.values());
  const pools = new Map<string, Pool>();
  /** Parts are values of curves, so what is pooled must be of the same curves. */
  const poolOf = (useCase: string | null): Pool => {
    const curves = policies.curvesOf(useCase);
    const key = `${curves.speedHalfMs}/${curves.costHalfUsd}`;
    const pool = pools.get(key) ?? new Pool(totals, calibration, curves);
    pools.set(key, pool);
    return pool;
  };
  const rankings = [...book]
    .map(([useCase, models]): UseCaseRanking => {
      const pool = poolOf(useCase);
      const ranked = [...models.values()].map((evidence) => pool.modelIn(evidence));
      const policy = policies.policyOf('auto', useCase);
      return { useCase, ...rank(ranked, policy, pool.standingsOf(models.values(), policy)) };
    })
    .sort((one, other) => other.requestCount - one.requestCount || (one.useCase < other.useCase ? -1 : 1));
  const pool = poolOf(null);
  const policy = policies.policyOf('auto', null);
  const overall = rank(
    [...totals.values()].map((evidence) => pool.modelOverall(evidence)),
    policy,
    pool.standingsOf(totals.values(), policy),
  );
  return { rankings, overall: { useCase: OVERALL, ...overall }, calibration };
}

function rank(
  models: readonly RankedModel[],
  policy: Policy,
  sequences: ReadonlyMap<string, ScoreSequence>,
): Omit<UseCaseRanking, 'useCase'> {
  return {
    requestCount: models.reduce((total, model) => total + model.requestCount, 0),
    models: withStandings(viewRanking(models, policy).models, sequences),
  };
}

/**
 * Partial pooling: a model in a use case leans on the same model in its other use cases, and that on all
 * models. The use case's own evidence is left out of what it leans on, so nothing counts twice.
 */
class Pool {
  readonly #totals: ReadonlyMap<string, ModelEvidence>;
  readonly #calibration: Calibration;
  readonly #curves: Curves;
  readonly #modelMoments = new Map<string, PartMoments>();
  readonly #priors: Readonly<Record<PartName, Prior>>;
  readonly #spreads: Readonly<Record<PartName, number>>;

  constructor(totals: ReadonlyMap<string, ModelEvidence>, calibration: Calibration, curves: Curves) {
    this.#totals = totals;
    this.#calibration = calibration;
    this.#curves = curves;
    const all = { success: NO_MOMENTS, speed: NO_MOMENTS, quality: NO_MOMENTS };
    for (const [modelId, evidence] of totals) {
      const moments = this.#momentsOf(recentOf(evidence));
      this.#modelMoments.set(modelId, moments);
      for (const part of PART_NAMES) all[part] = addMoments(all[part], moments[part]);
    }
    const priorOf = (part: PartName): Prior => ({
      mean: shrunkMean(all[part], PART_PRIORS[part]),
      weight: PART_PRIORS[part].weight,
    });
    this.#priors = { success: priorOf('success'), speed: priorOf('speed'), quality: priorOf('quality') };
    this.#spreads = {
      success: PART_SPREADS.success,
      speed: dispersion(all.speed, PART_SPREADS.speed),
      quality: dispersion(all.quality, PART_SPREADS.quality),
    };
  }

  modelIn(evidence: ModelEvidence): RankedModel {
    const recent = recentOf(evidence);
    const cell = this.#momentsOf(recent);
    const whole = this.#modelMoments.get(evidence.modelId) ?? cell;
    const part = (name: PartName): ScorePart => {
      const elsewhere = subtractMoments(whole[name], cell[name]);
      const spread = dispersion(cell[name], dispersion(whole[name], this.#spreads[name]));
      return partOf(cell[name], memberPrior(elsewhere, this.#priors[name], USE_CASE_WEIGHT), spread);
    };
    const total = this.#totals.get(evidence.modelId);
    const cost = costPart(recent, total === undefined ? recent : recentOf(total), this.#curves);
    return unjudged(evidence, {
      success: part('success'),
      speed: part('speed'),
      quality: part('quality'),
      cost,
    });
  }

  modelOverall(evidence: ModelEvidence): RankedModel {
    const recent = recentOf(evidence);
    const whole = this.#momentsOf(recent);
    const part = (name: PartName): ScorePart =>
      partOf(whole[name], this.#priors[name], dispersion(whole[name], this.#spreads[name]));
    const cost = costPart(recent, recent, this.#curves);
    return unjudged(evidence, {
      success: part('success'),
      speed: part('speed'),
      quality: part('quality'),
      cost,
    });
  }

  /** From the whole of the evidence: what is discounted by age cannot be looked at again and again. */
  standingsOf(models: Iterable<ModelEvidence>, policy: Policy): ReadonlyMap<string, ScoreSequence> {
    const rows = [...models].map((evidence) => ({
      modelId: evidence.modelId,
      ...this.#momentsOf(evidence),
      cost: costMoments(evidence, this.#curves),
    }));
    return scoreSequences(rows, policy.weights);
  }

  #momentsOf(sums: PartSums): PartMoments {
    return {
      success: binaryMoments(sums.successCount, sums.failureCount),
      speed: speedMoments(sums.latencyBins, this.#curves),
      quality: qualityMoments(sums, this.#calibration),
    };
  }
}

function partOf(observed: Moments, prior: Prior, spread: number): ScorePart {
  const posterior = posteriorOf(observed, prior, spread);
  const [low, high] = posteriorInterval(posterior);
  return {
    value: posterior.mean,
    low: Math.min(low, posterior.mean),
    high: Math.max(high, posterior.mean),
    sampleCount: observed.count,
    isAssumed: observed.count === 0,
  };
}

/**
 * The curve at the mean cost: dollars add up, so the mean is what is paid. Leans on the model's own mean in
 * other use cases only, since what other models cost says nothing of this one. null when no request of the
 * model was ever priced.
 */
function costPart(cell: PartSums, total: PartSums, curves: Curves): ScorePart | null {
  if (total.pricedCount === 0) return null;
  const elsewhereCount = total.pricedCount - cell.pricedCount;
  const elsewhereMean = elsewhereCount > 0 ? (total.costSumUsd - cell.costSumUsd) / elsewhereCount : 0;
  const weight = elsewhereCount > 0 ? 1 / (1 / USE_CASE_WEIGHT + 1 / elsewhereCount) : 0;
  const count = cell.pricedCount;
  const meanUsd = Math.max(0, (weight * elsewhereMean + cell.costSumUsd) / (weight + count));
  const source = count > 1 ? cell : total;
  const squares = source.costSquareSum - 2 * meanUsd * source.costSumUsd + source.pricedCount * meanUsd ** 2;
  const variance =
    (Math.max(0, squares) + COST_SPREAD_WEIGHT * meanUsd ** 2) / (source.pricedCount + COST_SPREAD_WEIGHT);
  const halfWidthUsd = Z_95 * Math.sqrt(variance / (weight + count));
  return {
    value: costValue(meanUsd, curves),
    low: costValue(meanUsd + halfWidthUsd, curves),
    high: costValue(Math.max(0, meanUsd - halfWidthUsd), curves),
    sampleCount: count,
    isAssumed: count === 0,
  };
}

function unjudged(evidence: ModelEvidence, parts: ScoreParts): RankedModel {
  const counted = evidence.successCount + evidence.failureCount;
  return {
    modelId: evidence.modelId,
    score: null,
    scoreLow: null,
    scoreHigh: null,
    ...parts,
    scoreSequence: null,
    rankBest: null,
    rankWorst: null,
    probabilityBest: null,
    requestCount: evidence.requestCount,
    successRate: ratio(evidence.successCount, counted),
    latencyMeanMs: ratio(evidence.latencySumMs, evidence.latencyCount),
    latencyP95Ms: binsQuantileMs(evidence.latencyBins, 0.95),
    costMeanUsd: ratio(evidence.costSumUsd, evidence.pricedCount),
    followUpRate: ratio(evidence.followUpCount, evidence.sessionCount),
    reAskRate: ratio(evidence.reAskCount, evidence.sessionCount),
    sessionCount: evidence.sessionCount,
    ratingCount: MARKS.reduce((total, mark) => total + evidence.marks[mark].feedbackCount, 0),
    promptTokensMean: ratio(evidence.promptTokenSum, evidence.tokenCount),
    completionTokensMean: ratio(evidence.completionTokenSum, evidence.tokenCount),
    hasEnoughEvidence: false,
    isCandidate: false,
    notCandidateReason: null,
  };
}

function ratio(sum: number, count: number): number | null {
  return count === 0 ? null : sum / count;
}
