import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { NO_TOKEN_USAGE, type UsageRecord } from '../../core/usage-record.ts';
import { rebuildRollups, reconcileRollups } from '../rollups.ts';
import { commonPrompts } from './common-prompts.ts';
import { countPrompts } from './distinct-prompts.ts';
import { readRankingEvidence } from './ranking-evidence.ts';
import { findRequest, listRequests } from './requests.ts';
import { usageStats } from './usage-stats.ts';

const START_MS = Date.UTC(2026, 9, 5, 10, 30);
const from = new Date(START_MS - 7_200_000);
const to = new Date(START_MS + 7_200_000);

/** Rows as the gateway writes them, but with a text: none may be found by it. */
function embedding(at: number, given: Partial<UsageRecord> = {}): Partial<UsageRecord> {
  return {
    startedAtMs: START_MS + at,
    source: 'embedding',
    modelAsked: 'embed-1',
    modelId: 'openai:embed-1',
    prompt: 'a document',
    response: null,
    usage: { ...NO_TOKEN_USAGE, promptTokens: 100, completionTokens: 0 },
    costUsd: 0.002,
    finishReason: null,
    runId: '',
    useCase: 'other',
    failedAttempts: [{ modelId: 'openai:embed-0', code: 'upstream_failed' }],
    ...given,
  };
}

describe('requests for vectors', () => {
  let store: ScratchStore;
  let requestId = '';
  beforeAll(async () => {
    store = await openScratchStore();
    const [first] = await store.insertRequests([
      embedding(1),
      // Within a whole hour, which the roll-up answers, as well as at its ends.
      embedding(-3_600_000),
      embedding(2, { usage: NO_TOKEN_USAGE, costUsd: null }),
      { startedAtMs: START_MS },
      { startedAtMs: START_MS - 3_600_000 },
    ]);
    requestId = first?.requestId ?? '';
  });
  afterAll(() => store.dispose());

  it('are paid, and in no other figure of usage', async () => {
    const stats = await usageStats(store.db, { from, to, label: 'test' });
    expect(stats.embedding).toEqual({
      requestCount: 3,
      pricedCount: 2,
      costSumUsd: 0.004,
      promptTokenSum: 200,
    });
    expect(stats.total).toMatchObject({ requestCount: 2, failureCount: 0, costSumUsd: 0.002 });
    expect(stats.byModel.map(({ modelId }) => modelId)).toEqual(['ollama:mistral:7b']);
    expect(stats.byUseCase.map(({ useCase }) => useCase)).toEqual(['food_dining']);
  });

  it('are no questions: nothing is discovered in them, no model is ranked by them', async () => {
    expect(await countPrompts(store.db, { from, to })).toMatchObject({ requestCount: 2, distinctCount: 1 });
    const evidence = await readRankingEvidence(store.db, { runId: 'starter', from, to });
    expect(evidence.map(({ modelId }) => modelId)).toEqual(['ollama:mistral:7b']);
    const prompts = await commonPrompts(store.db, { from, to, label: 'test' }, 10);
    expect(prompts.map(({ prompt }) => prompt)).not.toContain('a document');
  });

  it('are in no list of requests, and found by their id', async () => {
    const { requests } = await listRequests(store.db, { from, to }, { limit: 10 });
    expect(requests.map(({ source }) => source)).toEqual(['gateway', 'gateway']);
    expect(await findRequest(store.db, requestId)).toMatchObject({ source: 'embedding', promptTokens: 100 });
  });

  it('give a new run nothing to count, and its days no reason to be counted again', async () => {
    expect(await rebuildRollups(store.db, 'run-1')).toEqual(['2026-10-05']);
    expect(await reconcileRollups(store.db, 'run-1')).toEqual([]);
    const rows = await store.db.query("SELECT source FROM usage_hourly WHERE source = 'embedding'", {});
    expect(rows).toEqual([]);
    await store.insertRequests([embedding(86_400_000)]);
    expect(await reconcileRollups(store.db, 'run-1')).toEqual([]);
  });
});
