import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { NO_TOKEN_USAGE, type UsageRecord } from '../core/usage-record.ts';
import { dropOldRuns, rebuildRollups, reconcileRollups } from './rollups.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 9, 1);

describe('roll-ups of a new run', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
    await store.insertRequests(requests(300, 'starter'));
    await assign('run-1', ['coffee', 'code', 'weather']);
  });
  afterEach(() => store.dispose());

  it('counts every row of earlier runs once, under the use case that the run assigned', async () => {
    expect(await rebuildRollups(store.db, 'run-1')).toEqual(['2026-10-01', '2026-10-02', '2026-10-03']);
    // Rows that the new run's own classifier labelled arrive by the view.
    await store.insertRequests(requests(50, 'run-1', { useCase: 'coffee' }));
    await expectSameAsLog('run-1');
  });

  it('gives the same figures when repeated', async () => {
    await rebuildRollups(store.db, 'run-1');
    await rebuildRollups(store.db, 'run-1');
    await expectSameAsLog('run-1');
  });

  it('mends the days on which rows with an old label arrived later, and only those', async () => {
    await rebuildRollups(store.db, 'run-1');
    await store.insertRequests(requests(20, 'starter', {}, START_MS + DAY_MS));
    await store.insertRequests(requests(5, 'run-0', {}, START_MS + 5 * DAY_MS));
    expect(await reconcileRollups(store.db, 'run-1')).toEqual(['2026-10-02', '2026-10-06']);
    expect(await reconcileRollups(store.db, 'run-1')).toEqual([]);
    await expectSameAsLog('run-1');
  });

  it('loses and doubles nothing while rows keep arriving', async () => {
    const rebuilt = rebuildRollups(store.db, 'run-1');
    for (let batch = 0; batch < 5; batch++) await store.insertRequests(requests(30, 'starter'));
    await rebuilt;
    await reconcileRollups(store.db, 'run-1');
    await expectSameAsLog('run-1');
  });

  it('needs nothing for the rows of the starter run itself', async () => {
    expect(await rebuildRollups(store.db, 'starter')).toEqual([]);
    expect(await reconcileRollups(store.db, 'starter')).toEqual([]);
  });

  it('makes the same figures as the view does on insert', async () => {
    // Both label alike here, so that everything but the two key columns must agree. A rule's word needs no assignment.
    await store.db.insertRows('assignments', [
      { run_id: 'run-2', prompt_hash: 'coffee', use_case: 'a', confidence: null },
    ]);
    await store.insertRequests(
      requests(40, 'run-1', { useCase: 'a', promptHash: 'coffee' }, Date.UTC(2026, 11, 1)),
    );
    const ruled = { useCase: 'refunds', useCaseRule: 'by app', promptHash: 'coffee' };
    await store.insertRequests(requests(40, 'run-1', ruled, Date.UTC(2026, 11, 1)));
    await rebuildRollups(store.db, 'run-2');
    const rows = await store.db.query<Record<string, unknown>>(
      `SELECT run_id, * EXCEPT (run_id, is_rebuilt, latency_quantiles, cost_sums, routed_cost_sums, users, prompts),
        finalizeAggregation(cost_sums) AS cost_sums_, finalizeAggregation(routed_cost_sums) AS routed_,
        finalizeAggregation(latency_quantiles) AS quantiles, finalizeAggregation(users) AS users_,
        finalizeAggregation(prompts) AS prompts_
      FROM usage_hourly FINAL WHERE hour >= '2026-12-01' AND run_id IN ('run-1', 'run-2')
      ORDER BY run_id, use_case, model_id, source, hour`,
    );
    const of = (run: string): object[] =>
      rows.filter((row) => row['run_id'] === run).map(({ run_id: _run, ...figures }) => figures);
    expect(of('run-2').length, JSON.stringify(rows[0])).toBeGreaterThan(0);
    expect(of('run-2')).toEqual(of('run-1'));
    expect(new Set(rows.map((row) => row['use_case']))).toEqual(new Set(['a', 'refunds']));
  });

  it('counts a failure of a model that another one stood in for, and no request', async () => {
    const attempt = { modelId: 'openai:broken', code: 'upstream_failed' };
    const rescued = { promptHash: 'code', failedAttempts: [attempt] };
    await store.insertRequests(requests(30, 'starter', rescued));
    await store.insertRequests(requests(10, 'run-1', { ...rescued, useCase: 'case_code' }));
    await rebuildRollups(store.db, 'run-1');
    const rows = await store.db.query(
      `SELECT run_id, use_case, sum(request_count) AS requests, sum(failure_count) AS failures
      FROM usage_hourly WHERE model_id = 'openai:broken' GROUP BY run_id, use_case ORDER BY run_id`,
    );
    expect(rows).toEqual([
      { run_id: 'run-1', use_case: 'case_code', requests: 0, failures: 40 },
      { run_id: 'starter', use_case: 'casual_chat', requests: 0, failures: 30 },
    ]);
  });

  it('stops between days when told to', async () => {
    await expect(rebuildRollups(store.db, 'run-1', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  it('leaves no staging table behind', async () => {
    await rebuildRollups(store.db, 'run-1');
    expect(await store.db.query("SELECT name FROM system.tables WHERE name LIKE '%staging%'")).toEqual([]);
  });

  it('drops the runs that nobody needs any more', async () => {
    await assign('run-2', ['code']);
    await rebuildRollups(store.db, 'run-1');
    await rebuildRollups(store.db, 'run-2');
    expect(await dropOldRuns(store.db, ['run-2'])).toBe(4);
    expect(await store.db.query('SELECT DISTINCT run_id FROM usage_hourly ORDER BY run_id')).toEqual([
      { run_id: 'run-2' },
      { run_id: 'starter' },
    ]);
    expect(await store.db.query('SELECT DISTINCT run_id FROM assignments')).toEqual([{ run_id: 'run-2' }]);
    await expectSameAsLog('run-2');
  });

  async function assign(runId: string, hashes: readonly string[]): Promise<void> {
    const rows = hashes.map((hash) => ({
      run_id: runId,
      prompt_hash: hash,
      use_case: `case_${hash}`,
      confidence: 0.9,
    }));
    // Twice: a discovery run that was repeated leaves the newest of each.
    await store.db.insertRows('assignments', rows);
    await store.db.insertRows('assignments', rows);
  }

  /** The roll-up of a run against the log itself, relabelled row by row in the query. */
  async function expectSameAsLog(runId: string): Promise<void> {
    const rolled = await store.db.query(
      `SELECT use_case, model_id, sum(request_count) AS requests, sum(success_count) AS successes,
        sum(failure_count) AS failures, sum(priced_count) AS priced, round(sum(cost_sum_usd), 6) AS cost,
        round(sum(latency_sum_ms), 3) AS latency, uniqMerge(users) AS user_count,
        arraySum(mapValues(sumMap(latency_bins))) AS binned
      FROM usage_hourly WHERE run_id = {run:String} GROUP BY use_case, model_id ORDER BY use_case, model_id`,
      { run: runId },
    );
    const logged = await store.db.query(
      `SELECT multiIf(run_id = {run:String}, use_case, assigned != '', assigned, 'other') AS use_case, model_id,
        count() AS requests, countIf(success) AS successes, countIf(fault IN ('provider', 'model')) AS failures,
        countIf(cost_usd IS NOT NULL) AS priced, round(sum(ifNull(cost_usd, 0)), 6) AS cost,
        round(sumIf(latency_ms, success), 3) AS latency, uniqExact(user_id) AS user_count,
        countIf(success AND latency_ms IS NOT NULL) AS binned
      FROM (
        SELECT u.*, a.assigned FROM usage_log AS u LEFT JOIN (
          SELECT prompt_hash AS hash, any(use_case) AS assigned FROM assignments WHERE run_id = {run:String} GROUP BY hash
        ) AS a ON a.hash = u.prompt_hash
      )
      GROUP BY use_case, model_id ORDER BY use_case, model_id`,
      { run: runId },
    );
    expect(logged.length).toBeGreaterThan(0);
    expect(rolled).toEqual(logged);
  }
});

function requests(
  count: number,
  runId: string,
  given: Partial<UsageRecord> = {},
  fromMs = START_MS,
): Partial<UsageRecord>[] {
  const hashes = ['coffee', 'code', 'weather', 'unseen'];
  return Array.from({ length: count }, (_, at) => ({
    startedAtMs: fromMs + Math.floor((at / 300) * 3 * DAY_MS),
    runId,
    modelId: at % 3 === 0 ? 'openai:gpt-4o' : 'ollama:mistral:7b',
    useCase: 'casual_chat',
    promptHash: hashes[at % 4] ?? '',
    latencyMs: at % 11 === 0 ? null : 100 + at * 7.25,
    firstTokenMs: at % 2 === 0 ? null : 60 + at,
    loadMs: at % 3 === 0 ? 40 : null,
    queueMs: at % 4 === 0 ? 25 : null,
    generationMs: at % 5 === 0 ? 30 + at : null,
    usage: {
      ...NO_TOKEN_USAGE,
      promptTokens: 10,
      completionTokens: at % 17,
      reasoningTokens: at % 6 === 0 ? 4 : null,
    },
    costUsd: at % 5 === 0 ? null : at * 0.000_125,
    userId: `user-${at % 7}`,
    failure: at % 13 === 0 ? { fault: 'model', code: 'empty_answer', message: '' } : null,
    ...given,
  }));
}
