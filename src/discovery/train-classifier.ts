import { LinearClassifier } from '../core/linear-classifier.ts';
import { FEATURE_BUCKETS, FeatureReader } from '../core/prompt-features.ts';
import { fitTemperature, trainLinearModel } from '../stats/linear-model.ts';
import type { Random } from '../stats/random.ts';

export interface ClassifierExample {
  readonly text: string;
  readonly useCase: string;
}

export interface TrainedClassifier {
  readonly classifier: LinearClassifier;
  /** Share of held-out prompts whose use case it gives; null when there were too few to hold any out. */
  readonly accuracy: number | null;
  readonly heldOutCount: number;
}

export interface TrainClassifierOptions {
  readonly random: Random;
  readonly epochCount?: number;
  /** Called between passes; throw from it to stop. */
  readonly onEpoch?: (epoch: number, epochCount: number) => void;
}

/** One prompt in ten judges the others. */
const HELD_OUT_SHARE = 0.1;
const HELD_OUT_MIN = 30;
const FOLD_COUNT = 3;
/**
 * Up to so many examples, all of them train the classifier that is kept, once a part of them has told how sure it
 * may be: a tenth more of few is worth nearly a point of accuracy, a tenth more of many is worth nothing.
 */
const REFITTED_MAX = 12_000;
/** A feature of one prompt alone can only be learnt by heart. */
const FEATURE_PROMPTS_MIN = 2;
/** Bounds the trainer's memory: 8 bytes per feature and class. */
const FEATURES_MAX = 120_000;
/** Right answers less sure than this share of all right answers are given up for the sake of rejecting. */
const REJECTED_SHARE = 0.03;
/** Never reject what is more likely right than wrong. */
const CONFIDENCE_MIN_MAX = 0.5;

/** Trains the hot path's classifier and says how good it is on prompts it has not seen. */
export function trainClassifier(
  examples: readonly ClassifierExample[],
  { random, epochCount, onEpoch }: TrainClassifierOptions,
): TrainedClassifier {
  const useCases = [...new Set(examples.map(({ useCase }) => useCase))].sort();
  const order = Array.from(examples, (_, at) => at);
  random.shuffle(order);
  const teach = (chosen: readonly number[]): LinearClassifier =>
    fitWeights(chosen, examples, useCases, { random, epochCount, onEpoch });
  const heldOut: number[] = [];
  const logitRows: Float64Array[] = [];
  let judged: LinearClassifier | null = null;
  for (const part of heldOutParts(order)) {
    judged = teach(order.filter((at) => !part.has(at)));
    for (const at of part) {
      heldOut.push(at);
      logitRows.push(judged.logits(examples[at]?.text ?? ''));
    }
  }
  if (judged === null) return { classifier: teach(order), accuracy: null, heldOutCount: 0 };
  const labels = heldOut.map((at) => useCases.indexOf(examples[at]?.useCase ?? ''));
  const temperature = fitTemperature(logitRows, labels);
  const sureness: number[] = [];
  logitRows.forEach((row, at) => {
    const best = row.indexOf(Math.max(...row));
    if (best === labels[at]) sureness.push(confidenceOf(row, temperature));
  });
  sureness.sort((a, b) => a - b);
  const confidenceMin = Math.min(
    CONFIDENCE_MIN_MAX,
    sureness[Math.floor(sureness.length * REJECTED_SHARE)] ?? 0,
  );
  const final = examples.length > REFITTED_MAX ? judged : teach(order);
  return {
    classifier: final.withCalibration({ temperature, confidenceMin }),
    accuracy: sureness.length / heldOut.length,
    heldOutCount: heldOut.length,
  };
}

/**
 * Which examples judge what the others have taught: a tenth; of few, each third in its turn (cross-validation: Stone
 * 1974), so that a small log has a reject option as well; of next to none, none.
 */
function heldOutParts(order: readonly number[]): ReadonlySet<number>[] {
  const tenth = Math.floor(order.length * HELD_OUT_SHARE);
  if (tenth >= HELD_OUT_MIN) return [new Set(order.slice(0, tenth))];
  if (order.length < HELD_OUT_MIN) return [];
  return Array.from(
    { length: FOLD_COUNT },
    (_, fold) => new Set(order.filter((_at, n) => n % FOLD_COUNT === fold)),
  );
}

function confidenceOf(logits: Float64Array, temperature: number): number {
  const most = Math.max(...logits);
  return 1 / logits.reduce((sum, value) => sum + Math.exp((value - most) / temperature), 0);
}

function fitWeights(
  chosen: readonly number[],
  examples: readonly ClassifierExample[],
  useCases: readonly string[],
  options: {
    readonly random: Random;
    readonly epochCount: number | undefined;
    readonly onEpoch: ((epoch: number, epochCount: number) => void) | undefined;
  },
): LinearClassifier {
  const reader = new FeatureReader();
  const hashed = chosen.map((at) => {
    const count = reader.read(examples[at]?.text ?? '');
    return reader.features.slice(0, count);
  });
  const { rowOfFeature, features } = frequentFeatures(hashed);
  const classOf = new Map(useCases.map((useCase, at) => [useCase, at]));
  const model = trainLinearModel(
    {
      items: hashed.map((item) =>
        item
          .filter((feature) => rowOfFeature[feature] !== 0)
          .map((feature) => (rowOfFeature[feature] as number) - 1),
      ),
      // Dropped features count in the length when serving, so they do here.
      values: Float32Array.from(hashed, (item) => 1 / Math.sqrt(Math.max(1, item.length))),
      labels: Int32Array.from(chosen, (at) => classOf.get(examples[at]?.useCase ?? '') ?? 0),
      featureCount: features.length,
      classCount: useCases.length,
    },
    {
      random: options.random,
      ...(options.epochCount === undefined ? {} : { epochCount: options.epochCount }),
      ...(options.onEpoch === undefined ? {} : { onEpoch: options.onEpoch }),
    },
  );
  return LinearClassifier.fromWeights({
    useCases,
    features,
    weights: model.weights,
    bias: model.bias,
    temperature: 1,
    confidenceMin: 0,
  });
}

/** Row + 1 of the features that enough prompts have (0: none), the most frequent when there are too many. */
function frequentFeatures(items: readonly Uint32Array[]): {
  rowOfFeature: Uint32Array;
  features: Uint32Array;
} {
  const promptCounts = new Uint32Array(FEATURE_BUCKETS);
  const lastItem = new Int32Array(FEATURE_BUCKETS).fill(-1);
  items.forEach((item, at) => {
    for (const feature of item) {
      if (lastItem[feature] === at) continue;
      lastItem[feature] = at;
      promptCounts[feature] = (promptCounts[feature] as number) + 1;
    }
  });
  // With few prompts every feature is rare, and dropping them would leave nothing.
  const promptsMin = items.length < 200 ? 1 : FEATURE_PROMPTS_MIN;
  const kept: number[] = [];
  for (let feature = 0; feature < FEATURE_BUCKETS; feature++) {
    if ((promptCounts[feature] as number) >= promptsMin) kept.push(feature);
  }
  kept.sort((a, b) => (promptCounts[b] as number) - (promptCounts[a] as number) || a - b);
  const features = Uint32Array.from(kept.slice(0, FEATURES_MAX));
  const rowOfFeature = new Uint32Array(FEATURE_BUCKETS);
  features.forEach((feature, at) => {
    rowOfFeature[feature] = at + 1;
  });
  return { rowOfFeature, features };
}
