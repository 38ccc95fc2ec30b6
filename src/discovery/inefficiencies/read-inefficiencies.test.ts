import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { PolicyBook } from '../../core/policy.ts';
import { NO_TOKEN_USAGE, type UsageRecord } from '../../core/usage-record.ts';
import { readRankingEvidence } from '../../store/queries/ranking-evidence.ts';
import { readInefficiencies } from './read-inefficiencies.ts';

const START_MS = Date.UTC(2026, 9, 5, 10, 0, 0);
const scope = { runId: 'starter', from: new Date(START_MS), to: new Date(START_MS + 86_400_000) };
const PAID = 'openai:gpt-4o';
const FREE = 'ollama:mistral:7b';
const SECRET = 'where did I bury the treasure';

/** 60 requests, ten seconds apart, each with a text of its own. */
function sixty(name: string, given: (at: number) => Partial<UsageRecord>): Partial<UsageRecord>[] {
  return Array.from({ length: 60 }, (_, at) => ({
    startedAtMs: START_MS + 10_000 * at,
    prompt: `${SECRET} ${name} ${at}`,
    promptHash: `${name} ${at}`,
    modelId: PAID,
    ...given(at),
  }));
}

describe('readInefficiencies', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  const read = async () =>
    readInefficiencies(store.db, scope, await readRankingEvidence(store.db, scope), {
      rankings: [],
      policies: new PolicyBook(),
    });

  it('finds one of each, most money first, and every query answers again', async () => {
    const timeout = { fault: 'provider', code: 'upstream_timeout', message: 'no' } as const;
    await store.insertRequests([
      ...sixty('paid', () => ({ useCase: 'travel', costUsd: 0.03 })),
      ...sixty('free', () => ({ useCase: 'travel', modelId: FREE, costUsd: 0 })),
      ...sixty('again', (at) => ({
        useCase: 'summaries',
        sessionId: `session ${at % 20}`,
        promptHash: `again ${at % 20}`,
        prompt: SECRET,
        startedAtMs: START_MS + 1_000 * (at % 20) + 5_000 * at,
        costUsd: 0.002,
      })),
      ...sixty('same', () => ({ useCase: 'news', promptHash: 'same', prompt: SECRET, costUsd: 0.001 })),
      ...sixty('slow', () => ({
        useCase: 'maths',
        modelId: 'openai:slow',
        failure: timeout,
        sessionId: 'retrying',
        promptHash: 'slow',
        prompt: SECRET,
        costUsd: null,
      })),
      ...sixty('stood in for', () => ({
        useCase: 'maths',
        costUsd: 0.001,
        failedAttempts: [{ modelId: 'openai:slow', code: 'upstream_timeout' }],
      })),
      ...sixty('long', (at) => {
        const promptTokens = at < 50 ? 500 + at : 20_000 + at;
        const completionTokens = 10 + ((at * at) % 37);
        return {
          useCase: 'chat_history',
          modelId: 'openai:long',
          usage: { ...NO_TOKEN_USAGE, promptTokens, completionTokens },
          costUsd: (promptTokens + 4 * completionTokens) / 1e6,
        };
      }),
    ]);
    const found = await read();
    expect(new Set(found.map(({ type }) => type))).toEqual(
      new Set([
        'expensive_for_use_case',
        'oversized_context',
        'retries_after_success',
        'duplicate_prompts',
        'timeouts',
        'frequent_failures',
        'failed_attempts',
        'retries_after_failure',
      ]),
    );
    const money = found.map(({ wastedUsd }) => wastedUsd ?? 0);
    expect(money).toEqual(money.toSorted((a, b) => b - a));
    expect(found[0]).toMatchObject({ type: 'expensive_for_use_case', useCase: 'travel' });
    const excess = found.find(({ type }) => type === 'oversized_context');
    // Ten requests of 20,055 tokens on average, 18,000 or so beyond the limit of some 2,100, at 1 $ a million.
    expect(excess?.wastedUsd).toBeGreaterThan(0.17);
    expect(excess?.wastedUsd).toBeLessThan(0.19);
    expect(found.find(({ type }) => type === 'retries_after_failure')).toMatchObject({
      requestCount: 59,
      wastedUsd: null,
    });
    expect(found.find(({ type }) => type === 'duplicate_prompts')?.requestCount).toBeGreaterThanOrEqual(59);

    for (const { queries } of found) {
      expect(queries.length).toBeGreaterThan(0);
      for (const { sql, params } of queries) expect(await store.db.query(sql, params)).not.toEqual([]);
    }
    expect(JSON.stringify(found)).not.toContain(SECRET);
  });

  it('hands out queries whose rows are those of the finding', async () => {
    await store.insertRequests(
      sixty('same', (at) => ({
        promptHash: 'same',
        prompt: SECRET,
        costUsd: 0.25,
        modelId: at < 30 ? PAID : 'openai:mini',
      })),
    );
    const found = (await read()).filter(({ type }) => type === 'duplicate_prompts');
    expect(found.map(({ modelId }) => modelId).sort()).toEqual([PAID, 'openai:mini']);
    for (const { modelId, requestCount, costUsd, queries } of found) {
      const rows = await Promise.all(queries.map(({ sql, params }) => store.db.query(sql, params)));
      expect(rows).toMatchObject([[{ modelId, requestCount, costUsd }]]);
    }
  });

  it('finds nothing in an empty window, in a single request, or in empty prompts without price', async () => {
    expect(await read()).toEqual([]);
    await store.insertRequests([{ startedAtMs: START_MS, modelId: PAID, costUsd: 10 }]);
    expect(await read()).toEqual([]);
    await store.insertRequests(
      sixty('empty', () => ({ prompt: '', promptLength: 0, promptHash: '', costUsd: null, latencyMs: null })),
    );
    expect(await read()).toEqual([]);
  });
});
