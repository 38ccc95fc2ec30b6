import { TallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';
import { StarterClassifier } from '../core/starter-taxonomy.ts';
import type { Timeframe } from '../core/timeframe.ts';
import { OTHER_USE_CASE } from '../core/use-case.ts';
import { createRandom } from '../stats/random.ts';
import type { Database } from '../store/database.ts';
import { readPromptUsers, readSampledAssignments } from '../store/queries/assignments.ts';
import { type DiscoveryRun, readActiveRun, writeDiscoveryRun } from '../store/queries/discovery-runs.ts';
import { countPrompts, type DistinctPrompt, readDistinctPrompts } from '../store/queries/distinct-prompts.ts';
import { type FoundUseCase, readFoundUseCases } from '../store/queries/found-use-cases.ts';
import { readUseCaseEdits } from '../store/queries/use-case-edits.ts';
import { applyEdits } from './apply-edits.ts';
import { type Clustering, clusterVectors } from './cluster-prompts.ts';
import { continueClusters } from './continue-clusters.ts';
import { describeUseCases, type LabelledPrompt, NAMING_TEXTS_MAX } from './describe-use-cases.ts';
import {
  type DiscoveryHooks,
  type DiscoveryReport,
  nextRunId,
  SAMPLE_MAX,
  type Step,
} from './discovery-run.ts';
import { embedAll, textOf } from './embed-prompts.ts';
import type { Embedder } from './embedders/embedder.ts';
import { knownLabels, matchClusters, nameIdentities, type PreviousRun } from './identity-step.ts';
import { nameClusters } from './name-clusters.ts';
import { OperatorEdits } from './operator-edits.ts';
import { redact } from './redact.ts';
import { trainClassifier } from './train-classifier.ts';
import { type Discovered, writeRun } from './write-run.ts';

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
    prompts,
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
    await writeRun(run, found, past, options, step);
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

/** Everything that needs no store: vectors, clusters, identity, names, classifier. */
async function discover(
  prompts: readonly DistinctPrompt[],
  past: Past & {
    readonly users: ReadonlyMap<string, readonly string[]>;
    readonly isShared: boolean;
  },
  options: PipelineOptions,
  step: Step,
): Promise<Discovered> {
  const { embedder, seed, signal } = options;
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
  const shown = describeUseCases(labelled, { ...past, found });
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
      modularityCurve: clustering.curve,
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
