import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, uuidAt } from '../../../tests/kit/scratch-store.ts';
import type { Decision } from '../../core/decision.ts';
import type { UsageRecord } from '../../core/usage-record.ts';
import { countDecisions, type RuledDecision, streamRuledDecisions } from './ruled-decisions.ts';

const START_MS = Date.UTC(2026, 9, 5, 10);
const SCOPE = { runId: 'starter', from: new Date(START_MS), to: new Date(START_MS + 3_600_000) };

let store: ScratchStore;
beforeEach(async () => {
  store = await openScratchStore();
});
afterEach(() => store.dispose());

async function log(
  atMs: number,
  given: Partial<UsageRecord>,
  decided: Partial<Decision> = {},
): Promise<void> {
  const startedAtMs = START_MS + atMs;
  const requestId = uuidAt(startedAtMs);
  await store.insertRequests([
    { startedAtMs, requestId, promptHash: `hash-${atMs}`, modelId: 'p:a', ...given },
  ]);
  await store.insertDecisions([
    { requestId, startedAtMs, policy: 'auto:cheap', modelIds: ['p:a', 'p:b'], ...decided },
  ]);
}

async function read(readsPrompt: boolean, sliceCount = 1): Promise<RuledDecision[]> {
  const rows: RuledDecision[] = [];
  for await (const block of streamRuledDecisions(store.db, SCOPE, { sliceCount, readsPrompt }))
    rows.push(...block);
  return rows;
}

const candidate = (modelId: string) => ({
  modelId,
  score: 1,
  isCandidate: true,
  reason: null,
  probability: null,
});

describe('streamRuledDecisions', () => {
  it('has what a rule may look at, and what came of it', async () => {
    const context = { keyId: 'k1', roomId: 'r1', userId: 'ann', tags: ['batch'] };
    await log(1, { ...context, modelId: 'p:b', prompt: 'Hello', costUsd: null }, { ruleName: 'a rule' });
    // Outside of the window, and not decided at all.
    await log(3_600_000, {});
    await store.insertRequests([{ startedAtMs: START_MS + 5, requestId: uuidAt(START_MS + 5) }]);
    expect(await read(true)).toEqual([
      {
        useCase: 'food_dining',
        policy: 'auto:cheap',
        modelAsked: 'auto',
        cause: 'ranking',
        ruleName: 'a rule',
        isExploration: false,
        modelId: 'p:a',
        answeredId: 'p:b',
        listedIds: ['p:a', 'p:b'],
        prompt: 'Hello',
        ...context,
        promptTokens: 10,
        hasTokens: true,
        costUsd: null,
        success: 1,
      },
    ]);
    expect(await countDecisions(store.db, SCOPE)).toEqual({ decisionCount: 1, modelIds: ['p:a', 'p:b'] });
  });

  it('reads no text unless it is asked for, and says where none was kept', async () => {
    await log(1, { prompt: 'Hello' });
    await log(2, { prompt: '', promptLength: 12 });
    await log(3, { prompt: '', promptLength: 0 });
    expect((await read(false)).map(({ prompt }) => prompt)).toEqual([null, null, null]);
    const texts = (await read(true)).map(({ prompt }) => prompt);
    expect(texts.sort()).toEqual(['', 'Hello', null]);
  });

  it('has head and tail of a prompt that is longer than rules read', async () => {
    await log(1, { prompt: `${'é'.repeat(5_000)}middle${'я'.repeat(5_000)}end` });
    const [row] = await read(true);
    expect(row?.prompt).toBe(`${'é'.repeat(4_000)}\n${'я'.repeat(3_997)}end`);
  });

  it('takes the models with a row of their own for able where the order of fallback was cut', async () => {
    const ten = Array.from({ length: 10 }, (_, at) => `p:${at}`);
    await log(1, {}, { modelIds: ten, candidates: [candidate('p:0'), candidate('p:eleven')] });
    await log(2, {}, { modelIds: ['p:a'], candidates: [candidate('p:unable')] });
    const listed = (await read(false)).map(({ listedIds }) => listedIds.length);
    expect(listed.sort()).toEqual([1, 11]);
  });

  it('reads one of so many, the same each time', async () => {
    for (let at = 0; at < 16; at++) await log(at, {});
    const some = await read(false, 2);
    expect(some.length).toBeGreaterThan(0);
    expect(some.length).toBeLessThan(16);
    expect(await read(false, 2)).toHaveLength(some.length);
  });
});
