import type { Curves } from '../core/policy.ts';
import type { ScoreParts } from '../core/ranking-view.ts';
import type { ScorePart } from '../core/snapshot.ts';
import { CrossPool } from '../stats/cross-pool.ts';
import {
  addMoments,
  binaryMoments,
  commonDispersion,
  dispersion,
  type Moments,
  NO_MOMENTS,
  type Prior,
  posteriorInterval,
  posteriorOf,
} from '../stats/posterior.ts';
import type { EvidenceBook, ModelEvidence, PartSums } from './evidence.ts';
import { recentOf } from './evidence.ts';
import { comparedModels, modelPriors } from './model-priors.ts';
import { type Calibration, qualityMoments } from './quality-evidence.ts';
import { costValue, speedMoments } from './score.ts';
import { costMoments, type SeenParts } from './standing.ts';

/** What is believed of any model before any request. */
const PART_PRIORS = {
  success: { mean: 0.9, weight: 10 },
  // The curve at 5 s.
  speed: { mean: 0.75, weight: 10 },
  quality: { mean: 0.8, weight: 10 },
} as const satisfies Record<string, Prior>;

/** Spread of single values before it is measured; see `dispersion`. Latencies of one model hardly differ, as coins go. */
const PART_SPREADS = { success: 1, speed: 0.3, quality: 1 } as const;
/** "Costs vary about as much as they amount to", and the priced requests that this is worth before it is measured. */
const COST_SPREAD = 1;
const COST_SPREAD_WEIGHT = 2;
const Z_95 = 1.959964;

type PartName = keyof typeof PART_PRIORS;
type PartMoments = Readonly<Record<PartName, Moments>>;

/** Everything of one model in one use case that posteriors are made from; costs in dollars. */
interface CellMoments extends PartMoments {
  readonly cost: Moments;
}

export interface PoolOptions {
  readonly calibration: Calibration;
  readonly curves: Curves;
  /** By use case: the theme that it belongs to. */
  readonly themes?: ReadonlyMap<string, string> | undefined;
  /** Left out: measured. */
  readonly useCaseWeight?: number | undefined;
}

/**
 * Partial pooling: a model in a use case leans on the same model in its other use cases, moved by how much harder or
 * easier the other models find this one, and by what use cases of its theme show beyond that. How far it leans on any of
 * them is measured: see {@link CrossPool}.
 */
export class Pool {
  readonly #calibration: Calibration;
  readonly #curves: Curves;
  readonly #cells = new Map<string, ReadonlyMap<string, CellMoments>>();
  readonly #models = new Map<string, CellMoments>();
  /** Of single values within use cases, by model: what differs between use cases is no chance. */
  readonly #spreads = new Map<string, Readonly<Record<PartName, number>>>();
  readonly #costSpread: number;
  readonly #pools: Readonly<Record<keyof CellMoments, CrossPool>>;

  constructor(book: EvidenceBook, { calibration, curves, themes, useCaseWeight }: PoolOptions) {
    this.#calibration = calibration;
    this.#curves = curves;
    for (const [useCase, models] of book) {
      const cells = new Map<string, CellMoments>();
      for (const [modelId, evidence] of models) {
        const recent = recentOf(evidence);
        const cell = { ...this.#momentsOf(recent), cost: costsOf(recent) };
        cells.set(modelId, cell);
        this.#models.set(modelId, addCells(this.#models.get(modelId), cell));
      }
      this.#cells.set(useCase, cells);
    }
    const all = spreadsOf(
      [...this.#cells.values()].flatMap((cells) => [...cells.values()]),
      PART_SPREADS,
    );
    for (const modelId of this.#models.keys()) {
      const own = [...this.#cells.values()].flatMap((cells) => cells.get(modelId) ?? []);
      this.#spreads.set(modelId, spreadsOf(own, all));
    }
    const shares = (part: PartName, firstOf?: ReadonlyMap<string, Prior>): CrossPool =>
      new CrossPool(this.#tableOf(part), {
        kind: 'share',
        first: PART_PRIORS[part],
        firstOf,
        groups: themes,
        spread: all[part],
        weight: useCaseWeight,
      });
    const costs = this.#tableOf('cost');
    const costCells = [...costs.values()].flatMap((cells) => [...cells.values()]);
    this.#costSpread = costSpread(costCells, COST_SPREAD);
    const models = comparedModels(book, (modelId) => this.#models.get(modelId)?.quality ?? NO_MOMENTS);
    this.#pools = {
      success: shares('success'),
      speed: shares('speed'),
      quality: shares('quality', modelPriors(models, PART_PRIORS.quality)),
      cost: new CrossPool(costs, {
        kind: 'amount',
        first: null,
        groups: themes,
        spread: this.#costSpread,
        weight: useCaseWeight,
      }),
    };
  }

  /** The parts of a model's score in a use case. */
  partsIn(useCase: string, modelId: string): ScoreParts {
    const cell = this.#cells.get(useCase)?.get(modelId) ?? NO_CELL;
    const whole = this.#models.get(modelId) ?? cell;
    const spreads = this.#spreads.get(modelId) ?? PART_SPREADS;
    return this.#parts({ cell, whole, spreads }, (part) => this.#pools[part].priorOfCell(useCase, modelId));
  }

  /** The same over all use cases. */
  partsOverall(modelId: string): ScoreParts {
    const whole = this.#models.get(modelId) ?? NO_CELL;
    const spreads = this.#spreads.get(modelId) ?? PART_SPREADS;
    return this.#parts({ cell: whole, whole, spreads }, (part) => this.#pools[part].priorOfColumn(modelId));
  }

  /** What was seen of a model, without any prior and undiscounted. */
  seenOf(evidence: ModelEvidence): SeenParts {
    const { modelId } = evidence;
    return { modelId, ...this.#momentsOf(evidence), cost: costMoments(evidence, this.#curves) };
  }

  #momentsOf(sums: PartSums): PartMoments {
    return {
      success: binaryMoments(sums.successCount, sums.failureCount),
      speed: speedMoments(sums.latencyBins, this.#curves),
      quality: qualityMoments(sums, this.#calibration),
    };
  }

  #parts(
    {
      cell,
      whole,
      spreads,
    }: {
      readonly cell: CellMoments;
      readonly whole: CellMoments;
      readonly spreads: Readonly<Record<PartName, number>>;
    },
    priorOf: (part: keyof CellMoments) => Prior | null,
  ): ScoreParts {
    const part = (name: PartName): ScorePart => {
      const spread = dispersion(cell[name], spreads[name]);
      return partOf(cell[name], priorOf(name) ?? PART_PRIORS[name], spread);
    };
    return {
      success: part('success'),
      speed: part('speed'),
      quality: part('quality'),
      cost: costPart(
        {
          cell: cell.cost,
          isPriced: whole.cost.count > 0,
          prior: priorOf('cost'),
          spread: costSpread([cell.cost], this.#costSpread),
        },
        this.#curves,
      ),
    };
  }

  #tableOf(part: keyof CellMoments): ReadonlyMap<string, ReadonlyMap<string, Moments>> {
    return new Map(
      [...this.#cells].map(([useCase, cells]) => [
        useCase,
        new Map([...cells].map(([modelId, cell]) => [modelId, cell[part]])),
      ]),
    );
  }
}

const NO_CELL: CellMoments = {
  success: NO_MOMENTS,
  speed: NO_MOMENTS,
  quality: NO_MOMENTS,
  cost: NO_MOMENTS,
};

function spreadsOf(
  cells: readonly CellMoments[],
  assumed: Readonly<Record<PartName, number>>,
): Readonly<Record<PartName, number>> {
  const of = (part: PartName): number =>
    commonDispersion(
      cells.map((cell) => cell[part]),
      assumed[part],
    );
  return { success: PART_SPREADS.success, speed: of('speed'), quality: of('quality') };
}

function addCells(one: CellMoments | undefined, other: CellMoments): CellMoments {
  if (one === undefined) return other;
  const part = (name: keyof CellMoments): Moments => addMoments(one[name], other[name]);
  return { success: part('success'), speed: part('speed'), quality: part('quality'), cost: part('cost') };
}

function costsOf(sums: PartSums): Moments {
  return { count: sums.pricedCount, sum: sums.costSumUsd, squareSum: sums.costSquareSum };
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

/** Variance of single costs in units of their cell's squared mean, all cells together; leaning on what is assumed. */
function costSpread(cells: readonly Moments[], assumed: number): number {
  let squares = 0;
  let weights = 0;
  for (const { count, sum, squareSum } of cells) {
    if (!(count > 1 && sum > 0)) continue;
    const mean = sum / count;
    squares += count * Math.max(0, squareSum / count / mean ** 2 - 1);
    weights += count;
  }
  return (COST_SPREAD_WEIGHT * assumed + squares) / (COST_SPREAD_WEIGHT + weights);
}

/**
 * The curve at the mean cost: dollars add up, so the mean is what is paid. Leans on the model's own mean in other use
 * cases only, since what another model costs says nothing of what this one costs, though it says what longer answers
 * do. Limits are those of a lognormal mean. null when no request of the model was ever priced.
 */
function costPart(
  {
    cell,
    isPriced,
    prior,
    spread,
  }: {
    readonly cell: Moments;
    readonly isPriced: boolean;
    readonly prior: Prior | null;
    readonly spread: number;
  },
  curves: Curves,
): ScorePart | null {
  if (!isPriced) return null;
  const weight = prior === null ? 0 : spread * prior.weight;
  const total = weight + cell.count;
  const meanUsd = total > 0 ? Math.max(0, (weight * (prior?.mean ?? 0) + cell.sum) / total) : 0;
  const reach = Math.exp(Z_95 * Math.sqrt(total > 0 ? spread / total : 0));
  return {
    value: costValue(meanUsd, curves),
    low: costValue(meanUsd * reach, curves),
    high: costValue(meanUsd / reach, curves),
    sampleCount: cell.count,
    isAssumed: cell.count === 0,
  };
}
