import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { promptHash } from '../core/prompt-text.ts';
import { StarterClassifier } from '../core/starter-taxonomy.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { createRandom } from '../stats/random.ts';
import { readActiveRun, streamAssignedPrompts } from '../store/queries/discovery-runs.ts';
import { UseCaseAnalyzer } from './use-case-analyzer.ts';

const NOW_MS = Date.UTC(2026, 9, 8, 12, 0, 0);
const DAY_MS = 86_400_000;
const clock = (): number => NOW_MS;
const starter = new StarterClassifier();

const TOPICS: readonly { readonly frames: readonly string[]; readonly things: readonly string[] }[] = [
  {
    frames: [
      'recipe for {}',
      'how do I cook {}?',
      'which restaurant has good {}',
      'can I freeze {}',
      'what goes well with {} for dinner',
    ],
    things: [
      'lasagna',
      'sushi',
      'pancakes',
      'chicken curry',
      'vegetable soup',
      'pizza',
      'tacos',
      'apple pie',
      'risotto',
      'grilled fish',
    ],
  },
  {
    frames: [
      'write a python function for {}',
      'debug my javascript code for {}',
      'why does {} throw an exception',
      'unit test for {}',
      'refactor the class for {}',
    ],
    things: [
      'binary search',
      'sorting an array',
      'parsing json',
      'an async queue',
      'a linked list',
      'database access',
      'a regex',
      'file upload',
      'a web server',
      'recursion',
    ],
  },
  {
    frames: [
      'cheap flights to {}',
      'best hotels in {}',
      'plan a trip to {}',
      'do I need a visa for {}',
      'what to see in {} on vacation',
    ],
    things: [
      'Lisbon',
      'Tokyo',
      'Paris',
      'New York',
      'Rome',
      'Sydney',
      'Mexico',
      'Iceland',
      'Morocco',
      'Thailand',
    ],
  },
];

function request(prompt: string, at: number, given: Partial<UsageRecord> = {}): Partial<UsageRecord> {
  const startedAtMs = NOW_MS - DAY_MS + at * 1_000;
  return {
    startedAtMs,
    prompt,
    promptHash: promptHash({ prompt, context: '' }),
    userId: `user-${at % 7}`,
    useCase: starter.classify(prompt).useCase,
    ...given,
  };
}

describe('UseCaseAnalyzer', () => {
  let store: ScratchStore;
  let prompts: string[] = [];
  beforeAll(async () => {
    store = await openScratchStore();
  });
  afterAll(() => store.dispose());

  it('answers with starter use cases while there is too little data, and creates no run', async () => {
    await store.insertRequests([
      request('hi, how are you', 0),
      request('debug this function', 1),
      request('debug this function', 2),
    ]);
    const analyzer = new UseCaseAnalyzer({ db: store.db, clock });
    const { runId, categories, report } = await analyzer.analyze('1 week');
    expect(runId).toBe('starter');
    expect(report.note).toMatch(/starter use cases/);
    expect(categories.map(({ categorySlug, sampleCount }) => [categorySlug, sampleCount])).toEqual([
      ['technical_code', 2],
      ['casual_chat', 1],
    ]);
    // One prompt is somebody's own words.
    expect(categories[0]?.examplePrompts).toEqual([]);
    expect(await readActiveRun(store.db)).toBeNull();
    expect(await analyzer.classifyPrompt('What time does Starbucks open?')).toBe('food_dining');
  });

  it('discovers use cases, relabels what is there, and classifies by them', async () => {
    prompts = TOPICS.flatMap(({ frames, things }) =>
      frames.flatMap((frame) => things.map((thing) => frame.replace('{}', thing))),
    );
    createRandom(4).shuffle(prompts);
    await store.insertRequests(
      prompts.flatMap((prompt, at) =>
        [10, 1_010, 2_010].flatMap((from) => [
          request(prompt, from + at, { modelId: 'openai:gpt-4o', costUsd: 0.03 }),
          request(prompt, from + 300 + at, { modelId: 'ollama:mistral:7b', costUsd: 0 }),
        ]),
      ),
    );
    const steps = new Set<string>();
    const analyzer = new UseCaseAnalyzer({ db: store.db, clock });
    const { runId, categories, routingPatterns, report } = await analyzer.analyze('1 week', {
      onProgress: (step) => steps.add(step),
    });
    expect(runId).not.toBe('starter');
    expect([...steps]).toEqual(expect.arrayContaining(['embedding', 'naming', 'training', 'assigning']));
    expect(report).toMatchObject({
      embedder: expect.stringMatching(/^distilled-table@/),
      requestCount: 903,
      distinctPromptCount: 152,
    });
    expect(categories.length).toBeGreaterThanOrEqual(3);
    expect(categories.reduce((sum, { sampleCount }) => sum + sampleCount, 0)).toBe(903);
    for (const category of categories) {
      expect(category.modelsUsed.length).toBeGreaterThan(0);
      // Fewer than five prompts would be somebody's own words.
      expect(category.examplePrompts.length > 0).toBe(category.distinctPromptCount >= 5);
    }
    expect(Object.keys(routingPatterns.byModel).sort()).toEqual(['ollama:mistral:7b', 'openai:gpt-4o']);
    expect(routingPatterns.byModel['openai:gpt-4o']?.costUsd).toBeCloseTo(13.5, 6);
    expect(routingPatterns.inefficiencies.map(({ modelId }) => modelId)).toContain('openai:gpt-4o');
    const slugs = await Promise.all(
      ['how do I cook noodles?', 'write a python unit test', 'cheap flights to Berlin'].map((text) =>
        analyzer.classifyPrompt(text),
      ),
    );
    expect(new Set(slugs).size).toBe(3);
    expect(slugs).not.toContain('other');
    expect(
      await analyzer.classifyPrompt([
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'how do I cook noodles?' },
      ]),
    ).toBe(slugs[0]);
  });

  it('assigns every distinct prompt once', async () => {
    const run = await readActiveRun(store.db);
    const assigned: { prompt: string; useCase: string }[] = [];
    for await (const rows of streamAssignedPrompts(store.db, run?.runId ?? '')) assigned.push(...rows);
    expect(assigned).toHaveLength(152);
    expect(new Set(assigned.map(({ prompt }) => prompt)).size).toBe(152);
    const topicOf = (prompt: string): number =>
      TOPICS.findIndex(({ things }) => things.some((thing) => prompt.includes(thing)));
    const majority = new Map<string, Map<number, number>>();
    for (const { prompt, useCase } of assigned) {
      const counts = majority.get(useCase) ?? new Map<number, number>();
      counts.set(topicOf(prompt), (counts.get(topicOf(prompt)) ?? 0) + 1);
      majority.set(useCase, counts);
    }
    const rightCount = [...majority.values()].reduce((sum, counts) => sum + Math.max(...counts.values()), 0);
    expect(rightCount / assigned.length).toBeGreaterThan(0.85);
  });

  it('answers patterns without a new run', async () => {
    const before = await readActiveRun(store.db);
    const { runId, categories, report } = await new UseCaseAnalyzer({ db: store.db, clock }).patterns(
      '7 days',
    );
    expect(runId).toBe(before?.runId);
    expect(categories.length).toBeGreaterThanOrEqual(3);
    expect(report.note).toBeNull();
  });

  it('leaves the current run in place when it is cancelled', async () => {
    const before = await readActiveRun(store.db);
    const abort = new AbortController();
    const analyzer = new UseCaseAnalyzer({ db: store.db, clock: () => NOW_MS + 1_000 });
    const cancelled = analyzer.analyze('1 week', {
      signal: abort.signal,
      onProgress: (step) => {
        if (step === 'assigning') abort.abort();
      },
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    expect((await readActiveRun(store.db))?.runId).toBe(before?.runId);
  });

  it('refuses a timeframe that is none', async () => {
    await expect(new UseCaseAnalyzer({ db: store.db, clock }).analyze('soon')).rejects.toMatchObject({
      code: 'bad_timeframe',
    });
  });
});
