import { assignMaximum } from '../../stats/assignment.ts';

/** A use case of the run before. */
export interface KnownUseCase {
  readonly slug: string;
  /** Distinct prompts it had. */
  readonly promptCount: number;
  /** null where vectors cannot be compared: another embedder made them. */
  readonly centroid: Float32Array | null;
}

/** A cluster of the new run. */
export interface FoundCluster {
  readonly promptCount: number;
  /** Unit length. */
  readonly centroid: Float32Array;
}

/** A distinct prompt that both runs have seen. */
export interface SharedPrompt {
  /** Slug that the run before gave it. */
  readonly slug: string;
  /** Cluster that the new run puts it in; -1 for "other". */
  readonly cluster: number;
  /** How much it counts; the logarithm of its requests keeps a scheduled prompt from deciding alone. */
  readonly weight: number;
}

export interface IdentityMatch {
  /** Slug of the use case that each cluster continues; null for a new one. */
  readonly slugs: readonly (string | null)[];
  /** `moved[previous][cluster]`: weight of the shared prompts that went that way. */
  readonly moved: readonly (readonly number[])[];
}

/** Shared prompts at which they say as much as the centres do; from a few hundred on they decide alone. */
const SHARED_HALF_WEIGHT = 20;
/** Centres of unrelated use cases reach about this cosine, since all prompts are questions and requests. */
const COSINE_UNRELATED = 0.6;
/**
 * Lower, and a splinter inherits the name of the whole; higher, and a use case that lost half of its prompts
 * to a new one is declared dead. Half of the prompts kept and no others taken in is 2 * 0.5 / 1.5 = 0.67.
 */
const SCORE_MIN = 0.25;

/**
 * Which cluster continues which use case of the run before.
 *
 * score = a * dice + (1 - a) * cosine', where dice = 2 w_ij / (w_i + w_j) over prompts that both runs know,
 * cosine' = max(0, cos - 0.6) / 0.4 of the centres, and a = n / (n + 20) with n = min(w_i, w_j): the more prompts
 * both runs know, the less the centres say. Without comparable centres a = 1. The pairing maximises
 * sum of score * (size_i + size_j) / 2 among pairs with a score of at least 0.25, one to one, exactly (Hungarian
 * method). With many shared prompts that sum is their number that keep their slug, since dice * (w_i + w_j) / 2
 * = w_ij. Matching clusterings by their overlap in this way: Meila and Heckerman 2001, Machine Learning 42.
 */
export function matchIdentity(
  previous: readonly KnownUseCase[],
  clusters: readonly FoundCluster[],
  shared: readonly SharedPrompt[],
): IdentityMatch {
  const moved = movedWeights(previous, clusters.length, shared);
  const knownOfPrevious = moved.map((row) => row.reduce((sum, weight) => sum + weight, 0));
  const leftOut = new Map(previous.map(({ slug }, at) => [slug, at]));
  // Prompts that went to "other" were known as well: they speak against a pair.
  for (const { slug, cluster, weight } of shared) {
    const at = leftOut.get(slug);
    if (cluster < 0 && at !== undefined) knownOfPrevious[at] = (knownOfPrevious[at] ?? 0) + weight;
  }
  const knownOfCluster = clusters.map((_, cluster) =>
    moved.reduce((sum, row) => sum + (row[cluster] ?? 0), 0),
  );
  const values = previous.map((useCase, at) =>
    clusters.map((cluster, to) => {
      const [mine, theirs] = [knownOfPrevious[at] ?? 0, knownOfCluster[to] ?? 0];
      const dice = mine + theirs === 0 ? 0 : (2 * (moved[at]?.[to] ?? 0)) / (mine + theirs);
      const score = blend(dice, Math.min(mine, theirs), useCase.centroid, cluster.centroid);
      return score < SCORE_MIN ? 0 : (score * (useCase.promptCount + cluster.promptCount)) / 2;
    }),
  );
  const slugs: (string | null)[] = clusters.map(() => null);
  assignMaximum(values).forEach((to, at) => {
    if (to >= 0) slugs[to] = previous[at]?.slug ?? null;
  });
  return { slugs, moved };
}

function movedWeights(
  previous: readonly KnownUseCase[],
  clusterCount: number,
  shared: readonly SharedPrompt[],
): number[][] {
  const rows = new Map(previous.map(({ slug }) => [slug, new Array<number>(clusterCount).fill(0)]));
  for (const { slug, cluster, weight } of shared) {
    const row = rows.get(slug);
    if (row !== undefined && cluster >= 0) row[cluster] = (row[cluster] ?? 0) + weight;
  }
  return [...rows.values()];
}

function blend(dice: number, sharedWeight: number, a: Float32Array | null, b: Float32Array): number {
  if (a === null || a.length !== b.length) return dice;
  const trust = sharedWeight / (sharedWeight + SHARED_HALF_WEIGHT);
  const cosine = Math.max(0, cosineOf(a, b) - COSINE_UNRELATED) / (1 - COSINE_UNRELATED);
  return trust * dice + (1 - trust) * cosine;
}

/** Cosine of the angle between two vectors; 0 when one of them has no length. */
export function cosineOf(a: Float32Array, b: Float32Array): number {
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let at = 0; at < a.length; at++) {
    const x = a[at] as number;
    const y = b[at] as number;
    product += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  return squareA === 0 || squareB === 0 ? 0 : product / Math.sqrt(squareA * squareB);
}

export type IdentityEventKind = 'birth' | 'death' | 'merge' | 'split';

/** What became of use cases between two runs. */
export interface IdentityEvent {
  readonly kind: IdentityEventKind;
  /** Use cases of the run before; empty for a birth. */
  readonly fromSlugs: readonly string[];
  /** Use cases of the new run; empty for a death. */
  readonly toSlugs: readonly string[];
  /**
   * Merge: share of the vanished one's known prompts that went over. Split: share of the new one's known prompts
   * that came from there. Birth and death: the largest such share, which was too small. null: next to nothing was known.
   */
  readonly share: number | null;
}

/** Fewer prompts known to both runs are chance: a stray answer of the classifier, mostly. */
const KNOWN_WEIGHT_MIN = 3;
/** Prompts that went the same way make a merge or a split from this share on. */
const MOVED_SHARE_MIN = 0.5;

/**
 * Names what happened: an old use case that no cluster continues died, or went into another (merge); a cluster
 * that continues none was born, or came out of another (split).
 *
 * @param previousSlugs  in the order of `match.moved`
 * @param slugs          of all clusters, new ones included; `match.slugs` says which are continued
 * @param kept           slugs that live on although no cluster continues them: pinned ones
 */
export function identityEvents(
  previousSlugs: readonly string[],
  slugs: readonly string[],
  match: IdentityMatch,
  kept: ReadonlySet<string> = new Set(),
): IdentityEvent[] {
  const { moved } = match;
  const continued = new Set(match.slugs.filter((slug) => slug !== null));
  const events: IdentityEvent[] = [];
  previousSlugs.forEach((slug, at) => {
    if (continued.has(slug) || kept.has(slug)) return;
    const [to, share] = largestShare(moved[at] ?? []);
    const target = slugs[to];
    if (target === undefined || share === null || share < MOVED_SHARE_MIN) {
      events.push({ kind: 'death', fromSlugs: [slug], toSlugs: [], share });
      return;
    }
    const fromSlugs = match.slugs[to] === null ? [slug] : [slug, target];
    events.push({ kind: 'merge', fromSlugs, toSlugs: [target], share });
  });
  slugs.forEach((slug, to) => {
    if (match.slugs[to] !== null) return;
    const [at, share] = largestShare(moved.map((row) => row[to] ?? 0));
    const source = previousSlugs[at];
    if (source === undefined || share === null || share < MOVED_SHARE_MIN) {
      events.push({ kind: 'birth', fromSlugs: [], toSlugs: [slug], share });
      return;
    }
    const toSlugs = continued.has(source) || kept.has(source) ? [source, slug] : [slug];
    events.push({ kind: 'split', fromSlugs: [source], toSlugs, share });
  });
  return events;
}

function largestShare(weights: readonly number[]): [at: number, share: number | null] {
  const sum = weights.reduce((all, weight) => all + weight, 0);
  if (sum < KNOWN_WEIGHT_MIN) return [-1, null];
  const most = Math.max(...weights);
  return [weights.indexOf(most), most / sum];
}
