import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../../tests/kit/scratch-store.ts';
import type { UsageRecord } from '../../../core/usage-record.ts';
import { duplicatesQuery, readDuplicates } from './duplicates.ts';

const NOON_MS = Date.UTC(2026, 9, 5, 12, 0, 0);
const HOUR_MS = 3_600_000;
const scope = {
  runId: 'starter',
  from: new Date(NOON_MS - 12 * HOUR_MS),
  to: new Date(NOON_MS + 36 * HOUR_MS),
};

const asked = (atMs: number, given: Partial<UsageRecord> = {}): Partial<UsageRecord> => ({
  startedAtMs: NOON_MS + atMs,
  latencyMs: 2_000,
  costUsd: 0.01,
  ...given,
});

describe('readDuplicates', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  it('counts what came after the first answer of the day, with its money', async () => {
    await store.insertRequests([
      asked(0),
      asked(HOUR_MS),
      asked(2 * HOUR_MS, { costUsd: null }),
      asked(13 * HOUR_MS),
      asked(14 * HOUR_MS),
      asked(0, { prompt: 'once', promptHash: 'bbbb' }),
    ]);
    expect(await readDuplicates(store.db, scope)).toEqual([
      {
        modelId: 'ollama:mistral:7b',
        promptCount: 1,
        requestCount: 3,
        pricedCount: 2,
        costUsd: 0.02,
        waitedMs: 6_000,
      },
    ]);
  });

  it('counts nothing that was asked before there was an answer', async () => {
    await store.insertRequests([asked(0), asked(0), asked(1_999), asked(2_000, { latencyMs: null })]);
    expect(await readDuplicates(store.db, scope)).toMatchObject([
      { requestCount: 1, costUsd: 0.01, waitedMs: null },
    ]);
  });

  it('wants the same words, the same context, the same system prompt and the same model', async () => {
    await store.insertRequests([
      asked(0, { conversation: '[{"role":"system","content":"Be brief."}]' }),
      asked(HOUR_MS, { prompt: 'when does the COFFEE shop open?' }),
      asked(2 * HOUR_MS, { context: 'earlier' }),
      asked(3 * HOUR_MS, { conversation: '[{"role":"system","content":"Be long."}]' }),
      asked(4 * HOUR_MS, { modelId: 'openai:gpt-4o' }),
    ]);
    expect(await readDuplicates(store.db, scope)).toEqual([]);
  });

  it('leaves out failures, tools, pictures and texts that are not kept', async () => {
    const pairs: Partial<UsageRecord>[] = [
      { failure: { fault: 'provider', code: 'upstream_failed', message: 'no' } },
      { finishReason: 'tool_calls' },
      { conversation: '[{"role":"tool","content":"21 degrees"}]' },
      { conversation: '[{"role":"assistant","tool_calls":[]}]' },
      { conversation: '[{"type":"image_url","image_url":{"url":"data:image/png;base64,…"}}]' },
      { prompt: '', promptLength: 30 },
      { prompt: '' },
    ];
    await store.insertRequests(
      pairs.flatMap((given, at) => {
        const own = { ...given, promptHash: `hash ${at}` };
        return [asked(0, own), asked(HOUR_MS, own)];
      }),
    );
    expect(await readDuplicates(store.db, scope)).toEqual([]);
  });

  it('leaves to the retries what the same asker sends again at once', async () => {
    const sessionId = 'impatient';
    await store.insertRequests([
      asked(0, { sessionId }),
      asked(10_000, { sessionId }),
      asked(HOUR_MS, { sessionId }),
      asked(HOUR_MS, { sessionId: 'another' }),
    ]);
    expect(await readDuplicates(store.db, scope)).toMatchObject([{ requestCount: 2 }]);
  });

  it('answers again, for one model, by the query that it hands out', async () => {
    await store.insertRequests([
      asked(0),
      asked(HOUR_MS),
      asked(0, { modelId: 'openai:gpt-4o' }),
      asked(HOUR_MS, { modelId: 'openai:gpt-4o' }),
    ]);
    const { sql, params } = duplicatesQuery(scope, { modelId: 'openai:gpt-4o' });
    expect(await store.db.query(sql, params)).toMatchObject([{ modelId: 'openai:gpt-4o', requestCount: 1 }]);
  });
});
