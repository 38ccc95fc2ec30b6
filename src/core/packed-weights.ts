/** Of {@link PackedWeights.sum}: a feature without a row of weights. */
export const NO_ROW = 0xffff;

/** Two lanes of 16 bits, for every other one of four bytes. */
const LANES = 0x00ff00ff;
/** So many bytes of 255 fit into a lane. */
const LANE_ROWS_MAX = 257;
/** Added to each weight, which makes it a byte without a sign. */
const OFFSET = 128;

/**
 * Rows of int8 weights, four classes to a word, so that one addition sums two of them: the sums are the exact ones, in
 * a third of the time. Keeps scratch space; not for two threads.
 */
export class PackedWeights {
  readonly #classCount: number;
  readonly #rowWords: number;
  readonly #words: Int32Array;
  /** Where the rows begin that wait to be added: columns are added one by one, in the processor's registers. */
  readonly #waiting = new Uint32Array(LANE_ROWS_MAX);
  readonly #sums: Int32Array;

  /** @param weights  `weights[row * classCount + class]` */
  constructor(weights: Int8Array, classCount: number) {
    this.#classCount = classCount;
    this.#rowWords = Math.ceil(classCount / 4);
    const rowCount = classCount === 0 ? 0 : weights.length / classCount;
    this.#words = new Int32Array(rowCount * this.#rowWords);
    for (let row = 0; row < rowCount; row++) {
      for (let k = 0; k < classCount; k++) {
        const byte = (weights[row * classCount + k] as number) + OFFSET;
        const at = row * this.#rowWords + (k >> 2);
        this.#words[at] = (this.#words[at] as number) | (byte << (8 * (k & 3)));
      }
    }
    this.#sums = new Int32Array(4 * this.#rowWords);
  }

  /**
   * Per class the sum of the weights of these features, each as often as it is there.
   *
   * @param count       how many of `features` are valid
   * @param rowOfFeature  {@link NO_ROW} for those that have none
   * @returns valid until the next call; the first `classCount` count
   */
  sum(features: Uint32Array, count: number, rowOfFeature: Uint16Array): Int32Array {
    const rowWords = this.#rowWords;
    const waiting = this.#waiting;
    const sums = this.#sums.fill(0);
    let rowCount = 0;
    let waitingCount = 0;
    for (let f = 0; f < count; f++) {
      const row = rowOfFeature[features[f] as number] as number;
      if (row === NO_ROW) continue;
      rowCount++;
      waiting[waitingCount++] = row * rowWords;
      if (waitingCount < LANE_ROWS_MAX) continue;
      this.#add(waitingCount);
      waitingCount = 0;
    }
    this.#add(waitingCount);
    for (let k = 0; k < this.#classCount; k++) sums[k] = (sums[k] as number) - OFFSET * rowCount;
    return sums;
  }

  #add(waitingCount: number): void {
    const words = this.#words;
    const rowWords = this.#rowWords;
    const waiting = this.#waiting;
    const sums = this.#sums;
    for (let at = 0; at < rowWords; at++) {
      let even = 0;
      let odd = 0;
      for (let row = 0; row < waitingCount; row++) {
        const four = words[(waiting[row] as number) + at] as number;
        even = (even + (four & LANES)) | 0;
        odd = (odd + ((four >>> 8) & LANES)) | 0;
      }
      const k = 4 * at;
      sums[k] = (sums[k] as number) + (even & 0xffff);
      sums[k + 1] = (sums[k + 1] as number) + (odd & 0xffff);
      sums[k + 2] = (sums[k + 2] as number) + (even >>> 16);
      sums[k + 3] = (sums[k + 3] as number) + (odd >>> 16);
    }
  }
}
