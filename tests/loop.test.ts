import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import type { Answer, LoggedRow } from './kit/start-tallyrank.ts';
import { Tallyrank, until } from './kit/start-tallyrank.ts';
import type { Subject } from './kit/subjects.ts';
import { promptOf, SUBJECTS } from './kit/subjects.ts';

/*
 * The whole loop, small: people ask three models by name about six subjects and say how well they were served;
 * the product finds the subjects, ranks, and sends `auto` to the right model.
 */

const PROMPTS_PER_SUBJECT = 100;
/** Prompts from here on are new to the product. */
const UNSEEN_FROM = 300;
const LOCAL = 'ollama:mistral:7b';
const PAID = 'paid:big-model';
const FLAKY = 'flaky:small-model';
/** What the free local model is no good at. */
const HARD: readonly Subject[] = ['code'];

const open: AsyncDisposable[] = [];
let product: Tallyrank;
let local: FakeProvider;
let paid: FakeProvider;
let flaky: FakeProvider;
let isPaidAway = false;

/** What people think of an answer, 1 to 5. */
function scoreOf(modelId: string, subject: Subject): number {
  const isHard = HARD.includes(subject);
  if (modelId === LOCAL) return isHard ? 1 : 5;
  if (modelId === PAID) return isHard ? 5 : 4;
  return 3;
}

async function ask(model: string, prompt: string, headers: Record<string, string> = {}): Promise<Answer> {
  return await product.chat(model, prompt, { headers });
}

/** Runs work on all items, some at a time. */
async function forAll<Item>(
  items: readonly Item[],
  work: (item: Item, at: number) => Promise<void>,
): Promise<void> {
  const entries = items.entries();
  const worker = async (): Promise<void> => {
    for (const [at, item] of entries) await work(item, at);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

/** Every subject to every model by name, each answer with feedback under one of its three ids. */
async function firstPhase(): Promise<void> {
  const tasks = SUBJECTS.flatMap((subject) =>
    [LOCAL, PAID, FLAKY].flatMap((modelId) =>
      Array.from({ length: PROMPTS_PER_SUBJECT }, (_, at) => ({ subject, modelId, at })),
    ),
  );
  await forAll(tasks, async ({ subject, modelId, at }, number) => {
    const externalId = `client-${number}`;
    const answer = await ask(modelId, promptOf(subject, at), {
      'x-request-id': externalId,
      'x-user-id': `user-${number % 7}`,
      'x-session-id': `session-${number}`,
    });
    if (answer.statusCode !== 200) return;
    const ids = [
      { requestId: answer.headers.get('x-tallyrank-request-id') },
      { externalId },
      { responseId: (answer.json as { id: string }).id },
    ];
    const id = modelId === LOCAL ? ids[2] : ids[number % 2];
    await product.get('/api/feedback', { ...id, score: scoreOf(modelId, subject) });
  });
}

beforeAll(async () => {
  let callCount = 0;
  local = await FakeProvider.open({
    kind: 'ollama',
    models: [{ name: 'mistral:7b', parameterSize: '7.2B' }],
  });
  paid = await FakeProvider.open({
    kind: 'openai',
    models: ['big-model'],
    reply: () => (isPaidAway ? { errorStatus: 500 } : { text: 'A long and careful answer.' }),
  });
  flaky = await FakeProvider.open({
    kind: 'openai',
    models: ['small-model'],
    reply: () => (callCount++ % 3 === 0 ? { errorStatus: 503 } : { text: 'An answer, this time.' }),
  });
  product = await Tallyrank.start({
    providers: { ollama: local, paid, flaky },
    config: {
      // What comes in is ranked when the test says so.
      ranking: { refreshSeconds: 3600 },
      prices: {
        [PAID]: { inputUsdPerMtok: 1000, outputUsdPerMtok: 3000 },
        [FLAKY]: { inputUsdPerMtok: 10, outputUsdPerMtok: 30 },
      },
    },
  });
  open.push(local, paid, flaky, product);
});

afterAll(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

interface Category {
  readonly categorySlug: string;
  readonly sampleCount: number;
  readonly examplePrompts: readonly string[];
  readonly keywords: readonly string[];
}

interface Figures {
  readonly requestCount: number;
  readonly costSumUsd: number | null;
  readonly successCount: number;
}

interface Stats {
  readonly runId: string;
  readonly total: Figures;
  readonly byModel: readonly (Figures & { readonly modelId: string })[];
  readonly byUseCase: readonly (Figures & { readonly useCase: string })[];
}

/** The use case that most prompts of a subject were given. */
function useCaseOf(rows: readonly LoggedRow[], subject: Subject): { slug: string; share: number } {
  const prompts = new Set(Array.from({ length: PROMPTS_PER_SUBJECT }, (_, at) => promptOf(subject, at)));
  const own = rows.filter((row) => row.prompt !== null && prompts.has(row.prompt));
  const counts = new Map<string, number>();
  for (const row of own) counts.set(row.useCase, (counts.get(row.useCase) ?? 0) + 1);
  const [slug, count] = [...counts].sort((one, other) => other[1] - one[1])[0] ?? ['', 0];
  return { slug, share: count / own.length };
}

// One story in order: each chapter stands on the ones before it.
describe.sequential('the loop', () => {
  it('answers by the priors while it knows nothing, and says so in the headers', async () => {
    await product.get('/api/exploration', { share: 0 }, { method: 'PUT' });
    const answer = await ask('auto', 'What time does Starbucks open?');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers.get('x-tallyrank-cause')).toBe('prior');
    expect(answer.headers.get('x-tallyrank-model')).toBe(LOCAL);
    expect(answer.headers.get('x-tallyrank-use-case')).toBe('food_dining');
    expect(answer.headers.get('x-tallyrank-propensity')).toBe('1');
    expect(answer.headers.get('x-tallyrank-cost-usd')).toBe('0');
    expect(answer.headers.get('x-tallyrank-reason')).toContain('evidence');
  });

  it('keeps feedback on an id that it does not know yet until the request arrives', async () => {
    const early = await product.get('/api/feedback', { externalId: 'comes-later', thumbs: 'down' });
    expect(early).toEqual({ status: 'waiting', requestId: null });
    const answer = await ask(LOCAL, 'Write a haiku about late letters.', { 'x-request-id': 'comes-later' });
    const id = answer.headers.get('x-tallyrank-request-id') ?? '';
    const signals = await until('the feedback to find its request', async () => {
      await product.flush();
      const found = await product.get<{ signals?: { kind: string; value: number }[] }>(`/api/requests/${id}`);
      return found.signals?.some(({ kind }) => kind === 'feedback') ? found.signals : null;
    });
    expect(signals).toMatchObject([{ kind: 'feedback', value: 0 }]);
  });

  it('notices re-asks, corrections and thanks in a session', async () => {
    const said = [
      ['When does the museum in the old town open tomorrow?', 're_ask'],
      ['When does the museum in the old town open tomorrow morning?', 'correction'],
      ['No, that is wrong, it is closed on Mondays.', 'thanks'],
      ['Thanks!', null],
    ] as const;
    const ids: string[] = [];
    for (const [prompt] of said) {
      const answer = await ask(LOCAL, prompt, { 'x-session-id': 'museum' });
      ids.push(answer.headers.get('x-tallyrank-request-id') ?? '');
    }
    await product.flush();
    for (const [at, [, kind]] of said.entries()) {
      const found = await product.get<{ signals?: { kind: string }[] }>(`/api/requests/${ids[at]}`);
      expect(
        found.signals?.map((signal) => signal.kind),
        `request ${at}`,
      ).toEqual(kind === null ? [] : [kind]);
    }
  });

  it('stops the provider and notes the abandonment when a client leaves', async () => {
    const leave = new AbortController();
    local.next({
      text: 'one two three four five six',
      beforeChunk: (at) => (at === 3 ? new Promise(() => undefined) : undefined),
    });
    const before = local.abortedCount;
    const response = await fetch(`${product.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: LOCAL,
        stream: true,
        messages: [{ role: 'user', content: 'Tell me a very long story.' }],
      }),
      signal: leave.signal,
    });
    await response.body?.getReader().read();
    leave.abort();
    await local.waitForAborts(before + 1);
    const row = await until('the abandoned request in the log', async () => {
      await product.flush();
      const [found] = await product.rows('&status=abandoned');
      return found ?? null;
    });
    expect(row).toMatchObject({ errorCode: 'caller_cancelled', fault: 'caller', isSuccess: false });
    const { signals } = await product.get<{ signals?: { kind: string }[] }>(`/api/requests/${row.requestId}`);
    expect(signals).toMatchObject([{ kind: 'abandonment' }]);
    const { total } = await product.get<Stats & { total: { abandonedCount: number } }>('/api/usage/stats');
    expect(total).toMatchObject({ abandonedCount: 1 });
  });

  it('finds the use cases in what was asked', async () => {
    await firstPhase();
    const job = await product.analyze();
    expect(job).toMatchObject({ status: 'done', error: null });
    const { categories } = await product.get<{ categories: Category[] }>(
      '/api/usage/categories?timeframe=1%20day',
    );
    const found = categories.filter(({ categorySlug }) => categorySlug !== 'other');
    expect(found.length).toBeGreaterThanOrEqual(SUBJECTS.length - 1);
    for (const category of found) {
      expect(category.examplePrompts.length).toBeGreaterThan(0);
      expect(category.keywords.length).toBeGreaterThan(0);
    }
    const rows = await product.rows();
    const slugs = new Set<string>();
    for (const subject of SUBJECTS) {
      const prompts = new Set(Array.from({ length: PROMPTS_PER_SUBJECT }, (_, at) => promptOf(subject, at)));
      const useCases = new Set(
        rows.filter((row) => row.prompt !== null && prompts.has(row.prompt)).map((row) => row.useCase),
      );
      for (const useCase of useCases) slugs.add(`${useCase}`);
      expect(useCaseOf(rows, subject).slug, subject).not.toBe('other');
    }
    expect(slugs.size).toBeGreaterThanOrEqual(SUBJECTS.length);
  });

  it('agrees, after the relabelling, between roll-ups and raw rows', async () => {
    await expectStatsOfRows();
  });

  it('ranks the local model first where it is good, and not where it is not', async () => {
    await product.flush();
    const rows = await product.rows();
    for (const subject of ['food', 'code'] as const) {
      const { slug } = useCaseOf(rows, subject);
      const ranking = await product.get<{
        best: { modelId: string; score: number; parts: { quality: { value: number } } };
      }>(`/api/rankings/${encodeURIComponent(slug)}`);
      expect(ranking.best.modelId, JSON.stringify(ranking, null, 1)).toBe(subject === 'food' ? LOCAL : PAID);
    }
  });

  it('sends auto to the right model, for prompts it never saw', async () => {
    const version = (await product.get<{ version: string }>('/api/rankings')).version;
    const hits = { food: 0, translation: 0, code: 0, health: 0 };
    const misses: string[] = [];
    for (const subject of Object.keys(hits) as (keyof typeof hits)[]) {
      for (let at = UNSEEN_FROM; at < UNSEEN_FROM + 10; at++) {
        const answer = await ask('auto', promptOf(subject, at));
        expect(answer.statusCode).toBe(200);
        expect(answer.headers.get('x-tallyrank-cause')).toBe('ranking');
        expect(answer.headers.get('x-tallyrank-rule')).toBe('data-driven-routing');
        expect(answer.headers.get('x-tallyrank-ranking-version')).toBe(version);
        expect(answer.headers.get('x-tallyrank-propensity')).toBe('1');
        expect(Number(answer.headers.get('x-tallyrank-cost-usd'))).toBeGreaterThanOrEqual(0);
        const wanted = HARD.includes(subject) ? PAID : LOCAL;
        if (answer.headers.get('x-tallyrank-model') === wanted) hits[subject]++;
        else
          misses.push(
            `${promptOf(subject, at)} -> ${answer.headers.get('x-tallyrank-use-case')}: ${answer.headers.get('x-tallyrank-reason')}`,
          );
      }
    }
    for (const [subject, count] of Object.entries(hits))
      expect(count, `${subject}: ${misses.join('\n')}`).toBeGreaterThanOrEqual(9);
  });

  it('tells the cost of a stream in its last usage chunk', async () => {
    const answer = await product.ask('/v1/chat/completions', {
      model: 'auto',
      stream: true,
      stream_options: { include_usage: true },
      messages: [{ role: 'user', content: promptOf('code', UNSEEN_FROM) }],
    });
    const chunks = answer.text
      .split('\n\n')
      .filter((frame) => frame.startsWith('data: {'))
      .map(
        (frame) => JSON.parse(frame.slice(6)) as { usage?: { cost?: number; total_tokens: number } | null },
      );
    const usage = chunks.at(-1)?.usage;
    expect(usage?.total_tokens).toBeGreaterThan(0);
    expect(usage?.cost).toBeGreaterThan(0);
    expect(answer.headers.get('x-tallyrank-model')).toBe(PAID);
  });

  it('explains without calling anybody what auto would do', async () => {
    const callCount = paid.calls.length + local.calls.length + flaky.calls.length;
    const explained = await product.get<{
      modelIds: string[];
      cause: string;
      candidates: { modelId: string; reason: string | null }[];
    }>('/api/route/explain', { prompt: promptOf('code', UNSEEN_FROM + 1) });
    expect(explained).toMatchObject({ cause: 'ranking' });
    expect(explained.modelIds[0]).toBe(PAID);
    expect(explained.candidates.find(({ modelId }) => modelId === LOCAL)?.reason).toMatch(/quality/i);
    expect(paid.calls.length + local.calls.length + flaky.calls.length).toBe(callCount);
  });

  it('falls back along the ranking when the best provider fails', async () => {
    isPaidAway = true;
    const answer = await ask('auto', promptOf('code', UNSEEN_FROM + 2));
    isPaidAway = false;
    expect(answer.statusCode).toBe(200);
    expect(answer.headers.get('x-tallyrank-model')).not.toBe(PAID);
    expect(Number(answer.headers.get('x-tallyrank-attempts'))).toBeGreaterThanOrEqual(2);
  });

  it('says what routing saves, in the words of the original', async () => {
    const savings = await product.get<Record<string, string>>('/api/savings');
    expect(savings['message']).toMatch(/^Could save \$[\d,]+\.\d\d\/month by using best models per use case/);
    expect(savings['actualCost']).toMatch(/^\d+\.\d\d$/);
    expect(savings['savingsPercent']).toMatch(/^\d+\.\d%$/);
    expect(Number(savings['potentialSavings'])).toBeGreaterThan(0);
    expect(Number(savings['actualCost']) - Number(savings['optimalCost'])).toBeCloseTo(
      Number(savings['potentialSavings']),
      1,
    );
  });

  it('finds the expensive model asked for what the free one does as well', async () => {
    const { routingPatterns } = await product.get<{
      routingPatterns: { inefficiencies: { type: string; modelId: string | null; suggestion: string }[] };
    }>('/api/usage/patterns?timeframe=1%20day');
    const found = routingPatterns.inefficiencies.filter(({ modelId }) => modelId === PAID);
    expect(found.length).toBeGreaterThan(0);
    expect(found.map(({ suggestion }) => suggestion).join(' ')).toContain('mistral');
  });

  it('keeps exploration as it was set, rankings and use cases over a restart', async () => {
    const before = await product.get<{ version: string }>('/api/rankings');
    await product.restart();
    expect(await product.get('/api/exploration')).toMatchObject({ share: 0, method: 'thompson' });
    expect(await product.get<{ version: string }>('/api/rankings')).toMatchObject({
      version: before.version,
    });
    const answer = await ask('auto', promptOf('food', UNSEEN_FROM + 20));
    expect(answer.headers.get('x-tallyrank-model')).toBe(LOCAL);
    expect(answer.headers.get('x-tallyrank-cause')).toBe('ranking');
  });

  it('explores when told to, and logs with what probability', async () => {
    await product.get('/api/exploration', { share: 1, method: 'uniform' }, { method: 'PUT' });
    const models = new Set<string>();
    await forAll(
      Array.from({ length: 40 }, (_, at) => at),
      async (at) => {
        const answer = await ask('auto', promptOf('food', UNSEEN_FROM + at));
        expect(Number(answer.headers.get('x-tallyrank-propensity'))).toBeCloseTo(1 / 3, 5);
        models.add(answer.headers.get('x-tallyrank-model') ?? '');
      },
    );
    expect([...models].sort()).toEqual([FLAKY, LOCAL, PAID].sort());
    await expectStatsOfRows();
    const { today } = await product.get<{ today: { exploredCount: number; spentUsd: number } }>(
      '/api/exploration',
    );
    expect(today.exploredCount).toBeGreaterThan(0);
    expect(today.spentUsd).toBeGreaterThan(0);
    await product.restart();
    const after = await product.get<{ today: { exploredCount: number; spentUsd: number } }>(
      '/api/exploration',
    );
    expect(after.today.exploredCount).toBe(today.exploredCount);
    // By the log it is compared with what the other model cost today, not with what was expected.
    expect(after.today.spentUsd).toBeGreaterThan(0);
  });
});

/** Counts, successes and money of the roll-ups, per model and use case, are those of the raw rows. */
async function expectStatsOfRows(): Promise<void> {
  await product.flush();
  const rows = await product.rows();
  const stats = await product.get<Stats>('/api/usage/stats?timeframe=1%20day');
  const expectFigures = (figures: Figures, own: readonly LoggedRow[], what: string): void => {
    const costs = own.flatMap((row) => row.costUsd ?? []);
    expect(figures.requestCount, what).toBe(own.length);
    expect(figures.successCount, what).toBe(own.filter((row) => row.isSuccess).length);
    expect(figures.costSumUsd ?? 0, what).toBeCloseTo(
      costs.reduce((sum, cost) => sum + cost, 0),
      6,
    );
  };
  expectFigures(stats.total, rows, 'total');
  for (const each of stats.byModel)
    expectFigures(
      each,
      rows.filter((row) => row.modelId === each.modelId),
      each.modelId,
    );
  for (const each of stats.byUseCase)
    expectFigures(
      each,
      rows.filter((row) => row.useCase === each.useCase),
      each.useCase,
    );
  expect(stats.byUseCase.reduce((sum, each) => sum + each.requestCount, 0)).toBe(rows.length);
}
