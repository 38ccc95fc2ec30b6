import { toSlug } from '../../core/use-case.ts';
import type { PromptAssignment } from '../../store/queries/assignments.ts';
import type { FoundUseCase } from '../../store/queries/found-use-cases.ts';
import type { Clustering } from '../clustering/cluster-prompts.ts';
import type { OperatorEdits } from '../edits/operator-edits.ts';
import type { ClusterName } from '../naming/name-clusters.ts';
import {
  cosineOf,
  type IdentityEvent,
  type IdentityMatch,
  identityEvents,
  type KnownUseCase,
  matchIdentity,
  type SharedPrompt,
} from './match-identity.ts';

/** What the run before left, as far as the new one looks at it. */
export interface PreviousRun {
  readonly runId: string;
  readonly embedder: string;
  readonly useCases: readonly FoundUseCase[];
  /** By prompt hash, for the prompts of the new run's sample. */
  readonly assignments: ReadonlyMap<string, PromptAssignment>;
}

/** A prompt of the sample, as far as identity looks at it. */
export interface SampledPrompt {
  readonly promptHash: string;
  readonly requestCount: number;
}

export interface MatchedClustering {
  /** With a centre more for each pinned use case that no cluster continues. */
  readonly clustering: Clustering;
  /** Per centre: the slug that it continues; null for a new use case. */
  readonly slugs: readonly (string | null)[];
  readonly match: IdentityMatch;
  readonly previousSlugs: readonly string[];
  /** Slugs of pinned use cases that live on by hand. */
  readonly kept: ReadonlySet<string>;
  /** Share of the prompts known to both runs that keep their use case, 0..1; null when none is known. */
  readonly keptShare: number | null;
}

/** Share of a kept use case's prompts that may lie below its bound: outliers of the run that found it. */
const OUTLIER_SHARE = 0.05;

/** Finds out which clusters continue which use cases, and keeps the pinned ones alive. */
export function matchClusters(
  clustering: Clustering,
  prompts: readonly SampledPrompt[],
  vectors: readonly Float32Array[],
  {
    previous,
    edits,
    known: labels,
    embedder,
  }: {
    readonly previous: PreviousRun | null;
    readonly edits: OperatorEdits;
    /** Of {@link knownLabels}. */
    readonly known: readonly (string | null)[];
    readonly embedder: string;
  },
): MatchedClustering {
  const useCases = knownUseCases(previous, labels, embedder);
  const { centroids } = clustering;
  const sizes = new Array<number>(centroids.count).fill(0);
  for (const label of clustering.labels) if (label >= 0) sizes[label] = (sizes[label] ?? 0) + 1;
  const clusters = sizes.map((promptCount, at) => ({
    promptCount,
    centroid: centroids.data.slice(at * centroids.dims, (at + 1) * centroids.dims),
  }));
  const shared = prompts.flatMap(({ requestCount }, at): SharedPrompt[] => {
    const slug = labels[at];
    if (slug === undefined || slug === null) return [];
    return [{ slug, cluster: clustering.labels[at] ?? -1, weight: 1 + Math.log(Math.max(1, requestCount)) }];
  });
  const match = withSplitSources(matchIdentity(useCases, clusters, shared), useCases, edits);
  const kept = unmatchedPins(useCases, match, edits);
  const extended = withKeptCentres(clustering, kept, labels, vectors, previous);
  const slugs = [...match.slugs, ...extended.keptSlugs];
  const known = Array.from(labels.keys()).filter((at) => labels[at] !== null);
  const keptCount = known.filter((at) => slugs[extended.clustering.labels[at] ?? -1] === labels[at]).length;
  return {
    clustering: extended.clustering,
    slugs,
    match: { slugs, moved: match.moved.map((row) => [...row, ...extended.keptSlugs.map(() => 0)]) },
    previousSlugs: useCases.map(({ slug }) => slug),
    kept: new Set(kept),
    keptShare: known.length === 0 ? null : keptCount / known.length,
  };
}

/** The identity that the run before gave each prompt: as found, but what was split off counts on its own. */
export function knownLabels(
  prompts: readonly SampledPrompt[],
  previous: PreviousRun | null,
  edits: OperatorEdits,
): (string | null)[] {
  const found = new Set(previous?.useCases.map(({ slug }) => slug));
  const born = edits.splits.map(({ slug }) => ({ slug, shown: edits.movedSlug(slug) }));
  return prompts.map(({ promptHash }) => {
    const known = previous?.assignments.get(promptHash);
    if (known === undefined) return null;
    const split = born.find(({ shown }) => shown === known.useCase && edits.isSplit(known.foundUseCase));
    if (split !== undefined) return split.slug;
    return found.has(known.foundUseCase) ? known.foundUseCase : null;
  });
}

function knownUseCases(
  previous: PreviousRun | null,
  labels: readonly (string | null)[],
  embedder: string,
): KnownUseCase[] {
  if (previous === null) return [];
  const isComparable = previous.embedder === embedder;
  const found = previous.useCases.map(({ slug, promptCount, centroid }) => ({
    slug,
    promptCount,
    centroid: isComparable && centroid.length > 0 ? centroid : null,
  }));
  const listed = new Set(found.map(({ slug }) => slug));
  const born = new Map<string, number>();
  for (const label of labels) {
    if (label !== null && !listed.has(label)) born.set(label, (born.get(label) ?? 0) + 1);
  }
  return [...found, ...[...born].map(([slug, promptCount]) => ({ slug, promptCount, centroid: null }))];
}

/**
 * Where a cluster took in both a use case and what was split off it, and the latter was the larger part, the
 * cluster continues the former: the split's pattern then takes out again what is its own.
 */
function withSplitSources(
  match: IdentityMatch,
  useCases: readonly KnownUseCase[],
  edits: OperatorEdits,
): IdentityMatch {
  const slugs = [...match.slugs];
  for (const { slug } of edits.splits) {
    const cluster = slugs.indexOf(slug);
    if (cluster < 0) continue;
    const source = useCases.findIndex((useCase, at) => {
      const row = match.moved[at] ?? [];
      const most = Math.max(0, ...row);
      const isAway = !slugs.includes(useCase.slug);
      return isAway && edits.isSplit(useCase.slug) && most > 0 && row[cluster] === most;
    });
    if (source >= 0) slugs[cluster] = useCases[source]?.slug ?? slug;
  }
  return { ...match, slugs };
}

/** For every pinned use case that no cluster continues: the largest found one that it is made of. */
function unmatchedPins(
  useCases: readonly KnownUseCase[],
  { slugs }: IdentityMatch,
  edits: OperatorEdits,
): string[] {
  const continued = new Set(slugs.flatMap((slug) => (slug === null ? [] : [edits.movedSlug(slug)])));
  return [...edits.pinned].flatMap((pin) => {
    if (continued.has(pin)) return [];
    const parts = useCases.filter(({ slug }) => edits.movedSlug(slug) === pin);
    const isFedBySplit = edits.splits.some(
      ({ slug, source }) => edits.movedSlug(slug) === pin && continued.has(edits.movedSlug(source)),
    );
    const [largest] = parts.sort((a, b) => b.promptCount - a.promptCount);
    return largest === undefined || isFedBySplit ? [] : [largest.slug];
  });
}

/** Adds the centres of kept use cases, and gives them their own prompts back and those that lie nearest. */
function withKeptCentres(
  clustering: Clustering,
  kept: readonly string[],
  known: readonly (string | null)[],
  vectors: readonly Float32Array[],
  previous: PreviousRun | null,
): { clustering: Clustering; keptSlugs: string[] } {
  const { centroids } = clustering;
  const centres = kept.flatMap((slug) => {
    const own = vectors.filter((_, at) => known[at] === slug);
    const stored = previous?.useCases.find((useCase) => useCase.slug === slug);
    const centroid = own.length > 0 ? meanDirection(own, centroids.dims) : stored?.centroid;
    if (centroid?.length !== centroids.dims) return [];
    const similarities = own.map((vector) => cosineOf(vector, centroid)).sort((a, b) => a - b);
    const bound =
      similarities[Math.floor(similarities.length * OUTLIER_SHARE)] ?? stored?.similarityMin ?? 0.5;
    return [{ slug, centroid, similarityMin: bound }];
  });
  if (centres.length === 0) return { clustering, keptSlugs: [] };
  const count = centroids.count + centres.length;
  const data = new Float32Array(count * centroids.dims);
  data.set(centroids.data);
  const labels = clustering.labels.slice();
  const similarities = clustering.similarities.slice();
  centres.forEach(({ slug, centroid, similarityMin }, n) => {
    const label = centroids.count + n;
    data.set(centroid, label * centroids.dims);
    vectors.forEach((vector, at) => {
      const similarity = cosineOf(vector, centroid);
      const isNearest = similarity >= similarityMin && similarity > (similarities[at] as number);
      if (known[at] !== slug && !isNearest) return;
      labels[at] = label;
      similarities[at] = similarity;
    });
  });
  const similarityMins = Float32Array.from([
    ...clustering.similarityMins,
    ...centres.map(({ similarityMin }) => similarityMin),
  ]);
  return {
    clustering: {
      ...clustering,
      centroids: { data, count, dims: centroids.dims },
      labels,
      similarities,
      similarityMins,
    },
    keptSlugs: centres.map(({ slug }) => slug),
  };
}

function meanDirection(vectors: readonly Float32Array[], dims: number): Float32Array {
  const mean = new Float32Array(dims);
  for (const vector of vectors) {
    const length = Math.hypot(...vector);
    if (length === 0) continue;
    for (let at = 0; at < dims; at++) mean[at] = (mean[at] as number) + (vector[at] as number) / length;
  }
  const length = Math.hypot(...mean);
  return length === 0 ? mean : mean.map((value) => value / length);
}

/** Slug and name of each centre, and what became of the use cases before. */
export interface NamedIdentity {
  readonly names: readonly Pick<FoundUseCase, 'slug' | 'name' | 'description'>[];
  readonly events: readonly IdentityEvent[];
}

/** Per centre: whether it continues a use case whose name still fits, and so keeps it. */
export function withFittingNames(
  { slugs }: MatchedClustering,
  made: readonly ClusterName[],
  previous: PreviousRun | null,
): boolean[] {
  return slugs.map((slug, at) => {
    const old = previous?.useCases.find((useCase) => useCase.slug === slug);
    const own = made[at];
    return old !== undefined && own !== undefined && isStillFitting(old, own);
  });
}

/**
 * Gives every centre its slug and name. What is continued keeps its slug; it keeps its name as well, unless not
 * one word of it is in the new name or keywords any more. What is new takes the name made for it; when a use case
 * of that slug has just died, it is that one come back.
 */
export function nameIdentities(
  matched: MatchedClustering,
  made: readonly (ClusterName & { readonly description?: string })[],
  previous: PreviousRun | null,
  edits: OperatorEdits,
): NamedIdentity {
  const before = new Map(previous?.useCases.map((useCase) => [useCase.slug, useCase]));
  const continued = matched.slugs.filter((slug) => slug !== null);
  const taken = new Set<string>([...continued, ...edits.givenSlugs, 'other']);
  const slugs = matched.slugs.map((slug, at) => {
    if (slug !== null) return slug;
    const own = toSlug(made[at]?.slug ?? 'use_case', taken);
    taken.add(own);
    return own;
  });
  const match = {
    ...matched.match,
    slugs: slugs.map((slug, at) => matched.slugs[at] ?? (before.has(slug) ? slug : null)),
  };
  const titles = new Set<string>();
  const names: NamedIdentity['names'][number][] = slugs.map((slug) => ({
    slug,
    name: '',
    description: null,
  }));
  // Names that stay are given first: a new use case has to find another.
  const order = Array.from(slugs.keys()).sort(
    (a, b) => Number(match.slugs[a] === null) - Number(match.slugs[b] === null) || a - b,
  );
  for (const at of order) {
    const slug = slugs[at] ?? '';
    const own: (typeof made)[number] = made[at] ?? { name: slug, slug, keywords: [] };
    const old = match.slugs[at] === null ? undefined : before.get(slug);
    const wanted = old !== undefined && isStillFitting(old, own) ? old : own;
    const name = unusedName(wanted.name, own.keywords, titles);
    titles.add(name.toLowerCase());
    names[at] = { slug, name, description: wanted.description ?? null };
  }
  return { names, events: identityEvents(matched.previousSlugs, slugs, match, matched.kept) };
}

/** A model's title may have words of its own, which its description then explains. */
function isStillFitting(
  old: Pick<FoundUseCase, 'name' | 'description'>,
  { name, keywords }: ClusterName,
): boolean {
  const now = new Set([name, ...keywords].flatMap(stemsOf));
  // A cluster without keywords is too small to say that its name is wrong.
  return (
    keywords.length === 0 || stemsOf(`${old.name} ${old.description ?? ''}`).some((stem) => now.has(stem))
  );
}

/** Words by their first five letters, which is enough to see that "recipes" and "recipe" are one. */
function stemsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.map((word) => word.slice(0, 5));
}

function unusedName(name: string, keywords: readonly string[], taken: ReadonlySet<string>): string {
  if (!taken.has(name.toLowerCase())) return name;
  for (const keyword of keywords) {
    const longer = `${name} & ${keyword.replace(/(^|\s)(\p{L})/gu, (letter) => letter.toUpperCase())}`;
    if (!stemsOf(name).includes(keyword.slice(0, 5)) && !taken.has(longer.toLowerCase())) return longer;
  }
  for (let n = 2; ; n++) if (!taken.has(`${name} ${n}`.toLowerCase())) return `${name} ${n}`;
}
