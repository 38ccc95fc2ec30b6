/** How well two labellings of the same items agree. All but purity are symmetric. */
export interface Agreement {
  /** Adjusted mutual information: 1 equal, 0 what chance gives; can be slightly negative. */
  readonly ami: number;
  /** Adjusted Rand index, likewise corrected for chance. */
  readonly ari: number;
  /** Normalised mutual information, 0..1; grows with the number of clusters on its own. */
  readonly nmi: number;
  /** Share of items that carry the most frequent second label of their first label. */
  readonly purity: number;
}

interface Contingency {
  readonly itemCount: number;
  readonly rowSums: readonly number[];
  readonly columnSums: readonly number[];
  /** Non-empty cells: row, column, count. */
  readonly cells: readonly (readonly [number, number, number])[];
}

/**
 * Agreement of a clustering with labels (or of two clusterings).
 *
 * AMI by Vinh, Epps and Bailey 2010 (JMLR 11, eq. 24a for the expected mutual information), normalised by the
 * arithmetic mean of the entropies; ARI by Hubert and Arabie 1985; NMI with the same mean.
 *
 * @throws {RangeError} if the two differ in length or are empty
 */
export function computeAgreement(clusters: ArrayLike<number>, labels: ArrayLike<number>): Agreement {
  const table = countPairs(clusters, labels);
  const mutual = mutualInformation(table);
  const rowEntropy = entropy(table.rowSums, table.itemCount);
  const columnEntropy = entropy(table.columnSums, table.itemCount);
  const meanEntropy = (rowEntropy + columnEntropy) / 2;
  // Two labellings of one class each agree fully, and there is no information to divide by.
  if (meanEntropy === 0) return { ami: 1, ari: 1, nmi: 1, purity: 1 };
  const expected = expectedMutualInformation(table);
  const room = meanEntropy - expected;
  return {
    ami: Math.abs(room) < 1e-12 ? 1 : (mutual - expected) / room,
    ari: adjustedRand(table),
    nmi: Math.min(1, Math.max(0, mutual / meanEntropy)),
    purity: purity(table),
  };
}

/** Adjusted mutual information alone. */
export function computeAmi(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return computeAgreement(a, b).ami;
}

function countPairs(a: ArrayLike<number>, b: ArrayLike<number>): Contingency {
  if (a.length !== b.length || a.length === 0) {
    throw new RangeError(`labellings must be of equal length >= 1, not ${a.length} and ${b.length}`);
  }
  const rows = new Map<number, number>();
  const columns = new Map<number, number>();
  const counts = new Map<number, number>();
  const rowSums: number[] = [];
  const columnSums: number[] = [];
  for (let at = 0; at < a.length; at++) {
    const row = numberOf(rows, a[at] ?? 0);
    const column = numberOf(columns, b[at] ?? 0);
    rowSums[row] = (rowSums[row] ?? 0) + 1;
    columnSums[column] = (columnSums[column] ?? 0) + 1;
    const key = row * 1_048_576 + column;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const cells = [...counts].map(
    ([key, count]) => [Math.floor(key / 1_048_576), key % 1_048_576, count] as const,
  );
  return { itemCount: a.length, rowSums, columnSums, cells };
}

function numberOf(known: Map<number, number>, label: number): number {
  const found = known.get(label);
  if (found !== undefined) return found;
  known.set(label, known.size);
  return known.size - 1;
}

function entropy(sums: readonly number[], total: number): number {
  return -sums.reduce((sum, count) => sum + (count / total) * Math.log(count / total), 0);
}

function mutualInformation({ cells, rowSums, columnSums, itemCount }: Contingency): number {
  let sum = 0;
  for (const [row, column, count] of cells) {
    const independent = (rowSums[row] ?? 0) * (columnSums[column] ?? 0);
    sum += (count / itemCount) * Math.log((count * itemCount) / independent);
  }
  return Math.max(0, sum);
}

function expectedMutualInformation({ rowSums, columnSums, itemCount: n }: Contingency): number {
  const logFactorial = new Float64Array(n + 1);
  for (let i = 2; i <= n; i++) logFactorial[i] = (logFactorial[i - 1] as number) + Math.log(i);
  const lf = (i: number): number => logFactorial[i] as number;
  // Many clusters have the same size: their terms are equal, so they are computed once.
  const rowSizes = countSizes(rowSums);
  const columnSizes = countSizes(columnSums);
  let expected = 0;
  for (const [a, aTimes] of rowSizes) {
    for (const [b, bTimes] of columnSizes) {
      const fixed = lf(a) + lf(b) + lf(n - a) + lf(n - b) - lf(n);
      let cell = 0;
      for (let nij = Math.max(1, a + b - n); nij <= Math.min(a, b); nij++) {
        const logProbability = fixed - lf(nij) - lf(a - nij) - lf(b - nij) - lf(n - a - b + nij);
        cell += (nij / n) * Math.log((n * nij) / (a * b)) * Math.exp(logProbability);
      }
      expected += cell * aTimes * bTimes;
    }
  }
  return expected;
}

function countSizes(sums: readonly number[]): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const size of sums) sizes.set(size, (sizes.get(size) ?? 0) + 1);
  return sizes;
}

function adjustedRand({ cells, rowSums, columnSums, itemCount }: Contingency): number {
  const pairs = (count: number): number => (count * (count - 1)) / 2;
  const together = cells.reduce((sum, [, , count]) => sum + pairs(count), 0);
  const inRows = rowSums.reduce((sum, count) => sum + pairs(count), 0);
  const inColumns = columnSums.reduce((sum, count) => sum + pairs(count), 0);
  const expected = itemCount < 2 ? 0 : (inRows * inColumns) / pairs(itemCount);
  const most = (inRows + inColumns) / 2;
  return most === expected ? 1 : (together - expected) / (most - expected);
}

function purity({ cells, itemCount }: Contingency): number {
  const most = new Map<number, number>();
  for (const [row, , count] of cells) most.set(row, Math.max(most.get(row) ?? 0, count));
  return [...most.values()].reduce((sum, count) => sum + count, 0) / itemCount;
}
