import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { costSumsOf } from '../../../tests/kit/cost-sums.ts';
import { openScratchStore, type ScratchStore, uuidAt } from '../../../tests/kit/scratch-store.ts';
import { NO_TOKEN_USAGE, type UsageRecord } from '../../core/usage-record.ts';
import { firstRoutingAt } from './first-routing.ts';
import {
  addCostSums,
  type CostSums,
  readSavingsEvidence,
  type SavingsScope,
  toCostSums,
} from './savings-evidence.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const TO_MS = Date.UTC(2026, 9, 20);
const SINCE_MS = TO_MS - 5 * DAY_MS;
const SCOPE: SavingsScope = {
  runId: 'starter',
  from: new Date(TO_MS - 2 * DAY_MS),
  to: new Date(TO_MS),
  evidenceFrom: new Date(TO_MS - 10 * DAY_MS),
  routing: { since: new Date(SINCE_MS), beforeFrom: new Date(SINCE_MS - 10 * DAY_MS) },
};

/** Requests an hour apart, of many lengths; some without a price, some without tokens. */
const REQUESTS: Partial<UsageRecord>[] = Array.from({ length: 18 * 24 }, (_, at) => ({
  startedAtMs: TO_MS - (at + 0.5) * HOUR_MS,
  modelAsked: ['auto', 'auto:cheap', 'openai:gpt-4o', 'automaton'][at % 4] ?? '',
  modelId: at % 3 === 0 ? 'ollama:mistral:7b' : 'openai:gpt-4o',
  promptLength: 40 + at,
  usage: {
    ...NO_TOKEN_USAGE,
    promptTokens: at % 7 === 0 ? null : 10 + ((at * 37) % 900),
    completionTokens: at % 11 === 0 ? null : (at * 13) % 300,
  },
  costUsd: at % 5 === 0 ? null : ((at * 17) % 90) / 1e4,
}));

let store: ScratchStore;

beforeAll(async () => {
  store = await openScratchStore();
  await store.insertRequests(REQUESTS);
});
afterAll(() => store.dispose());

function expected(modelId: string, isIn: (record: Partial<UsageRecord>) => boolean): CostSums {
  const records = REQUESTS.filter((record) => record.modelId === modelId && isIn(record));
  return addCostSums(
    records.map(({ costUsd = null, usage, promptLength = 0 }) =>
      costSumsOf({
        costUsd,
        promptTokens: usage?.promptTokens ?? null,
        completionTokens: usage?.completionTokens ?? null,
        promptLength,
      }),
    ),
  );
}

function expectSame(found: CostSums | undefined, wanted: CostSums): void {
  const fields = Object.entries(wanted) as [keyof CostSums, number][];
  for (const [field, value] of fields) {
    expect(Math.abs((found?.[field] ?? Number.NaN) - value), field).toBeLessThan(1e-9 * (1 + value));
  }
}

describe('readSavingsEvidence', () => {
  it('has the sums of each window, those of what was routed only of requests that asked for auto', async () => {
    const rows = await readSavingsEvidence(store.db, SCOPE);
    expect(rows.map(({ modelId }) => modelId)).toEqual(['ollama:mistral:7b', 'openai:gpt-4o']);
    const sinceThen = (ms: number) => (record: Partial<UsageRecord>) => (record.startedAtMs ?? 0) >= ms;
    for (const row of rows) {
      expectSame(row.asked, expected(row.modelId, sinceThen(TO_MS - 2 * DAY_MS)));
      expectSame(row.evidence, expected(row.modelId, sinceThen(TO_MS - 10 * DAY_MS)));
      expectSame(
        row.before,
        expected(
          row.modelId,
          (record) => sinceThen(SINCE_MS - 10 * DAY_MS)(record) && !sinceThen(SINCE_MS)(record),
        ),
      );
      expectSame(
        row.routed,
        expected(
          row.modelId,
          (record) =>
            sinceThen(SINCE_MS)(record) &&
            (record.modelAsked === 'auto' || record.modelAsked === 'auto:cheap'),
        ),
      );
      expect(row.asked.pricedCount).toBeLessThan(row.asked.requestCount);
      expect(row.asked.knownCount).toBeLessThan(row.asked.pricedCount);
      expect(row.routed.requestCount).toBeGreaterThan(0);
    }
  });

  it('has nothing before and nothing routed where routing was never switched on', async () => {
    const rows = await readSavingsEvidence(store.db, { ...SCOPE, routing: null });
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      expect(row.before).toEqual(toCostSums([]));
      expect(row.routed).toEqual(toCostSums([]));
      expect(row.asked.requestCount).toBeGreaterThan(0);
    }
  });

  it('gives a model that only failed zeros', async () => {
    await using other = await openScratchStore();
    await other.insertRequests([
      {
        startedAtMs: TO_MS - HOUR_MS,
        failedAttempts: [{ modelId: 'openai:broken', code: 'upstream_failed' }],
      },
    ]);
    const rows = await readSavingsEvidence(other.db, SCOPE);
    expect(rows.find(({ modelId }) => modelId === 'openai:broken')?.asked).toEqual(toCostSums([]));
  });
});

describe('firstRoutingAt', () => {
  it('is the first decision that auto made itself, whatever was named or ruled before', async () => {
    expect(await firstRoutingAt(store.db)).toBeNull();
    const causes = ['explicit', 'rule', 'ranking', 'exploration'] as const;
    await store.insertDecisions(
      causes.map((cause, at) => ({
        requestId: uuidAt(SINCE_MS + at),
        startedAtMs: SINCE_MS + at,
        cause,
        policy: cause === 'explicit' ? null : 'auto',
      })),
    );
    expect(await firstRoutingAt(store.db)).toEqual(new Date(SINCE_MS + 2));
  });
});
