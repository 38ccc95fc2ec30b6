import { TallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';
import { classifiedText } from '../core/prompt-text.ts';
import { StarterClassifier } from '../core/starter-taxonomy.ts';
import type { Timeframe } from '../core/timeframe.ts';
import { OTHER_USE_CASE } from '../core/use-case.ts';
import { createRandom } from '../stats/random.ts';
import type { Database } from '../store/database.ts';
import {
  type DiscoveryRun,
  type PromptAssignment,
  type StoredUseCase,
  writeAssignments,
  writeClassifier,
  writeDiscoveryRun,
  writeUseCases,
} from '../store/queries/discovery-runs.ts';
import {
  countPrompts,
  type DistinctPrompt,
  readDistinctPrompts,
  readPromptParts,
} from '../store/queries/distinct-prompts.ts';
import { rebuildRollups } from '../store/rollups.ts';
import type { StabilityPoint } from './choose-k.ts';
import { type Clustering, clusterVectors, nearestCluster } from './cluster-prompts.ts';
import type { Embedder } from './embedders/embedder.ts';
import { nameClusters } from './name-clusters.ts';
import { trainClassifier } from './train-classifier.ts';

export interface PipelineOptions {
  readonly db: Database;
  readonly embedder: Embedder;
  readonly timeframe: Timeframe;
  readonly seed: number;
  readonly clock: () => number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
  /** Distinct prompts that are clustered; the others are assigned. */
  readonly sampleMax?: number | undefined;
}

/** What a run says of itself; stored with it as JSON. */
export interface DiscoveryReport {
  readonly embedder: string;
  readonly seed: number;
  readonly requestCount: number;
  readonly distinctPromptCount: number;
  /** Distinct prompts that were clustered. */
  readonly sampledCount: number;
  readonly useCaseCount: number;
  /** Share of clustered prompts that fit no use case. */
  readonly otherShare: number;
  /** Split-half stability per number of clusters: how the number was chosen. */
  readonly stabilityCurve: readonly StabilityPoint[];
  /** Of the hot path's classifier on held-out prompts; null when there were too few. */
  readonly classifierAccuracy: number | null;
  readonly classifierBytes: number;
  readonly durationMs: number;
  /** Anything a reader must know, in a sentence; null when there is nothing. */
  readonly note: string | null;
}

/** Fewer distinct prompts say nothing that keywords do not say. */
export const DISTINCT_PROMPTS_MIN = 50;
/** What 2 cores cluster well under a minute; an even sample of more prompts finds the same use cases. */
const SAMPLE_MAX = 20_000;
const EXAMPLES_MAX = 5;
const EXAMPLE_LENGTH_MAX = 240;
/** Texts of a cluster that name it: the most typical ones. */
const NAMING_TEXTS_MAX = 400;
const EMBED_BATCH = 512;

/**
 * One discovery run: distinct prompts -> vectors -> clusters -> names -> hot-path classifier -> assignments,
 * all written under a new run id; then the roll-ups are rebuilt for it and the run becomes the current one.
 * Until that last step nobody sees any of it.
 *
 * @returns the run, or null when the window holds fewer than {@link DISTINCT_PROMPTS_MIN} distinct prompts
 * @throws {TallyrankError} `cancelled` when `signal` fires
 */
export async function runDiscovery(options: PipelineOptions): Promise<DiscoveryRun | null> {
  try {
    return await runSteps(options);
  } catch (error) {
    // An embedder or the store may have noticed the signal first, each in its own words.
    if (options.signal?.aborted) throw cancelled(error);
    throw error;
  }
}

async function runSteps(options: PipelineOptions): Promise<DiscoveryRun | null> {
  const { db, embedder, timeframe, clock, signal, onProgress, sampleMax = SAMPLE_MAX } = options;
  const startedAtMs = clock();
  const step: Step = (name, done = 0, total = null) => {
    if (signal?.aborted) throw cancelled();
    onProgress?.(name, done, total);
  };
  step('reading prompts');
  const window = { from: timeframe.from, to: timeframe.to, signal };
  const totals = await countPrompts(db, window);
  if (totals.distinctCount < DISTINCT_PROMPTS_MIN) return null;
  const prompts = await readDistinctPrompts(db, { ...window, limit: sampleMax });
  const found = await discover(prompts, options, step);
  const run: DiscoveryRun = {
    runId: new Date(startedAtMs).toISOString().replace(/[-:.]/g, ''),
    createdAtMs: startedAtMs,
    status: 'building',
    windowFromMs: timeframe.from.getTime(),
    windowToMs: timeframe.to.getTime(),
    embedder: embedder.id,
    requestCount: totals.requestCount,
    distinctPromptCount: totals.distinctCount,
    useCaseCount: found.useCases.length,
    report: null,
  };
  await writeDiscoveryRun(db, run, clock());
  try {
    await publish(run, found, prompts, options, step);
    const report = {
      ...found.report,
      requestCount: totals.requestCount,
      distinctPromptCount: totals.distinctCount,
    };
    const active: DiscoveryRun = {
      ...run,
      status: 'active',
      report: { ...report, durationMs: clock() - startedAtMs } satisfies DiscoveryReport,
    };
    step('activating');
    await writeDiscoveryRun(db, active, clock());
    return active;
  } catch (error) {
    // The run stays invisible either way; the mark only tells a reader of the table why.
    await writeDiscoveryRun(db, { ...run, status: 'failed' }, clock()).catch(() => undefined);
    throw error;
  }
}

function cancelled(cause?: unknown): TallyrankError {
  return new TallyrankError('cancelled', 'The discovery run was cancelled.', { cause });
}

type Step = (name: string, done?: number, total?: number | null) => void;

interface Discovered {
  readonly clustering: Clustering;
  /** In the order of the clustering's centres. */
  readonly useCases: readonly StoredUseCase[];
  readonly classifierBytes: Uint8Array;
  readonly report: Omit<DiscoveryReport, 'requestCount' | 'distinctPromptCount' | 'durationMs'>;
}

/** Everything that needs no store: vectors, clusters, names, classifier. */
async function discover(
  prompts: readonly DistinctPrompt[],
  { embedder, seed, signal }: PipelineOptions,
  step: Step,
): Promise<Discovered> {
  const random = createRandom(seed);
  const texts = prompts.map(classifiedText);
  const vectors = await embedAll(embedder, texts, signal, (done) => step('embedding', done, texts.length));
  const clustering = await clusterVectors(vectors, { random, step });
  step('naming');
  const useCases = describe(prompts, texts, clustering);
  step('training');
  const examples = texts.flatMap((text, at) => {
    const useCase = useCases[clustering.labels[at] ?? -1]?.slug;
    return useCase === undefined ? [] : [{ text, useCase }];
  });
  const trained = trainClassifier(examples, {
    random,
    onEpoch: (done, total) => step('training', done, total),
  });
  const classifierBytes = trained.classifier.encode();
  return {
    clustering,
    useCases,
    classifierBytes,
    report: {
      embedder: embedder.id,
      seed,
      sampledCount: prompts.length,
      useCaseCount: useCases.length,
      otherShare: clustering.labels.filter((label) => label < 0).length / prompts.length,
      stabilityCurve: clustering.curve,
      classifierAccuracy: trained.accuracy,
      classifierBytes: classifierBytes.length,
      note: null,
    },
  };
}

/** Writes all of a run but its activation, and rebuilds the roll-ups for it. */
async function publish(
  { runId, createdAtMs }: DiscoveryRun,
  found: Discovered,
  prompts: readonly DistinctPrompt[],
  { db, embedder, clock, signal, onProgress }: PipelineOptions,
  step: Step,
): Promise<void> {
  const { clustering, useCases, classifierBytes } = found;
  await writeUseCases(db, runId, withOther(useCases, prompts, clustering), createdAtMs);
  await writeClassifier(db, runId, classifierBytes, createdAtMs);
  const slugs = useCases.map(({ slug }) => slug);
  await assignEverything({ db, embedder, clustering, slugs, runId, signal, clock, step });
  step('rebuilding roll-ups');
  await rebuildRollups(db, runId, { signal, onProgress });
}

async function embedAll(
  embedder: Embedder,
  texts: readonly string[],
  signal: AbortSignal | undefined,
  onBatch: (done: number) => void,
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (let begin = 0; begin < texts.length; begin += EMBED_BATCH) {
    onBatch(begin);
    vectors.push(...(await embedder.embed(texts.slice(begin, begin + EMBED_BATCH), signal)));
  }
  return vectors;
}

function describe(
  prompts: readonly DistinctPrompt[],
  texts: readonly string[],
  clustering: Clustering,
): StoredUseCase[] {
  const members = membersOf(clustering);
  const names = nameClusters(
    members.map((cluster) => cluster.slice(0, NAMING_TEXTS_MAX).map((at) => texts[at] ?? '')),
    new StarterClassifier(),
  );
  const { centroids } = clustering;
  return members.map((cluster, label) => ({
    slug: names[label]?.slug ?? OTHER_USE_CASE,
    name: names[label]?.name ?? 'Other',
    keywords: names[label]?.keywords ?? [],
    ...countsOf(cluster, prompts),
    centroid: centroids.data.slice(label * centroids.dims, (label + 1) * centroids.dims),
  }));
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

function countsOf(
  cluster: readonly number[],
  prompts: readonly DistinctPrompt[],
): Pick<StoredUseCase, 'examplePrompts' | 'sampleCount' | 'distinctPromptCount' | 'typicalLength'> {
  const chosen = cluster.flatMap((at) => prompts[at] ?? []);
  const lengths = chosen.reduce((sum, { prompt }) => sum + prompt.length, 0);
  return {
    examplePrompts: chosen.slice(0, EXAMPLES_MAX).map(({ prompt }) => clip(prompt)),
    sampleCount: chosen.reduce((sum, { requestCount }) => sum + requestCount, 0),
    distinctPromptCount: chosen.length,
    typicalLength: chosen.length === 0 ? null : lengths / chosen.length,
  };
}

/** "Other" is listed like a use case, so that its share is seen; it has no centre. */
function withOther(
  useCases: readonly StoredUseCase[],
  prompts: readonly DistinctPrompt[],
  { labels }: Clustering,
): StoredUseCase[] {
  const outside = Array.from(labels.keys()).filter((at) => (labels[at] as number) < 0);
  if (outside.length === 0) return [...useCases];
  const other = { slug: OTHER_USE_CASE, name: 'Other', keywords: [], ...countsOf(outside, prompts) };
  return [...useCases, { ...other, centroid: new Float32Array(0) }];
}

/** Every distinct prompt of the log, also those before the window: the roll-ups are rebuilt for all of it. */
async function assignEverything(work: {
  readonly db: Database;
  readonly embedder: Embedder;
  readonly clustering: Clustering;
  readonly slugs: readonly string[];
  readonly runId: string;
  readonly signal: AbortSignal | undefined;
  readonly clock: () => number;
  readonly step: Step;
}): Promise<void> {
  const { db, embedder, clustering, slugs, runId, signal, step } = work;
  // A minute ahead: clocks of several gateways differ.
  const everything = { from: new Date(0), to: new Date(work.clock() + 60_000), signal };
  const { distinctCount } = await countPrompts(db, everything);
  let assignedCount = 0;
  for await (const part of readPromptParts(db, { ...everything, distinctCount })) {
    const vectors = await embedAll(embedder, part.map(classifiedText), signal, (done) =>
      step('assigning', assignedCount + done, distinctCount),
    );
    const assignments: PromptAssignment[] = part.map(({ promptHash }, at) => {
      const { label, similarity } = nearestCluster(clustering, vectors[at] ?? new Float32Array(0));
      return { promptHash, useCase: slugs[label] ?? OTHER_USE_CASE, confidence: Math.max(0, similarity) };
    });
    await writeAssignments(db, runId, assignments);
    assignedCount += part.length;
  }
}

function clip(text: string): string {
  return text.length > EXAMPLE_LENGTH_MAX ? `${text.slice(0, EXAMPLE_LENGTH_MAX)}…` : text;
}
