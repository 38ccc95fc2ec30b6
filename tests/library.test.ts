import { describe, expect, it } from 'vitest';
import type { CatalogModel, Logger } from '../src/index.ts';
import { ModelCatalog, ModelRanker, RoutingEngine, UsageTracker, UseCaseAnalyzer } from '../src/index.ts';
import type { ScratchStore } from './kit/scratch-store.ts';
import { openScratchStore } from './kit/scratch-store.ts';
import { promptOf, SUBJECTS } from './kit/subjects.ts';

/* The library alone, in somebody's own program: the usage examples of the original description, in order. */

function recordingLogger(): Logger & { readonly messages: string[] } {
  const messages: string[] = [];
  const note = (_fields: object, message: string): void => {
    messages.push(message);
  };
  return { messages, debug: () => undefined, info: note, warn: note, error: note };
}

interface RowSums {
  readonly request_count: number;
}

async function rowOf(store: ScratchStore, requestId: string): Promise<Record<string, unknown>> {
  const [row] = await store.db.query<Record<string, unknown>>(
    'SELECT * FROM usage_log WHERE request_id = {id:UUID}',
    { id: requestId },
  );
  return row ?? {};
}

describe('UsageTracker', () => {
  it('logs every field of a request, at once, and says what it flushed', async () => {
    await using store = await openScratchStore();
    const logger = recordingLogger();
    await using tracker = new UsageTracker({ db: store.db, logger });
    const requestId = tracker.logRequest({
      model: 'mistral',
      prompt: 'What time does Starbucks open?',
      userId: 'user-1',
      sessionId: 'session-1',
      roomId: 'lobby',
      priority: 50,
      detectedIntent: 'opening hours',
      routingRule: 'casual-to-local',
    });
    expect(requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    tracker.logResponse(requestId, 'At half past five in the morning.');
    await tracker.flush();
    expect(logger.messages).toContain('[UsageTracker] Flushed 1 entries to database');
    expect(await rowOf(store, requestId)).toMatchObject({
      model_asked: 'mistral',
      prompt: 'What time does Starbucks open?',
      prompt_length: 30,
      response: 'At half past five in the morning.',
      user_id: 'user-1',
      session_id: 'session-1',
      room_id: 'lobby',
      priority: 50,
      detected_intent: 'opening hours',
      routing_rule: 'casual-to-local',
      use_case: 'food_dining',
      success: true,
      tokens_estimated: true,
      source: 'library',
    });
  });

  it('takes hand-written use cases, as the analyzer does', async () => {
    await using store = await openScratchStore();
    const useCaseRules = [
      { name: 'by word', useCase: 'refunds', when: { regex: 'refund|charge ?back' } },
      { name: 'nightly', useCase: 'night_job', when: { tag: 'night' } },
    ];
    await using tracker = new UsageTracker({ db: store.db, logger: recordingLogger(), useCaseRules });
    const ask = (prompt: string, tags: readonly string[] = []): string => {
      const requestId = tracker.logRequest({ model: 'mistral', prompt, tags });
      tracker.logResponse(requestId, 'Yes.');
      return requestId;
    };
    const asked = [
      ask('A Chargeback for my pizza, please'),
      ask('What time does Starbucks open?', ['night']),
      ask('What time does Starbucks open?'),
    ];
    await tracker.flush();
    const rows = await Promise.all(asked.map((requestId) => rowOf(store, requestId)));
    expect(rows.map((row) => [row['use_case'], row['use_case_rule'], row['use_case_confidence']])).toEqual([
      ['refunds', 'by word', 1],
      ['night_job', 'nightly', 1],
      ['food_dining', '', null],
    ]);
    const analyzer = new UseCaseAnalyzer({ db: store.db, useCaseRules });
    expect(await analyzer.classifyPrompt('A chargeback for my pizza, please')).toBe('refunds');
    // Tags are not in a text.
    expect(await analyzer.classifyPrompt('What time does Starbucks open?')).toBe('food_dining');
  });

  it('reads answers as the SDKs of OpenAI, Anthropic and Ollama return them, and errors', async () => {
    await using store = await openScratchStore();
    await using tracker = new UsageTracker({ db: store.db, logger: recordingLogger() });
    const ask = (model: string): string => tracker.logRequest({ model, prompt: `Hello ${model}` });
    const answers: [string, unknown, Record<string, unknown>][] = [
      [
        ask('gpt-4o'),
        {
          id: 'chatcmpl-1',
          model: 'gpt-4o-2024-08-06',
          choices: [{ message: { role: 'assistant', content: 'Hello!' }, finish_reason: 'stop' }],
          usage: {
            prompt_tokens: 1000,
            completion_tokens: 1000,
            prompt_tokens_details: { cached_tokens: 0 },
          },
        },
        {
          model_id: 'openai:gpt-4o',
          response: 'Hello!',
          prompt_tokens: 1000,
          response_id: 'chatcmpl-1',
          cost_usd: 0.0125,
        },
      ],
      [
        ask('claude-3-5-haiku-latest'),
        {
          id: 'msg_1',
          model: 'claude-3-5-haiku-20241022',
          content: [{ type: 'text', text: 'Hi.' }],
          stop_reason: 'end_turn',
          usage: { input_tokens: 10, output_tokens: 2 },
        },
        {
          model_id: 'anthropic:claude-3-5-haiku-latest',
          response: 'Hi.',
          prompt_tokens: 10,
          completion_tokens: 2,
        },
      ],
      [
        ask('ollama:mistral:7b'),
        {
          model: 'mistral:7b',
          message: { role: 'assistant', content: 'Hey' },
          done: true,
          done_reason: 'stop',
          prompt_eval_count: 7,
          eval_count: 3,
        },
        {
          model_id: 'ollama:mistral:7b',
          response: 'Hey',
          prompt_tokens: 7,
          completion_tokens: 3,
          cost_usd: 0,
        },
      ],
      [
        ask('ollama:phi3:mini'),
        { text: 'Said in our own words', promptTokens: 5, completionTokens: 4 },
        { response: 'Said in our own words', prompt_tokens: 5, tokens_estimated: false },
      ],
    ];
    for (const [requestId, response] of answers) tracker.logResponse(requestId, response);
    const failed = ask('gpt-4o');
    tracker.logResponse(failed, null, Object.assign(new Error('Rate limited'), { status: 429 }));
    const ours = ask('gpt-4o');
    tracker.logResponse(ours, null, Object.assign(new Error('max_tokens is too large'), { status: 400 }));
    await tracker.flush();
    for (const [requestId, , expected] of answers) {
      expect(await rowOf(store, requestId)).toMatchObject({ success: true, ...expected });
    }
    expect(await rowOf(store, failed)).toMatchObject({ success: false, fault: 'provider', cost_usd: null });
    // A request that was wrong says nothing against the model.
    expect(await rowOf(store, ours)).toMatchObject({ success: false, fault: 'caller' });
  });

  it('takes a score of satisfaction long after the answer, and the last word counts', async () => {
    await using store = await openScratchStore();
    await using tracker = new UsageTracker({ db: store.db, logger: recordingLogger() });
    const requestId = tracker.logRequest({ model: 'ollama:mistral:7b', prompt: 'Tell me a joke' });
    tracker.logResponse(requestId, 'Knock, knock.');
    tracker.markSatisfied(requestId, 1);
    await tracker.flush();
    tracker.markSatisfied(requestId, 5);
    await tracker.flush();
    const signals = await store.db.query(
      'SELECT kind, value FROM signals FINAL WHERE request_id = {id:UUID}',
      {
        id: requestId,
      },
    );
    expect(signals).toEqual([{ kind: 'feedback', value: 1 }]);
    expect(() => tracker.markSatisfied(requestId, 6)).toThrow(/between 1 and 5/);
    expect(() => tracker.logRequest({ model: '', prompt: 'x' })).toThrow(/model/);
  });
});

describe('the library in the order of the original', () => {
  it('logs, analyses, ranks, routes and tells the savings', async () => {
    await using store = await openScratchStore();
    const { db } = store;
    const logger = recordingLogger();
    // The clock makes the answers slow without waiting for them.
    let nowMs = Date.now() - 3_600_000;
    await using tracker = new UsageTracker({ db, logger, clock: () => nowMs });
    for (const [at, subject] of SUBJECTS.flatMap((each) =>
      Array.from({ length: 40 }, (_, n) => [n, each] as const),
    )) {
      for (const [model, latencyMs, score] of [
        ['ollama:mistral:7b', 2_100, subject === 'code' ? 1 : 5],
        ['gpt-4o', 4_200, subject === 'code' ? 5 : 4],
      ] as const) {
        const requestId = tracker.logRequest({ model, prompt: promptOf(subject, at), userId: `user-${at}` });
        nowMs += latencyMs;
        tracker.logResponse(requestId, { text: 'An answer.', promptTokens: 1_000, completionTokens: 500 });
        tracker.markSatisfied(requestId, score);
        nowMs -= latencyMs - 1_000;
      }
    }
    await tracker.flush();

    const analyzer = new UseCaseAnalyzer({ db });
    const patterns = await analyzer.analyze('1 week');
    expect(patterns.categories.length).toBeGreaterThanOrEqual(5);
    for (const category of patterns.categories) {
      expect(category.categoryName).not.toBe('');
      expect(category.examplePrompts.length).toBeGreaterThan(0);
      expect(category.modelsUsed).toEqual(expect.arrayContaining(['openai:gpt-4o']));
    }
    expect(patterns.categories.reduce((sum, { sampleCount }) => sum + sampleCount, 0)).toBe(
      SUBJECTS.length * 80,
    );
    expect(Object.keys(patterns.routingPatterns.byModel).sort()).toEqual([
      'ollama:mistral:7b',
      'openai:gpt-4o',
    ]);
    for (const inefficiency of patterns.routingPatterns.inefficiencies) {
      expect(inefficiency.message).not.toBe('');
      expect(inefficiency.suggestion).not.toBe('');
    }

    const ranker = new ModelRanker({ db });
    await ranker.refreshAll();
    const food = await analyzer.classifyPrompt('Where is a cheap Thai restaurant open on Sunday?');
    const code = await analyzer.classifyPrompt('Write a Python function that sorts a linked list.');
    expect(food).not.toBe(code);
    expect(await ranker.getBestModel(food)).toBe('ollama:mistral:7b');
    expect(await ranker.getBestModel(code)).toBe('openai:gpt-4o');
    const rankings = await ranker.getRankings(food);
    expect(rankings.best).toMatchObject({ modelId: 'ollama:mistral:7b', avgCost: 0, successRate: 1 });
    expect(rankings.best?.avgTimeMs).toBeCloseTo(2_100, -2);
    expect(rankings.alternatives.map(({ modelId }) => modelId)).toEqual(['openai:gpt-4o']);
    expect(await ranker.compare(food, 'mistral', 'gpt-4o')).toMatchObject({ ahead: 'ollama:mistral:7b' });
    const performance = await ranker.getPerformance('gpt-4o', food, '1 week');
    expect(performance.total.totalRequests).toBe(rankings.alternatives[0]?.totalRequests);

    const savings = await ranker.analyzeSavings();
    for (const money of [savings.actualCost, savings.optimalCost, savings.potentialSavings]) {
      expect(money).toMatch(/^\d+\.\d\d$/);
    }
    expect(savings.savingsPercent).toMatch(/^\d+\.\d%$/);
    expect(savings.message).toMatch(/^Could save \$\d+\.\d\d\/month by using best models per use case/);
    expect(Number(savings.potentialSavings)).toBeGreaterThan(0);
    const optimal = await ranker.getOptimalRouting('1 week');
    expect(JSON.stringify(optimal)).toContain(food);

    const before = await ranker.getRankings(food);
    const after = await ranker.updateRanking(food, 'ollama:mistral:7b', {
      success: true,
      timeMs: 2_100,
      cost: 0,
    });
    expect(after.best?.totalRequests).toBe((before.best?.totalRequests ?? 0) + 1);
    const logged = await db.query<RowSums>('SELECT count() AS request_count FROM usage_log');
    expect(logged).toEqual([{ request_count: SUBJECTS.length * 80 }]);
  });
});

describe('RoutingEngine', () => {
  it('takes the original’s rule: async, by priority, and not for explicit mentions', async () => {
    await using store = await openScratchStore();
    const analyzer = new UseCaseAnalyzer({ db: store.db });
    const modelOf = (provider: string, name: string): CatalogModel => ({
      modelId: `${provider}:${name}`,
      provider,
      name,
      aliases: [],
      isLocal: provider === 'ollama',
      family: null,
      parameterBillions: null,
      contextTokens: null,
      hasTools: null,
      hasImages: null,
      isAutoAllowed: true,
      isChat: true,
    });
    const router = new RoutingEngine({
      catalog: new ModelCatalog([modelOf('ollama', 'mistral:7b'), modelOf('openai', 'gpt-4o')]),
      isPriced: () => true,
      typicalCostUsd: () => 0,
    });
    router.addRule(
      'data-driven-routing-of-mine',
      99,
      async (message) => message.routing?.explicit === false,
      async (message) => {
        const useCase = await analyzer.classifyPrompt(message.content);
        return [useCase === 'technical_code' ? 'openai:gpt-4o' : 'mistral:7b'];
      },
    );
    const code = await router.route({
      content: 'Debug this stack trace of my Python script',
      routing: { explicit: false },
    });
    expect(code).toMatchObject({
      modelIds: ['openai:gpt-4o'],
      cause: 'rule',
      ruleName: 'data-driven-routing-of-mine',
    });
    const food = await router.route({
      content: 'What time does Starbucks open?',
      routing: { explicit: false },
    });
    expect(food.modelIds[0]).toBe('ollama:mistral:7b');
    const named = await router.route({
      content: 'What time does Starbucks open?',
      routing: { explicit: true, model: 'openai:gpt-4o' },
    });
    expect(named).toMatchObject({ modelIds: ['openai:gpt-4o'], cause: 'explicit' });
  });
});
