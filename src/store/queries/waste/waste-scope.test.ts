import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../../tests/kit/scratch-store.ts';
import { oversizedContextsQuery } from './contexts.ts';
import { duplicatesQuery } from './duplicates.ts';
import { failedAttemptsQuery } from './failed-attempts.ts';
import { failuresQuery } from './failures.ts';
import { retriesQuery } from './retries.ts';
import { tokenCostsQuery } from './token-costs.ts';

const DAY_MS = 86_400_000;
const MONDAY_MS = Date.UTC(2026, 9, 5);
const scope = { runId: 'starter', from: new Date(MONDAY_MS), to: new Date(MONDAY_MS + DAY_MS) };

describe('questions about waste', () => {
  let store: ScratchStore;
  beforeAll(async () => {
    store = await openScratchStore();
    // One row before the window, two in it, four after it: any pass over the whole log reads seven.
    const days = [-1, 0, 0, 1, 1, 2, 3];
    await store.insertRequests(
      days.map((day, at) => ({ startedAtMs: MONDAY_MS + day * DAY_MS + at * 1_000 })),
    );
  });
  afterAll(() => store.dispose());

  it.each([
    ['retries', retriesQuery(scope)],
    ['duplicates', duplicatesQuery(scope)],
    ['failures', failuresQuery(scope)],
    ['failed attempts', failedAttemptsQuery(scope)],
    ['oversized contexts', oversizedContextsQuery(scope)],
    ['token costs', tokenCostsQuery(scope)],
  ])('opens no other day than those of the window: %s', async (_name, { sql, params }) => {
    const plan = await store.db.query<{ table: string; rows: number | string }>(
      `EXPLAIN ESTIMATE ${sql}`,
      params,
    );
    const logged = plan.filter(({ table }) => table === 'usage_log');
    expect(logged.length).toBeGreaterThan(0);
    for (const { rows } of logged) expect(Number(rows) % 2, JSON.stringify(plan)).toBe(0);
    expect(logged.reduce((sum, { rows }) => sum + Number(rows), 0)).toBeLessThanOrEqual(6);
  });
});
