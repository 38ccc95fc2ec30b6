import { request as httpRequest } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import * as contract from '../src/api/contract.ts';
import { rulesAnswer } from '../src/api/contract-rules.ts';
import { savingsAnswer } from '../src/api/contract-savings.ts';
import { signalsAnswer } from '../src/api/contract-signals.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import type { Answer } from './kit/start-tallyrank.ts';
import { Tallyrank } from './kit/start-tallyrank.ts';
import { promptOf, SUBJECTS } from './kit/subjects.ts';

/* Every endpoint, with real data and with nonsense. */

const LOCAL = 'ollama:mistral:7b';
/** Holds a slash and a colon, as OpenRouter's names do. */
const PAID = 'router:meta-llama/llama-3.3-70b:fast';
const PROMPTS_PER_SUBJECT = 20;

const open: AsyncDisposable[] = [];
let product: Tallyrank;
let useCase = '';
let requestId = '';
let jobId = '';

beforeAll(async () => {
  const local = await FakeProvider.open({ kind: 'ollama', models: ['mistral:7b'] });
  const router = await FakeProvider.open({ kind: 'openai', models: ['meta-llama/llama-3.3-70b:fast'] });
  product = await Tallyrank.start({
    providers: { ollama: local, router },
    config: {
      ranking: { refreshSeconds: 3600 },
      prices: { 'router:*': { inputUsdPerMtok: 100, outputUsdPerMtok: 300 } },
    },
  });
  open.push(local, router, product);
  for (const subject of SUBJECTS) {
    await Promise.all(
      Array.from({ length: PROMPTS_PER_SUBJECT }, async (_, at) => {
        for (const model of [LOCAL, PAID]) {
          const { headers } = await product.chat(model, promptOf(subject, at));
          requestId = headers.get('x-tallyrank-request-id') ?? '';
          await product.get('/api/feedback', { requestId, thumbs: 'up' });
        }
      }),
    );
  }
  jobId = (await product.analyze()).id;
  await product.chat('auto', promptOf('food', 0));
  await product.flush();
  const { rankings } = await product.get<{ rankings: { useCase: string }[] }>('/api/rankings');
  useCase = rankings[0]?.useCase ?? '';
});

afterAll(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

/** The answer is what its schema says, and strict schemas leave nothing out. */
function expectShape(schema: z.ZodType, answer: Answer, what: string): void {
  expect(answer.statusCode, `${what}: ${answer.text.slice(0, 300)}`).toBeLessThan(300);
  const parsed = schema.safeParse(answer.json);
  expect(parsed.error?.issues.slice(0, 5) ?? [], what).toEqual([]);
  expect(parsed.data, `${what} answers fields that its schema does not have`).toEqual(answer.json);
}

describe('the endpoints of the original', () => {
  const timeframes = [
    'timeframe=1%20hour',
    'timeframe=7%20days',
    'timeframe=1%20week',
    'timeframe=1%20month',
    'timeframe=1w',
    'timeframe=P7D',
    'timeframe=1+week',
  ];
  it.each([
    ['/api/usage/stats', contract.usageStatsAnswer],
    ['/api/usage/patterns', contract.patternsAnswer],
    ['/api/usage/common-prompts', contract.commonPromptsAnswer],
    ['/api/usage/categories', contract.categoriesAnswer],
    ['/api/usage/dashboard', contract.dashboardAnswer],
    ['/api/savings', savingsAnswer],
  ] as const)('GET %s answers by its schema, for every way to say a window', async (path, schema) => {
    const now = Date.now();
    const [from, to] = [now - 3_600_000, now + 60_000].map((ms) => new Date(ms).toISOString());
    for (const query of ['', ...timeframes, `from=${from}&to=${to}`, `from=${from}`]) {
      expectShape(schema, await product.ask(`${path}?${query}`), `${path}?${query}`);
    }
  });

  it('GET /api/usage/common-prompts answers as many as asked', async () => {
    const { prompts } = await product.get<{ prompts: { requestCount: number; prompt: string }[] }>(
      '/api/usage/common-prompts?limit=5',
    );
    expect(prompts).toHaveLength(5);
    // Asked of two models, and once more of auto.
    expect(prompts[0]).toMatchObject({ requestCount: 3, prompt: promptOf('food', 0) });
  });

  it('GET /api/rankings, of one use case, and their comparison', async () => {
    expectShape(contract.allRankingsAnswer, await product.ask('/api/rankings'), 'rankings');
    const one = await product.ask(`/api/rankings/${encodeURIComponent(useCase)}`);
    expectShape(contract.rankingsAnswer, one, useCase);
    const models = [
      (one.json as { best: object | null }).best,
      ...(one.json as { alternatives: object[] }).alternatives,
    ];
    expect(models.filter((model) => model !== null)).toHaveLength(2);
    const query = `useCase=${encodeURIComponent(useCase)}&modelA=mistral&modelB=${encodeURIComponent(PAID)}`;
    const compared = await product.ask(`/api/rankings/compare?${query}`);
    expectShape(contract.compareAnswer, compared, 'compare');
    expect(compared.json).toMatchObject({ modelA: { modelId: LOCAL }, modelB: { modelId: PAID } });
    const history = await product.ask('/api/rankings/history?timeframe=1%20day');
    expectShape(contract.rankingHistoryAnswer, history, 'history');
    expect((history.json as { points: object[] }).points.length).toBeGreaterThan(0);
  });

  it('POST /api/rankings/refresh', async () => {
    const answer = await product.ask('/api/rankings/refresh', undefined, { method: 'POST' });
    expectShape(contract.refreshAnswer, answer, 'refresh');
    expect(answer.json).toMatchObject({ version: expect.any(String) });
  });

  it('GET /api/performance/:modelId/:useCase takes ids encoded and not', async () => {
    for (const id of [PAID, encodeURIComponent(PAID), LOCAL, encodeURIComponent(LOCAL), 'mistral']) {
      const answer = await product.ask(
        `/api/performance/${id}/${encodeURIComponent(useCase)}?timeframe=1%20week`,
      );
      expectShape(contract.performanceAnswer, answer, id);
      expect(answer.json).toMatchObject({
        modelId: id.includes('llama-3') ? PAID : LOCAL,
        useCase,
        total: { totalRequests: expect.any(Number), successRate: 1 },
      });
    }
  });

  it('GET /api/models/storage says that there is no bucket', async () => {
    const answer = await product.ask('/api/models/storage');
    expectShape(contract.storageAnswer, answer, 'storage');
    expect(answer.json).toEqual({ configured: false, models: [] });
  });
});

describe('the endpoints beside them', () => {
  it('GET /api/requests pages through the log, filters, and gives one with its decision and signals', async () => {
    const first = await product.ask('/api/requests?limit=7');
    expectShape(contract.requestsAnswer, first, 'requests');
    const all = await product.rows();
    expect(all).toHaveLength(SUBJECTS.length * PROMPTS_PER_SUBJECT * 2 + 1);
    expect((first.json as { requests: object[] }).requests).toEqual(all.slice(0, 7));
    for (const [query, isKept] of [
      [`&model=${encodeURIComponent(PAID)}`, (row: (typeof all)[number]) => row.modelId === PAID],
      ['&model=mistral:7b', (row: (typeof all)[number]) => row.modelId === LOCAL],
      [`&useCase=${encodeURIComponent(useCase)}`, (row: (typeof all)[number]) => row.useCase === useCase],
      ['&text=python', (row: (typeof all)[number]) => /python/i.test(row.prompt ?? '')],
      ['&status=failure', () => false],
    ] as const) {
      const kept = all.filter(isKept).map((row) => row.requestId);
      expect(
        (await product.rows(query)).map((row) => row.requestId),
        query,
      ).toEqual(kept);
    }
    const one = await product.ask(`/api/requests/${requestId}`);
    expectShape(contract.requestAnswer, one, 'request');
    expect(one.json).toMatchObject({ requestId, signals: [{ kind: 'feedback', value: 1 }] });
    const auto = all.find((row) => row.modelAsked === 'auto');
    const routed = await product.ask(`/api/requests/${auto?.requestId}`);
    expectShape(contract.requestAnswer, routed, 'request to auto');
    expect(routed.json).toMatchObject({ decision: { propensity: expect.any(Number), policy: 'auto' } });
  });

  it.each([
    ['GET', '/api/use-cases', undefined, contract.categoriesAnswer],
    ['GET', '/api/models', undefined, contract.modelsAnswer],
    ['GET', '/api/rules', undefined, rulesAnswer],
    ['GET', '/api/exploration', undefined, contract.explorationAnswer],
    ['PUT', '/api/exploration', { share: 0.25 }, contract.explorationAnswer],
    ['PUT', '/api/exploration', { method: 'best-arm', budgetUsdPerDay: null }, contract.explorationAnswer],
    ['POST', '/api/route/explain', { prompt: 'What time does Starbucks open?' }, contract.explainAnswer],
    [
      'POST',
      '/api/route/explain',
      { messages: [{ role: 'user', content: 'Hi' }], model: 'auto:cheap' },
      contract.explainAnswer,
    ],
    ['POST', '/api/route/explain', { prompt: 'Hi', model: 'mistral:7b' }, contract.explainAnswer],
    [
      'POST',
      '/api/feedback',
      { externalId: 'nobody-knows', score: 3, comment: 'so so' },
      contract.feedbackAnswer,
    ],
    ['GET', '/api/signals', undefined, signalsAnswer],
    ['GET', `/api/signals?modelId=${encodeURIComponent(LOCAL)}&timeframe=1%20week`, undefined, signalsAnswer],
  ] as const)('%s %s answers by its schema', async (method, path, body, schema) => {
    expectShape(schema, await product.ask(path, body, { method }), path);
  });

  it('GET /api/jobs/:id tells how a job ended', async () => {
    const answer = await product.ask(`/api/jobs/${jobId}`);
    expectShape(contract.jobAnswer, answer, 'job');
    expect(answer.json).toMatchObject({ status: 'done', kind: 'analyze' });
  });

  it('GET /api/events sends what happens, without prompts', async () => {
    const leave = new AbortController();
    const response = await fetch(`${product.url}/api/events`, { signal: leave.signal });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    await product.chat(LOCAL, 'An unmistakable prompt');
    let text = '';
    while (!text.includes('event: request')) text += (await reader?.read())?.value ?? '';
    leave.abort();
    expect(text).toContain(`"modelId":"${LOCAL}"`);
    expect(text).not.toContain('unmistakable');
  });
});

describe('what describes the server', () => {
  it('lists each endpoint in the OpenAPI document, with its answers', async () => {
    const document = await product.get<{
      openapi: string;
      paths: Record<string, Record<string, { responses?: object; summary?: string }>>;
    }>('/api/openapi.json');
    expect(document.openapi).toMatch(/^3\./);
    const paths = Object.keys(document.paths);
    for (const path of [
      '/api/usage/stats',
      '/api/usage/patterns',
      '/api/usage/common-prompts',
      '/api/usage/categories',
      '/api/usage/dashboard',
      '/api/rankings',
      '/api/rankings/{useCase}',
      '/api/rankings/refresh',
      '/api/rankings/compare',
      '/api/rankings/history',
      '/api/savings',
      '/api/models/storage',
      '/api/models',
      '/api/feedback',
      '/api/signals',
      '/api/requests',
      '/api/requests/{id}',
      '/api/route/explain',
      '/api/use-cases',
      '/api/analyze',
      '/api/jobs/{id}',
      '/api/events',
      '/api/rules',
      '/api/exploration',
    ]) {
      expect(paths).toContain(path);
    }
    expect(paths.some((path) => path.startsWith('/api/performance/'))).toBe(true);
    for (const [path, methods] of Object.entries(document.paths)) {
      if (!path.startsWith('/api/')) continue;
      for (const [method, { summary }] of Object.entries(methods))
        expect(summary, `${method} ${path}`).toBeTruthy();
    }
  });

  it('shows the documentation at /api/docs', async () => {
    const answer = await product.ask('/api/docs');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers.get('content-type')).toContain('text/html');
  });

  it('is alive and ready, under both families of names', async () => {
    for (const path of ['/healthz', '/health/liveliness']) {
      expect(await product.get(path)).toMatchObject({ status: 'ok' });
    }
    for (const path of ['/readyz', '/health/readiness']) {
      expect(await product.get(path)).toMatchObject({ status: 'ready', store: 'up' });
    }
  });

  it('counts in the names that dashboards know', async () => {
    const { text, headers } = await product.ask('/metrics');
    expect(headers.get('content-type')).toContain('text/plain');
    for (const name of [
      'requests_total',
      'request_duration_seconds_bucket',
      'overhead_seconds_bucket',
      'time_to_first_token_seconds',
      'input_tokens_total',
      'output_tokens_total',
      'cost_usd_total',
      'active_requests',
      'log_dropped_total',
      'fallbacks_total',
    ]) {
      expect(text, name).toContain(`tallyrank_${name}`);
    }
    expect(text).toMatch(new RegExp(`tallyrank_requests_total\\{[^}]*model="${LOCAL}"[^}]*status="success"`));
    // Users and prompts are no labels.
    expect(text).not.toMatch(/[{,](user|prompt|session)[a-z_]*=/);
  });
});

describe('access', () => {
  const key = 'a-long-admin-key-of-ours';

  it('needs the admin key for all but health and the page, in any of three headers', async () => {
    await using guarded = await Tallyrank.start({ env: { TALLYRANK_ADMIN_KEY: key } });
    for (const path of [
      '/api/usage/stats',
      '/api/requests',
      '/v1/models',
      '/metrics',
      '/api/openapi.json',
      '/nowhere',
    ]) {
      const answer = await guarded.ask(path);
      expect(answer.statusCode, path).toBe(401);
      expect(answer.json, path).toMatchObject({ error: { code: 'unauthorized' } });
    }
    expect(
      (await guarded.ask('/api/rules', undefined, { headers: { authorization: 'Bearer wrong-key-here' } }))
        .statusCode,
    ).toBe(401);
    for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }, { 'api-key': key }]) {
      expect((await guarded.ask('/api/rules', undefined, { headers })).statusCode).toBe(200);
      expect((await guarded.ask('/v1/models', undefined, { headers })).statusCode).toBe(200);
    }
    for (const path of [
      '/healthz',
      '/readyz',
      '/health/liveliness',
      '/health/readiness',
      '/',
      '/page.js',
      '/page.css',
    ]) {
      expect((await guarded.ask(path)).statusCode, path).toBe(200);
    }
    expect(guarded.stderr).not.toContain(key);
  });

  it('refuses a foreign Host header on the loopback: a rebound name must not reach it', async () => {
    expect(await statusWithHost('evil.example')).toBe(403);
    expect(await statusWithHost('evil.example:5001')).toBe(403);
    expect(await statusWithHost('localhost:5001')).toBe(200);
    expect(await statusWithHost('127.0.0.1')).toBe(200);
  });
});

async function statusWithHost(host: string): Promise<number | undefined> {
  const { port } = new URL(product.url);
  return await new Promise((resolve, reject) => {
    const sent = httpRequest(
      { host: '127.0.0.1', port, path: '/api/rules', headers: { host } },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    sent.once('error', reject);
    sent.end();
  });
}

/** 4xx, in OpenAI's shape, with a sentence that helps. */
function expectRefusal(answer: Answer, what: string): void {
  expect(answer.statusCode, `${what}: ${answer.text.slice(0, 300)}`).toBeGreaterThanOrEqual(400);
  expect(answer.statusCode, `${what}: ${answer.text.slice(0, 300)}`).toBeLessThan(500);
  const parsed = contract.errorAnswer.safeParse(answer.json);
  expect(parsed.success, `${what}: ${answer.text.slice(0, 300)}`).toBe(true);
  expect(parsed.data?.error.message.length, what).toBeGreaterThan(15);
  expect(answer.text, what).not.toMatch(/\bat .*\.(ts|js):\d|node_modules|DB::Exception|SELECT/);
}

describe('bad input', () => {
  const posts = [
    '/v1/chat/completions',
    '/api/feedback',
    '/api/route/explain',
    '/api/analyze',
    '/api/exploration',
  ];
  const methodOf = (path: string): string => (path === '/api/exploration' ? 'PUT' : 'POST');

  it.each([
    ['malformed JSON', '{"model": "auto", '],
    ['a bare word', 'hello'],
    ['a number', '42'],
    ['an array', '[]'],
    ['a text', '"text"'],
    ['invalid UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['NUL bytes', new Uint8Array(64)],
    [
      'wrong types',
      '{"model": 7, "messages": "x", "requestId": {}, "prompt": [], "timeframe": 1, "share": "much"}',
    ],
    ['a prototype', '{"__proto__": {"share": 1}, "constructor": 1}'],
    ['deep nesting', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
  ])('as a body: %s', async (_name, body) => {
    for (const path of posts) expectRefusal(await product.ask(path, body, { method: methodOf(path) }), path);
  });

  it('as a body: nothing where something is needed, and another type than JSON', async () => {
    for (const path of posts) {
      if (path !== '/api/analyze')
        expectRefusal(await product.ask(path, '', { method: methodOf(path) }), path);
      const asForm = {
        method: methodOf(path),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      };
      expectRefusal(await product.ask(path, 'model=auto', asForm), `${path} as a form`);
    }
  });

  it('as a body: more than twenty megabytes', async () => {
    const body = Buffer.from(JSON.stringify({ model: 'auto', prompt: 'x'.repeat(21 * 1024 * 1024) }));
    for (const path of posts) {
      const answer = await product.ask(path, body, { method: methodOf(path) }).catch((error: unknown) => {
        throw new Error(`${path} broke the connection instead of answering`, { cause: error });
      });
      expectRefusal(answer, path);
      expect(answer.statusCode, path).toBe(413);
    }
  });

  const id = '0190a0a0-0000-7000-8000-000000000000';
  const badQueries: readonly (readonly [string, RegExp])[] = [
    ['/api/usage/stats?timeframe=yesterday', /timeframe/],
    ['/api/usage/stats?timeframe=', /timeframe/],
    ['/api/usage/stats?timeframe=0%20days', /empty/],
    ['/api/usage/stats?timeframe=-1%20week', /timeframe/],
    ['/api/usage/stats?timeframe=99999999%20years', /ten years/],
    ['/api/usage/stats?timeframe=1%20week&timeframe=2%20weeks', /timeframe/],
    ['/api/usage/stats?timeframe=1%20week&from=2026-01-01', /not both/],
    ['/api/usage/stats?from=2026-02-01&to=2026-01-01', /before/],
    ['/api/usage/stats?to=2026-01-01', /from/],
    ['/api/usage/stats?from=12345678', /ISO/],
    ['/api/usage/stats?timeframe=%00', /timeframe/],
    ['/api/usage/stats?timeframe=%FF%FE', /timeframe/],
    [`/api/usage/stats?timeframe=${'9'.repeat(5_000)}`, /timeframe/],
    ["/api/usage/stats?timeframe=1%20week';DROP%20TABLE%20usage_log", /timeframe/],
    ['/api/usage/patterns?timeframe=soon', /timeframe/],
    ['/api/usage/categories?timeframe=soon', /timeframe/],
    ['/api/usage/dashboard?timeframe=soon', /timeframe/],
    ['/api/savings?timeframe=soon', /timeframe/],
    ['/api/rankings/history?timeframe=soon', /timeframe/],
    ['/api/usage/common-prompts?limit=0', /limit/],
    ['/api/usage/common-prompts?limit=many', /limit/],
    ['/api/usage/common-prompts?limit=1e9', /limit/],
    ['/api/usage/common-prompts?limit=1.5', /limit/],
    ['/api/rankings/no_such_use_case', /no_such_use_case.*There are/],
    ['/api/rankings/%00', /use case/],
    ['/api/rankings/compare', /useCase/],
    ['/api/rankings/compare?useCase=nope&modelA=a&modelB=b', /nope/],
    ['/api/performance/mistral', /useCase/],
    ['/api/performance/mistral/nope', /nope/],
    ['/api/performance//', /model/],
    ['/api/requests?cursor=garbage', /cursor/],
    ['/api/requests?cursor=MjAyNg', /cursor/],
    ['/api/requests?limit=501', /limit/],
    ['/api/requests?status=fine', /status/],
    [`/api/requests?user=${'u'.repeat(600)}`, /user/],
    ['/api/requests/nope', /nope/],
    [`/api/requests/${id}`, /0190a0a0/],
    ['/api/requests/%00', /request/],
    ['/api/jobs/nope', /nope/],
    ['/api/nowhere', /GET \/api\/nowhere/],
    ['/v1/nowhere', /GET \/v1\/nowhere/],
    ['/v1/models/nope', /nope/],
  ];
  it.each(badQueries.map(([path, sentence]) => [path.slice(0, 80), path, sentence] as const))(
    'in a query: %s',
    async (_name, path, sentence) => {
      const answer = await product.ask(path);
      expectRefusal(answer, path);
      expect((answer.json as { error: { message: string } }).error.message).toMatch(sentence);
    },
  );

  const badBodies: readonly (readonly [string, object, RegExp])[] = [
    ['/api/feedback', {}, /requestId/],
    ['/api/feedback', { requestId: id }, /score or thumbs/],
    ['/api/feedback', { requestId: id, score: 6 }, /score/],
    ['/api/feedback', { requestId: id, score: 3, thumbs: 'up' }, /score or thumbs/],
    ['/api/feedback', { requestId: 'x', score: 3 }, /requestId/],
    ['/api/feedback', { requestId: id, externalId: 'x', score: 3 }, /exactly one/],
    ['/api/feedback', { requestId: id, score: 3, nope: 1 }, /nope/],
    ['/api/route/explain', {}, /prompt or messages/],
    ['/api/route/explain', { prompt: 'x', model: 'no-such-model' }, /no-such-model/],
    ['/api/route/explain', { prompt: 'x', model: 'auto:dear' }, /auto:dear/],
    ['/api/route/explain', { prompt: 'x', priority: 'high' }, /priority/],
    ['/api/analyze', { timeframe: 'soon' }, /timeframe/],
    ['/api/analyze', { since: '1 week' }, /since/],
    ['/api/exploration', { share: 1.1 }, /share/],
    ['/api/exploration', {}, /share/],
    ['/api/exploration', { method: 'chance' }, /method/],
    ['/api/exploration', { budgetUsdPerDay: -1 }, /budgetUsdPerDay/],
    ['/v1/chat/completions', { model: 'auto' }, /messages/],
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'x' }] }, /model/],
    ['/v1/chat/completions', { model: 'nope', messages: [{ role: 'user', content: 'x' }] }, /nope/],
    ['/v1/chat/completions', { model: 'auto:dear', messages: [{ role: 'user', content: 'x' }] }, /auto:dear/],
    ['/v1/chat/completions', { model: 'auto', messages: [] }, /messages/],
    ['/v1/chat/completions', { model: 'auto', messages: [{ content: 'x' }] }, /role/],
  ];
  it.each(badBodies)('in a body: %s %j', async (path, body, sentence) => {
    const answer = await product.ask(path, body, { method: methodOf(path) });
    expectRefusal(answer, path);
    expect((answer.json as { error: { message: string } }).error.message).toMatch(sentence);
  });

  it('in a path: %-signs that encode nothing, dots that climb, kilobytes of it', async () => {
    for (const path of [
      '/api/%zz',
      '/api/rankings/%E0%A4%A',
      '/api/requests/..%2f..%2fetc%2fpasswd',
      `/api/${'x'.repeat(9_000)}`,
    ]) {
      expectRefusal(await product.ask(path), path);
    }
    const tooLong = await product.ask(`/api/usage/stats?timeframe=${'x'.repeat(60_000)}`);
    expectRefusal(tooLong, 'a query of 60 kB');
    expect(tooLong.statusCode).toBe(431);
  });

  it('never makes a 5xx, whatever is sent where', async () => {
    const paths = [
      ...posts,
      '/api/usage/stats',
      '/api/requests',
      '/api/rankings/compare',
      `/api/rankings/${useCase}`,
      '/api/performance/x/y',
    ];
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc.uint8Array({ maxLength: 200 }),
      fc
        .record({
          model: fc.constantFrom('auto', 'mistral:7b', 'nope'),
          messages: fc.anything(),
          stream: fc.anything(),
        })
        .map((value) => JSON.stringify(value) ?? ''),
      fc
        .record(
          {
            requestId: fc.oneof(fc.uuid(), fc.string()),
            score: fc.anything(),
            prompt: fc.anything(),
            share: fc.anything(),
          },
          { requiredKeys: [] },
        )
        .map((value) => JSON.stringify(value) ?? ''),
    );
    const query = fc.dictionary(
      fc.constantFrom(
        'timeframe',
        'from',
        'to',
        'limit',
        'cursor',
        'model',
        'useCase',
        'modelA',
        'modelB',
        'text',
        'status',
      ),
      fc.oneof(
        fc.string(),
        fc.constantFrom('1 week', 'P1D', '2026-11-01', 'mistral', '5'),
        fc.string({ unit: 'binary' }),
      ),
      { maxKeys: 4 },
    );
    const call = fc.record({
      path: fc.constantFrom(...paths),
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH'),
      body,
      query,
    });
    await fc.assert(
      fc.asyncProperty(call, async ({ path, method, body: sent, query: asked }) => {
        const url = `${path}?${Object.entries(asked)
          .map(([name, value]) => `${name}=${encodeURIComponent(Buffer.from(value).toString())}`)
          .join('&')}`;
        const answer = await product.ask(url, method === 'GET' ? undefined : sent, { method });
        if (answer.statusCode >= 500)
          throw new Error(`${method} ${url} answered ${answer.statusCode}: ${answer.text}`);
        if (answer.statusCode >= 400) expectRefusal(answer, url);
      }),
      { numRuns: 400, seed: 20_261_123 },
    );
  });

  it('leaves the process alive, the log whole and its own error log empty', async () => {
    expect(product.isRunning).toBe(true);
    expect(await product.get('/readyz')).toMatchObject({ status: 'ready' });
    const answer = await product.chat('mistral:7b', 'Are you still there?');
    expect(answer.statusCode).toBe(200);
    expect(product.stderr).not.toContain('"level":50');
  });
});
