import { TallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { Database } from '../store/database.ts';
import { readPromptUsers, readSampledAssignments } from '../store/queries/assignments.ts';
import { type DiscoveryRun, readActiveRun, writeDiscoveryRun } from '../store/queries/discovery-runs.ts';
import { countPrompts, readDistinctPrompts } from '../store/queries/distinct-prompts.ts';
import { readFoundUseCases } from '../store/queries/found-use-cases.ts';
import { readUseCaseEdits } from '../store/queries/use-case-edits.ts';
import { discover, type Past } from './discover.ts';
import {
  type DiscoveryHooks,
  type DiscoveryReport,
  nextRunId,
  SAMPLE_MAX,
  type Step,
} from './discovery-run.ts';
import { applyEdits } from './edits/apply-edits.ts';
import { OperatorEdits } from './edits/operator-edits.ts';
import type { Embedder } from './embedders/embedder.ts';
import {
  describeChoice,
  type EmbedderChoice,
  openEmbedder,
  storesVectorsOf,
} from './embedders/open-embedder.ts';
import { PromptVectors } from './embedders/stored.ts';
import { readScheduledPrompts } from './repeats/scheduled-prompts.ts';
import { writeRun } from './write-run.ts';

export interface PipelineOptions extends DiscoveryHooks {
  readonly db: Database;
  readonly embedder: Embedder;
  /** Keep vectors in the store: each is computed once. */
  readonly storesVectors: boolean;
  /** Which embedder it is and why, in a sentence for the report. */
  readonly embedderReason: string;
  readonly timeframe: Timeframe;
  readonly seed: number;
  readonly clock: () => number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
  /** Distinct prompts that are clustered; the others are assigned. */
  readonly sampleMax?: number | undefined;
}

/** The embedder of a choice, or one of the program's own, as a run wants it. */
export async function embedderOptions(
  embedder: EmbedderChoice | Embedder,
): Promise<Pick<PipelineOptions, 'embedder' | 'storesVectors' | 'embedderReason'>> {
  if ('embed' in embedder) {
    const embedderReason = `${embedder.id} embeds the prompts: the program gave it to the analyzer.`;
    return { embedder, storesVectors: true, embedderReason };
  }
  return {
    embedder: await openEmbedder(embedder),
    storesVectors: storesVectorsOf(embedder),
    embedderReason: describeChoice(embedder),
  };
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
  const { db, embedder, storesVectors, timeframe, clock, signal, onProgress } = options;
  const limit = options.sampleMax ?? SAMPLE_MAX;
  const startedAtMs = clock();
  const step: Step = (name, done = 0, total = null) => {
    if (signal?.aborted) throw cancelled();
    onProgress?.(name, done, total);
  };
  step('reading prompts');
  const window = { from: timeframe.from, to: timeframe.to, signal };
  const totals = await countPrompts(db, window);
  if (totals.distinctCount < DISTINCT_PROMPTS_MIN) return null;
  const sample = { ...window, limit };
  const past = await readPast(db, sample);
  const asked = {
    prompts: await readDistinctPrompts(db, sample),
    users: await readPromptUsers(db, sample),
    isShared: totals.userCount > 1,
    scheduled: await readScheduledPrompts(db, window),
  };
  const vectors = new PromptVectors({ embedder, db: storesVectors ? db : null });
  const found = await discover(asked, past, { ...options, vectors }, step);
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
    await writeRun(run, found, past, { db, clock, signal, onProgress }, step);
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
