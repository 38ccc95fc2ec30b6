import type { PromptClassifier } from '../core/classifier.ts';
import type { Progress } from '../core/log.ts';
import { classifiedText } from '../core/prompt-text.ts';
import type { Database } from '../store/database.ts';
import { type PromptAssignment, streamAssignments, writeAssignments } from '../store/queries/assignments.ts';
import { type DiscoveryRun, writeClassifier, writeUseCases } from '../store/queries/discovery-runs.ts';
import { countPrompts, readPromptParts } from '../store/queries/distinct-prompts.ts';
import { writeFoundUseCases } from '../store/queries/found-use-cases.ts';
import { writeUseCaseEvents } from '../store/queries/use-case-history.ts';
import { rebuildRollups } from '../store/rollups.ts';
import type { Discovered } from './discover.ts';
import type { Step } from './discovery-run.ts';
import type { OperatorEdits } from './edits/operator-edits.ts';
import type { PreviousRun } from './identity/identity-step.ts';

export interface WriteRunOptions {
  readonly db: Database;
  readonly clock: () => number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
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
  const known = await knownPrompts(db, discovered, past.previous);
  await assignEverything({ ...discovered, edits: past.edits, runId, known }, options, step);
  step('rebuilding roll-ups');
  await rebuildRollups(db, runId, { signal, onProgress });
}

/** What is known of a prompt without looking at it again. */
type Known = Pick<PromptAssignment, 'foundUseCase' | 'confidence'>;

/**
 * The prompts of the sample; and where centres are continued, those of the run before, because a prompt keeps its use
 * case. So do those of pinned use cases always: nobody may have asked in them, so that nothing learnt them.
 */
async function knownPrompts(
  db: Database,
  { labelled, found, isContinued, kept }: Discovered,
  previous: PreviousRun | null,
): Promise<Map<string, Known>> {
  const known = new Map<string, Known>();
  // One string per use case, not one per prompt.
  const slugs = new Map(
    found.filter(({ slug }) => isContinued || kept.has(slug)).map(({ slug }) => [slug, slug]),
  );
  if (slugs.size > 0 && previous !== null) {
    for await (const rows of streamAssignments(db, previous.runId)) {
      for (const { promptHash, foundUseCase, confidence } of rows) {
        const slug = slugs.get(foundUseCase);
        if (slug !== undefined) known.set(promptHash, { foundUseCase: slug, confidence });
      }
    }
  }
  for (const { promptHash, foundSlug, similarity } of labelled) {
    known.set(promptHash, { foundUseCase: foundSlug, confidence: Math.max(0, similarity) });
  }
  return known;
}

function classified(classifier: PromptClassifier, text: string): Known {
  const { useCase, confidence } = classifier.classify(text);
  return { foundUseCase: useCase, confidence };
}

/** Every distinct prompt of the log, also those before the window: the roll-ups are rebuilt for all of it. */
async function assignEverything(
  run: {
    readonly foundClassifier: PromptClassifier;
    readonly edits: OperatorEdits;
    readonly runId: string;
    readonly known: ReadonlyMap<string, Known>;
  },
  { db, signal, clock }: WriteRunOptions,
  step: Step,
): Promise<void> {
  const { foundClassifier, edits, runId, known } = run;
  // A minute ahead: clocks of several gateways differ.
  const everything = { from: new Date(0), to: new Date(clock() + 60_000), signal };
  const { distinctCount } = await countPrompts(db, everything);
  let assignedCount = 0;
  for await (const part of readPromptParts(db, { ...everything, distinctCount })) {
    step('assigning', assignedCount, distinctCount);
    const assignments = part.map((prompt): PromptAssignment => {
      const { promptHash } = prompt;
      const text = classifiedText(prompt);
      const { foundUseCase, confidence } = known.get(promptHash) ?? classified(foundClassifier, text);
      return { promptHash, useCase: edits.shownSlug(foundUseCase, text), foundUseCase, confidence };
    });
    await writeAssignments(db, runId, assignments);
    assignedCount += part.length;
  }
}
