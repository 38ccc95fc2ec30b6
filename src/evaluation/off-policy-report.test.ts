import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type DecisionRow,
  openScratchStore,
  type ScratchStore,
  uuidAt,
} from '../../tests/kit/scratch-store.ts';
import { PolicyBook } from '../core/policy.ts';
import { parseTimeframe } from '../core/timeframe.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { ModelRanker } from '../ranking/model-ranker.ts';
import { createRandom } from '../stats/random.ts';
import { evaluatePolicy, type PolicyQuestion } from './off-policy-report.ts';

const START_MS = Date.UTC(2026, 9, 5, 10);
const COUNT = 1_200;
const WINDOW = parseTimeframe(
  { from: new Date(START_MS).toISOString(), to: new Date(START_MS + 3_600_000).toISOString() },
  START_MS,
);
const POLICIES = new PolicyBook();

let store: ScratchStore;
beforeEach(async () => {
  store = await openScratchStore();
});
afterEach(() => store.dispose());

/** The dear model is chosen but for a fifth of the decisions; both succeed alike. */
async function fill(): Promise<void> {
  const random = createRandom(3);
  const rows: Partial<UsageRecord>[] = [];
  const decisions: DecisionRow[] = [];
  for (let at = 0; at < COUNT; at++) {
    const isCheap = random.next() < 0.2;
    const startedAtMs = START_MS + 1_000 * at;
    const requestId = uuidAt(startedAtMs);
    const modelId = isCheap ? 'p:cheap' : 'p:dear';
    rows.push({
      requestId,
      startedAtMs,
      modelId,
      costUsd: isCheap ? 0.001 : 0.02,
      latencyMs: isCheap ? 2_000 : 500,
      userId: `user-${at % 100}`,
    });
    decisions.push({
      requestId,
      startedAtMs,
      cause: isCheap ? 'exploration' : 'ranking',
      modelIds: [modelId, isCheap ? 'p:dear' : 'p:cheap'],
      propensity: isCheap ? 0.2 : 0.8,
      isExploration: isCheap,
    });
  }
  await store.insertRequests(rows);
  await store.insertDecisions(decisions);
}

const ask = (question: Partial<PolicyQuestion>) =>
  evaluatePolicy(
    { db: store.db, prices: { typicalCostUsd: () => null }, policies: POLICIES, defaultModel: null },
    { policy: 'auto', window: WINDOW, ...question },
  );

describe('evaluatePolicy', () => {
  it('answers for a model and for a policy from what the store has', async () => {
    await fill();
    const before = await ask({ policy: 'cheap' });
    expect(before).toMatchObject({
      policy: 'p:cheap',
      refusal: null,
      decisionCount: COUNT,
      sampleCount: COUNT,
      clusteredBy: 'user',
      rankingVersion: null,
      notes: [],
    });
    expect(before.rewards.costUsd.doublyRobust?.value).toBeCloseTo(0.001);
    expect(before.rewards.costUsd.logged?.value).toBeCloseTo(0.0162, 2);
    await expect(ask({ policy: 'nobody' })).rejects.toMatchObject({ code: 'unknown_model' });
    const ranker = new ModelRanker({ db: store.db, clock: () => START_MS + 3_600_000 });
    const { version } = await ranker.refreshAll();
    const after = await ask({ policy: 'auto:cheap' });
    expect(after).toMatchObject({ policy: 'auto:cheap', rankingVersion: version, refusal: null });
    expect(after.choices).toMatchObject([
      { useCase: 'food_dining', modelId: 'p:cheap', decisionCount: COUNT },
    ]);
    expect(after.notes[0]).toContain('--ranking');
    expect((await ask({ policy: 'auto:cheap', rankingVersion: version ?? '' })).choices).toEqual(
      after.choices,
    );
  });

  it('follows settings that are not those of the configuration', async () => {
    await fill();
    await new ModelRanker({ db: store.db, clock: () => START_MS + 3_600_000 }).refreshAll();
    const plain = await ask({});
    expect(plain.choices[0]?.modelId).toBe('p:cheap');
    const weights = { success: 0, speed: 1, cost: 0, quality: 0 };
    const fast = await ask({ useCases: { '*': { weights } } });
    expect(fast.choices[0]?.modelId).toBe('p:dear');
    expect(fast.rewards.latencyMs.snips?.value).toBeCloseTo(500);
    await expect(ask({ useCases: { '*': { costHalfUsd: 1 } } })).rejects.toMatchObject({
      code: 'bad_request',
    });
  });

  it('refuses what it cannot know, each with what to do', async () => {
    const none = await ask({});
    expect(none.refusal).toContain('--timeframe');
    await expect(ask({ policy: 'auto:nice' })).rejects.toMatchObject({ code: 'bad_request' });
    expect(await ask({ policy: 'p:cheap' })).toMatchObject({
      policy: 'p:cheap',
      decisionCount: 0,
      choices: [],
    });
    await expect(ask({ rankingVersion: 'v0' })).rejects.toMatchObject({ code: 'not_found' });
  });
});
