import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JudgeReport } from '../src/evaluation/judge.ts';
import { openDatabase } from '../src/store/database.ts';
import { openFakeJudge } from './kit/fake-judge.ts';
import type { FakeReply } from './kit/fake-provider.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import type { FinishedJob } from './kit/start-tallyrank.ts';
import { Tallyrank, until } from './kit/start-tallyrank.ts';

/*
 * Shadow calls as callers and operators meet them: callers never notice, the log tells them from what was asked, and
 * the ranking learns. On the compiled program; of two models a fair coin picks the second as a shadow.
 */

const BEST = 'near:best';
const OTHER = 'far:other';

const open: AsyncDisposable[] = [];
let product: Tallyrank;
let near: FakeProvider;
let far: FakeProvider;
let replyOfOther: () => FakeReply | Promise<FakeReply> = () => ({ text: 'At nine, I think.' });
let chatCount = 0;

interface Stats {
  readonly total: {
    readonly requestCount: number;
    readonly costSumUsd: number;
    readonly distinctPromptCount: number;
  };
  readonly byModel: readonly { readonly modelId: string; readonly requestCount: number }[];
  readonly shadow: {
    readonly requestCount: number;
    readonly pricedCount: number;
    readonly costSumUsd: number | null;
  };
}

interface ShadowRow {
  readonly requestId: string;
  readonly shadowOf: string;
  readonly modelId: string;
  readonly source: string;
  readonly success: boolean;
  readonly errorCode: string;
  readonly fault: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly isStream: boolean;
  readonly hasFirstToken: number;
  readonly response: string;
}

async function chat(
  prompt: string,
  body: object = {},
  headers: Record<string, string> = {},
): Promise<string> {
  chatCount++;
  const request = { model: 'auto', messages: [{ role: 'user', content: prompt }], ...body };
  const answer = await product.ask('/v1/chat/completions', request, { headers });
  expect(answer.statusCode, answer.text).toBe(200);
  expect(answer.headers.get('x-tallyrank-model')).toBe(BEST);
  expect(answer.headers.get('x-tallyrank-propensity')).toBe('1');
  expect(answer.headers.get('x-tallyrank-cause')).not.toBe('exploration');
  return answer.headers.get('x-tallyrank-request-id') ?? '';
}

/** Chats until one more shadow is asked for; gives the ids of the requests. */
async function untilShadow(ask: () => Promise<string>): Promise<readonly string[]> {
  const before = far.calls.length;
  const requestIds: string[] = [];
  return await until('a shadow', async () => {
    if (far.calls.length > before) return requestIds;
    requestIds.push(await ask());
    return null;
  });
}

async function metric(name: string): Promise<number> {
  const { text } = await product.ask('/metrics');
  const lines = text.split('\n').filter((line) => line.startsWith(`tallyrank_${name}`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

async function settled(): Promise<void> {
  await until('the end of every shadow', async () =>
    (await metric('shadow_requests_total')) === far.calls.length ? true : null,
  );
  await product.flush();
}

async function shadows(): Promise<readonly ShadowRow[]> {
  const db = await openDatabase({ dataDir: product.dataDir });
  try {
    return await db.query<ShadowRow>(`
      SELECT toString(request_id) AS requestId, toString(shadow_of) AS shadowOf, model_id AS modelId, source,
        success, error_code AS errorCode, fault, user_id AS userId, session_id AS sessionId, is_stream AS isStream,
        first_token_ms IS NOT NULL AS hasFirstToken, response
      FROM usage_log WHERE source = 'shadow' ORDER BY started_at`);
  } finally {
    await db.close();
  }
}

async function explore(body: object): Promise<void> {
  await product.get('/api/exploration', body, { method: 'PUT' });
}

beforeAll(async () => {
  near = await FakeProvider.open({ kind: 'ollama', models: ['best'], text: () => 'At eight.' });
  far = await FakeProvider.open({ kind: 'openai', models: ['other'], reply: () => replyOfOther() });
  const judge = await openFakeJudge('openai', ({ first }) => ({
    better: first === 'At eight.' ? 'first' : 'second',
  }));
  product = await Tallyrank.start({
    config: {
      providers: [
        { id: 'near', kind: 'ollama', baseUrl: near.baseUrl },
        { id: 'far', kind: 'openai', baseUrl: far.baseUrl },
        // Without a price, so that auto leaves it alone.
        { id: 'judging', kind: 'openai', baseUrl: judge.baseUrl },
      ],
      prices: { [OTHER]: { inputUsdPerMtok: 10, outputUsdPerMtok: 30 } },
      ranking: { refreshSeconds: 3600 },
      judge: { model: 'judging:judge', schedule: null, pairShare: 1 },
      exploration: { shadow: true, share: 1, method: 'uniform', budgetUsdPerDay: null },
    },
  });
  open.push(near, far, judge, product);
});

afterAll(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

describe.sequential('shadow calls', () => {
  it('begin when the caller has the whole answer, and are logged beside it', async () => {
    const headers = { 'x-user-id': 'anna', 'x-request-id': 'mine' };
    const requestIds = await untilShadow(() => chat('When does the coffee shop open?', {}, headers));
    await settled();
    const [row] = await shadows();
    expect(row).toMatchObject({ modelId: OTHER, source: 'shadow', success: true, userId: '', sessionId: '' });
    expect(row?.response).toBe('At nine, I think.');
    expect(requestIds).toContain(row?.shadowOf);
    const details = await product.get<object>(`/api/requests/${row?.requestId}`);
    expect(details).toMatchObject({ source: 'shadow', shadowOf: row?.shadowOf, decision: null });
  });

  it('wait for the end of a stream, and stream as it did', async () => {
    const before = far.calls.length;
    let endedCount = 0;
    const early: number[] = [];
    near.next(
      ...Array.from({ length: 60 }, () => ({
        text: 'At eight, every day.',
        beforeChunk: async () => {
          // Those of streams that have ended may come in while the next is under way.
          if (far.calls.length - before > endedCount) early.push(endedCount);
        },
      })),
    );
    await untilShadow(async () => {
      const requestId = await chat('And on Sunday?', { stream: true });
      endedCount++;
      return requestId;
    });
    expect(early).toEqual([]);
    await settled();
    expect((await shadows()).at(-1)).toMatchObject({ isStream: true, hasFirstToken: 1, success: true });
  });

  it('keep nobody waiting when their model hangs', async () => {
    let answer: (reply: FakeReply) => void = () => undefined;
    const blocked = new Promise<FakeReply>((resolve) => {
      answer = resolve;
    });
    replyOfOther = () => blocked;
    await untilShadow(() => chat('Does the shop hang?'));
    for (let round = 0; round < 30; round++) await chat('Does the shop hang?');
    expect(await metric('shadow_requests_total')).toBeLessThan(far.calls.length);
    replyOfOther = () => ({ text: '' });
    answer({ errorStatus: 500 });
    await settled();
    const rows = await shadows();
    expect(rows.filter(({ fault }) => fault === 'provider').length).toBeGreaterThan(0);
    replyOfOther = () => ({ text: 'At nine, I think.' });
  });

  it('are in no figure of what was asked, and on a line of their own where money is counted', async () => {
    await settled();
    const stats = await product.get<Stats>('/api/usage/stats?timeframe=1%20hour');
    const rows = await shadows();
    expect(stats.total).toMatchObject({ requestCount: chatCount, costSumUsd: 0, distinctPromptCount: 3 });
    expect(stats.byModel.map(({ modelId }) => modelId)).toEqual([BEST]);
    expect(stats.shadow.requestCount).toBe(rows.length);
    expect(stats.shadow.costSumUsd).toBeGreaterThan(0);
    expect((await product.rows()).map(({ modelId }) => modelId)).toEqual(Array(chatCount).fill(BEST));
    expect(await metric('requests_total')).toBe(chatCount);
    expect(await metric('shadow_cost_usd_total')).toBeCloseTo(stats.shadow.costSumUsd ?? 0, 9);
    const savings = await product.get<{ requestCount?: number; actualCost: string }>(
      '/api/savings?timeframe=1%20hour',
    );
    expect(Number(savings.actualCost)).toBe(0);
    const { today } = await product.get<{ today: { spentUsd: number; exploredCount: number } }>(
      '/api/exploration',
    );
    expect(today.exploredCount).toBe(rows.length);
    expect(today.spentUsd).toBeGreaterThanOrEqual(stats.shadow.costSumUsd ?? 1);
  });

  it('are evidence of their model', async () => {
    const rows = await shadows();
    const { rankings } = await product.get<{
      rankings: { useCase: string; best: Ranked | null; alternatives: Ranked[] }[];
    }>('/api/rankings');
    const other = rankings.flatMap(({ best, alternatives }) =>
      [best, ...alternatives].filter((model) => model?.modelId === OTHER),
    );
    expect(other.reduce((sum, model) => sum + (model?.totalRequests ?? 0), 0)).toBe(rows.length);
  });

  it('are compared with the answer that the caller had', async () => {
    const { id } = await product.get<{ id: string }>('/api/judge', {}, { method: 'POST' });
    const job = await until(`the end of job ${id}`, async () => {
      const found = await product.get<FinishedJob>(`/api/jobs/${id}`);
      return found.status === 'running' ? null : found;
    });
    expect(job, JSON.stringify(job.error)).toMatchObject({ status: 'done' });
    expect((job.result as JudgeReport).comparedCount).toBeGreaterThan(0);
  });

  it('end with the budget', async () => {
    await explore({ budgetUsdPerDay: 0 });
    const before = far.calls.length;
    for (let round = 0; round < 30; round++) await chat('Is it paid for?');
    await product.flush();
    expect(far.calls.length).toBe(before);
    await explore({ budgetUsdPerDay: null });
    await untilShadow(() => chat('Is it paid for?'));
  });

  it('are cut when the program ends, and say so', async () => {
    await settled();
    replyOfOther = () => ({ isSilent: true });
    await untilShadow(() => chat('Are you closing?'));
    expect(await product.stop()).toBe(0);
    replyOfOther = () => ({ text: 'At nine.' });
    await product.restart();
    const cut = (await shadows()).filter(({ errorCode }) => errorCode === 'shutting_down');
    expect(cut.length).toBeGreaterThan(0);
    expect(cut[0]).toMatchObject({ success: false, fault: 'self' });
  });

  it('are switched off from the command line, for the gateway that runs and the next', async () => {
    expect((await product.cli('exploration', 'show')).stdout).toMatch(
      /set by an operator.*shadow: callers get/s,
    );
    const wrong = await product.cli('exploration', 'set', '--share', '2', '--json');
    expect(wrong).toMatchObject({ exitCode: 2 });
    expect(wrong.stderr).toContain('share: ');
    expect(await product.cli('exploration', 'set', '--shadow', 'perhaps')).toMatchObject({ exitCode: 2 });
    const set = await product.cli(
      'exploration',
      'set',
      '--shadow',
      'off',
      '--budget',
      '0.5',
      '--share',
      '0',
      '--json',
    );
    expect(set.json, set.stderr).toMatchObject({
      origin: 'operator',
      settings: { shadow: false, share: 0, budgetUsdPerDay: 0.5, method: 'uniform', newModelRequests: 20 },
      today: { exploredCount: expect.any(Number) },
    });
    await product.restart();
    expect(await product.get('/api/exploration')).toMatchObject({
      shadow: false,
      share: 0,
      budgetUsdPerDay: 0.5,
    });
    const before = far.calls.length;
    for (let round = 0; round < 10; round++) await chat('Anybody there?');
    expect(far.calls.length).toBe(before);
  });
});

interface Ranked {
  readonly modelId: string;
  readonly totalRequests: number;
}
