import { toUnitLength, type Vectors } from './k-means.ts';
import { orthonormalise } from './orthonormal.ts';
import type { Random } from './random.ts';

/** Of a longer text the head is read: it is where people say what they want. */
const TEXT_LENGTH_MAX = 400;
const BUCKETS = 65_536;
/** A run of one text alone relates it to nothing. */
const TEXTS_MIN = 2;
/** The most frequent runs are enough, and bound time and memory. */
const RUNS_MAX = 16_000;
/** Texts that the directions are learnt from; the others are laid into them. */
const LEARNT_MAX = 5_000;
const ROUNDS = 2;

interface WeightedRuns {
  readonly ids: Uint32Array;
  readonly weights: Float32Array;
}

/**
 * Latent semantic analysis (Deerwester et al. 1990) of runs of three and four characters within words: what the
 * texts at hand themselves say about which spellings belong together. It knows the names, codes and jargon that
 * a table made elsewhere cannot know, and any language.
 *
 * tf-idf with 1 + ln tf, rows of unit length; directions by randomised subspace iteration (Halko, Martinsson
 * and Tropp 2011), up to a rotation that cosines do not see.
 *
 * @returns unit vectors around the mean of all, zero where a text shares nothing with another
 */
export function characterVectors(
  texts: readonly string[],
  options: { readonly dims: number; readonly random: Random },
): Vectors {
  const { dims, random } = options;
  const { rows, runCount } = weightRuns(texts.map(countRuns));
  const order = Array.from(texts, (_, at) => at);
  random.shuffle(order);
  const learnt = order.slice(0, LEARNT_MAX).map((at) => rows[at] as WeightedRuns);
  const directions = new Float32Array(runCount * dims);
  for (let at = 0; at < directions.length; at++) directions[at] = random.normal();
  for (let round = 0; round < ROUNDS; round++) {
    const seen = project(learnt, directions, dims);
    orthonormalise(seen, learnt.length, dims, 1);
    directions.fill(0);
    learnt.forEach((row, at) => {
      row.ids.forEach((id, n) => {
        const weight = row.weights[n] as number;
        for (let i = 0; i < dims; i++) {
          directions[id * dims + i] =
            (directions[id * dims + i] as number) + weight * (seen[at * dims + i] as number);
        }
      });
    });
  }
  orthonormalise(directions, runCount, dims, 1);
  const data = project(rows, directions, dims);
  centre(data, texts.length, dims);
  for (let at = 0; at < texts.length; at++) toUnitLength(data, at * dims, dims);
  return { data, count: texts.length, dims };
}

/** Subtracts the mean row: what all texts have in common tells none of them apart. In place. */
export function centre(data: Float32Array, count: number, dims: number): void {
  const mean = new Float64Array(dims);
  for (let at = 0; at < count; at++) {
    for (let i = 0; i < dims; i++) mean[i] = (mean[i] as number) + (data[at * dims + i] as number) / count;
  }
  for (let at = 0; at < count; at++) {
    for (let i = 0; i < dims; i++)
      data[at * dims + i] = (data[at * dims + i] as number) - (mean[i] as number);
  }
}

function countRuns(text: string): Map<number, number> {
  const counts = new Map<number, number>();
  const words =
    text
      .slice(0, TEXT_LENGTH_MAX)
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  for (const word of words) {
    const padded = ` ${word} `;
    for (let length = 3; length <= 4; length++) {
      for (let at = 0; at + length <= padded.length; at++) {
        let hash = 0x811c9dc5 ^ length;
        for (let i = at; i < at + length; i++) hash = Math.imul(hash ^ padded.charCodeAt(i), 0x01000193);
        // The low bits of FNV are weak.
        const bucket = (hash ^ (hash >>> 15)) & (BUCKETS - 1);
        counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
      }
    }
  }
  return counts;
}

function weightRuns(counted: readonly Map<number, number>[]): { rows: WeightedRuns[]; runCount: number } {
  const textCounts = new Uint32Array(BUCKETS);
  for (const counts of counted) {
    for (const bucket of counts.keys()) textCounts[bucket] = (textCounts[bucket] as number) + 1;
  }
  const kept = Array.from(textCounts.keys())
    .filter((bucket) => (textCounts[bucket] as number) >= TEXTS_MIN)
    .sort((a, b) => (textCounts[b] as number) - (textCounts[a] as number) || a - b)
    .slice(0, RUNS_MAX);
  const idOfBucket = new Int32Array(BUCKETS).fill(-1);
  const rarity = new Float64Array(kept.length);
  kept.forEach((bucket, id) => {
    idOfBucket[bucket] = id;
    rarity[id] = 1 + Math.log((1 + counted.length) / (1 + (textCounts[bucket] as number)));
  });
  const rows = counted.map((counts) => {
    const ids: number[] = [];
    const weights: number[] = [];
    for (const [bucket, count] of counts) {
      const id = idOfBucket[bucket] as number;
      if (id < 0) continue;
      ids.push(id);
      weights.push((1 + Math.log(count)) * (rarity[id] as number));
    }
    const row = { ids: Uint32Array.from(ids), weights: Float32Array.from(weights) };
    toUnitLength(row.weights, 0, row.weights.length);
    return row;
  });
  return { rows, runCount: kept.length };
}

function project(rows: readonly WeightedRuns[], directions: Float32Array, dims: number): Float32Array {
  const data = new Float32Array(rows.length * dims);
  rows.forEach(({ ids, weights }, at) => {
    const base = at * dims;
    for (let n = 0; n < ids.length; n++) {
      const from = (ids[n] as number) * dims;
      const weight = weights[n] as number;
      for (let i = 0; i < dims; i++) {
        data[base + i] = (data[base + i] as number) + weight * (directions[from + i] as number);
      }
    }
  });
  return data;
}
