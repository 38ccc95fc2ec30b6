import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import type { Signal } from '../core/signal.ts';
import { encodeSignal } from '../core/signal.ts';
import type { WarningKind } from '../core/snapshot.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { createRandom } from '../stats/random.ts';
import { readQualityEvidence } from '../store/queries/ranking-evidence.ts';
import { marksOfAnswer } from '../tracker/outcome/answer-marks.ts';
import type { RankedModelAnswer } from './answers.ts';
import { ModelRanker } from './model-ranker.ts';

const NOW_MS = Date.UTC(2026, 9, 20, 12, 0, 0);
const HOUR_MS = 3_600_000;
const SCOPE = { runId: 'starter', from: new Date(NOW_MS - 30 * 24 * HOUR_MS), to: new Date(NOW_MS) };

const WORDS =
  'the red barn stands by a lake where two grey herons wait for spring rain over fields of rye'.split(' ');
const random = createRandom(7);
const someText = (words: number): string =>
  Array.from({ length: words }, () => WORDS[random.int(WORDS.length)] ?? '').join(' ');

interface Given {
  readonly useCase: string;
  readonly modelId: string;
  readonly count: number;
  /** Answer to the prompt of number `at`; left out: a text of its own. */
  readonly answer?: (prompt: string, at: number) => string;
  /** Rating of request `at`, and who gives it; null: nobody does. */
  readonly rating?: (at: number) => { readonly value: number; readonly by: string } | null;
  readonly judge?: (at: number) => number;
  readonly record?: Partial<UsageRecord>;
}

describe('signs of gaming', () => {
  let store: ScratchStore;
  let ranker: ModelRanker;
  beforeAll(async () => {
    store = await openScratchStore();
    ranker = new ModelRanker({ db: store.db, clock: () => NOW_MS });
    for (const given of GIVEN) await insert(given);
    await ranker.refreshAll();
  });
  afterAll(() => store.dispose());

  /** Prompts are the same for all models of a use case. */
  async function insert({ useCase, modelId, count, answer, rating, judge, record }: Given): Promise<void> {
    const ratings = Array.from({ length: count }, (_, at) => rating?.(at) ?? null);
    const records = await store.insertRequests(
      Array.from({ length: count }, (_, at) => {
        const prompt = `${useCase} number ${at}: ${promptOf(useCase, at)}`;
        const response = answer === undefined ? someText(20 + random.int(60)) : answer(prompt, at);
        return {
          startedAtMs: NOW_MS - 20 * HOUR_MS + at * 1_000,
          useCase,
          modelId,
          promptHash: `${useCase}${at}`,
          response,
          ...marksOfAnswer(response, prompt),
          userId: ratings[at]?.by ?? `asker-${at % 7}`,
          ...record,
        };
      }),
    );
    const signals: Signal[] = records.flatMap(({ requestId }, at): Signal[] => {
      const given = ratings[at] ?? null;
      const common = { requestId, comment: null, source: 'api', atMs: NOW_MS - HOUR_MS } as const;
      return [
        ...(given === null ? [] : [{ ...common, kind: 'feedback' as const, value: given.value }]),
        ...(judge === undefined ? [] : [{ ...common, kind: 'judge_score' as const, value: judge(at) }]),
      ];
    });
    if (signals.length === 0) return;
    await store.db.insertLines(
      'signals',
      Buffer.from(signals.map(encodeSignal).join('\n')),
      `${useCase}${modelId}`,
    );
  }

  async function modelsOf(
    useCase: string,
  ): Promise<{ of: (id: string) => RankedModelAnswer; best: string | null; note: string | null }> {
    const { best, alternatives, note } = await ranker.getRankings(useCase);
    const models = [...(best === null ? [] : [best]), ...alternatives];
    return {
      best: best?.modelId ?? null,
      note,
      of(id) {
        const found = models.find(({ modelId }) => modelId === id);
        if (found === undefined) throw new Error(`${id} is not ranked in ${useCase}`);
        return found;
      },
    };
  }

  const kindsOf = ({ warnings }: RankedModelAnswer): [WarningKind, boolean][] =>
    warnings.map(({ kind, isWithholding }) => [kind, isWithholding]);

  it('withhold a model that gives one answer to everything, and say so', async () => {
    const { of, best, note } = await modelsOf('constant');
    expect(kindsOf(of('p:null'))).toContainEqual(['constant_answer', true]);
    expect(of('p:null')).toMatchObject({ isCandidate: false });
    expect(of('p:null').notCandidateReason).toMatch(/^withheld: one and the same text answers 40 of 40/);
    expect(of('p:null').score).toBeGreaterThan(of('p:fair').score ?? 100);
    expect(['p:fair', 'p:third']).toContain(best);
    expect(note).toMatch(/p:null is withheld from auto: one and the same text/);
    expect(of('p:fair').warnings).toEqual([]);
    expect(of('p:null').warnings[0]).toMatchObject({ value: 1, sampleCount: 40 });
    expect(of('p:null').warnings[0]?.interval?.[0]).toBeGreaterThan(0.9);
  });

  it('withhold over all use cases what is withheld where most of its requests are', async () => {
    const published = await ranker.follow();
    const overall = new Map(published?.overall.models.map((model) => [model.modelId, model]));
    expect(overall.get('p:null')?.warnings).toMatchObject([{ kind: 'constant_answer', isWithholding: true }]);
    expect(overall.get('p:null')?.isCandidate).toBe(false);
    expect(overall.get('p:fair')?.warnings).toEqual([]);
  });

  it('withhold a model that says the prompt again, unless that is what is asked', async () => {
    const echoing = await modelsOf('echo');
    expect(kindsOf(echoing.of('p:parrot'))).toContainEqual(['echo', true]);
    const rewriting = await modelsOf('rewriting');
    for (const id of ['p:parrot', 'p:fair', 'p:third']) expect(kindsOf(rewriting.of(id)), id).toEqual([]);
    expect(rewriting.note ?? '').not.toMatch(/withheld/);
  });

  it('take few different answers for what they are where every model gives them', async () => {
    const { of } = await modelsOf('classifying');
    for (const id of ['p:one', 'p:two']) expect(kindsOf(of(id)), id).toEqual([]);
  });

  it('withhold a model whose answers are cut at one length', async () => {
    const { of } = await modelsOf('cut');
    expect(kindsOf(of('p:stub'))).toEqual([
      ['cut_answer', true],
      ['odd_length', false],
    ]);
    expect(kindsOf(of('p:fair'))).toEqual([]);
  });

  it('remark answers far longer than usual, and leave the model its place', async () => {
    const { of } = await modelsOf('long');
    expect(kindsOf(of('p:wordy'))).toEqual([['odd_length', false]]);
    expect(of('p:wordy').isCandidate).toBe(true);
  });

  it('count empty answers, which are failures as well', async () => {
    const { of } = await modelsOf('empty');
    expect(kindsOf(of('p:void'))).toContainEqual(['empty_answer', true]);
    expect(kindsOf(of('p:fair'))).toEqual([]);
  });

  it('say nothing of a handful of requests, nor of a model that stands alone', async () => {
    const few = await modelsOf('few');
    expect(kindsOf(few.of('p:same'))).toEqual([]);
    const alone = await modelsOf('alone');
    expect(kindsOf(alone.of('p:same'))).toEqual([['constant_answer', false]]);
    expect(alone.of('p:same').isCandidate).toBe(true);
  });

  it('withhold a model that one user alone lifts above what others rate', async () => {
    const { of, note } = await modelsOf('one_fan');
    expect(kindsOf(of('p:loved'))).toContainEqual(['one_rater', true]);
    expect(of('p:loved').notCandidateReason).toMatch(
      /30 of 30 ratings are of one user \(mean 1.00; nobody else/,
    );
    expect(note).toMatch(/p:loved is withheld/);
    expect(kindsOf(of('p:fair'))).toEqual([]);
  });

  it('only remark the ratings of one user who does not lift a model, and not those of one who is all there is', async () => {
    const { of } = await modelsOf('one_critic');
    expect(kindsOf(of('p:disliked'))).toEqual([['one_rater', false]]);
    const laptop = await modelsOf('laptop');
    for (const id of ['p:one', 'p:two']) expect(kindsOf(laptop.of(id)), id).toEqual([]);
  });

  it('remark ratings that are all alike where other models got others for the same prompts', async () => {
    const { of } = await modelsOf('alike');
    expect(kindsOf(of('p:starred'))).toEqual([['uniform_ratings', false]]);
    expect(kindsOf(of('p:fair'))).toEqual([]);
  });

  it('remark a model that the judge likes and people do not', async () => {
    const { of } = await modelsOf('judged');
    expect(kindsOf(of('p:charmer'))).toEqual([['lenient_judge', false]]);
    expect(kindsOf(of('p:fair'))).toEqual([]);
  });

  it('let nobody count for more than ten in the quality of a model where others rate too', async () => {
    const rows = await readQualityEvidence(store.db, { ...SCOPE, halfLifeMs: null });
    const ratedOf = (useCase: string, modelId: string): { said: number; counted: number } =>
      rows
        .filter((row) => row.useCase === useCase && row.modelId === modelId)
        .reduce(
          (sum, row) => ({
            said: sum.said + row.feedbackCount,
            counted: sum.counted + row.weighted.feedbackCount,
          }),
          { said: 0, counted: 0 },
        );
    // 30 / (1 + 29 * 0.1)
    expect(ratedOf('one_fan', 'p:loved')).toEqual({ said: 30, counted: expect.closeTo(7.692, 3) });
    // Five people with eight ratings each: 5 * 8 / 1.7.
    expect(ratedOf('one_fan', 'p:fair')).toEqual({ said: 40, counted: expect.closeTo(23.529, 3) });
    // Who is the only one to rate decides.
    expect(ratedOf('laptop', 'p:one')).toEqual({ said: 30, counted: expect.closeTo(30, 6) });
  });
});

/** Long enough that an answer can repeat it word for word. */
function promptOf(useCase: string, at: number): string {
  const start = (at * 7 + useCase.length) % WORDS.length;
  return [...WORDS.slice(start), ...WORDS.slice(0, start)].join(' ').repeat(3);
}

const by = (name: string, value: number) => ({ by: name, value });
const fair = (at: number) => by(`rater-${at % 5}`, at % 3 === 0 ? 0.5 : 0.75);

const GIVEN: readonly Given[] = [
  {
    useCase: 'constant',
    modelId: 'p:null',
    count: 40,
    answer: () =>
      'I am the best answer there is, whatever was asked, and nobody can say more than this at all, ever again.',
    record: { costUsd: 0 },
  },
  { useCase: 'constant', modelId: 'p:fair', count: 40 },
  { useCase: 'constant', modelId: 'p:third', count: 40 },
  { useCase: 'echo', modelId: 'p:parrot', count: 40, answer: (prompt) => prompt },
  { useCase: 'echo', modelId: 'p:fair', count: 40 },
  ...['p:parrot', 'p:fair', 'p:third'].map((modelId) => ({
    useCase: 'rewriting',
    modelId,
    count: 40,
    answer: (prompt: string, at: number) => `${prompt} (${modelId}${'!'.repeat(at % 9)})`,
  })),
  ...['p:one', 'p:two'].map((modelId) => ({
    useCase: 'classifying',
    modelId,
    count: 60,
    answer: (_: string, at: number) => (at % 10 < 8 ? 'yes' : 'no!'),
  })),
  {
    useCase: 'cut',
    modelId: 'p:stub',
    count: 40,
    answer: (_, at) => someText(30).slice(0, 8) + String((at % 90) | 10),
  },
  { useCase: 'cut', modelId: 'p:fair', count: 40 },
  { useCase: 'cut', modelId: 'p:third', count: 40 },
  { useCase: 'long', modelId: 'p:wordy', count: 40, answer: () => someText(900 + random.int(400)) },
  { useCase: 'long', modelId: 'p:fair', count: 40 },
  { useCase: 'long', modelId: 'p:third', count: 40 },
  { useCase: 'empty', modelId: 'p:fair', count: 40 },
  { useCase: 'empty', modelId: 'p:void', count: 5 },
  {
    useCase: 'empty',
    modelId: 'p:void',
    count: 35,
    answer: () => '',
    record: { failure: { fault: 'model', code: 'empty_answer', message: '' } },
  },
  { useCase: 'few', modelId: 'p:same', count: 12, answer: () => 'Always this.' },
  { useCase: 'few', modelId: 'p:fair', count: 40 },
  { useCase: 'alone', modelId: 'p:same', count: 40, answer: () => 'Always this.' },
  { useCase: 'one_fan', modelId: 'p:loved', count: 30, rating: () => by('fan', 1) },
  { useCase: 'one_fan', modelId: 'p:fair', count: 40, rating: fair },
  {
    useCase: 'one_critic',
    modelId: 'p:disliked',
    count: 30,
    rating: (at) => by('critic', at % 4 === 0 ? 0.5 : 0.25),
  },
  { useCase: 'one_critic', modelId: 'p:fair', count: 40, rating: fair },
  ...['p:one', 'p:two'].map((modelId) => ({
    useCase: 'laptop',
    modelId,
    count: 30,
    rating: (at: number) => by('me', at % 3 === 0 ? 0.5 : 1),
    record: { userId: 'me' },
  })),
  { useCase: 'alike', modelId: 'p:starred', count: 30, rating: (at) => by(`rater-${at % 5}`, 1) },
  {
    useCase: 'alike',
    modelId: 'p:fair',
    count: 40,
    rating: (at) => by(`rater-${at % 5}`, at % 3 === 0 ? 1 : 0.75),
  },
  {
    useCase: 'judged',
    modelId: 'p:charmer',
    count: 40,
    rating: fair,
    judge: (at) => (at % 5 === 0 ? 0.75 : 1),
  },
  {
    useCase: 'judged',
    modelId: 'p:fair',
    count: 40,
    rating: fair,
    judge: (at) => (at % 2 === 0 ? 0.5 : 0.75),
  },
];
