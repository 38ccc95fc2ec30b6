import type { Policy } from '../core/policy.ts';
import { isRated, notWorseProbability } from '../core/ranking-view.ts';
import type { RankedModel } from '../core/snapshot.ts';
import type { ModelRegistry, Plan } from './plan.ts';

/** A model that a plan may choose, as exploration sees it. */
export interface Arm {
  readonly modelId: string;
  /** What is believed of its score in this use case, 0..100: a normal distribution. */
  readonly mean: number;
  readonly deviation: number;
  /** Probability 0..1 that it is not worse than the best, in success and quality, by more than the margins. */
  readonly notWorse: number;
  /** Requests here that count for or against it. */
  readonly sampleCount: number;
  readonly hasEnoughEvidence: boolean;
  /** Dollars that a request to it is expected to cost; null: unknown, so it is never explored. */
  readonly costUsd: number | null;
  /** A warning withholds it from `auto`: it is asked now and then, so that it can show that it was mended. */
  readonly isWithheld?: boolean;
  /** Why it is left out, in words; null when it may be explored. */
  readonly barredBecause: string | null;
}

const Z_95 = 1.959964;
const SCORE_MAX = 100;
/** Where nothing is known at all. */
const MEAN_UNKNOWN = 50;
/**
 * Standard deviation, in points, of the score of a model that nobody has tried anywhere. Smaller, and a new model that
 * looks average is never tried against a good one; larger, and every new model takes all that may be explored.
 */
const DEVIATION_UNTRIED = 20;
/** What is added (as squares) to the record over all use cases where a model has none in this one. */
const DEVIATION_ELSEWHERE = 8;
/** No score is known better than this. */
const DEVIATION_MIN = 0.05;
const KNOWN_WORSE_MAX = 0.5;

/** What is believed of every model of a plan, in the plan's order. */
export function armsOf(plan: Plan, registry: Pick<ModelRegistry, 'typicalCostUsd'>): readonly Arm[] {
  const { here, elsewhere, policy } = plan.grounds;
  const rowsHere = byModel(here);
  const rowsElsewhere = byModel(elsewhere);
  const guardHere = guardOf(here, policy);
  const guardElsewhere = guardOf(elsewhere, policy);
  const usualMean = meanOf([...here, ...elsewhere]) ?? MEAN_UNKNOWN;
  return plan.modelIds.map((modelId): Arm => {
    const own = rowsHere.get(modelId) ?? null;
    const other = rowsElsewhere.get(modelId) ?? null;
    const row = own ?? other;
    const belief = beliefOf(own, other) ?? { mean: usualMean, deviation: DEVIATION_UNTRIED };
    const judged = own !== null && guardHere.hasReferences ? guardHere : guardElsewhere;
    const notWorse = row === null ? 1 : judged.notWorse(own !== null && judged === guardHere ? own : row);
    const costUsd = own?.costMeanUsd ?? other?.costMeanUsd ?? registry.typicalCostUsd(modelId);
    return {
      modelId,
      ...belief,
      notWorse,
      sampleCount: own?.success.sampleCount ?? 0,
      hasEnoughEvidence: own?.hasEnoughEvidence ?? false,
      costUsd,
      isWithheld: row !== null && isWithheld(row),
      barredBecause: barOf({ row, notWorse, costUsd, policy }),
    };
  });
}

function barOf({
  row,
  notWorse,
  costUsd,
  policy,
}: Pick<Arm, 'notWorse' | 'costUsd'> & {
  readonly row: RankedModel | null;
  readonly policy: Policy;
}): string | null {
  if (costUsd === null) return 'no price known';
  if (row !== null && isWithheld(row)) return null;
  if (notWorse >= Math.min(KNOWN_WORSE_MAX, 1 - policy.certainty)) return null;
  return `known to be worse: ${row?.notCandidateReason ?? 'by its record'}`;
}

/** The posterior of the score where there is one, widened where it is of other use cases. */
function beliefOf(
  own: RankedModel | null,
  other: RankedModel | null,
): Pick<Arm, 'mean' | 'deviation'> | null {
  const row = own?.score != null ? own : other;
  if (row === null || row.score === null) return null;
  const width = (row.scoreHigh ?? SCORE_MAX) - (row.scoreLow ?? 0);
  const deviation = Math.max(DEVIATION_MIN, width / (2 * Z_95));
  const isFromHere = row === own && row.success.sampleCount > 0;
  return {
    mean: row.score,
    deviation: isFromHere ? deviation : Math.hypot(deviation, DEVIATION_ELSEWHERE),
  };
}

interface Guard {
  readonly hasReferences: boolean;
  notWorse(row: RankedModel): number;
}

/**
 * The margins of the policy, as probabilities: by the two references that candidates are measured by, the proven models
 * of greatest success and quality.
 */
function guardOf(rows: readonly RankedModel[], policy: Policy): Guard {
  const proven = rows.filter((row) => row.hasEnoughEvidence && row.cost !== null && !isWithheld(row));
  const success = greatest(proven, (row) => row.success.value);
  const quality = greatest(proven, (row) => row.quality.value);
  if (success === null || quality === null) return { hasReferences: false, notWorse: () => 1 };
  const rated = isRated(rows, policy);
  const notWorse = (row: RankedModel): number => {
    const inSuccess =
      row === success ? 1 : notWorseProbability(row.success, success.success, policy.successMargin);
    const inQuality =
      row === quality || !rated ? 1 : notWorseProbability(row.quality, quality.quality, policy.qualityMargin);
    const probability = Math.min(inSuccess, inQuality);
    if (row.isCandidate) return Math.max(probability, policy.certainty);
    // Passes what is tested here and is no candidate all the same: over a ceiling, or the signs are against it.
    if (row.hasEnoughEvidence && !row.isCandidate && probability >= policy.certainty) return 0;
    return probability;
  };
  return { hasReferences: true, notWorse };
}

function isWithheld({ warnings }: RankedModel): boolean {
  return warnings.some(({ isWithholding }) => isWithholding);
}

function byModel(rows: readonly RankedModel[]): ReadonlyMap<string, RankedModel> {
  return new Map(rows.map((row) => [row.modelId, row]));
}

function meanOf(rows: readonly RankedModel[]): number | null {
  const scores = rows.flatMap(({ score }) => score ?? []);
  return scores.length === 0 ? null : scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

function greatest(rows: readonly RankedModel[], of: (row: RankedModel) => number): RankedModel | null {
  return rows.reduce<RankedModel | null>(
    (best, row) => (best === null || of(row) > of(best) ? row : best),
    null,
  );
}
