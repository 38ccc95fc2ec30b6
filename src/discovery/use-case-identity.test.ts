import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { promptOf, SUBJECTS, type Subject } from '../../tests/kit/subjects.ts';
import { promptHash } from '../core/prompt-text.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { type PromptAssignment, readSampledAssignments } from '../store/queries/assignments.ts';
import { type DiscoveryRun, readActiveRun } from '../store/queries/discovery-runs.ts';
import { readUseCasesOfRun } from '../store/queries/snapshots.ts';
import type { DiscoveryReport } from './discovery-run.ts';
import type { UseCaseChange } from './edits/use-case-directory.ts';
import { UseCaseAnalyzer } from './use-case-analyzer.ts';

const DAY_MS = 86_400_000;
const FIRST_MS = Date.UTC(2026, 9, 1);
const PER_DAY = 12;

/** Each subject asks twelve things a day that nobody asked before. */
function dayOf(day: number, subjects: readonly Subject[]): Partial<UsageRecord>[] {
  return subjects.flatMap((subject) =>
    Array.from({ length: PER_DAY }, (_, n) => {
      const prompt = promptOf(subject, day * PER_DAY + n);
      const startedAtMs = FIRST_MS + day * DAY_MS + n * 60_000;
      const hash = promptHash({ prompt, context: '' });
      return { prompt, promptHash: hash, startedAtMs, userId: `user-${n % 5}` };
    }),
  );
}

async function activeRun({ db }: ScratchStore): Promise<DiscoveryRun> {
  const run = await readActiveRun(db);
  if (run === null) throw new RangeError('there is a run');
  return run;
}

async function assignmentsOf({ db }: ScratchStore, runId: string): Promise<Map<string, PromptAssignment>> {
  const everything = { from: new Date(0), to: new Date(FIRST_MS + 100 * DAY_MS), limit: 100_000 };
  return readSampledAssignments(db, { ...everything, runId });
}

function analyzerAt({ db }: ScratchStore, day: number): UseCaseAnalyzer {
  return new UseCaseAnalyzer({ db, clock: () => FIRST_MS + day * DAY_MS, inWorker: false });
}

/** Use cases of the first week's prompts of a subject. */
async function slugsOf(store: ScratchStore, subject: Subject): Promise<string[]> {
  const assignments = await assignmentsOf(store, (await activeRun(store)).runId);
  return Array.from({ length: 7 * PER_DAY }, (_, at) => {
    const hash = promptHash({ prompt: promptOf(subject, at), context: '' });
    return assignments.get(hash)?.useCase ?? 'none';
  });
}

function mostFrequent(slugs: readonly string[]): string {
  const countOf = (slug: string): number => slugs.filter((other) => other === slug).length;
  return slugs.toSorted((a, b) => countOf(b) - countOf(a))[0] ?? '';
}

describe('identity of use cases over overlapping weeks', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
    for (let day = 0; day < 14; day++) {
      await store.insertRequests(dayOf(day, day < 7 ? SUBJECTS.slice(0, 5) : SUBJECTS));
    }
  });
  afterAll(() => store.dispose());

  it('keeps the slug of at least 95 % of the prompts, run after run', async () => {
    let before: Map<string, PromptAssignment> | null = null;
    for (const day of [7, 10, 12]) {
      await analyzerAt(store, day).analyze('1 week');
      const run = await activeRun(store);
      const now = await assignmentsOf(store, run.runId);
      if (before !== null) {
        const known = [...before].filter(([hash]) => now.has(hash));
        const keptCount = known.filter(([hash, { useCase }]) => now.get(hash)?.useCase === useCase).length;
        expect(keptCount / known.length).toBeGreaterThanOrEqual(0.95);
        expect((run.report as DiscoveryReport).keptShare).toBeGreaterThanOrEqual(0.95);
      }
      before = now;
    }
  });

  it('records the birth of what is new', async () => {
    const events = await analyzerAt(store, 12).directory.events(500);
    const [first] = events.slice(-1).map(({ runId }) => runId);
    const later = events.filter(({ runId, kind }) => runId !== first && kind === 'birth');
    expect(events.filter(({ runId }) => runId === first).every(({ kind }) => kind === 'birth')).toBe(true);
    expect(later.length).toBeGreaterThan(0);
  });
});

describe('what an operator did', () => {
  let store: ScratchStore;
  let analyzer: UseCaseAnalyzer;
  const subjects: readonly Subject[] = [
    'food',
    ...SUBJECTS.filter((subject) => subject !== 'food').slice(0, 3),
  ];
  beforeAll(async () => {
    store = await openScratchStore();
    for (let day = 0; day < 14; day++) {
      await store.insertRequests(dayOf(day, day < 7 ? subjects : subjects.slice(1)));
    }
    analyzer = analyzerAt(store, 7);
    await analyzer.analyze('1 week');
  });
  afterAll(() => store.dispose());

  async function change(wanted: UseCaseChange): Promise<DiscoveryRun | null> {
    const { directory } = analyzer;
    return directory.apply([await directory.plan(wanted, 'test')]);
  }
  const slugs = async (): Promise<string[]> =>
    (await readUseCasesOfRun(store.db, (await activeRun(store)).runId)).map(({ slug }) => slug);
  async function countOf(slug: string): Promise<number> {
    const { categories } = await analyzer.patterns('1 week');
    return categories.find(({ categorySlug }) => categorySlug === slug)?.sampleCount ?? 0;
  }

  it('gives a new name without a new run', async () => {
    const { runId } = await activeRun(store);
    const [slug = ''] = await slugs();
    await change({ kind: 'rename', slug, name: 'What the people want' });
    expect((await activeRun(store)).runId).toBe(runId);
    expect(await analyzer.directory.get(slug)).toMatchObject({ slug, name: 'What the people want' });
    await change({ kind: 'undo' });
    expect((await analyzer.directory.get(slug)).name).not.toBe('What the people want');
  });

  it('gives a new slug, which the old one leads to, and moves figures and classifier along', async () => {
    // Of a subject that people go on asking about.
    const slug = mostFrequent(await slugsOf(store, 'code'));
    const count = await countOf(slug);
    const { examplePrompts } = await analyzer.directory.get(slug);
    await change({ kind: 'rename', slug, toSlug: 'renamed_case', name: 'Renamed' });
    expect(await slugs()).not.toContain(slug);
    expect(await countOf('renamed_case')).toBe(count);
    expect(await analyzer.directory.get(slug)).toMatchObject({ slug: 'renamed_case', redirectedFrom: slug });
    const fresh = analyzerAt(store, 7);
    const labels = await Promise.all(examplePrompts.map((prompt) => fresh.classifyPrompt(prompt)));
    expect(labels).toContain('renamed_case');
    expect(labels).not.toContain(slug);
  });

  it('merges, and takes the merge back', async () => {
    const before = await slugs();
    const [a = '', b = ''] = before.filter((slug) => !['other', 'renamed_case'].includes(slug));
    const [countA, countB] = [await countOf(a), await countOf(b)];
    await change({ kind: 'merge', slug: a, into: b });
    expect(await slugs()).not.toContain(a);
    expect(await countOf(b)).toBe(countA + countB);
    await change({ kind: 'undo' });
    expect((await slugs()).sort()).toEqual(before.sort());
    expect(await countOf(a)).toBe(countA);
    expect(await countOf(b)).toBe(countB);
  });

  it('survives the next run: rename, merge, split and pin', async () => {
    const food = await slugsOf(store, 'food');
    const [pinned = ''] = food.filter((slug) => slug !== 'renamed_case');
    const pinnedAt = Array.from(food.keys()).filter((at) => food[at] === pinned);
    await change({ kind: 'pin', slug: pinned });
    const [into = '', gone = ''] = (await slugs()).filter(
      (slug) => !['other', 'renamed_case', pinned].includes(slug),
    );
    await change({ kind: 'merge', slug: gone, into });
    const kept = await countOf('renamed_case');
    await change({
      kind: 'split',
      slug: 'renamed_case',
      name: 'Off shoot',
      keywords: ['Python', 'Rust', 'Go'],
    });
    const splitCount = await countOf('off_shoot');
    expect(splitCount).toBeGreaterThan(0);
    expect(splitCount).toBeLessThan(kept);
    expect((await countOf('renamed_case')) + splitCount).toBe(kept);

    await analyzerAt(store, 14).analyze('1 week');
    const now = await slugs();
    expect(now).toEqual(expect.arrayContaining([into, pinned]));
    expect(now).not.toContain(gone);
    expect(now).toEqual(expect.arrayContaining(['renamed_case', 'off_shoot']));
    const detail = await analyzerAt(store, 14).directory.get(pinned);
    expect(detail).toMatchObject({ isPinned: true });
    expect((await activeRun(store)).report).toMatchObject({ derivedFrom: null });
    // Nobody asked about food this week, and the pinned use case still knows its prompts.
    const later = await slugsOf(store, 'food');
    const keptCount = pinnedAt.filter((at) => later[at] === pinned).length;
    expect(keptCount / pinnedAt.length).toBeGreaterThanOrEqual(0.9);
  });

  it.each<[string, UseCaseChange, string]>([
    ['a use case that is not there', { kind: 'pin', slug: 'nowhere' }, 'unknown_use_case'],
    ['a word of the API as slug', { kind: 'rename', slug: '*', toSlug: 'events' }, 'bad_request'],
    ['a slug that an edit gave away', { kind: 'rename', slug: '*', toSlug: 'renamed_case' }, 'conflict'],
    ['a merge into itself', { kind: 'merge', slug: '*', into: '*' }, 'bad_request'],
    ['a change of "other"', { kind: 'pin', slug: 'other' }, 'bad_request'],
    ['a pattern that is none', { kind: 'split', slug: '*', name: 'N', pattern: '(' }, 'bad_request'],
    ['a split by nothing', { kind: 'split', slug: '*', name: 'N' }, 'bad_request'],
    ['a rename to nothing new', { kind: 'rename', slug: '*' }, 'bad_request'],
  ])('refuses %s', async (_what, wanted, code) => {
    const own = (await slugs()).find((slug) => !['other', 'renamed_case'].includes(slug)) ?? '';
    const meant = Object.fromEntries(
      Object.entries(wanted).map(([field, value]) => [field, value === '*' ? own : value]),
    ) as unknown as UseCaseChange;
    await expect(analyzer.directory.plan(meant, 'test')).rejects.toMatchObject({ code });
  });

  it('refuses to change starter use cases', async () => {
    await using empty = await openScratchStore();
    const { directory } = analyzerAt(empty, 1);
    await expect(directory.plan({ kind: 'pin', slug: 'casual_chat' }, 'test')).rejects.toMatchObject({
      code: 'conflict',
    });
  });
});
