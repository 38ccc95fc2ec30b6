/** Requests per latency bin; bin b holds [2^(b/8), 2^((b+1)/8)) ms, as the hourly roll-up counts them. */
export type LatencyBins = ReadonlyMap<number, number>;

/** Eight to the octave, so any value is known within half a bin: 4.4 %. The roll-up's migration has the same number. */
const BINS_PER_OCTAVE = 8;
const LAST_BIN = 255;

/** The bin of a latency; everything under a millisecond is in the first. */
export function latencyBin(latencyMs: number): number {
  return Math.min(LAST_BIN, Math.floor(BINS_PER_OCTAVE * Math.log2(Math.max(1, latencyMs))));
}

/** The geometric middle of a bin, in milliseconds: what a request in it is taken to have lasted. */
export function binMiddleMs(bin: number): number {
  return 2 ** ((bin + 0.5) / BINS_PER_OCTAVE);
}

/** The latency that a `share` (0..1] of the requests stay within; null without requests. */
export function binsQuantileMs(bins: LatencyBins, share: number): number | null {
  let total = 0;
  for (const count of bins.values()) total += count;
  if (total === 0) return null;
  let seen = 0;
  let last = 0;
  for (const bin of [...bins.keys()].sort((one, other) => one - other)) {
    seen += bins.get(bin) ?? 0;
    last = bin;
    if (seen >= share * total) break;
  }
  return binMiddleMs(last);
}

export function addBins(one: LatencyBins, other: LatencyBins): LatencyBins {
  if (one.size === 0) return other;
  if (other.size === 0) return one;
  const sum = new Map(one);
  for (const [bin, count] of other) sum.set(bin, (sum.get(bin) ?? 0) + count);
  return sum;
}
