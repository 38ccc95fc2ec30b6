import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, usageRecord } from '../../tests/kit/scratch-store.ts';
import { encodeSignal } from '../core/signal.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { encodeUsageRecord } from '../core/usage-record.ts';
import { commonPrompts } from './queries/common-prompts.ts';
import { streamLabelledPrompts } from './queries/labelled-prompts.ts';
import { readQualityEvidence, readRankingEvidence } from './queries/ranking-evidence.ts';
import { findRequest, listRequests } from './queries/requests.ts';
import { readUseCasesOfRun } from './queries/snapshots.ts';
import { usageStats } from './queries/usage-stats.ts';
import { rebuildRollups, reconcileRollups } from './rollups.ts';

const START_MS = Date.UTC(2026, 9, 5, 10, 20, 0);
const HOUR_MS = 3_600_000;
const RUN = 'run-1';
/** Longer than six hours and not of whole ones: roll-up and log both have a part in it. */
const WINDOW = { from: new Date(START_MS - 60_000), to: new Date(START_MS + 30 * HOUR_MS), label: 'test' };
const ASSIGNED: Readonly<Record<string, string>> = { coffee: 'food_found', code: 'code_found' };

let store: ScratchStore;
let records: UsageRecord[];

/** Every mixture of who labelled a row and what the run knows of its prompt. */
function mixture(): Partial<UsageRecord>[] {
  const rows: Partial<UsageRecord>[] = [];
  for (const promptHash of ['coffee', 'code', 'unseen']) {
    for (const runId of ['starter', 'run-0', RUN]) {
      for (const useCaseRule of [null, 'by app']) {
        const startedAtMs = START_MS + rows.length * 1.5 * HOUR_MS;
        const useCase = useCaseRule === null ? `by_${runId.replace('-', '_')}` : 'crm_summary';
        rows.push({ startedAtMs, prompt: `about ${promptHash}`, promptHash, runId, useCaseRule, useCase });
      }
    }
  }
  return rows;
}

/** The definition, said a second time. */
function labelOf(row: UsageRecord): string {
  if (row.useCaseRule !== null || row.runId === RUN) return row.useCase;
  return ASSIGNED[row.promptHash] ?? 'other';
}

function countBy(rows: readonly UsageRecord[], keyOf = labelOf): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const row of rows) counts[keyOf(row)] = (counts[keyOf(row)] ?? 0) + 1;
  return counts;
}

const toCounts = (rows: readonly { useCase: string; requestCount: number }[]): Record<string, number> =>
  Object.fromEntries(rows.map(({ useCase, requestCount }) => [useCase, requestCount]));

beforeAll(async () => {
  store = await openScratchStore();
  const { db } = store;
  await db.insertRows(
    'assignments',
    Object.entries(ASSIGNED).map(([prompt_hash, use_case]) => ({ run_id: RUN, prompt_hash, use_case })),
  );
  const at = '2026-10-05 00:00:00.000';
  await db.insertRows('discovery_runs', [
    { run_id: RUN, created_at: at, changed_at: at, status: 'active', window_from: at, window_to: at },
  ]);
  records = await store.insertRequests(mixture());
  const lines = records.map(({ requestId, startedAtMs }) =>
    encodeSignal({
      requestId,
      kind: 'feedback',
      value: 1,
      comment: null,
      source: 'api',
      atMs: startedAtMs + 1,
    }),
  );
  await db.insertLines('signals', Buffer.from(lines.join('\n')), 'signals');
  await rebuildRollups(db, RUN);
});
afterAll(() => store.dispose());

describe('the use case of a row under a run', () => {
  it('is the same in roll-up, statistics, evidence, lists and the view for people', async () => {
    const { db } = store;
    const expected = countBy(records);
    expect(expected).toEqual({ crm_summary: 9, by_run_1: 3, food_found: 2, code_found: 2, other: 2 });
    const scope = { runId: RUN, ...WINDOW };
    expect(toCounts(await readRankingEvidence(db, scope))).toEqual(expected);
    const quality = await readQualityEvidence(db, scope);
    expect(Object.fromEntries(quality.map(({ useCase, feedbackCount }) => [useCase, feedbackCount]))).toEqual(
      expected,
    );
    expect(toCounts((await usageStats(db, WINDOW)).byUseCase)).toEqual(expected);
    const { requests } = await listRequests(db, WINDOW, { limit: 100 });
    const listed = new Map(requests.map(({ requestId, useCase }) => [requestId, useCase]));
    for (const record of records) expect(listed.get(record.requestId)).toBe(labelOf(record));
    const people = await db.query<{ useCase: string; requestCount: number }>(
      'SELECT discovered_use_case AS useCase, count() AS requestCount FROM model_usage_log GROUP BY useCase',
    );
    expect(toCounts(people)).toEqual(expected);
  });

  it('is what lists are filtered by', async () => {
    for (const [useCase, count] of Object.entries(countBy(records))) {
      const { requests } = await listRequests(store.db, { ...WINDOW, useCase }, { limit: 100 });
      expect(
        requests.map((row) => row.useCase),
        useCase,
      ).toEqual(Array(count).fill(useCase));
    }
  });

  it('holds for the log alone, which answers for short windows', async () => {
    const window = { ...WINDOW, to: new Date(START_MS + 5 * HOUR_MS) };
    const rows = records.filter(({ startedAtMs }) => startedAtMs < window.to.getTime());
    expect(toCounts((await usageStats(store.db, window)).byUseCase)).toEqual(countBy(rows));
  });

  it('is, for a text, that of its last request', async () => {
    const last = new Map(records.map((record) => [record.promptHash, labelOf(record)]));
    const common = await commonPrompts(store.db, WINDOW, 10);
    expect(new Map(common.map(({ promptHash, useCase }) => [promptHash, useCase]))).toEqual(last);
    for await (const rows of streamLabelledPrompts(store.db)) {
      expect(new Map(rows.map(({ prompt, useCase }) => [prompt.replace('about ', ''), useCase]))).toEqual(
        last,
      );
    }
  });

  it('stays when rows of an earlier run come late', async () => {
    const late = await store.insertRequests([
      {
        startedAtMs: START_MS,
        promptHash: 'coffee',
        runId: 'run-0',
        useCase: 'refunds',
        useCaseRule: 'late',
      },
      { startedAtMs: START_MS, promptHash: 'coffee', runId: 'run-0', useCase: 'by_run_0' },
    ]);
    records.push(...late);
    expect(await reconcileRollups(store.db, RUN)).toEqual(['2026-10-05']);
    const rows = await readRankingEvidence(store.db, { runId: RUN, ...WINDOW });
    expect(toCounts(rows)).toEqual(countBy(records));
    expect(toCounts(rows)).toMatchObject({ refunds: 1, food_found: 3 });
  });

  it('charges a model that was stood in for under the use case of the rule', async () => {
    await store.insertRequests([
      {
        startedAtMs: START_MS + 60 * HOUR_MS,
        promptHash: 'coffee',
        useCase: 'crm_summary',
        useCaseRule: 'by app',
        failedAttempts: [{ modelId: 'openai:broken', code: 'upstream_failed' }],
      },
    ]);
    await reconcileRollups(store.db, RUN);
    const failed = await store.db.query(
      "SELECT use_case, sum(failure_count) AS failures FROM usage_hourly WHERE run_id = 'run-1' AND model_id = 'openai:broken' GROUP BY use_case",
    );
    expect(failed).toEqual([{ use_case: 'crm_summary', failures: 1 }]);
  });

  it('is the classifier’s in rows that were journalled before rules were remembered', async () => {
    const startedAtMs = START_MS + 90 * HOUR_MS;
    const { use_case_rule: _rule, ...row } = JSON.parse(
      encodeUsageRecord(usageRecord({ startedAtMs, promptHash: 'coffee' })),
    ) as Record<string, unknown>;
    await store.db.insertLines('usage_log', Buffer.from(JSON.stringify(row)), 'an older journal');
    expect(await findRequest(store.db, String(row['request_id']))).toMatchObject({ useCase: 'food_found' });
  });
});

describe('a use case that no run found', () => {
  it('is listed with its rows and a name that can be read', async () => {
    const useCases = await readUseCasesOfRun(store.db, RUN);
    expect(useCases.find(({ slug }) => slug === 'crm_summary')).toMatchObject({
      name: 'Crm Summary',
      isByRule: true,
      keywords: [],
      examplePrompts: [],
      distinctPromptCount: 3,
    });
    expect(useCases.map(({ slug }) => slug)).not.toContain('other');
    const rows = await store.db.query(
      "SELECT category_name, run_id FROM model_use_cases WHERE category_slug = 'crm_summary'",
    );
    expect(rows).toEqual([{ category_name: 'Crm Summary', run_id: RUN }]);
  });

  it('is listed beside the starter taxonomy before the first run', async () => {
    const useCases = await readUseCasesOfRun(store.db, 'starter');
    expect(useCases.filter(({ isByRule }) => isByRule).map(({ slug }) => slug)).toContain('crm_summary');
    expect(useCases.find(({ slug }) => slug === 'casual_chat')).not.toHaveProperty('isByRule');
  });
});
