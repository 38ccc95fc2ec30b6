import { TallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';
import { classifiedText } from '../core/prompt-text.ts';
import { StarterClassifier } from '../core/starter-taxonomy.ts';
import type { Timeframe } from '../core/timeframe.ts';
import { OTHER_USE_CASE } from '../core/use-case.ts';
import { createRandom } from '../stats/random.ts';
import type { Database } from '../store/database.ts';
import {
  type PromptAssignment,
  readPromptUsers,
  readSampledAssignments,
  streamAssignments,
  writeAssignments,
} from '../store/queries/assignments.ts';
import {
  type DiscoveryRun,
  readActiveRun,
  type StoredUseCase,
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
import {
  type FoundUseCase,
  readFoundUseCases,
  writeFoundUseCases,
} from '../store/queries/found-use-cases.ts';
import { readUseCaseEdits } from '../store/queries/use-case-edits.ts';
import { writeUseCaseEvents } from '../store/queries/use-case-history.ts';
import { rebuildRollups } from '../store/rollups.ts';
import { applyEdits } from './apply-edits.ts';
import { type Clustering, clusterVectors, nearestCluster } from './cluster-prompts.ts';
import { continueClusters } from './continue-clusters.ts';
import { describeUseCases, type LabelledPrompt, NAMING_TEXTS_MAX } from './describe-use-cases.ts';
import {
  type DiscoveryHooks,
  type DiscoveryReport,
  nextRunId,
  type PreparedPrompt,
  SAMPLE_MAX,
} from './discovery-run.ts';
import type { Embedder } from './embedders/embedder.ts';
import { knownLabels, matchClusters, nameIdentities, type PreviousRun } from './identity-step.ts';
import type { IdentityEvent } from './match-identity.ts';
import { nameClusters } from './name-clusters.ts';
import { OperatorEdits } from './operator-edits.ts';
import { trainClassifier } from './train-classifier.ts';

export interface PipelineOptions extends DiscoveryHooks {
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

/** Fewer distinct prompts say nothing that keywords do not say. */
export const DISTINCT_PROMPTS_MIN = 50;
const EMBED_BATCH = 512;

/**
 * One discovery run: distinct prompts -> vectors -> clusters -> identity -> operator edits -> names, themes,
 * hot-path classifier -> assignments, all written under a new run id; then the roll-ups are rebuilt for it and the
 * run becomes the current one. Until that last step nobody sees any of it.
 *
 * @returns the run, or null when the window holds fewer than {@link DISTINCT_PROMPTS_MIN} distinct prompts
 * @throws {TallyrankError} `cancelled` when `signal` fires
 */
export async function runDiscovery(options: PipelineOptions): Promise<DiscoveryRun | null> {
  try {
    const run = await runSteps(options);
    // What the operator did meanwhile; nothing to do, mostly.
    return run === null ? null : ((await applyEdits(options)) ?? run);
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
  const sample = { ...window, limit: sampleMax };
  const prompts = await readDistinctPrompts(db, sample);
  const past = await readPast(db, sample);
  const found = await discover(
    options.prepare?.(prompts) ?? prompts,
    { ...past, users: await readPromptUsers(db, sample), isShared: totals.userCount > 1 },
    options,
    step,
  );
  const { runId, createdAtMs } = nextRunId(startedAtMs, past.active);
  const run: DiscoveryRun = {
    runId,
    createdAtMs,
    status: 'building',
    windowFromMs: timeframe.from.getTime(),
    windowToMs: timeframe.to.getTime(),
    embedder: embedder.id,
    requestCount: totals.requestCount,
    distinctPromptCount: totals.distinctCount,
    useCaseCount: found.report.useCaseCount,
    report: null,
  };
  await writeDiscoveryRun(db, run, clock());
  try {
    await publish(run, found, past, options, step);
    const report = {
      ...found.report,
      requestCount: totals.requestCount,
      distinctPromptCount: totals.distinctCount,
    };
    step('activating');
    // Another program may have edited the current run meanwhile; its edits are applied to this one after.
    const current = await readActiveRun(db);
    const active: DiscoveryRun = {
      ...run,
      createdAtMs: Math.max(createdAtMs, (current?.createdAtMs ?? 0) + 1),
      status: 'active',
      report: { ...report, durationMs: clock() - startedAtMs } satisfies DiscoveryReport,
    };
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

/** What a run starts from: the run before, and what the operator did. */
interface Past {
  readonly active: DiscoveryRun | null;
  readonly previous: PreviousRun | null;
  readonly edits: OperatorEdits;
}

async function readPast(db: Database, sample: Parameters<typeof readPromptUsers>[1]): Promise<Past> {
  const edits = new OperatorEdits(await readUseCaseEdits(db));
  const active = await readActiveRun(db);
  if (active === null) return { active, previous: null, edits };
  const { runId, embedder } = active;
  const previous = {
    runId,
    embedder,
    useCases: await readFoundUseCases(db, runId),
    assignments: await readSampledAssignments(db, { ...sample, runId }),
  };
  return { active, previous, edits };
}

interface Discovered {
  readonly clustering: Clustering;
  /** True when the centres are those of the run before, moved. */
  readonly isContinued: boolean;
  readonly labelled: readonly LabelledPrompt[];
  /** In the order of the clustering's centres. */
  readonly found: readonly FoundUseCase[];
  readonly shown: readonly StoredUseCase[];
  readonly events: readonly IdentityEvent[];
  readonly classifierBytes: Uint8Array;
  readonly report: Omit<DiscoveryReport, 'requestCount' | 'distinctPromptCount' | 'durationMs'>;
}

/** Everything that needs no store: vectors, clusters, identity, names, classifier. */
async function discover(
  prompts: readonly PreparedPrompt[],
  past: Past & {
    readonly users: ReadonlyMap<string, readonly string[]>;
    readonly isShared: boolean;
  },
  options: PipelineOptions,
  step: Step,
): Promise<Discovered> {
  const { embedder, seed, signal, redact = (text) => text } = options;
  const { previous, edits } = past;
  const random = createRandom(seed);
  const texts = prompts.map(textOf);
  const vectors = await embedAll(embedder, texts, signal, (done) => step('embedding', done, texts.length));
  const fresh = await clusterVectors(vectors, { random, step, texts });
  step('matching');
  const known = knownLabels(prompts, previous, edits);
  const continued =
    previous?.embedder === embedder.id ? continueClusters(vectors, fresh, known, previous.useCases) : null;
  const identity = { previous, edits, known, embedder: embedder.id };
  const matched = matchClusters(continued ?? fresh, prompts, vectors, identity);
  const { clustering } = matched;
  step('naming');
  const members = membersOf(clustering).map((cluster) =>
    cluster.slice(0, NAMING_TEXTS_MAX).map((at) => redact(texts[at] ?? '')),
  );
  const made = nameClusters(members, new StarterClassifier());
  const given = await options.nameBy?.(made.map((name, at) => ({ ...name, texts: members[at] ?? [] })));
  const named = nameIdentities(
    matched,
    made.map((name, at) => ({ ...name, name: given?.[at] ?? name.name })),
    previous,
    edits,
  );
  const found = foundUseCases(named.names, clustering);
  const labelled = labelPrompts(prompts, texts, clustering, found, edits);
  const shown = describeUseCases(labelled, { ...past, found, redact });
  step('training');
  const examples = labelled.filter(({ shownSlug }) => shownSlug !== OTHER_USE_CASE);
  const trained = trainClassifier(
    examples.map(({ text, shownSlug }) => ({ text, useCase: shownSlug })),
    { random, onEpoch: (done, total) => step('training', done, total) },
  );
  const classifierBytes = trained.classifier.encode();
  return {
    clustering,
    isContinued: continued !== null,
    labelled,
    found,
    shown,
    events: named.events,
    classifierBytes,
    report: {
      embedder: embedder.id,
      seed,
      sampledCount: prompts.length,
      useCaseCount: shown.filter(({ slug }) => slug !== OTHER_USE_CASE).length,
      otherShare: 1 - examples.length / prompts.length,
      stabilityCurve: clustering.curve,
      classifierAccuracy: trained.accuracy,
      classifierBytes: classifierBytes.length,
      previousRunId: previous?.runId ?? null,
      isContinued: continued !== null,
      keptShare: matched.keptShare,
      derivedFrom: null,
      lastEditId: edits.lastEditId,
      note: null,
    },
  };
}

function textOf(prompt: PreparedPrompt): string {
  return prompt.text ?? classifiedText(prompt);
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
  names: readonly { readonly slug: string; readonly name: string }[],
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
  { labels, similarities }: Clustering,
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

/** Writes all of a run but its activation, and rebuilds the roll-ups for it. */
async function publish(
  { runId, createdAtMs }: DiscoveryRun,
  discovered: Discovered,
  { edits, previous }: Past,
  options: PipelineOptions,
  step: Step,
): Promise<void> {
  const { db, signal, onProgress } = options;
  const { found, shown, events, classifierBytes } = discovered;
  await writeFoundUseCases(db, runId, found, createdAtMs);
  await writeUseCases(db, runId, shown, createdAtMs);
  await writeUseCaseEvents(
    db,
    events.map((event) => ({ ...event, runId, atMs: createdAtMs })),
  );
  await writeClassifier(db, runId, classifierBytes, createdAtMs);
  const fixed = await fixedLabels(db, discovered, previous);
  await assignEverything({ ...discovered, edits, runId, fixed }, options, step);
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

/**
 * Found slugs by prompt hash that are not the nearest centre's: the sample was clustered in a finer space than
 * that of the centres, and where centres are continued a prompt keeps its use case.
 */
async function fixedLabels(
  db: Database,
  { labelled, found, isContinued }: Discovered,
  previous: PreviousRun | null,
): Promise<Map<string, string>> {
  const fixed = new Map<string, string>();
  if (isContinued && previous !== null) {
    const slugs = new Map(found.map(({ slug }) => [slug, slug]));
    for await (const rows of streamAssignments(db, previous.runId)) {
      for (const { promptHash, foundUseCase } of rows) {
        const slug = slugs.get(foundUseCase);
        if (slug !== undefined) fixed.set(promptHash, slug);
      }
    }
  }
  for (const { promptHash, foundSlug } of labelled) fixed.set(promptHash, foundSlug);
  return fixed;
}

/** Every distinct prompt of the log, also those before the window: the roll-ups are rebuilt for all of it. */
async function assignEverything(
  run: {
    readonly found: readonly FoundUseCase[];
    readonly clustering: Clustering;
    readonly edits: OperatorEdits;
    readonly runId: string;
    readonly fixed: ReadonlyMap<string, string>;
  },
  { db, embedder, signal, clock, prepare }: PipelineOptions,
  step: Step,
): Promise<void> {
  const { found, clustering, edits, runId, fixed } = run;
  // A minute ahead: clocks of several gateways differ.
  const everything = { from: new Date(0), to: new Date(clock() + 60_000), signal };
  const { distinctCount } = await countPrompts(db, everything);
  let assignedCount = 0;
  for await (const part of readPromptParts(db, { ...everything, distinctCount })) {
    const texts = (prepare?.(part) ?? part).map(textOf);
    const vectors = await embedAll(embedder, texts, signal, (done) =>
      step('assigning', assignedCount + done, distinctCount),
    );
    const assignments: PromptAssignment[] = part.map(({ promptHash }, at) => {
      const { label, similarity } = nearestCluster(clustering, vectors[at] ?? new Float32Array(0));
      const foundUseCase = fixed.get(promptHash) ?? found[label]?.slug ?? OTHER_USE_CASE;
      const useCase = edits.shownSlug(foundUseCase, texts[at] ?? '');
      return { promptHash, useCase, foundUseCase, confidence: Math.max(0, similarity) };
    });
    await writeAssignments(db, runId, assignments);
    assignedCount += part.length;
  }
}
