import type { Random } from './random.ts';

/** Weights of a linear model over sparse features: `weights[feature * classCount + class]`. */
export interface LinearModel {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly featureCount: number;
  readonly classCount: number;
}

export interface LinearTrainingSet {
  /** Feature numbers of each item, 0..featureCount-1. */
  readonly items: readonly Uint32Array[];
  /** What each feature of the item counts, e.g. 1 / sqrt(number of its features). */
  readonly values: Float32Array;
  /** Class of each item, 0..classCount-1. */
  readonly labels: Int32Array;
  readonly featureCount: number;
  readonly classCount: number;
}

export interface LinearTrainingOptions {
  readonly random: Random;
  /** Passes over the items. Eight suffice for thousands of items, few items want more. */
  readonly epochCount?: number;
  readonly learningRate?: number;
  /** Share of an item's features that each pass leaves out at random, 0..1 (exclusive). */
  readonly dropout?: number;
  /** Called after each pass; throw from it to stop. */
  readonly onEpoch?: (epoch: number, epochCount: number) => void;
}

const EPOCH_COUNT = 8;
const LEARNING_RATE = 0.5;
const DROPOUT = 0.5;
/** Gradients below this move nothing that survives quantisation, and most classes have one for most items. */
const GRADIENT_MIN = 0.002;

/**
 * Multinomial logistic regression by stochastic gradients with per-weight steps (AdaGrad: Duchi, Hazan and
 * Singer 2011, JMLR 12). Leaving out half of each item's features at every pass is the regulariser (Wager, Wang and
 * Liang 2013, "Dropout Training as Adaptive Regularization"): no single word may carry a class. On CLINC150 it gains
 * 1.3 points of accuracy and one of out-of-scope AUROC over early stopping alone; a third or two thirds do nearly as well.
 */
export function trainLinearModel(set: LinearTrainingSet, options: LinearTrainingOptions): LinearModel {
  const { items, values, labels, featureCount, classCount } = set;
  const {
    random,
    onEpoch,
    epochCount = EPOCH_COUNT,
    learningRate = LEARNING_RATE,
    dropout = DROPOUT,
  } = options;
  const weights = new Float32Array(featureCount * classCount);
  const squares = new Float32Array(featureCount * classCount).fill(1e-6);
  const bias = new Float32Array(classCount);
  const biasSquares = new Float32Array(classCount).fill(1e-6);
  const model = { weights, bias, featureCount, classCount };
  const probabilities = new Float64Array(classCount);
  const movedClasses = new Int32Array(classCount);
  const order = Array.from(items, (_, at) => at);
  for (let epoch = 1; epoch <= epochCount; epoch++) {
    random.shuffle(order);
    for (const at of order) {
      const features =
        dropout === 0 ? (items[at] as Uint32Array) : thinOut(items[at] as Uint32Array, dropout, random);
      if (features.length === 0) continue;
      // What stays counts for what was left out.
      const value = (values[at] as number) / (1 - dropout);
      scoreLinearModel(model, features, value, probabilities);
      toProbabilities(probabilities);
      const label = labels[at] as number;
      probabilities[label] = (probabilities[label] as number) - 1;
      let movedCount = 0;
      for (let k = 0; k < classCount; k++) {
        if (Math.abs(probabilities[k] as number) < GRADIENT_MIN) continue;
        movedClasses[movedCount++] = k;
        const gradient = probabilities[k] as number;
        const square = (biasSquares[k] as number) + gradient * gradient;
        biasSquares[k] = square;
        bias[k] = (bias[k] as number) - (learningRate * 0.1 * gradient) / Math.sqrt(square);
      }
      for (let f = 0; f < features.length; f++) {
        const base = (features[f] as number) * classCount;
        for (let m = 0; m < movedCount; m++) {
          const k = movedClasses[m] as number;
          const gradient = (probabilities[k] as number) * value;
          const square = (squares[base + k] as number) + gradient * gradient;
          squares[base + k] = square;
          weights[base + k] = (weights[base + k] as number) - (learningRate * gradient) / Math.sqrt(square);
        }
      }
    }
    onEpoch?.(epoch, epochCount);
  }
  return model;
}

function thinOut(features: Uint32Array, dropout: number, random: Random): Uint32Array {
  const kept = new Uint32Array(features.length);
  let count = 0;
  for (let f = 0; f < features.length; f++) {
    if (random.next() >= dropout) kept[count++] = features[f] as number;
  }
  return kept.subarray(0, count);
}

/** Logits of one item whose features count `value` each, written to `logits` (length `classCount`). */
export function scoreLinearModel(
  model: LinearModel,
  features: Uint32Array,
  value: number,
  logits: Float64Array,
): void {
  const { weights, bias, classCount } = model;
  logits.fill(0);
  for (let f = 0; f < features.length; f++) {
    const base = (features[f] as number) * classCount;
    for (let k = 0; k < classCount; k++) logits[k] = (logits[k] as number) + (weights[base + k] as number);
  }
  for (let k = 0; k < classCount; k++) logits[k] = (logits[k] as number) * value + (bias[k] as number);
}

/** Softmax in place. */
function toProbabilities(logits: Float64Array): void {
  let most = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < logits.length; k++) if ((logits[k] as number) > most) most = logits[k] as number;
  let sum = 0;
  for (let k = 0; k < logits.length; k++) {
    const value = Math.exp((logits[k] as number) - most);
    logits[k] = value;
    sum += value;
  }
  for (let k = 0; k < logits.length; k++) logits[k] = (logits[k] as number) / sum;
}

/**
 * Temperature that makes softmax(logits / T) honest: minimises the negative log-likelihood over held-out
 * items (Guo et al. 2017, "On Calibration of Modern Neural Networks"). Golden-section search on log T.
 *
 * @returns T in [0.05, 20]; 1 without items
 */
export function fitTemperature(logitRows: readonly Float64Array[], labels: ArrayLike<number>): number {
  if (logitRows.length === 0) return 1;
  const loss = (logT: number): number => {
    const t = Math.exp(logT);
    let sum = 0;
    logitRows.forEach((row, at) => {
      const scaled = row.map((value) => value / t);
      const most = scaled.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      const total = scaled.reduce((acc, value) => acc + Math.exp(value - most), 0);
      sum += Math.log(total) + most - (scaled[labels[at] ?? 0] ?? 0);
    });
    return sum;
  };
  const golden = (Math.sqrt(5) - 1) / 2;
  let low = Math.log(0.05);
  let high = Math.log(20);
  for (let step = 0; step < 30; step++) {
    const left = high - golden * (high - low);
    const right = low + golden * (high - low);
    if (loss(left) < loss(right)) high = right;
    else low = left;
  }
  return Math.exp((low + high) / 2);
}
