import type { Progress } from '../core/log.ts';
import { OTHER_USE_CASE } from '../core/use-case.ts';
import type { Database } from '../store/database.ts';
import { type PromptAssignment, streamAssignments, writeAssignments } from '../store/queries/assignments.ts';
import {
  type DiscoveryRun,
  type StoredUseCase,
  writeClassifier,
  writeUseCases,
} from '../store/queries/discovery-runs.ts';
import { countPrompts, readPromptParts } from '../store/queries/distinct-prompts.ts';
import { type FoundUseCase, writeFoundUseCases } from '../store/queries/found-use-cases.ts';
import { writeUseCaseEvents } from '../store/queries/use-case-history.ts';
import { rebuildRollups } from '../store/rollups.ts';
import { type Clustering, nearestCluster } from './cluster-prompts.ts';
import type { LabelledPrompt } from './describe-use-cases.ts';
import type { DiscoveryReport, Step } from './discovery-run.ts';
import { embedAll, textOf } from './embed-prompts.ts';
import type { Embedder } from './embedders/embedder.ts';
import type { PreviousRun } from './identity-step.ts';
import type { IdentityEvent } from './match-identity.ts';
import type { OperatorEdits } from './operator-edits.ts';

export interface WriteRunOptions {
  readonly db: Database;
  readonly embedder: Embedder;
  readonly clock: () => number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
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
  readonly events: readonly IdentityEvent[];
  readonly classifierBytes: Uint8Array;
  readonly report: Omit<DiscoveryReport, 'requestCount' | 'distinctPromptCount' | 'durationMs'>;
}

/** Writes all of a run but its activation, and rebuilds the roll-ups for it. */
export async function writeRun(
  { runId, createdAtMs }: DiscoveryRun,
  discovered: Discovered,
  past: { readonly edits: OperatorEdits; readonly previous: PreviousRun | null },
  options: WriteRunOptions,
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
  const fixed = await fixedLabels(db, discovered, past.previous);
  await assignEverything({ ...discovered, edits: past.edits, runId, fixed }, options, step);
  step('rebuilding roll-ups');
  await rebuildRollups(db, runId, { signal, onProgress });
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
  { db, embedder, signal, clock }: WriteRunOptions,
  step: Step,
): Promise<void> {
  const { found, clustering, edits, runId, fixed } = run;
  // A minute ahead: clocks of several gateways differ.
  const everything = { from: new Date(0), to: new Date(clock() + 60_000), signal };
  const { distinctCount } = await countPrompts(db, everything);
  let assignedCount = 0;
  for await (const part of readPromptParts(db, { ...everything, distinctCount })) {
    const texts = part.map(textOf);
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
