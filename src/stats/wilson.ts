const Z_95 = 1.959964;

/**
 * 95 % interval of a share that was `count` of `total`: (p + z^2/2n ± z sqrt(p(1 - p)/n + z^2/4n^2)) / (1 + z^2/n).
 * Wilson 1927, Journal of the American Statistical Association 22. For one look, not for continuous looking.
 *
 * @param count  0..total; need not be whole
 * @throws {RangeError} unless 0 <= count <= total and total > 0
 */
export function wilsonInterval(count: number, total: number): readonly [low: number, high: number] {
  if (!(total > 0 && count >= 0 && count <= total)) {
    throw new RangeError(`a share needs 0 <= count <= total and total > 0, not ${count} of ${total}`);
  }
  const share = count / total;
  const square = Z_95 ** 2 / total;
  const middle = share + square / 2;
  const reach = Math.sqrt((share * (1 - share) * Z_95 ** 2) / total + square ** 2 / 4);
  return [Math.max(0, (middle - reach) / (1 + square)), Math.min(1, (middle + reach) / (1 + square))];
}
