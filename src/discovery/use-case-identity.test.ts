import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { promptOf, SUBJECTS } from '../../tests/kit/subjects.ts';
import { promptHash } from '../core/prompt-text.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { type PromptAssignment, readSampledAssignments } from '../store/queries/assignments.ts';
import { type DiscoveryRun, readActiveRun } from '../store/queries/discovery-runs.ts';
import type { DiscoveryReport } from './discovery-run.ts';
import { UseCaseAnalyzer } from './use-case-analyzer.ts';

const DAY_MS = 86_400_000;
const FIRST_MS = Date.UTC(2026, 9, 1);
const PER_DAY = 12;

/** Each subject asks twelve new things a day. */
function dayOf(day: number, subjects: readonly (typeof SUBJECTS)[number][]): Partial<UsageRecord>[] {
  return subjects.flatMap((subject) =>
    Array.from({ length: PER_DAY }, (_, n) => {
      const prompt = promptOf(subject, day * PER_DAY + n);
      const startedAtMs = FIRST_MS + day * DAY_MS + n * 60_000;
      const hash = promptHash({ prompt, context: '' });
      return { prompt, promptHash: hash, startedAtMs, userId: `user-${n % 5}` };
    }),
  );
}

async function activeRun(store: ScratchStore): Promise<DiscoveryRun> {
  const run = await readActiveRun(store.db);
  if (run === null) throw new RangeError('there is a run');
  return run;
}

async function assignmentsOf(store: ScratchStore, runId: string): Promise<Map<string, PromptAssignment>> {
  const everything = { from: new Date(0), to: new Date(FIRST_MS + 100 * DAY_MS), limit: 100_000 };
  return readSampledAssignments(store.db, { ...everything, runId });
}

function analyzerAt(store: ScratchStore, day: number): UseCaseAnalyzer {
  return new UseCaseAnalyzer({ db: store.db, clock: () => FIRST_MS + day * DAY_MS, inWorker: false });
}

describe('identity of use cases over overlapping weeks', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
    for (let day = 0; day < 14; day++) await store.insertRequests(dayOf(day, SUBJECTS));
  });
  afterAll(() => store.dispose());

  it('keeps the slug of at least 95 % of the prompts, run after run', async () => {
    let before: Map<string, PromptAssignment> | null = null;
    for (const day of [7, 9, 11, 14]) {
      await analyzerAt(store, day).analyze('1 week');
      const run = await activeRun(store);
      const now = await assignmentsOf(store, run.runId);
      const report = run.report as DiscoveryReport;
      if (before !== null) {
        const known = [...before].filter(([hash]) => now.has(hash));
        const keptCount = known.filter(([hash, { useCase }]) => now.get(hash)?.useCase === useCase).length;
        console.log(day, keptCount, known.length, report.keptShare, run.useCaseCount);
      }
      before = now;
    }
    console.log(await analyzerAt(store, 14).directory.events(20));
  }, 60_000);
});
