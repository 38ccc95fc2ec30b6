/** A direction whose part that is new is shorter than this share is given up: it is rounding. */
const INDEPENDENT_MIN = 1e-7;

/**
 * Makes the columns of a tall row-major matrix orthonormal, in place, keeping the space that they span, by the
 * Cholesky factor of the Gram matrix. Columns that depend on earlier ones become zero.
 *
 * @param passes  one is good to a few digits; two are as good as Householder's way (Yamamoto, Nakatsukasa,
 *   Yanagisawa and Fukaya 2015)
 */
export function orthonormalise(rows: Float32Array, rowCount: number, dims: number, passes = 2): void {
  for (let pass = 0; pass < passes; pass++) {
    const factor = cholesky(gram(rows, rowCount, dims), dims);
    solveRows(rows, rowCount, dims, factor);
  }
}

/** Lower half of the products of columns. Four rows at a time: each sum is then read and written once for four. */
function gram(rows: Float32Array, rowCount: number, dims: number): Float64Array {
  const sums = new Float64Array(dims * dims);
  let row = 0;
  for (; row + 3 < rowCount; row += 4) {
    const a = row * dims;
    const b = a + dims;
    const c = b + dims;
    const d = c + dims;
    for (let i = 0; i < dims; i++) {
      const va = rows[a + i] as number;
      const vb = rows[b + i] as number;
      const vc = rows[c + i] as number;
      const vd = rows[d + i] as number;
      const at = i * dims;
      for (let j = 0; j <= i; j++) {
        sums[at + j] =
          (sums[at + j] as number) +
          va * (rows[a + j] as number) +
          vb * (rows[b + j] as number) +
          vc * (rows[c + j] as number) +
          vd * (rows[d + j] as number);
      }
    }
  }
  for (; row < rowCount; row++) {
    const base = row * dims;
    for (let i = 0; i < dims; i++) {
      const value = rows[base + i] as number;
      const at = i * dims;
      for (let j = 0; j <= i; j++)
        sums[at + j] = (sums[at + j] as number) + value * (rows[base + j] as number);
    }
  }
  return sums;
}

/** Lower factor, in place. A diagonal of 0 marks a dependent column. */
function cholesky(matrix: Float64Array, dims: number): Float64Array {
  for (let i = 0; i < dims; i++) {
    const length = matrix[i * dims + i] as number;
    for (let j = 0; j <= i; j++) {
      let value = matrix[i * dims + j] as number;
      for (let k = 0; k < j; k++)
        value -= (matrix[i * dims + k] as number) * (matrix[j * dims + k] as number);
      if (i === j) matrix[i * dims + i] = value > INDEPENDENT_MIN * length ? Math.sqrt(value) : 0;
      else {
        const pivot = matrix[j * dims + j] as number;
        matrix[i * dims + j] = pivot === 0 ? 0 : value / pivot;
      }
    }
  }
  return matrix;
}

function solveRows(rows: Float32Array, rowCount: number, dims: number, factor: Float64Array): void {
  const solved = new Float64Array(dims);
  for (let row = 0; row < rowCount; row++) {
    const base = row * dims;
    for (let i = 0; i < dims; i++) {
      const at = i * dims;
      const pivot = factor[at + i] as number;
      let value = rows[base + i] as number;
      for (let j = 0; j < i; j++) value -= (factor[at + j] as number) * (solved[j] as number);
      solved[i] = pivot === 0 ? 0 : value / pivot;
    }
    rows.set(solved, base);
  }
}
