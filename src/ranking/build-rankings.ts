import type { Policy, PolicyBook } from '../core/policy.ts';
import { type ScoreParts, viewRanking } from '../core/ranking-view.ts';
import type { RankedModel, TimingFigures, UseCaseRanking } from '../core/snapshot.ts';
import type { UseCase } from '../core/use-case.ts';
import type { TimingSums } from '../store/queries/ranking-evidence.ts';
import type { EvidenceBook, ModelEvidence } from './evidence.ts';
import { MARKS, totalsOf } from './evidence.ts';
import { overallWarnings, warningsOf } from './gaming.ts';
import { binsQuantileMs } from './latency-bins.ts';
import { Pool } from './pool.ts';
import type { Calibration } from './quality-evidence.ts';
import { calibrateMarks } from './quality-evidence.ts';
import { type ScoreSequence, type SeenParts, scoreSequences, withStandings } from './standing.ts';

/** Name of the ranking over all use cases; not the slug of any. */
const OVERALL = '*';

export interface BuiltRankings {
  readonly rankings: readonly UseCaseRanking[];
  readonly overall: UseCaseRanking;
  readonly calibration: Calibration;
}

interface RankingScope {
  readonly useCases?: ReadonlySet<string> | undefined;
  readonly themes?: ReadonlyMap<string, string> | undefined;
  readonly useCaseWeight?: number | undefined;
}

/**
 * All rankings of an evidence book, by `auto`'s row of `policies`. Pure; a few milliseconds for hundreds of cells.
 *
 * @param useCases       those to rank, which is what takes time; what they lean on is the whole book all the same.
 *   Left out: all. Warnings over all use cases are those of the ranked ones
 * @param themes         by use case, see {@link themesOf}; left out: use cases have nothing more in common than any two
 * @param useCaseWeight  observations that the rest of the book is worth in each use case; left out: measured
 */
export function buildRankings(
  book: EvidenceBook,
  policies: PolicyBook,
  { useCases, themes, useCaseWeight }: RankingScope = {},
): BuiltRankings {
  const totals = totalsOf(book);
  const calibration = calibrateMarks(totals.values());
  const pools = new Map<string, Pool>();
  /** Parts are values of curves, so what is pooled must be of the same curves. */
  const poolOf = (useCase: string | null): Pool => {
    const curves = policies.curvesOf(useCase);
    const key = `${curves.speedHalfMs}/${curves.costHalfUsd}`;
    const pool = pools.get(key) ?? new Pool(book, { calibration, curves, themes, useCaseWeight });
    pools.set(key, pool);
    return pool;
  };
  const rankings = [...book]
    .filter(([useCase]) => useCases?.has(useCase) ?? true)
    .map(([useCase, models]): UseCaseRanking => {
      const pool = poolOf(useCase);
      const warnings = warningsOf(models);
      const ranked = [...models.values()].map((evidence) => ({
        ...unjudged(evidence, pool.partsIn(useCase, evidence.modelId), pool.seenOf(evidence)),
        warnings: warnings.get(evidence.modelId) ?? [],
      }));
      const policy = policies.policyOf('auto', useCase);
      return { useCase, ...rank(ranked, policy, sequencesOf(models.values(), pool, policy)) };
    })
    .sort((one, other) => other.requestCount - one.requestCount || (one.useCase < other.useCase ? -1 : 1));
  const pool = poolOf(null);
  const policy = policies.policyOf('auto', null);
  const overall = rank(
    [...totals.values()].map((evidence) => ({
      ...unjudged(evidence, pool.partsOverall(evidence.modelId), pool.seenOf(evidence)),
      warnings: overallWarnings(rankings, evidence.modelId),
    })),
    policy,
    sequencesOf(totals.values(), pool, policy),
  );
  return { rankings, overall: { useCase: OVERALL, ...overall }, calibration };
}

/** Theme of each use case that has one. */
export function themesOf(useCases: readonly UseCase[]): ReadonlyMap<string, string> {
  return new Map(useCases.flatMap(({ slug, theme }) => (theme ? [[slug, theme] as const] : [])));
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

/** From the whole of the evidence: what is discounted by age cannot be looked at again and again. */
function sequencesOf(
  models: Iterable<ModelEvidence>,
  pool: Pool,
  policy: Policy,
): ReadonlyMap<string, ScoreSequence> {
  return scoreSequences(
    [...models].map((evidence) => pool.seenOf(evidence)),
    policy.weights,
  );
}

/** @param seen  what its counts are of: posteriors come from fewer where evidence has faded */
function unjudged(evidence: ModelEvidence, parts: ScoreParts, seen: SeenParts): RankedModel {
  const counted = evidence.successCount + evidence.failureCount;
  return {
    modelId: evidence.modelId,
    score: null,
    scoreLow: null,
    scoreHigh: null,
    success: { ...parts.success, sampleCount: seen.success.count },
    speed: { ...parts.speed, sampleCount: seen.speed.count },
    cost: parts.cost && { ...parts.cost, sampleCount: seen.cost?.count ?? 0 },
    quality: { ...parts.quality, sampleCount: seen.quality.count },
    scoreSequence: null,
    rankBest: null,
    rankWorst: null,
    probabilityBest: null,
    requestCount: evidence.requestCount,
    successRate: ratio(evidence.successCount, counted),
    latencyMeanMs: ratio(evidence.latencySumMs, evidence.latencyCount),
    latencyP95Ms: binsQuantileMs(evidence.waitBins, 0.95),
    timing: timingFigures(evidence.timing),
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
    warnings: [],
  };
}

function timingFigures(sums: TimingSums): TimingFigures {
  return {
    firstTokenMeanMs: ratio(sums.firstTokenSumMs, sums.firstTokenCount),
    firstTokenCount: sums.firstTokenCount,
    tokensPerSecond: ratio(1_000 * sums.generationTokenSum, sums.generationSumMs),
    generationCount: sums.generationCount,
    loadMeanMs: ratio(sums.loadSumMs, sums.loadCount),
    loadCount: sums.loadCount,
    queueMeanMs: ratio(sums.queueSumMs, sums.queueCount),
    queueCount: sums.queueCount,
  };
}

function ratio(sum: number, count: number): number | null {
  return count === 0 ? null : sum / count;
}
