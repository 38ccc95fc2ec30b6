import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeAnswer } from '../src/api/contract-judge.ts';
import type { JudgeReport } from '../src/evaluation/judge.ts';
import type { FakeVerdict } from './kit/fake-judge.ts';
import { grades, openFakeJudge } from './kit/fake-judge.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import type { FinishedJob } from './kit/start-tallyrank.ts';
import { Tallyrank, until } from './kit/start-tallyrank.ts';

/* A judge as an operator meets it: by HTTP, on the command line and on schedule, on the compiled program. */

const open: AsyncDisposable[] = [];
let product: Tallyrank;
let judge: FakeProvider;
let callCount = 0;

async function startWith(verdict: () => FakeVerdict, settings: object): Promise<[Tallyrank, FakeProvider]> {
  const models = await FakeProvider.open({
    kind: 'openai',
    models: ['good', 'bad'],
    text: ({ model }) => (model === 'good' ? 'At eight, every day.' : 'No idea.'),
  });
  const judging = await openFakeJudge('ollama', verdict);
  const started = await Tallyrank.start({
    providers: { p: models, local: judging },
    config: { judge: { model: 'local:judge', schedule: null, pairShare: 0, ...settings } },
  });
  open.push(models, judging, started);
  return [started, judging];
}

beforeAll(async () => {
  [product, judge] = await startWith(() => grades(callCount++ % 2 === 0 ? 5 : 2), {});
  for (let at = 0; at < 4; at++) {
    expect(await product.chat('p:good', `When does shop ${at} open?`)).toMatchObject({ statusCode: 200 });
    expect(await product.chat('p:bad', `When does shop ${at} open?`)).toMatchObject({ statusCode: 200 });
  }
});

afterAll(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function judged(body: object): Promise<JudgeReport> {
  const { id } = await product.get<{ id: string }>('/api/judge', body, { method: 'POST' });
  const job = await until(`the end of job ${id}`, async () => {
    const found = await product.get<FinishedJob>(`/api/jobs/${id}`);
    return found.status === 'running' ? null : found;
  });
  expect(job, JSON.stringify(job.error)).toMatchObject({ status: 'done' });
  return job.result as JudgeReport;
}

describe.sequential('a judge', () => {
  it('judges as a job, and the score stands by its request', async () => {
    expect(await judged({ dryRun: true })).toMatchObject({ isDryRun: true, callCount: 0 });
    expect(await judged({ limit: 2 })).toMatchObject({
      scoredCount: 2,
      endedBy: 'done',
      judge: 'local:judge',
    });
    expect(judge.calls).toHaveLength(2);
    const rows = await product.rows();
    const details = await Promise.all(
      rows.map(({ requestId }) =>
        product.get<{ signals: { kind: string; source: string; value: number }[] }>(
          `/api/requests/${requestId}`,
        ),
      ),
    );
    const scores = details.flatMap(({ signals }) => signals.filter(({ kind }) => kind === 'judge_score'));
    expect(scores.map(({ source, value }) => [source, value]).sort()).toEqual([
      ['judge', 0.25],
      ['judge', 1],
    ]);
  });

  it('goes on from the command line, and says how it stands', async () => {
    const plan = await product.cli('judge', '--dry-run', '--limit', '3');
    expect(plan).toMatchObject({ exitCode: 0 });
    expect(plan.stdout).toContain('Would score 3 answers');
    const report = await product.cli('judge', '--json');
    expect(report.json, report.stderr).toMatchObject({ scoredCount: 6, endedBy: 'done' });
    const again = await product.cli('judge');
    expect(again.stdout).toContain('There is no answer left to judge');
    const status = await product.cli('judge', '--status');
    expect(status.stdout).toMatch(/Judge: local:judge\nToday: 8 of 50 samples, \$0 of \$0\.50\n/);
    expect(await product.cli('judge', '--limit', 'many', '--json')).toMatchObject({ exitCode: 2 });
  });

  it('is measured against feedback that comes after it', async () => {
    const before = judgeAnswer.parse((await product.ask('/api/judge')).json);
    expect(before).toMatchObject({ judge: 'local:judge', isLocal: true, today: { judgementCount: 8 } });
    expect(before.agreement[0]).toMatchObject({ pairCount: 0, correlation: null, weight: 0.05 });
    for (const { requestId, modelId } of await product.rows()) {
      const body = { requestId, thumbs: modelId === 'p:good' ? 'up' : 'down' };
      await product.get('/api/feedback', body);
    }
    await product.flush();
    const { agreement, scores } = judgeAnswer.parse((await product.ask('/api/judge')).json);
    expect(agreement[0]).toMatchObject({ pairCount: 8, correlation: expect.any(Number) });
    expect(scores.reduce((sum, { ratedCount }) => sum + ratedCount, 0)).toBe(8);
  });

  it('compares the answers that are named', async () => {
    const rows = await product.rows();
    const [one] = rows;
    const other = rows.find(({ prompt, modelId }) => prompt === one?.prompt && modelId !== one?.modelId);
    const pairs = [[one?.requestId, other?.requestId]];
    // The fake grades instead of comparing: an answer that cannot be read.
    expect(await judged({ pairs })).toMatchObject({ malformedCount: 1, comparedCount: 0, callCount: 2 });
  });

  it('refuses what it cannot take', async () => {
    for (const body of [
      { limit: 0 },
      { limit: 1.5 },
      { pairs: [] },
      { pairs: [['a', 'b']] },
      { model: 'other' },
    ]) {
      expect(await product.ask('/api/judge', body)).toMatchObject({ statusCode: 400 });
    }
  });
});

describe('judging on schedule', () => {
  it('happens by itself', async () => {
    const [scheduled] = await startWith(() => grades(4), { schedule: '* * * * * *' });
    await scheduled.chat('p:good', 'When does the museum open?');
    const status = await until('a judgement', async () => {
      const found = judgeAnswer.parse((await scheduled.ask('/api/judge')).json);
      return found.scores.length > 0 ? found : null;
    });
    expect(status.scores).toMatchObject([{ modelId: 'p:good', scoredCount: 1, scoreMean: 4 }]);
  });

  it('needs a judge that is configured', async () => {
    const none = await Tallyrank.start({});
    open.push(none);
    expect(await none.ask('/api/judge', {})).toMatchObject({
      statusCode: 409,
      json: { error: { code: 'bad_config', param: 'judge.model' } },
    });
    expect(judgeAnswer.parse((await none.ask('/api/judge')).json)).toMatchObject({ judge: null });
    expect(await none.cli('judge')).toMatchObject({ exitCode: 2 });
  });
});
