/** References of one generation. The last so many are remembered for certain, up to twice as many at times. */
const GENERATION_COUNT_MAX = 20_000;

/**
 * Request ids by the references that clients know them by. Two generations: when the younger is full the elder is
 * dropped whole, since taking the oldest key out of a large Map, one by one, costs more the longer it goes on.
 */
export class RecentIds {
  #young = new Map<string, string>();
  #old = new Map<string, string>();

  add(reference: string, requestId: string): void {
    if (this.#young.size >= GENERATION_COUNT_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(reference, requestId);
  }

  /** null when it is not known, or no longer. */
  get(reference: string): string | null {
    return this.#young.get(reference) ?? this.#old.get(reference) ?? null;
  }
}
