import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, uuidAt } from '../../../tests/kit/scratch-store.ts';
import {
  copyAssignments,
  readPromptUsers,
  readSampledAssignments,
  streamFoundPrompts,
  writeAssignments,
} from './assignments.ts';
import { type DiscoveryRun, readRuns, writeDiscoveryRun, writeUseCases } from './discovery-runs.ts';
import { readUseCaseCounts } from './drift.ts';
import { readFoundUseCases, writeFoundUseCases } from './found-use-cases.ts';
import { appendUseCaseEdit, readUseCaseEdits } from './use-case-edits.ts';
import { readUseCaseEvents, writeUseCaseEvents } from './use-case-history.ts';

const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2026, 9, 5);
const window = { from: new Date(FROM_MS), to: new Date(FROM_MS + 48 * HOUR_MS), limit: 100 };

function run(runId: string, given: Partial<DiscoveryRun> = {}): DiscoveryRun {
  return {
    runId,
    createdAtMs: FROM_MS,
    status: 'active',
    windowFromMs: FROM_MS,
    windowToMs: FROM_MS + HOUR_MS,
    embedder: 'test@1',
    requestCount: 1,
    distinctPromptCount: 1,
    useCaseCount: 1,
    report: { note: null },
    ...given,
  };
}

describe('what is kept of use cases over time', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
    const rows = ['a', 'b', 'c', 'd'].map((promptHash, at) => ({
      promptHash,
      prompt: `prompt ${promptHash}`,
      startedAtMs: FROM_MS + at * HOUR_MS,
      userId: at === 0 ? null : 'ann',
      // The last one was only ever seen by the run's own classifier.
      ...(at === 3 ? { runId: 'old', useCase: 'shown_code' } : {}),
    }));
    await store.insertRequests(rows.map((row) => ({ requestId: uuidAt(row.startedAtMs), ...row })));
  });
  afterAll(() => store.dispose());

  it('copies assignments under other slugs, those that only the classifier saw included', async () => {
    const { db } = store;
    await writeAssignments(db, 'old', [
      { promptHash: 'a', useCase: 'food', foundUseCase: 'food', confidence: 0.9 },
      { promptHash: 'b', useCase: 'food', foundUseCase: 'bars', confidence: 0.8 },
      { promptHash: 'c', useCase: 'shown_code', foundUseCase: 'code', confidence: null },
    ]);
    const relabelling = {
      fromRunId: 'old',
      toRunId: 'new',
      shownOfFound: new Map([
        ['food', 'eating'],
        ['bars', 'bars'],
      ]),
      foundOfShown: new Map([['shown_code', 'code']]),
      byText: ['code'],
    };
    await copyAssignments(db, relabelling);
    const copied = await readSampledAssignments(db, { ...window, runId: 'new' });
    expect(
      [...copied.values()].map(({ promptHash, useCase, foundUseCase }) => [
        promptHash,
        useCase,
        foundUseCase,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ['a', 'eating', 'food'],
        ['b', 'bars', 'bars'],
      ]),
    );
    expect(copied.size).toBe(2);
    const left: string[] = [];
    for await (const rows of streamFoundPrompts(db, relabelling)) {
      left.push(
        ...rows.map(({ promptHash, foundUseCase, prompt }) => `${promptHash} ${foundUseCase} ${prompt}`),
      );
    }
    expect(left.sort()).toEqual(['c code prompt c', 'd code prompt d']);
  });

  it('knows who asked, without their names', async () => {
    const users = await readPromptUsers(store.db, window);
    expect(users.has('a')).toBe(false);
    expect(users.get('b')).toEqual(users.get('c'));
    expect(users.get('b')?.[0]).toMatch(/^\d+$/);
  });

  it('counts requests per use case in equal buckets, from the roll-up', async () => {
    const counts = await readUseCaseCounts(store.db, {
      runId: 'starter',
      from: window.from,
      to: window.to,
      bucketMs: 2 * HOUR_MS,
    });
    expect(counts).toEqual([
      { bucketStartMs: FROM_MS, useCase: 'food_dining', requestCount: 2 },
      { bucketStartMs: FROM_MS + 2 * HOUR_MS, useCase: 'food_dining', requestCount: 1 },
    ]);
  });

  it('gives back what was found, or what was shown by a run that kept only that', async () => {
    const { db } = store;
    const found = {
      slug: 'food',
      name: 'Food',
      description: null,
      promptCount: 7,
      similarityMin: 0.5,
      centroid: Float32Array.of(0.5, -0.25),
    };
    await writeFoundUseCases(db, 'old', [found], FROM_MS);
    expect(await readFoundUseCases(db, 'old')).toEqual([found]);
    const shown = {
      slug: 'poems',
      name: 'Poems',
      keywords: [],
      examplePrompts: [],
      sampleCount: 3,
      distinctPromptCount: 2,
      typicalLength: null,
      centroid: Float32Array.of(1, 0),
    };
    await writeUseCases(db, 'older', [shown, { ...shown, slug: 'other' }], FROM_MS);
    expect(
      (await readFoundUseCases(db, 'older')).map(({ slug, promptCount }) => [slug, promptCount]),
    ).toEqual([['poems', 2]]);
  });

  it('lists events of complete runs, newest first, also of one use case', async () => {
    const { db } = store;
    await writeDiscoveryRun(db, run('one'), FROM_MS);
    await writeDiscoveryRun(db, run('two', { status: 'failed', createdAtMs: FROM_MS + 1 }), FROM_MS);
    const event = { kind: 'birth', fromSlugs: [], toSlugs: ['food'], share: null, atMs: FROM_MS };
    await writeUseCaseEvents(db, [
      { ...event, runId: 'one' },
      { ...event, runId: 'one', kind: 'merge', fromSlugs: ['bars'], share: 0.75, atMs: FROM_MS + 5 },
      { ...event, runId: 'two', kind: 'death' },
    ]);
    expect((await readUseCaseEvents(db, { limit: 10 })).map(({ kind, share }) => [kind, share])).toEqual([
      ['merge', 0.75],
      ['birth', null],
    ]);
    expect((await readUseCaseEvents(db, { slug: 'bars', limit: 10 })).map(({ kind }) => kind)).toEqual([
      'merge',
    ]);
    expect((await readRuns(db, 10)).map(({ runId, status }) => [runId, status])).toEqual([
      ['two', 'failed'],
      ['one', 'active'],
    ]);
  });

  it('keeps edits in their order', async () => {
    const { db } = store;
    const edit = {
      editId: 'b',
      atMs: FROM_MS,
      kind: 'rename' as const,
      slug: 'food',
      toSlug: 'eating',
      name: null,
      pattern: null,
      undoes: null,
      changedBy: 'test',
    };
    const undo = {
      ...edit,
      editId: 'a',
      atMs: FROM_MS + 1,
      kind: 'undo' as const,
      slug: '',
      toSlug: null,
      undoes: 'b',
    };
    await appendUseCaseEdit(db, undo);
    await appendUseCaseEdit(db, edit);
    expect(await readUseCaseEdits(db)).toEqual([edit, undo]);
  });
});
