import { redact } from '../redact.ts';
import { isSlot, shapeOf, shapeToText } from './token-shapes.ts';

/** A distinct prompt as far as repetition matters; `DistinctPrompt` of the store fits. */
export interface RepeatablePrompt {
  readonly promptHash: string;
  readonly prompt: string;
  readonly requestCount: number;
}

/** Prompts that are one text with different values in it. */
export interface PromptTemplate {
  /** The text with slots, redacted and cut: "Write a summary of <quote> in <number> words". */
  readonly template: string;
  /** Position of the most typical one. */
  readonly representative: number;
  /** Positions of all of them, the representative's included, ascending. */
  readonly members: readonly number[];
  readonly requestCount: number;
}

export interface Repeats {
  readonly templates: readonly PromptTemplate[];
  /** Per prompt: its template, or -1. */
  readonly templateOf: Int32Array;
  /**
   * Positions to cluster, ascending: every prompt of no template, and the square root of the members of each
   * template (ten at least, where it has so many). A template of 4,000 prompts counts like 64: it is seen, and
   * cannot become a use case by volume alone.
   */
  readonly clustered: Int32Array;
}

/** Fewer of a kind are people who ask alike. */
const MEMBERS_MIN = 5;
/** So few are no volume yet: a new template in a small log is as new as anything else. */
const STAND_INS_MIN = 10;
/** Shorter texts are alike by chance: "what is <number> + <number>" is one question, "what is x" is many. */
const FIXED_TOKENS_MIN = 2;
/** Near-duplicates need more: "how do i cancel my order" and "… my flight" are two questions. */
const NEAR_TOKENS_MIN = 12;
/**
 * Least share of common runs of three words. A template of 20 words with 3 filled ones shares about 0.6 with
 * its next copy; two questions of the same topic share under 0.2.
 */
const OVERLAP_MIN = 0.5;
/** Smallest hashes of a text's runs that are kept: the overlap is read off them (Broder 1997). */
const SKETCH_SIZE = 48;
/** Pairs of rows of the signature that put two texts into one bucket: an overlap of 0.5 is met with 0.9. */
const BANDS = 8;
const ROWS_PER_BAND = 2;
/** Texts of a bucket that a new one is compared with: the cost stays linear when all texts are alike. */
const COMPARED_MAX = 4;
const PROMPTS_PER_PROGRESS = 1_000;
/** Members that say which words of a template are fixed. */
const ALIGNED_MAX = 8;
const TEMPLATE_LENGTH_MAX = 240;

/**
 * Templates among prompts: the same words with other numbers, dates, ids, links or quotations; and longer texts
 * that differ in a few words. Linear in the prompts: 200,000 of 120 characters take 15 s and less than 300 MB.
 *
 * @param onProgress  told now and then; throws to stop
 */
export function findTemplates(
  prompts: readonly RepeatablePrompt[],
  onProgress?: (done: number, total: number) => void,
): Repeats {
  const groups = new DisjointSets(prompts.length);
  const sameShapes = new SameShapes(groups);
  const nearDuplicates = new NearDuplicates(groups);
  prompts.forEach(({ prompt }, at) => {
    if (at % PROMPTS_PER_PROGRESS === 0) onProgress?.(at, prompts.length);
    const shape = shapeOf(prompt);
    sameShapes.add(at, shape);
    nearDuplicates.add(at, shape);
  });
  nearDuplicates.join();
  const members = new Map<number, number[]>();
  for (let at = 0; at < prompts.length; at++) {
    const root = groups.find(at);
    const group = members.get(root);
    if (group === undefined) members.set(root, [at]);
    else group.push(at);
  }
  const templates = [...members.values()]
    .filter((group) => group.length >= MEMBERS_MIN)
    .map((group) => toTemplate(prompts, group))
    .sort((a, b) => b.requestCount - a.requestCount || a.representative - b.representative);
  return withClustered(prompts.length, templates);
}

/**
 * What was found for the clustered prompts, for every prompt: all members of a template get what most of those
 * that were clustered for it got, so that one text has one use case.
 *
 * @param found  in the order of `repeats.clustered`
 */
export function spreadOverMembers(
  { templates, templateOf, clustered }: Repeats,
  found: { readonly labels: Int32Array; readonly similarities: Float32Array },
): { labels: Int32Array; similarities: Float32Array } {
  const labels = new Int32Array(templateOf.length);
  const similarities = new Float32Array(templateOf.length);
  const votes = templates.map(() => new Map<number, { count: number; similarity: number }>());
  clustered.forEach((at, n) => {
    const [label, similarity] = [found.labels[n] as number, found.similarities[n] as number];
    labels[at] = label;
    similarities[at] = similarity;
    const ofTemplate = votes[templateOf[at] as number];
    ofTemplate?.set(label, { count: (ofTemplate.get(label)?.count ?? 0) + 1, similarity });
  });
  templates.forEach(({ members }, number) => {
    const [winner] = [...(votes[number] ?? [])].sort((a, b) => b[1].count - a[1].count);
    if (winner === undefined) return;
    for (const member of members) {
      labels[member] = winner[0];
      similarities[member] = winner[1].similarity;
    }
  });
  return { labels, similarities };
}

function withClustered(promptCount: number, templates: readonly PromptTemplate[]): Repeats {
  const templateOf = new Int32Array(promptCount).fill(-1);
  const standIns = new Set<number>();
  templates.forEach(({ representative, members }, number) => {
    for (const at of members) templateOf[at] = number;
    standIns.add(representative);
    const count = Math.max(Math.min(STAND_INS_MIN, members.length), Math.ceil(Math.sqrt(members.length)));
    for (let n = 0; n < count; n++) {
      standIns.add(members[Math.floor((n * members.length) / count)] as number);
    }
  });
  const clustered = [...templateOf.keys()].filter((at) => (templateOf[at] as number) < 0 || standIns.has(at));
  return { templates, templateOf, clustered: Int32Array.from(clustered) };
}

/** Joins prompts of the same words and slots, whatever stands in the slots. */
class SameShapes {
  readonly #groups: DisjointSets;
  readonly #firsts = new Map<string, number>();

  constructor(groups: DisjointSets) {
    this.#groups = groups;
  }

  add(at: number, shape: readonly string[]): void {
    const slotCount = shape.filter(isSlot).length;
    if (slotCount === 0 || shape.length - slotCount < FIXED_TOKENS_MIN) return;
    // Two hashes of 32 bits: the shapes themselves would be as large as the prompts.
    const key = `${hashTokens(shape, 0, shape.length, 1)}:${hashTokens(shape, 0, shape.length, 2)}`;
    const first = this.#firsts.get(key);
    if (first === undefined) this.#firsts.set(key, at);
    else this.#groups.join(first, at);
  }
}

/**
 * Joins longer prompts with most runs of three words in common, found by bucketed minimum hashes (Indyk and
 * Motwani 1998).
 */
class NearDuplicates {
  readonly #groups: DisjointSets;
  readonly #positions: number[] = [];
  readonly #sketches = new Map<number, Uint32Array>();
  /** Bucket of each added prompt, per band. */
  readonly #buckets: number[][] = Array.from({ length: BANDS }, () => []);

  constructor(groups: DisjointSets) {
    this.#groups = groups;
  }

  add(at: number, shape: readonly string[]): void {
    if (shape.length < NEAR_TOKENS_MIN) return;
    const runs = runsOf(shape);
    this.#positions.push(at);
    this.#sketches.set(at, runs.slice(0, SKETCH_SIZE));
    this.#buckets.forEach((keys, band) => {
      keys.push(bandKey(runs, band));
    });
  }

  /** Compares what shares a bucket, a band after the other: the buckets of all at once would fill the memory. */
  join(): void {
    for (const keys of this.#buckets) {
      const buckets = new Map<number, number[]>();
      keys.forEach((key, n) => {
        const at = this.#positions[n] as number;
        const bucket = buckets.get(key);
        if (bucket === undefined) {
          buckets.set(key, [at]);
          return;
        }
        const sketch = this.#sketches.get(at);
        const like = bucket.find((other) => overlapOf(sketch, this.#sketches.get(other)) >= OVERLAP_MIN);
        if (like !== undefined) this.#groups.join(like, at);
        else if (bucket.length < COMPARED_MAX) bucket.push(at);
      });
    }
  }
}

/** Hashes of the text's different runs of three words, ascending. */
function runsOf(shape: readonly string[]): Uint32Array {
  const hashes = new Set<number>();
  for (let at = 0; at + 2 < shape.length; at++) hashes.add(hashTokens(shape, at, at + 3, 3));
  return Uint32Array.from(hashes).sort();
}

function bandKey(runs: Uint32Array, band: number): number {
  let key = band + 1;
  for (let row = 0; row < ROWS_PER_BAND; row++) {
    const seed = Math.imul(band * ROWS_PER_BAND + row + 1, 0x9e3779b1);
    let least = 0xffffffff;
    for (const run of runs) {
      const mixed = mix(run ^ seed);
      if (mixed < least) least = mixed;
    }
    key = mix(Math.imul(key, 31) ^ least);
  }
  return key;
}

/** Share of common hashes among the smallest of both together: an unbiased estimate of the overlap. */
function overlapOf(one: Uint32Array | undefined, other: Uint32Array | undefined): number {
  if (one === undefined || other === undefined) return 0;
  const size = Math.min(SKETCH_SIZE, Math.max(one.length, other.length));
  let [a, b, seen, common] = [0, 0, 0, 0];
  while (seen < size && a < one.length && b < other.length) {
    const [x, y] = [one[a] as number, other[b] as number];
    if (x === y) common++;
    if (x <= y) a++;
    if (y <= x) b++;
    seen++;
  }
  // What is left of the longer one is in one of them only.
  seen = Math.min(size, seen + (one.length - a) + (other.length - b));
  return seen === 0 ? 0 : common / seen;
}

function toTemplate(prompts: readonly RepeatablePrompt[], members: readonly number[]): PromptTemplate {
  // The one asked most often is the most typical; the first of equals, so that runs agree.
  let representative = members[0] as number;
  let requestCount = 0;
  for (const at of members) {
    const count = prompts[at]?.requestCount ?? 0;
    requestCount += count;
    if (count > (prompts[representative]?.requestCount ?? 0)) representative = at;
  }
  const others = members.filter((at) => at !== representative).slice(0, ALIGNED_MAX);
  const shape = withoutChangingWords(
    shapeOf(prompts[representative]?.prompt ?? ''),
    others.map((at) => new Set(shapeOf(prompts[at]?.prompt ?? ''))),
  );
  return { template: cut(redact(shapeToText(shape))), representative, members, requestCount };
}

/** A word that some other member does not have is filled in: a slot. Neighbouring ones are one. */
function withoutChangingWords(shape: readonly string[], others: readonly ReadonlySet<string>[]): string[] {
  const fixed: string[] = [];
  for (const token of shape) {
    if (isSlot(token) || others.every((words) => words.has(token))) fixed.push(token);
    else if (fixed[fixed.length - 1] !== '…') fixed.push('…');
  }
  return fixed;
}

function cut(text: string): string {
  const signs = [...text];
  return signs.length > TEMPLATE_LENGTH_MAX ? `${signs.slice(0, TEMPLATE_LENGTH_MAX).join('')}…` : text;
}

/** FNV-1a over the tokens, with a separator, finished as MurmurHash3 does. */
function hashTokens(tokens: readonly string[], from: number, to: number, seed: number): number {
  let hash = Math.imul(seed, 0x9e3779b1) ^ 0x811c9dc5;
  for (let n = from; n < to; n++) {
    const token = tokens[n] as string;
    for (let at = 0; at < token.length; at++) hash = Math.imul(hash ^ token.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ 0x1f, 0x01000193);
  }
  return mix(hash);
}

function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Union by the smaller position, with halved paths: joined in any order, a group has the same root. */
class DisjointSets {
  readonly #parents: Int32Array;

  constructor(count: number) {
    this.#parents = Int32Array.from({ length: count }, (_, at) => at);
  }

  find(at: number): number {
    const parents = this.#parents;
    let node = at;
    while (parents[node] !== node) {
      parents[node] = parents[parents[node] as number] as number;
      node = parents[node] as number;
    }
    return node;
  }

  join(one: number, other: number): void {
    const [a, b] = [this.find(one), this.find(other)];
    if (a !== b) this.#parents[Math.max(a, b)] = Math.min(a, b);
  }
}
