import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { promptOf, type Subject } from '../../tests/kit/subjects.ts';
import { promptHash } from '../core/prompt-text.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { readActiveRun } from '../store/queries/discovery-runs.ts';
import { reconcileRollups } from '../store/rollups.ts';
import type { UseCaseChange } from './edits/use-case-directory.ts';
import { UseCaseAnalyzer } from './use-case-analyzer.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 9, 8);
const SUBJECTS: readonly Subject[] = ['food', 'code', 'translation'];
/** Never embedded: it is asked after the run. */
const LATER = 'Is the quarterly forecast final?';

const asked = (prompt: string, at: number, given: Partial<UsageRecord> = {}): Partial<UsageRecord> => ({
  prompt,
  promptHash: promptHash({ prompt, context: '' }),
  startedAtMs: NOW_MS - DAY_MS + at * 1_000,
  userId: `user-${at % 5}`,
  ...given,
});

describe('operator edits beside hand-written rules', () => {
  let store: ScratchStore;
  let analyzer: UseCaseAnalyzer;
  /** What was found, by subject. */
  let found: Record<Subject, string>;

  beforeAll(async () => {
    store = await openScratchStore();
    await store.insertRequests(
      SUBJECTS.flatMap((subject) =>
        Array.from({ length: 60 }, (_, n) => asked(promptOf(subject, n), n, { modelId: `a:${subject}` })),
      ),
    );
    const { categories } = await analyzerWith([]).analyze('1 week');
    found = Object.fromEntries(
      SUBJECTS.map((subject) => [
        subject,
        categories.find(({ modelsUsed }) => modelsUsed[0] === `a:${subject}`)?.categorySlug ?? '',
      ]),
    ) as Record<Subject, string>;
    analyzer = analyzerWith([{ name: 'by word', useCase: found.translation, when: { regex: 'translate' } }]);
    const runId = (await readActiveRun(store.db))?.runId ?? '';
    const ruled = { runId, useCase: 'forecasts', useCaseRule: 'finance key' };
    await store.insertRequests([asked(LATER, 1, ruled), asked(LATER, 2, ruled)]);
  });
  afterAll(() => store.dispose());

  function analyzerWith(
    useCaseRules: NonNullable<ConstructorParameters<typeof UseCaseAnalyzer>[0]['useCaseRules']>,
  ): UseCaseAnalyzer {
    return new UseCaseAnalyzer({ db: store.db, clock: () => NOW_MS, inWorker: false, useCaseRules });
  }
  async function change(wanted: UseCaseChange): Promise<void> {
    const { directory } = analyzer;
    await directory.apply([await directory.plan(wanted, 'test')]);
  }
  async function counts(): Promise<Record<string, number>> {
    const { categories } = await analyzer.patterns('1 week');
    return Object.fromEntries(categories.map(({ categorySlug, sampleCount }) => [categorySlug, sampleCount]));
  }

  it('refuse to take a slug away that a rule gives, were it only in the configuration', async () => {
    for (const wanted of [
      { kind: 'rename', slug: found.translation, toSlug: 'elsewhere' },
      { kind: 'merge', slug: found.translation, into: found.food },
    ] as const) {
      await expect(analyzer.directory.plan(wanted, 'test')).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('"by word"'),
      });
    }
    await expect(
      analyzer.directory.plan({ kind: 'rename', slug: found.translation, name: 'Tongues' }, 'test'),
    ).resolves.toMatchObject({ name: 'Tongues', toSlug: null });
  });

  it('leave a rule’s rows alone, and make nothing of them for rows that no rule labelled', async () => {
    const before = await counts();
    expect(before['forecasts']).toBe(2);
    await change({ kind: 'rename', slug: found.code, toSlug: 'programming' });
    await store.insertRequests([asked(LATER, 3)]);
    await reconcileRollups(store.db, (await readActiveRun(store.db))?.runId ?? '');
    const after = await counts();
    expect(after['forecasts']).toBe(2);
    expect(after['programming']).toBe(before[found.code]);
    expect(after['other']).toBe((before['other'] ?? 0) + 1);
  });

  it('may merge what was found into what a rule gives', async () => {
    const before = await counts();
    await change({ kind: 'merge', slug: found.food, into: 'forecasts' });
    const after = await counts();
    expect(after['forecasts']).toBe(2 + (before[found.food] ?? 0));
    expect(after).not.toHaveProperty(found.food);
    const { directory } = analyzer;
    expect(await directory.get(found.food)).toMatchObject({ slug: 'forecasts', redirectedFrom: found.food });
  });
});
