/** A term of a class with its weight; the highest weight says best what sets the class apart. */
export interface WeightedTerm {
  readonly term: string;
  readonly weight: number;
  /** Occurrences in the class. */
  readonly count: number;
}

/**
 * Class-based TF-IDF: W(t, c) = tf(t, c) * ln(1 + A / f(t)), where tf is the share of the term among the terms
 * of class c, f its occurrences in all classes and A the mean number of terms of a class. Grootendorst 2022,
 * "BERTopic: Neural topic modeling with a class-based TF-IDF procedure", eq. 2.
 *
 * A factor tf / (tf + mean tf of the other classes) is laid over it, so that a word of every class ranks
 * below one of this class: "contrasted with the others".
 *
 * @param counts  occurrences per term, one map a class
 * @returns terms per class, highest weight first
 */
export function classTfIdf(counts: readonly ReadonlyMap<string, number>[]): WeightedTerm[][] {
  const totals = new Map<string, number>();
  const classSizes = counts.map((terms) => {
    let size = 0;
    for (const [term, count] of terms) {
      totals.set(term, (totals.get(term) ?? 0) + count);
      size += count;
    }
    return size;
  });
  const allTerms = classSizes.reduce((sum, size) => sum + size, 0);
  const meanSize = counts.length === 0 ? 0 : allTerms / counts.length;
  return counts.map((terms, at) => {
    const size = classSizes[at] ?? 0;
    const elsewhere = Math.max(1, allTerms - size);
    return [...terms]
      .map(([term, count]) => {
        const total = totals.get(term) ?? count;
        const frequency = count / Math.max(1, size);
        const otherFrequency = (total - count) / elsewhere;
        const contrast = frequency / (frequency + otherFrequency);
        return { term, count, weight: frequency * Math.log(1 + meanSize / total) * contrast };
      })
      .sort((a, b) => b.weight - a.weight || (a.term < b.term ? -1 : 1));
  });
}
