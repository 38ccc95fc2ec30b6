import type { Classification, PossibleUseCase, PromptClassifier } from './classifier.ts';
import { TallyrankError } from './errors.ts';
import { NO_ROW, PackedWeights } from './packed-weights.ts';
import { FEATURE_BUCKETS, FEATURES_VERSION, FeatureReader } from './prompt-features.ts';
import { OTHER_USE_CASE } from './use-case.ts';

export interface LinearClassifierParts {
  /** Use case of each class. */
  readonly useCases: readonly string[];
  /** Feature number of each row of weights, no two alike. */
  readonly features: Uint32Array;
  /** `weights[row * useCases.length + class]`; a prompt's logit is their sum / sqrt(feature count) + bias. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  /** Logits are divided by this before the softmax, so that confidence is a probability. */
  readonly temperature: number;
  /** Prompts whose best class has less confidence go to "other"; 0 rejects none. */
  readonly confidenceMin: number;
}

const MAGIC = 0x434c5254; // "TRLC"
const FORMAT = 1;
/** Rows that survive pruning. More only hold what one prompt taught; the table is what fits the CPU's cache. */
const ROWS_MAX = 60_000;
/** Bytes of weights at most: with many classes fewer rows are kept, so that a snapshot stays a few megabytes. */
const WEIGHT_BYTES_MAX = 6_000_000;
const CLASSES_MAX = 4_096;
/** A use case as likely as this is not doubted: what else it might be would change no decision. */
const SURE_FROM = 0.95;
/** Less likely ones, and more of them, say little and cost time. */
const MIXED_FROM = 0.04;
const MIXED_MAX = 6;

interface QuantisedModel {
  readonly useCases: readonly string[];
  readonly features: Uint32Array;
  readonly weights: Int8Array;
  /** Of each class: logit = scale * sum of its int8 weights. */
  readonly scales: Float32Array;
  readonly bias: Float32Array;
  readonly temperature: number;
  readonly confidenceMin: number;
}

/**
 * The hot path's classifier: multinomial logistic regression over hashed n-grams, weights in int8 with one
 * scale per class. Immutable; not shared between threads, since it keeps a scratch buffer.
 */
export class LinearClassifier implements PromptClassifier {
  readonly #model: QuantisedModel;
  readonly #rowOfFeature: Uint16Array;
  readonly #reader = new FeatureReader();
  readonly #weights: PackedWeights;
  readonly #logits: Float64Array;

  private constructor(model: QuantisedModel) {
    this.#model = model;
    this.#rowOfFeature = new Uint16Array(FEATURE_BUCKETS).fill(NO_ROW);
    model.features.forEach((feature, row) => {
      this.#rowOfFeature[feature] = row;
    });
    this.#weights = new PackedWeights(model.weights, model.useCases.length);
    this.#logits = new Float64Array(model.useCases.length);
  }

  /** Prunes and quantises trained weights. */
  static fromWeights(parts: LinearClassifierParts): LinearClassifier {
    return new LinearClassifier(quantise(parts));
  }

  get useCases(): readonly string[] {
    return this.#model.useCases;
  }

  /** What logits are divided by before the softmax. */
  get temperature(): number {
    return this.#model.temperature;
  }

  /** Confidence of a rejected prompt is that of its rejection: 1 - probability of the best class. */
  classify(text: string): Classification {
    const { useCases, confidenceMin } = this.#model;
    if (useCases.length === 0) return { useCase: OTHER_USE_CASE, confidence: null };
    if (this.#reader.read(text) === 0) return { useCase: OTHER_USE_CASE, confidence: 1 };
    this.#score();
    const logits = this.#logits;
    let best = 0;
    for (let k = 1; k < logits.length; k++) if ((logits[k] as number) > (logits[best] as number)) best = k;
    let sum = 0;
    let own = 0;
    const useCase = useCases[best] as string;
    for (let k = 0; k < logits.length; k++) {
      const odds = Math.exp((logits[k] as number) - (logits[best] as number));
      sum += odds;
      // Classes that an operator merged carry one name.
      if (useCases[k] === useCase) own += odds;
    }
    const confidence = own / sum;
    const mix = confidence < SURE_FROM ? { mix: this.#mix(best, sum) } : undefined;
    if (confidence < confidenceMin) return { useCase: OTHER_USE_CASE, confidence: 1 - confidence, ...mix };
    return { useCase, confidence, ...mix };
  }

  /** The likeliest use cases by the logits that were just computed. */
  #mix(best: number, sum: number): PossibleUseCase[] {
    const { useCases } = this.#model;
    const oddsMin = MIXED_FROM * sum;
    const mix: { useCase: string; probability: number }[] = [];
    for (let k = 0; k < useCases.length; k++) {
      const odds = Math.exp((this.#logits[k] as number) - (this.#logits[best] as number));
      if (odds < oddsMin) continue;
      const useCase = useCases[k] as string;
      const known = mix.find((entry) => entry.useCase === useCase);
      if (known === undefined) mix.push({ useCase, probability: odds / sum });
      else known.probability += odds / sum;
    }
    return mix.sort((one, other) => other.probability - one.probability).slice(0, MIXED_MAX);
  }

  /** Logits over temperature, for calibration and tests; a new array. */
  logits(text: string): Float64Array {
    this.#reader.read(text);
    this.#score();
    return this.#logits.slice();
  }

  #score(): void {
    const { scales, bias, temperature } = this.#model;
    const classCount = scales.length;
    const { features, count } = this.#reader;
    const sums = this.#weights.sum(features, count, this.#rowOfFeature);
    const value = count === 0 ? 0 : 1 / Math.sqrt(count);
    for (let k = 0; k < classCount; k++) {
      const logit = (sums[k] as number) * (scales[k] as number) * value + (bias[k] as number);
      this.#logits[k] = logit / temperature;
    }
  }

  /** The same model with another calibration. */
  withCalibration(calibration: { temperature: number; confidenceMin: number }): LinearClassifier {
    return new LinearClassifier({ ...this.#model, ...calibration });
  }

  /**
   * The same model under other class names. Two classes may get one name: they then answer as one use case, whose
   * confidence is the sum of theirs.
   */
  withUseCases(rename: (useCase: string) => string): LinearClassifier {
    return new LinearClassifier({ ...this.#model, useCases: this.#model.useCases.map(rename) });
  }

  /**
   * Little-endian: "TRLC", uint16 format, uint16 features version, uint32 header bytes, the header (JSON),
   * padding to 4 bytes, float32 scales, float32 bias, uint32 features, int8 weights.
   */
  encode(): Uint8Array {
    const { useCases, features, weights, scales, bias, temperature, confidenceMin } = this.#model;
    const header = new TextEncoder().encode(
      JSON.stringify({ useCases, temperature, confidenceMin, rowCount: features.length }),
    );
    const bodyAt = padded(12 + header.length);
    const bytes = new Uint8Array(bodyAt + 8 * useCases.length + 4 * features.length + weights.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint16(4, FORMAT, true);
    view.setUint16(6, FEATURES_VERSION, true);
    view.setUint32(8, header.length, true);
    bytes.set(header, 12);
    let at = bodyAt;
    for (const block of [scales, bias, features, weights]) {
      bytes.set(new Uint8Array(block.buffer, block.byteOffset, block.byteLength), at);
      at += block.byteLength;
    }
    return bytes;
  }

  /** @throws {TallyrankError} `internal` when the bytes are no classifier or one of another version */
  static decode(bytes: Uint8Array): LinearClassifier {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 12 || view.getUint32(0, true) !== MAGIC)
      throw unreadable('the bytes are no classifier');
    const format = view.getUint16(4, true);
    const featuresVersion = view.getUint16(6, true);
    if (format !== FORMAT || featuresVersion !== FEATURES_VERSION) {
      throw unreadable(`format ${format} with features ${featuresVersion} is not one this program reads`);
    }
    const headerLength = view.getUint32(8, true);
    const header = parseHeader(bytes.subarray(12, 12 + headerLength));
    const classCount = header.useCases.length;
    const bodyAt = padded(12 + headerLength);
    const bodyLength = 8 * classCount + 4 * header.rowCount + header.rowCount * classCount;
    if (bytes.length !== bodyAt + bodyLength) throw unreadable('its length does not fit its header');
    // A copy of its own, which also aligns; Buffer's slice() would not copy.
    const body = new Uint8Array(bytes.subarray(bodyAt)).buffer;
    const features = new Uint32Array(body, 8 * classCount, header.rowCount);
    if (features.some((feature) => feature >= FEATURE_BUCKETS)) throw unreadable('a feature is out of range');
    return new LinearClassifier({
      useCases: header.useCases,
      temperature: header.temperature,
      confidenceMin: header.confidenceMin,
      scales: new Float32Array(body, 0, classCount),
      bias: new Float32Array(body, 4 * classCount, classCount),
      features,
      weights: new Int8Array(body, 8 * classCount + 4 * header.rowCount, header.rowCount * classCount),
    });
  }
}

interface Header {
  readonly useCases: readonly string[];
  readonly temperature: number;
  readonly confidenceMin: number;
  readonly rowCount: number;
}

function parseHeader(bytes: Uint8Array): Header {
  let header: Partial<Header>;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Header>;
  } catch (cause) {
    throw unreadable('its header is not JSON', cause);
  }
  const { useCases, temperature, confidenceMin, rowCount } = header;
  const isSound =
    Array.isArray(useCases) &&
    useCases.length <= CLASSES_MAX &&
    useCases.every((useCase) => typeof useCase === 'string') &&
    typeof temperature === 'number' &&
    temperature > 0 &&
    typeof confidenceMin === 'number' &&
    typeof rowCount === 'number' &&
    Number.isInteger(rowCount) &&
    rowCount >= 0 &&
    rowCount < NO_ROW;
  if (!isSound) throw unreadable('its header lacks a part');
  return { useCases, temperature, confidenceMin, rowCount };
}

function quantise(parts: LinearClassifierParts): QuantisedModel {
  const { useCases, temperature, confidenceMin, bias } = parts;
  const classCount = useCases.length;
  const rows = heaviestRows(parts);
  const scales = new Float32Array(classCount);
  for (const row of rows) {
    for (let k = 0; k < classCount; k++) {
      scales[k] = Math.max(scales[k] as number, Math.abs(parts.weights[row * classCount + k] as number));
    }
  }
  for (let k = 0; k < classCount; k++) scales[k] = (scales[k] as number) / 127;
  const features = new Uint32Array(rows.length);
  const weights = new Int8Array(rows.length * classCount);
  rows.forEach((row, at) => {
    features[at] = parts.features[row] as number;
    for (let k = 0; k < classCount; k++) {
      const scale = scales[k] as number;
      const weight = parts.weights[row * classCount + k] as number;
      weights[at * classCount + k] = scale === 0 ? 0 : Math.round(weight / scale);
    }
  });
  return { useCases, features, weights, scales, bias, temperature, confidenceMin };
}

function heaviestRows({ features, weights, useCases }: LinearClassifierParts): number[] {
  const classCount = useCases.length;
  const rowsMax = Math.min(ROWS_MAX, Math.floor(WEIGHT_BYTES_MAX / Math.max(1, classCount)));
  const squares = new Float64Array(features.length);
  for (let row = 0; row < features.length; row++) {
    let square = 0;
    for (let k = 0; k < classCount; k++) square += (weights[row * classCount + k] as number) ** 2;
    squares[row] = square;
  }
  const rows = Array.from(features, (_, row) => row);
  if (rows.length <= rowsMax) return rows;
  return rows
    .sort((a, b) => (squares[b] as number) - (squares[a] as number) || a - b)
    .slice(0, rowsMax)
    .sort((a, b) => a - b);
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function unreadable(why: string, cause?: unknown): TallyrankError {
  return new TallyrankError(
    'internal',
    `The stored classifier cannot be read: ${why}. Run tallyrank analyze.`,
    {
      cause,
    },
  );
}
