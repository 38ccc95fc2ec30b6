import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grades } from '../../tests/kit/fake-judge.ts';
import { answersToJudge, DAY_MS, JudgeBench, START_MS } from '../../tests/kit/judge-bench.ts';
import { readJudgeEvidence } from '../store/queries/judge-evidence.ts';

/* What verdicts are worth: whether they change with the order of the answers, and how far people agree. */

const SCOPE = { runId: 'starter', from: new Date(START_MS - DAY_MS), to: new Date(START_MS + 30 * DAY_MS) };

let bench: JudgeBench;
beforeEach(async () => {
  bench = await JudgeBench.open();
});
afterEach(() => bench.dispose());

describe('comparisons', () => {
  const pair = [
    { modelId: 'ollama:long', response: 'A long and good answer.' },
    { modelId: 'ollama:short', response: 'Short.' },
  ];
  const settings = { pairShare: 1 };

  it('counts a verdict that changes with the order as a tie', async () => {
    await bench.log(pair);
    const { run, judge, questions } = await bench.judgeWith(() => ({ better: 'first' }), { settings });
    expect(await run({ limit: 1 })).toMatchObject({
      comparedCount: 1,
      flippedCount: 1,
      scoredCount: 0,
      callCount: 2,
    });
    const [forward, backward] = questions();
    expect([forward?.first, forward?.second]).toEqual([backward?.second, backward?.first]);
    const { comparisons } = await judge.status();
    expect(comparisons).toMatchObject({
      pairCount: 1,
      flipRate: { value: 1, sampleCount: 1 },
      models: [
        { modelId: 'ollama:long', otherModelId: 'ollama:short', winCount: 0, tieCount: 1, flipCount: 1 },
      ],
    });
    // Compared once; then each is scored.
    await run();
    expect((await judge.status()).comparisons.pairCount).toBe(1);
  });

  it('keeps a verdict that stays, and measures it against people', async () => {
    const [long, short] = await bench.log(pair);
    const { run, judge } = await bench.judgeWith(
      ({ first = '', second = '' }) => ({ better: first.length > second.length ? 'first' : 'second' }),
      { settings },
    );
    await run({ limit: 1 });
    await bench.feedback([
      [long?.requestId ?? '', 1],
      [short?.requestId ?? '', 0.25],
    ]);
    expect((await judge.status()).comparisons).toMatchObject({
      flipRate: { value: 0, sampleCount: 1 },
      agreementRate: { value: 1, sampleCount: 1 },
      models: [{ winCount: 1, tieCount: 0, lossCount: 0 }],
    });
  });

  it('compares the pairs that are named, and refuses those of two prompts', async () => {
    const [a, b, other] = await bench.log([...pair, { modelId: 'ollama:short', promptHash: 'another' }]);
    const { run } = await bench.judgeWith(() => ({ better: 'tie' }));
    const ids = [a, b, other].map((row) => row?.requestId ?? '');
    expect(await run({ pairs: [[ids[0] ?? '', ids[1] ?? '']] })).toMatchObject({
      comparedCount: 1,
      flippedCount: 0,
    });
    await expect(run({ pairs: [[ids[0] ?? '', ids[2] ?? '']] })).rejects.toMatchObject({
      code: 'bad_request',
    });
    await expect(run({ pairs: [[ids[0] ?? '', 'nobody']] })).rejects.toMatchObject({ code: 'bad_request' });
  });
});

describe('agreement with people', () => {
  it('is measured on requests that have both, also when the feedback comes late', async () => {
    const rows = await bench.log(
      answersToJudge(40).map((row, at) => ({ ...row, response: at % 2 === 0 ? 'good' : 'bad' })),
    );
    const { run, judge } = await bench.judgeWith(({ answer }) => grades(answer === 'good' ? 5 : 2));
    await run();
    const before = (await judge.status()).agreement[0];
    expect(before).toMatchObject({ judge: 'ollama:judge', pairCount: 0, correlation: null, weight: 0.05 });
    await bench.feedback(rows.slice(0, 30).map(({ requestId }, at) => [requestId, at % 2 === 0 ? 1 : 0]));
    const after = (await judge.status()).agreement[0];
    expect(after).toMatchObject({ pairCount: 30, agreementMeasured: 1 });
    expect(after?.weight).toBeCloseTo((50 * 0.05 + 30) / 80, 9);
    const evidence = await readJudgeEvidence(bench.store.db, SCOPE);
    expect(evidence).toEqual([
      {
        ...evidence[0],
        score: 0.25,
        silentCount: 5,
        feedbackCount: 15,
        feedbackSum: 0,
        feedbackSquareSum: 0,
      },
      { ...evidence[1], score: 1, silentCount: 5, feedbackCount: 15, feedbackSum: 15, feedbackSquareSum: 15 },
    ]);
    expect(evidence[0]).toMatchObject({
      useCase: 'food_dining',
      modelId: 'ollama:mistral:7b',
      judge: 'ollama:judge',
    });
    // The last word counts here too.
    await bench.feedback([[rows[0]?.requestId ?? '', 0]]);
    expect((await judge.status()).agreement[0]?.agreementMeasured).toBeLessThan(1);
  });

  it('takes half of the sample from rated answers while it is unknown', async () => {
    const rows = await bench.log(answersToJudge(40));
    await bench.feedback(rows.slice(0, 10).map(({ requestId }) => [requestId, 1]));
    const { run, judge } = await bench.judgeWith(() => grades(4));
    await run({ limit: 12 });
    expect((await judge.status()).scores).toMatchObject([{ scoredCount: 12, ratedCount: 6, scoreMean: 4 }]);
  });

  it('is each judge’s own', async () => {
    const rows = await bench.log(answersToJudge(8));
    const one = await bench.judgeWith(() => grades(4));
    await one.run({ limit: 4 });
    const other = await bench.judgeWith(() => grades(2), { kind: 'openai' });
    await other.run();
    await bench.feedback(rows.map(({ requestId }, at) => [requestId, at % 2]));
    const { agreement } = await other.judge.status();
    expect(agreement.map(({ judge, pairCount }) => [judge, pairCount])).toEqual([
      ['cloud:judge', 4],
      ['ollama:judge', 4],
    ]);
  });
});
