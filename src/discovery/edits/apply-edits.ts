import { TallyrankError } from '../../core/errors.ts';
import { LinearClassifier } from '../../core/linear-classifier.ts';
import type { Progress } from '../../core/log.ts';
import { classifiedText } from '../../core/prompt-text.ts';
import { OTHER_USE_CASE } from '../../core/use-case.ts';
import { createRandom } from '../../stats/random.ts';
import type { Database } from '../../store/database.ts';
import {
  copyAssignments,
  type Relabelling,
  readPromptUsers,
  readSampledAssignments,
  streamFoundPrompts,
  writeAssignments,
} from '../../store/queries/assignments.ts';
import {
  type DiscoveryRun,
  readActiveRun,
  readStoredUseCases,
  writeClassifier,
  writeDiscoveryRun,
  writeUseCases,
} from '../../store/queries/discovery-runs.ts';
import { countPrompts, readDistinctPrompts } from '../../store/queries/distinct-prompts.ts';
import {
  type FoundUseCase,
  readFoundUseCases,
  writeFoundUseCases,
} from '../../store/queries/found-use-cases.ts';
import { readClassifierBytes } from '../../store/queries/snapshots.ts';
import { readUseCaseEdits, type UseCaseEdit } from '../../store/queries/use-case-edits.ts';
import { rebuildRollups } from '../../store/rollups.ts';
import { type DiscoveryHooks, type DiscoveryReport, nextRunId, SAMPLE_MAX } from '../discovery-run.ts';
import { describeUseCases, type LabelledPrompt } from '../naming/describe-use-cases.ts';
import { trainClassifier } from '../train-classifier.ts';
import { OperatorEdits } from './operator-edits.ts';

export interface ApplyEditsOptions extends DiscoveryHooks {
  readonly db: Database;
  readonly seed: number;
  readonly clock: () => number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
  readonly sampleMax?: number | undefined;
}

/**
 * Brings the current run up to date with the operator's edits. New names and pins are written into it. Whatever
 * changes slugs makes a run of its own, the current one relabelled, with its roll-ups, and switches to it: rows
 * that a gateway labels meanwhile carry the old run's id and are counted under the new slugs. Nothing is embedded
 * or clustered again.
 *
 * @returns the run that holds now, or null when there was nothing to do
 * @throws {TallyrankError} `cancelled`, `store_unavailable`
 */
export async function applyEdits(options: ApplyEditsOptions): Promise<DiscoveryRun | null> {
  const { db, clock, signal, onProgress } = options;
  const base = await readActiveRun(db);
  if (base === null) return null;
  const log = await readUseCaseEdits(db);
  const appliedId = (base.report as Partial<DiscoveryReport> | null)?.lastEditId ?? null;
  const edits = new OperatorEdits(log);
  if (edits.lastEditId === appliedId) return null;
  const before = new OperatorEdits(log.slice(0, log.findIndex(({ editId }) => editId === appliedId) + 1));
  const found = await readFoundUseCases(db, base.runId);
  if (stepsOf(before) === stepsOf(edits)) return writeNames(base, found, edits, options);
  const startedAtMs = clock();
  const { runId, createdAtMs } = nextRunId(startedAtMs, base);
  const building: DiscoveryRun = { ...base, runId, createdAtMs, status: 'building', report: null };
  await writeDiscoveryRun(db, building, clock());
  try {
    onProgress?.('relabelling', 0, null);
    const change = { base, runId, createdAtMs, found, before, edits };
    const useCaseCount = await writeEdited(change, options);
    await relabel(change, options);
    await rebuildRollups(db, runId, { signal, onProgress });
    const report = {
      ...(base.report as DiscoveryReport),
      useCaseCount,
      derivedFrom: base.runId,
      lastEditId: edits.lastEditId,
      durationMs: clock() - startedAtMs,
    } satisfies DiscoveryReport;
    const active: DiscoveryRun = { ...building, status: 'active', useCaseCount, report };
    if ((await readActiveRun(db))?.runId === base.runId) {
      await writeDiscoveryRun(db, active, clock());
      return active;
    }
  } catch (error) {
    await writeDiscoveryRun(db, { ...building, status: 'failed' }, clock()).catch(() => undefined);
    if (signal?.aborted) throw new TallyrankError('cancelled', 'The edit was cancelled.', { cause: error });
    throw error;
  }
  // A new run has become the current one meanwhile: this one edits what is past.
  await writeDiscoveryRun(db, { ...building, status: 'failed' }, clock());
  return applyEdits(options);
}

interface Change {
  readonly base: DiscoveryRun;
  readonly runId: string;
  readonly createdAtMs: number;
  readonly found: readonly FoundUseCase[];
  readonly before: OperatorEdits;
  readonly edits: OperatorEdits;
}

/** The edits that move prompts, as a text to be compared. */
function stepsOf({ active }: OperatorEdits): string {
  return JSON.stringify(
    active.filter(({ toSlug }) => toSlug !== null).map(({ editId }: UseCaseEdit) => editId),
  );
}

async function writeNames(
  run: DiscoveryRun,
  found: readonly FoundUseCase[],
  edits: OperatorEdits,
  { db, clock }: ApplyEditsOptions,
): Promise<DiscoveryRun> {
  const useCases = (await readStoredUseCases(db, run.runId)).map((useCase) => {
    const own = found.find(({ slug }) => edits.movedSlug(slug) === useCase.slug && !edits.isMergedAway(slug));
    const name = edits.names.get(useCase.slug) ?? own?.name ?? useCase.name;
    return { ...useCase, name, isPinned: edits.pinned.has(useCase.slug) };
  });
  await writeUseCases(db, run.runId, useCases, Math.max(clock(), run.createdAtMs + 1));
  const report = { ...(run.report as DiscoveryReport), lastEditId: edits.lastEditId };
  const named = { ...run, report };
  await writeDiscoveryRun(db, named, Math.max(clock(), run.createdAtMs + 1));
  return named;
}

/** Use cases and classifier of the edited run; @returns the number of use cases without "other" */
async function writeEdited(change: Change, options: ApplyEditsOptions): Promise<number> {
  const { base, runId, createdAtMs, found, edits } = change;
  const { db, signal, sampleMax: limit = SAMPLE_MAX } = options;
  const window = { from: new Date(base.windowFromMs), to: new Date(base.windowToMs), signal, limit };
  const [prompts, users, known, { userCount }] = await Promise.all([
    readDistinctPrompts(db, window),
    readPromptUsers(db, window),
    readSampledAssignments(db, { ...window, runId: base.runId }),
    countPrompts(db, window),
  ]);
  const labelled = prompts.map((prompt): LabelledPrompt => {
    const { foundUseCase: foundSlug = OTHER_USE_CASE, confidence } = known.get(prompt.promptHash) ?? {};
    const text = classifiedText(prompt);
    return {
      ...prompt,
      text,
      foundSlug,
      shownSlug: edits.shownSlug(foundSlug, text),
      similarity: confidence ?? 0,
    };
  });
  const shown = describeUseCases(labelled, { found, edits, users, isShared: userCount > 1 });
  await writeFoundUseCases(db, runId, found, createdAtMs);
  await writeUseCases(db, runId, shown, createdAtMs);
  const classifier = (await relabelledClassifier(change, db)) ?? retrained(labelled, options);
  await writeClassifier(db, runId, classifier.encode(), createdAtMs);
  return shown.filter(({ slug }) => slug !== OTHER_USE_CASE).length;
}

/** The run's classifier with other class names; null where renaming classes is not enough. */
async function relabelledClassifier(
  { base, found, before, edits }: Change,
  db: Database,
): Promise<LinearClassifier | null> {
  const splitIds = ({ active }: OperatorEdits): string =>
    JSON.stringify(active.filter(({ kind }) => kind === 'split').map(({ editId }) => editId));
  if (splitIds(before) !== splitIds(edits)) return null;
  const renamed = new Map<string, string>();
  for (const slug of [...found.map((useCase) => useCase.slug), ...edits.splits.map((rule) => rule.slug)]) {
    const [from, to] = [before.movedSlug(slug), edits.movedSlug(slug)];
    // What was one class becomes two: a merge was undone.
    if ((renamed.get(from) ?? to) !== to) return null;
    renamed.set(from, to);
  }
  const bytes = await readClassifierBytes(db, base.runId);
  if (bytes === null) return null;
  return LinearClassifier.decode(bytes).withUseCases((useCase) => renamed.get(useCase) ?? useCase);
}

function retrained(
  prompts: readonly LabelledPrompt[],
  { seed, signal, onProgress }: ApplyEditsOptions,
): LinearClassifier {
  const examples = prompts
    .filter(({ shownSlug }) => shownSlug !== OTHER_USE_CASE)
    .map(({ text, shownSlug }) => ({ text, useCase: shownSlug }));
  const onEpoch = (done: number, total: number): void => {
    if (signal?.aborted) throw new TallyrankError('cancelled', 'The edit was cancelled.');
    onProgress?.('training', done, total);
  };
  return trainClassifier(examples, { random: createRandom(seed), onEpoch }).classifier;
}

async function relabel(change: Change, { db, signal }: ApplyEditsOptions): Promise<void> {
  const { base, runId, found, before, edits } = change;
  const slugs = found.map(({ slug }) => slug);
  const born = edits.splits.map(({ slug }) => slug);
  const relabelling: Relabelling = {
    fromRunId: base.runId,
    toRunId: runId,
    shownOfFound: new Map([...slugs, ...born].map((slug) => [slug, edits.movedSlug(slug)])),
    // What was split off goes back to where it was found, and the text decides again.
    foundOfShown: new Map([
      ...before.splits.map(
        ({ slug, source }) => [before.movedSlug(slug), sourceOf(source, slugs, before)] as const,
      ),
      ...slugs
        .filter((slug) => before.isMergedAway(slug))
        .map((slug) => [before.movedSlug(slug), slug] as const),
      ...slugs
        .filter((slug) => !before.isMergedAway(slug))
        .map((slug) => [before.movedSlug(slug), slug] as const),
    ]),
    byText: slugs.filter((slug) => edits.isSplit(slug)),
  };
  await copyAssignments(db, relabelling);
  if (relabelling.byText.length === 0) return;
  for await (const rows of streamFoundPrompts(db, relabelling, signal)) {
    await writeAssignments(
      db,
      runId,
      rows.map((row) => {
        const { promptHash, foundUseCase, confidence } = row;
        return {
          promptHash,
          foundUseCase,
          confidence,
          useCase: edits.shownSlug(foundUseCase, classifiedText(row)),
        };
      }),
    );
  }
}

/** The found use case behind a slug that was split. */
function sourceOf(source: string, slugs: readonly string[], edits: OperatorEdits): string {
  return slugs.find((slug) => edits.movedSlug(slug) === edits.movedSlug(source)) ?? source;
}
