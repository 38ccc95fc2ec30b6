/**
 * Pairs rows with columns, each at most once, so that the sum of the pairs' values is as large as it can be.
 *
 * The Hungarian method (Kuhn 1955) by shortest augmenting paths (Jonker and Volgenant 1987): exact, time
 * O(rows * columns * min(rows, columns)), a few milliseconds for 200 x 200.
 *
 * @param values  `values[row][column]` >= 0, finite, rows of equal length; a pair of value 0 is none
 * @returns the column of each row, or -1
 */
export function assignMaximum(values: readonly (readonly number[])[]): number[] {
  const rowCount = values.length;
  const columnCount = values[0]?.length ?? 0;
  if (columnCount === 0) return values.map(() => -1);
  if (rowCount > columnCount) {
    const rowOfColumn = assignMaximum(transpose(values, columnCount));
    const columnOfRow = values.map(() => -1);
    rowOfColumn.forEach((row, column) => {
      if (row >= 0) columnOfRow[row] = column;
    });
    return columnOfRow;
  }
  const rowOfColumn = augmentRowByRow(values, columnCount);
  const columnOfRow = values.map(() => -1);
  rowOfColumn.forEach((row, column) => {
    if (row >= 0 && (values[row]?.[column] ?? 0) > 0) columnOfRow[row] = column;
  });
  return columnOfRow;
}

function transpose(values: readonly (readonly number[])[], columnCount: number): number[][] {
  return Array.from({ length: columnCount }, (_, column) => values.map((row) => row[column] ?? 0));
}

/** Each row in turn gets a column, moving earlier rows along the path whose reduced cost is least. */
function augmentRowByRow(values: readonly (readonly number[])[], columnCount: number): Int32Array {
  // Potentials keep every reduced cost, -value - rowPotential - columnPotential, at or above zero.
  const rowPotentials = new Float64Array(values.length);
  const columnPotentials = new Float64Array(columnCount);
  const rowOfColumn = new Int32Array(columnCount).fill(-1);
  for (let start = 0; start < values.length; start++) {
    const distances = new Float64Array(columnCount).fill(Number.POSITIVE_INFINITY);
    const cameFrom = new Int32Array(columnCount).fill(-1);
    const isDone = new Uint8Array(columnCount);
    let row = start;
    let last = -1;
    for (;;) {
      let nearest = -1;
      const reached = last < 0 ? 0 : (distances[last] as number);
      for (let column = 0; column < columnCount; column++) {
        if (isDone[column] === 1) continue;
        const cost =
          -(values[row]?.[column] ?? 0) -
          (rowPotentials[row] as number) -
          (columnPotentials[column] as number);
        if (reached + cost < (distances[column] as number)) {
          distances[column] = reached + cost;
          cameFrom[column] = last;
        }
        if (nearest < 0 || (distances[column] as number) < (distances[nearest] as number)) nearest = column;
      }
      isDone[nearest] = 1;
      last = nearest;
      const owner = rowOfColumn[nearest] as number;
      if (owner < 0) break;
      row = owner;
    }
    const length = distances[last] as number;
    rowPotentials[start] = (rowPotentials[start] as number) + length;
    for (let column = 0; column < columnCount; column++) {
      if (isDone[column] === 0 || column === last) continue;
      const slack = length - (distances[column] as number);
      columnPotentials[column] = (columnPotentials[column] as number) - slack;
      const owner = rowOfColumn[column] as number;
      rowPotentials[owner] = (rowPotentials[owner] as number) + slack;
    }
    for (let column = last; column >= 0; ) {
      const before = cameFrom[column] as number;
      rowOfColumn[column] = before < 0 ? start : (rowOfColumn[before] as number);
      column = before;
    }
  }
  return rowOfColumn;
}
