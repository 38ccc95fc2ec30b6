/** Draws from one seeded stream. Not for secrets. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, limit). @throws {RangeError} unless limit is an integer >= 1 */
  int(limit: number): number;
  /** Standard normal. */
  normal(): number;
  /** Gamma with the given shape > 0 and scale 1. */
  gamma(shape: number): number;
  /** Beta(a, b), both > 0. */
  beta(a: number, b: number): number;
  /** Puts `items` in random order, in place. */
  shuffle<Item>(items: Item[]): void;
}

/**
 * A deterministic generator: the same seed gives the same stream on every machine.
 *
 * sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, passes BigCrush, integer arithmetic only. The
 * seed is spread over the state by SplitMix32, so that neighbouring seeds give unrelated streams.
 *
 * @param seed  any finite number; its fraction and its bits above 2^53 do not count
 */
export function createRandom(seed: number): Random {
  return new SmallFastCounting(seed);
}

class SmallFastCounting implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;
  /** The polar method makes two normals at a time. */
  #spareNormal: number | null = null;

  constructor(seed: number) {
    const whole = Math.trunc(Number.isFinite(seed) ? seed : 0);
    let state = (whole | 0) ^ Math.imul(Math.floor(whole / 4_294_967_296) | 0, 0x9e3779b1);
    const spread = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return mixed ^ (mixed >>> 15);
    };
    this.#a = spread();
    this.#b = spread();
    this.#c = spread();
    for (let round = 0; round < 12; round++) this.#next32();
  }

  #next32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  next(): number {
    // 53 bits: 27 high and 26 low.
    const high = this.#next32() >>> 5;
    const low = this.#next32() >>> 6;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }

  int(limit: number): number {
    if (!Number.isInteger(limit) || limit < 1)
      throw new RangeError(`limit must be an integer >= 1, not ${limit}`);
    return Math.floor(this.next() * limit);
  }

  /** Marsaglia's polar method (Marsaglia and Bray 1964). */
  normal(): number {
    if (this.#spareNormal !== null) {
      const spare = this.#spareNormal;
      this.#spareNormal = null;
      return spare;
    }
    for (;;) {
      const x = 2 * this.next() - 1;
      const y = 2 * this.next() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spareNormal = y * factor;
      return x * factor;
    }
  }

  /** Marsaglia and Tsang 2000; shapes below 1 by Gamma(a) = Gamma(a + 1) U^(1/a). */
  gamma(shape: number): number {
    if (!(shape > 0)) throw new RangeError(`shape must be > 0, not ${shape}`);
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.next()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const cube = (1 + c * x) ** 3;
      if (cube <= 0) continue;
      const u = 1 - this.next();
      if (Math.log(u) < 0.5 * x * x + d - d * cube + d * Math.log(cube)) return d * cube;
    }
  }

  beta(a: number, b: number): number {
    const x = this.gamma(a);
    const y = this.gamma(b);
    // Both underflow only for tiny shapes, where the beta is a coin between its two ends.
    return x + y === 0 ? (this.next() < a / (a + b) ? 1 : 0) : x / (x + y);
  }

  shuffle<Item>(items: Item[]): void {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.int(last + 1);
      const kept = items[last] as Item;
      items[last] = items[other] as Item;
      items[other] = kept;
    }
  }
}
