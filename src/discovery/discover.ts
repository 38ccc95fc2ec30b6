import type { PromptClassifier } from '../core/classifier.ts';
import type { LinearClassifier } from '../core/linear-classifier.ts';
import { classifiedText } from '../core/prompt-text.ts';
import { StarterClassifier } from '../core/starter-taxonomy.ts';
import { OTHER_USE_CASE } from '../core/use-case.ts';
import { createRandom, type Random } from '../stats/random.ts';
import type { DiscoveryRun, StoredUseCase } from '../store/queries/discovery-runs.ts';
import type { DistinctPrompt } from '../store/queries/distinct-prompts.ts';
import type { FoundUseCase } from '../store/queries/found-use-cases.ts';
import { type Clustering, clusterVectors } from './clustering/cluster-prompts.ts';
import { continueClusters } from './clustering/continue-clusters.ts';
import type { DiscoveryHooks, DiscoveryReport, Step } from './discovery-run.ts';
import type { OperatorEdits } from './edits/operator-edits.ts';

import type { PromptVectors } from './embedders/stored.ts';
import {
  knownLabels,
  type MatchedClustering,
  matchClusters,
  type NamedIdentity,
  nameIdentities,
  type PreviousRun,
  withFittingNames,
} from './identity/identity-step.ts';
import type { IdentityEvent } from './identity/match-identity.ts';
import {
  describeUseCases,
  type LabelledPrompt,
  mayShowTexts,
  NAMING_TEXTS_MAX,
} from './naming/describe-use-cases.ts';
import { nameClusters } from './naming/name-clusters.ts';
import { redact } from './redact.ts';
import { findTemplates, type Repeats, spreadOverMembers } from './repeats/repeats.ts';
import { reportRepeats } from './repeats/repeats-report.ts';
import type { ScheduledPrompt } from './repeats/scheduled-prompts.ts';
import { type TrainedClassifier, trainClassifier } from './train-classifier.ts';

/** What a run starts from: the run before, and what the operator did. */
export interface Past {
  readonly active: DiscoveryRun | null;
  readonly previous: PreviousRun | null;
  readonly edits: OperatorEdits;
}

/** The prompts of a run's sample and who asked them. */
export interface Asked {
  readonly prompts: readonly DistinctPrompt[];
  /** Who asked each prompt, by prompt hash. */
  readonly users: ReadonlyMap<string, readonly string[]>;
  /** True as soon as the log knows two users: then what only one of them asked is shown to nobody. */
  readonly isShared: boolean;
  readonly scheduled: readonly ScheduledPrompt[];
}

export interface DiscoverOptions extends DiscoveryHooks {
  readonly vectors: PromptVectors;
  /** Which embedder it is and why, in a sentence. */
  readonly embedderReason: string;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a run found and shows, before any of it is written. */
export interface Discovered {
  readonly clustering: Clustering;
  /** True when the centres are those of the run before, moved. */
  readonly isContinued: boolean;
  readonly labelled: readonly LabelledPrompt[];
  /** In the order of the clustering's centres. */
  readonly found: readonly FoundUseCase[];
  readonly shown: readonly StoredUseCase[];
  /** Found slugs of pinned use cases that live on by hand. */
  readonly kept: ReadonlySet<string>;
  readonly events: readonly IdentityEvent[];
  /** Gives found slugs. */
  readonly foundClassifier: PromptClassifier;
  /** The hot path's, which gives shown ones. */
  readonly classifierBytes: Uint8Array;
  readonly report: Omit<DiscoveryReport, 'requestCount' | 'distinctPromptCount' | 'durationMs'>;
}

/**
 * From prompts to use cases: templates, vectors, clusters, identity, names, hot-path classifier. Needs the store
 * for stored vectors alone.
 */
export async function discover(
  asked: Asked,
  past: Past,
  options: DiscoverOptions,
  step: Step,
): Promise<Discovered> {
  const { prompts } = asked;
  const { vectors, seed } = options;
  const { previous, edits } = past;
  const random = createRandom(seed);
  const texts = prompts.map(classifiedText);
  const repeats = findTemplates(prompts, (done, total) => step('recognising templates', done, total));
  const { clustering: clustered, ...matched } = await clusterAndMatch(
    asked,
    texts,
    repeats,
    past,
    options,
    step,
  );
  const { named, found } = await nameFound(
    { ...matched, clustering: clustered },
    asked,
    texts,
    repeats,
    past,
    options,
    step,
  );
  const clustering = { ...clustered, ...spreadOverMembers(repeats, clustered) };
  const labelled = labelPrompts(prompts, texts, clustering, found, edits);
  const shown = describeUseCases(labelled, { ...asked, edits, found });
  const trained = train(labelled, edits, { random, step });
  const classifierBytes = trained.classifier.encode();
  return {
    clustering,
    isContinued: matched.isContinued,
    labelled,
    found,
    shown,
    kept: matched.kept,
    events: named.events,
    foundClassifier: trained.foundClassifier,
    classifierBytes,
    report: {
      embedder: vectors.embedder.id,
      embedderReason: options.embedderReason,
      embeddedCount: vectors.computedCount,
      seed,
      sampledCount: prompts.length,
      clusteredCount: repeats.clustered.length,
      repeats: reportRepeats(repeats, asked),
      useCaseCount: shown.filter(({ slug }) => slug !== OTHER_USE_CASE).length,
      otherShare: labelled.filter(({ shownSlug }) => shownSlug === OTHER_USE_CASE).length / prompts.length,
      modularityCurve: clustering.curve,
      classifierAccuracy: trained.accuracy,
      classifierBytes: classifierBytes.length,
      previousRunId: previous?.runId ?? null,
      isContinued: matched.isContinued,
      keptShare: matched.keptShare,
      derivedFrom: null,
      lastEditId: edits.lastEditId,
      note: null,
    },
  };
}

/**
 * The classifier of what was found, and from it that of what is shown: renaming and merging rename its classes. What
 * an operator split by words is learnt anew.
 */
function train(
  labelled: readonly LabelledPrompt[],
  edits: OperatorEdits,
  { random, step }: { readonly random: Random; readonly step: Step },
): { classifier: LinearClassifier; foundClassifier: LinearClassifier; accuracy: number | null } {
  step('training');
  const trainOn = (slugOf: (prompt: LabelledPrompt) => string): TrainedClassifier =>
    trainClassifier(
      labelled.flatMap((prompt) => {
        const useCase = slugOf(prompt);
        return useCase === OTHER_USE_CASE ? [] : [{ text: prompt.text, useCase }];
      }),
      { random, onEpoch: (done, total) => step('training', done, total) },
    );
  const found = trainOn(({ foundSlug }) => foundSlug);
  if (edits.splits.length === 0) {
    const classifier = found.classifier.withUseCases((slug) => edits.movedSlug(slug));
    return { classifier, foundClassifier: found.classifier, accuracy: found.accuracy };
  }
  const shown = trainOn(({ shownSlug }) => shownSlug);
  return { ...shown, foundClassifier: found.classifier };
}

/** Clusters the prompts that count, and finds out which use cases of the run before they continue. */
async function clusterAndMatch(
  { prompts }: Asked,
  texts: readonly string[],
  repeats: Repeats,
  { previous, edits }: Past,
  { vectors: source, seed, signal }: DiscoverOptions,
  step: Step,
): Promise<MatchedClustering & { readonly isContinued: boolean }> {
  const counted = Array.from(repeats.clustered, (at) => prompts[at] as DistinctPrompt);
  const countedTexts = Array.from(repeats.clustered, (at) => texts[at] ?? '');
  const vectors = await source.vectorsOf(
    counted.map(({ promptHash }, at) => ({ promptHash, text: countedTexts[at] ?? '' })),
    { signal, onProgress: (done, total) => step('embedding', done, total) },
  );
  const fresh = await clusterVectors(vectors, { random: createRandom(seed), step, texts: countedTexts });
  step('matching');
  const embedder = source.embedder.id;
  const known = knownLabels(counted, previous, edits);
  const continued =
    previous?.embedder === embedder ? continueClusters(vectors, fresh, known, previous.useCases) : null;
  const matched = matchClusters(continued ?? fresh, counted, vectors, { previous, edits, known, embedder });
  return { ...matched, isContinued: continued !== null };
}

/** Names by words, and by the hook for those that have no fitting name yet and whose texts may be seen. */
async function nameFound(
  matched: MatchedClustering,
  { prompts, ...asked }: Asked,
  texts: readonly string[],
  { clustered }: Repeats,
  { previous, edits }: Past,
  { nameBy }: DiscoverOptions,
  step: Step,
): Promise<{ named: NamedIdentity; found: FoundUseCase[] }> {
  step('naming');
  const { clustering } = matched;
  const members = membersOf(clustering).map((cluster) => cluster.map((at) => clustered[at] as number));
  const samples = members.map((cluster) =>
    cluster.slice(0, NAMING_TEXTS_MAX).map((at) => redact(texts[at] ?? '')),
  );
  const made = nameClusters(samples, new StarterClassifier());
  const isFitting = withFittingNames(matched, made, previous);
  const given = await nameBy?.(
    made.map((name, at) => {
      const own = (members[at] ?? []).map((index) => prompts[index] as DistinctPrompt);
      return {
        ...name,
        texts: samples[at] ?? [],
        isWanted: isFitting[at] !== true && mayShowTexts(own, asked),
      };
    }),
    (done, total) => step('naming', done, total),
  );
  const named = nameIdentities(
    matched,
    made.map((name, at) => ({ ...name, ...given?.[at] })),
    previous,
    edits,
  );
  return { named, found: foundUseCases(named.names, clustering) };
}

/** Members of each cluster, the most typical first. */
function membersOf({ labels, similarities, centroids }: Clustering): number[][] {
  const members: number[][] = Array.from({ length: centroids.count }, () => []);
  labels.forEach((label, at) => {
    members[label]?.push(at);
  });
  for (const cluster of members)
    cluster.sort((a, b) => (similarities[b] as number) - (similarities[a] as number));
  return members;
}

function foundUseCases(
  names: NamedIdentity['names'],
  { centroids, labels, similarityMins }: Clustering,
): FoundUseCase[] {
  const counts = new Array<number>(centroids.count).fill(0);
  for (const label of labels) if (label >= 0) counts[label] = (counts[label] ?? 0) + 1;
  return names.map((name, at) => ({
    ...name,
    promptCount: counts[at] ?? 0,
    similarityMin: similarityMins[at] ?? 0,
    centroid: centroids.data.slice(at * centroids.dims, (at + 1) * centroids.dims),
  }));
}

function labelPrompts(
  prompts: readonly DistinctPrompt[],
  texts: readonly string[],
  { labels, similarities }: Pick<Clustering, 'labels' | 'similarities'>,
  found: readonly FoundUseCase[],
  edits: OperatorEdits,
): LabelledPrompt[] {
  return prompts.map((prompt, at) => {
    const text = texts[at] ?? '';
    const foundSlug = found[labels[at] ?? -1]?.slug ?? OTHER_USE_CASE;
    const shownSlug = edits.shownSlug(foundSlug, text);
    return { ...prompt, text, foundSlug, shownSlug, similarity: similarities[at] ?? 0 };
  });
}
