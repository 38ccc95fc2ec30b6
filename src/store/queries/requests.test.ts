import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, uuidAt } from '../../../tests/kit/scratch-store.ts';
import { encodeSignal } from '../../core/signal.ts';
import type { UsageRecord } from '../../core/usage-record.ts';
import { requestDetails } from './request-details.ts';
import { findRequest, listRequests, type RequestFilter } from './requests.ts';

const START_MS = Date.UTC(2026, 9, 5);
const ALL = { from: new Date(START_MS), to: new Date(START_MS + 86_400_000) };

describe('requests', () => {
  let store: ScratchStore;
  let records: UsageRecord[];
  beforeAll(async () => {
    store = await openScratchStore();
    records = await store.insertRequests(
      Array.from({ length: 25 }, (_, at) => ({
        // Five share each moment, so that the cursor has to tell them apart.
        startedAtMs: START_MS + Math.floor(at / 5) * 1_000,
        requestId: uuidAt(START_MS + Math.floor(at / 5) * 1_000),
        modelId: at % 2 === 0 ? 'a:even' : 'a:odd',
        userId: at === 3 ? 'three' : null,
        sessionId: at < 2 ? 'first' : null,
        prompt: at === 7 ? 'Wo öffnet das CAFÉ?' : `prompt ${at}`,
        response: at === 8 ? 'in the café' : 'text',
        promptHash: `hash-${at}`,
        useCase: at % 5 === 0 ? 'quick_lookup' : 'food_dining',
        failure:
          at === 10
            ? { fault: 'caller', code: 'caller_cancelled', message: 'left' }
            : at === 11
              ? { fault: 'provider', code: 'upstream_failed', message: 'down' }
              : null,
      })),
    );
  });
  afterAll(() => store.dispose());

  it('pages through all of them, newest first, each once', async () => {
    const seen: string[] = [];
    const moments: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listRequests(store.db, ALL, { limit: 7, cursor });
      seen.push(...page.requests.map((row) => row.requestId));
      moments.push(...page.requests.map((row) => row.startedAt));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(new Set(seen)).toEqual(new Set(records.map((record) => record.requestId)));
    expect(seen).toHaveLength(25);
    expect(moments).toEqual([...moments].sort().reverse());
  });

  it('filters', async () => {
    const prompts = async (filter: Partial<RequestFilter>): Promise<(string | null)[]> => {
      const { requests } = await listRequests(store.db, { ...ALL, ...filter }, { limit: 100 });
      return requests.map((row) => row.prompt).sort();
    };
    expect(await prompts({ modelId: 'a:odd' })).toHaveLength(12);
    expect(await prompts({ userId: 'three' })).toEqual(['prompt 3']);
    expect(await prompts({ sessionId: 'first' })).toEqual(['prompt 0', 'prompt 1']);
    expect(await prompts({ status: 'abandoned' })).toEqual(['prompt 10']);
    expect(await prompts({ status: 'failure' })).toEqual(['prompt 10', 'prompt 11']);
    expect(await prompts({ status: 'success' })).toHaveLength(23);
    expect(await prompts({ search: 'café' })).toEqual(['Wo öffnet das CAFÉ?', 'prompt 8']);
    expect(await prompts({ search: "' OR 1=1 --" })).toEqual([]);
    expect(await prompts({ useCase: 'quick_lookup' })).toHaveLength(5);
    expect(await prompts({ useCase: 'other' })).toEqual([]);
    expect(await prompts({ from: new Date(START_MS + 4_000) })).toHaveLength(5);
  });

  it('gives the use case in the words of the current run, and filters by it', async () => {
    const at = new Date(START_MS);
    const run = { run_id: 'run-1', created_at: at, window_from: at, window_to: at };
    await store.db.insertRows('discovery_runs', [{ ...run, status: 'active', changed_at: at }]);
    await store.db.insertRows('assignments', [{ run_id: 'run-1', prompt_hash: 'hash-3', use_case: 'tea' }]);
    const all = await listRequests(store.db, ALL, { limit: 100 });
    expect(all.requests.filter((row) => row.useCase === 'tea').map((row) => row.prompt)).toEqual([
      'prompt 3',
    ]);
    const tea = await listRequests(store.db, { ...ALL, useCase: 'tea' }, { limit: 100 });
    expect(tea.requests.map((row) => row.prompt)).toEqual(['prompt 3']);
    const other = await listRequests(store.db, { ...ALL, useCase: 'other' }, { limit: 100 });
    expect(other.requests).toHaveLength(24);
    await store.db.insertRows('discovery_runs', [{ ...run, status: 'retired', changed_at: new Date() }]);
  });

  it('refuses a cursor that it did not make', async () => {
    await expect(listRequests(store.db, ALL, { limit: 1, cursor: 'nonsense' })).rejects.toMatchObject({
      code: 'bad_request',
    });
  });

  it('finds one by id, with null where nobody said', async () => {
    const record = records[11] as UsageRecord;
    expect(await findRequest(store.db, record.requestId)).toMatchObject({
      requestId: record.requestId,
      startedAt: '2026-10-05T00:00:02.000Z',
      prompt: 'prompt 11',
      isSuccess: false,
      errorCode: 'upstream_failed',
      userId: null,
      costUsd: 0.001,
      useCase: 'food_dining',
      tags: [],
    });
    expect(await findRequest(store.db, uuidAt(START_MS))).toBeNull();
    expect(await findRequest(store.db, 'nonsense')).toBeNull();
  });

  it('shows why a model was chosen and what was learnt later, the newest of a kind', async () => {
    const { requestId, startedAtMs } = records[4] as UsageRecord;
    const feedback = { requestId, kind: 'feedback', comment: null, source: 'api' } as const;
    const signals = [
      encodeSignal({ ...feedback, value: 0.25, atMs: startedAtMs + 1_000 }),
      encodeSignal({ ...feedback, value: 1, atMs: startedAtMs + 2_000 }),
    ];
    await store.insertDecisions([
      {
        requestId,
        startedAtMs,
        useCaseConfidence: 0.75,
        modelIds: ['a:even', 'a:odd'],
        candidates: [{ modelId: 'a:even', score: 92.5, isCandidate: true, reason: null, probability: 0.95 }],
        propensity: 0.95,
        reason: 'best',
      },
    ]);
    for (const [at, line] of signals.entries())
      await store.db.insertLines('signals', Buffer.from(line), `s${at}`);
    expect(await requestDetails(store.db, requestId)).toMatchObject({
      request: { requestId },
      decision: {
        cause: 'ranking',
        ruleName: null,
        modelId: 'a:even',
        fallbackModelIds: ['a:odd'],
        candidates: [{ modelId: 'a:even', score: 92.5 }],
        propensity: 0.95,
      },
      signals: [{ kind: 'feedback', value: 1, at: '2026-10-05T00:00:02.000Z' }],
    });
  });
});
