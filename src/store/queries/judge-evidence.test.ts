import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, uuidAt } from '../../../tests/kit/scratch-store.ts';
import { encodeSignal } from '../../core/signal.ts';
import type { UsageRecord } from '../../core/usage-record.ts';
import { readComparisons, readJudgeEvidence, readUnjudged } from './judge-evidence.ts';
import type { Judgement } from './judge-log.ts';
import { judgeSpending, writeJudgement } from './judge-log.ts';
import type { SampleScope } from './judge-sample.ts';
import { drawJudgeCandidates, drawJudgePairs, readJudgeTexts } from './judge-sample.ts';

const START_MS = Date.UTC(2026, 9, 5, 10);
const WINDOW = { from: new Date(START_MS - 3_600_000), to: new Date(START_MS + 3_600_000) };
const SAMPLE: SampleScope = { ...WINDOW, runId: 'starter', seed: 1, excludedName: '' };

let store: ScratchStore;
beforeEach(async () => {
  store = await openScratchStore();
});
afterEach(() => store.dispose());

/** Writes a judgement of a logged request, as the run does that judges. */
async function judge(record: UsageRecord | undefined, given: Partial<Judgement> = {}): Promise<void> {
  const request = (await readJudgeTexts(store.db, [record?.requestId ?? ''])).get(record?.requestId ?? '');
  if (request === undefined) throw new Error('the request is not in the log');
  await writeJudgement(store.db, {
    judgedAtMs: START_MS + 60_000,
    kind: 'score',
    judge: 'ollama:judge',
    outcome: 'judged',
    request,
    other: null,
    value: 0.75,
    isFlipped: null,
    callCount: 1,
    promptTokens: 100,
    completionTokens: 10,
    tokensEstimated: false,
    costUsd: 0.001,
    comment: null,
    ...given,
  });
}

async function feedback(requestId: string | undefined, value: number): Promise<void> {
  const signal = { kind: 'feedback', value, comment: null, source: 'api', atMs: START_MS } as const;
  const line = encodeSignal({ requestId: requestId ?? '', ...signal });
  await store.db.insertLines('signals', Buffer.from(line), `${requestId}-${value}`);
}

const row = (at: number, given: Partial<UsageRecord> = {}): Partial<UsageRecord> => ({
  startedAtMs: START_MS + at,
  requestId: uuidAt(START_MS + at),
  promptHash: `hash-${at}`,
  ...given,
});

describe('what a judge said', () => {
  it('follows its requests into the use cases of a later run', async () => {
    const rows = await store.insertRequests([
      row(1),
      row(2),
      row(3, { useCaseRule: 'by hand', useCase: 'refunds' }),
    ]);
    for (const one of rows) await judge(one);
    await feedback(rows[0]?.requestId, 0.5);
    const assigned = { run_id: 'later', use_case: 'opening_hours', prompt_hash: 'hash-1' };
    await store.db.insertRows('assignments', [assigned]);
    const under = async (runId: string): Promise<unknown[]> =>
      (await readJudgeEvidence(store.db, { ...WINDOW, runId })).map(
        ({ useCase, silentCount, feedbackCount, feedbackSum }) => [
          useCase,
          silentCount,
          feedbackCount,
          feedbackSum,
        ],
      );
    expect(await under('starter')).toEqual([
      ['food_dining', 1, 1, 0.5],
      ['refunds', 1, 0, 0],
    ]);
    expect(await under('later')).toEqual([
      ['opening_hours', 0, 1, 0.5],
      ['other', 1, 0, 0],
      ['refunds', 1, 0, 0],
    ]);
  });

  it('counts an answer that was judged twice once, by the newest', async () => {
    const [one] = await store.insertRequests([row(1)]);
    await judge(one, { value: 0, judge: 'ollama:old' });
    await judge(one, { value: 1, judgedAtMs: START_MS + 90_000 });
    expect(await readJudgeEvidence(store.db, { ...WINDOW, runId: 'starter' })).toMatchObject([
      { judge: 'ollama:judge', score: 1, silentCount: 1 },
    ]);
    expect(await judgeSpending(store.db, WINDOW.from)).toEqual({
      judgementCount: 2,
      callCount: 2,
      costUsd: 0.002,
      unpricedCount: 0,
      promptTokens: 200,
      completionTokens: 20,
    });
    expect(await judgeSpending(store.db, WINDOW.to)).toMatchObject({ judgementCount: 0, costUsd: 0 });
  });

  it('leaves out other windows, and answers without a verdict', async () => {
    const rows = await store.insertRequests([row(1), row(2, { modelId: 'ollama:odd' })]);
    await judge(rows[0]);
    await judge(rows[1], { outcome: 'malformed', value: null, costUsd: null });
    const runId = 'starter';
    expect(await readJudgeEvidence(store.db, { from: WINDOW.to, to: new Date(START_MS * 2), runId })).toEqual(
      [],
    );
    expect(await readJudgeEvidence(store.db, { ...WINDOW, runId })).toHaveLength(1);
    expect(await readUnjudged(store.db, WINDOW.from)).toEqual([
      { outcome: 'malformed', modelId: 'ollama:odd', count: 1 },
    ]);
    expect(await judgeSpending(store.db, WINDOW.from)).toMatchObject({ unpricedCount: 1, costUsd: 0.001 });
  });

  it('compares with what people said of both answers', async () => {
    const same = { promptHash: 'same' };
    const rows = await store.insertRequests([
      row(1, { ...same, modelId: 'ollama:a' }),
      row(2, { ...same, modelId: 'ollama:b' }),
      row(3, { ...same, modelId: 'ollama:a' }),
    ]);
    const [a, b, more] = rows.map(({ requestId }) => requestId);
    const other = { requestId: b ?? '', modelId: 'ollama:b' };
    await judge(rows[0], { kind: 'pair', other, value: 1, isFlipped: false, callCount: 2 });
    await judge(rows[2], { kind: 'pair', other, value: 0.5, isFlipped: true, callCount: 2 });
    await feedback(a, 0);
    await feedback(b, 1);
    await feedback(more, 0.25);
    expect(await readComparisons(store.db, { ...WINDOW, runId: 'starter' })).toEqual([
      {
        useCase: 'food_dining',
        judge: 'ollama:judge',
        modelId: 'ollama:a',
        otherModelId: 'ollama:b',
        winCount: 1,
        tieCount: 1,
        lossCount: 0,
        flipCount: 1,
        ratedCount: 1,
        agreedCount: 0,
      },
    ]);
    // A comparison is no score.
    expect(await readJudgeEvidence(store.db, { ...WINDOW, runId: 'starter' })).toEqual([]);
    expect(await drawJudgePairs(store.db, SAMPLE, 5)).toEqual([]);
  });
});

describe('the sample', () => {
  it('draws by use case, model and rating, by chance, up to a number of each', async () => {
    const rows = await store.insertRequests(
      Array.from({ length: 30 }, (_, at) =>
        row(at, { modelId: at % 3 === 0 ? 'ollama:rare' : 'ollama:often' }),
      ),
    );
    for (const { requestId } of rows.slice(0, 4)) await feedback(requestId, 1);
    const drawn = await drawJudgeCandidates(store.db, SAMPLE, 5);
    const countOf = (modelId: string, isRated: boolean): number =>
      drawn.filter((one) => one.modelId === modelId && one.isRated === isRated).length;
    expect([countOf('ollama:rare', true), countOf('ollama:often', true)]).toEqual([2, 2]);
    expect([countOf('ollama:rare', false), countOf('ollama:often', false)]).toEqual([5, 5]);
    const ids = (sample: readonly { requestId: string }[]): string[] =>
      sample.map(({ requestId }) => requestId).sort();
    expect(ids(await drawJudgeCandidates(store.db, { ...SAMPLE, seed: 2 }, 5))).not.toEqual(ids(drawn));
  });

  it('pairs different models over one prompt, each two once', async () => {
    await store.insertRequests([
      row(1, { promptHash: 'same', modelId: 'ollama:a' }),
      row(2, { promptHash: 'same', modelId: 'ollama:a' }),
      row(3, { promptHash: 'same', modelId: 'ollama:b' }),
      row(4, { promptHash: 'same', modelId: 'ollama:c' }),
      row(5, { promptHash: 'another', modelId: 'ollama:b' }),
    ]);
    const pairs = await drawJudgePairs(store.db, SAMPLE, 5);
    expect(pairs.map(({ modelId, otherModelId }) => `${modelId} ${otherModelId}`).sort()).toEqual([
      'ollama:a ollama:b',
      'ollama:a ollama:c',
      'ollama:b ollama:c',
    ]);
  });

  it('reads texts of known requests alone', async () => {
    const [one] = await store.insertRequests([
      row(1, { context: 'before', prompt: 'now', response: 'then' }),
    ]);
    const texts = await readJudgeTexts(store.db, [one?.requestId ?? '', uuidAt(START_MS + 5), 'no id']);
    expect([...texts.values()]).toMatchObject([
      { context: 'before', prompt: 'now', response: 'then', runId: 'starter' },
    ]);
    expect(await readJudgeTexts(store.db, ['no id'])).toEqual(new Map());
  });
});
