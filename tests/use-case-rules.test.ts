import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeProvider } from './kit/fake-provider.ts';
import { Tallyrank, until } from './kit/start-tallyrank.ts';
import { promptOf, type Subject } from './kit/subjects.ts';

/* Hand-written use cases from the configuration to the rankings, on the compiled program. */

const SUBJECTS: readonly Subject[] = ['food', 'code', 'translation'];
const DAY_MS = 86_400_000;
const CRM_COUNT = 12;
const ROOM_COUNT = 20;

const RULES = [
  { name: 'button of the CRM', useCase: 'crm_summary', when: { header: { name: 'X-App', value: 'crm' } } },
  { name: 'support room', useCase: 'support_desk', when: { roomId: 'support' } },
];

const open: AsyncDisposable[] = [];
let product: Tallyrank;

/** Three subjects over three days, and a room in which the same things are asked. */
function historyLines(): string {
  const startMs = Date.now() - 4 * DAY_MS;
  const line = (subject: Subject, n: number, given: object): string =>
    `${JSON.stringify({
      timestamp: new Date(startMs + n * 60_000).toISOString(),
      model: 'gpt-4o',
      prompt: promptOf(subject, n),
      response: 'An answer.',
      user_id: `user-${n % 4}`,
      ...given,
    })}\n`;
  const asked = SUBJECTS.flatMap((subject) =>
    Array.from({ length: 60 }, (_, n) => line(subject, n, { id: `${subject}-${n}` })),
  );
  const inRoom = Array.from({ length: ROOM_COUNT }, (_, n) =>
    line('code', n, { id: `room-${n}`, room_id: 'support' }),
  );
  return [...asked, ...inRoom].join('');
}

beforeAll(async () => {
  const provider = await FakeProvider.open({ kind: 'openai', models: ['one'] });
  product = await Tallyrank.start({ providers: { p: provider }, config: { useCaseRules: RULES } });
  open.push(provider, product);
  const history = join(product.dir, 'history.jsonl');
  writeFileSync(history, historyLines());
  expect(await product.cli('import', history, '--json')).toMatchObject({ exitCode: 0 });
  for (let n = 0; n < CRM_COUNT; n++) {
    const answer = await product.chat('p:one', promptOf('food', n), { headers: { 'X-App': 'crm' } });
    expect(answer.statusCode, answer.text).toBe(200);
  }
  // The same text without the header is no business of the rule.
  expect((await product.chat('p:one', promptOf('food', 0))).statusCode).toBe(200);
  expect(await product.analyze({ timeframe: '30 days' })).toMatchObject({ status: 'done' });
});

afterAll(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

interface Category {
  readonly categorySlug: string;
  readonly categoryName: string;
  readonly sampleCount: number;
}

async function ruled(): Promise<Record<string, Category>> {
  const { categories } = await product.get<{ categories: Category[] }>('/api/use-cases?timeframe=30%20days');
  const own = categories.filter(({ categorySlug }) => RULES.some(({ useCase }) => useCase === categorySlug));
  return Object.fromEntries(own.map((category) => [category.categorySlug, category]));
}

async function jobOf(answer: { readonly job: { readonly id: string } | null }): Promise<string> {
  return await until('the end of the edit', async () => {
    const { status } = await product.get<{ status: string }>(`/api/jobs/${answer.job?.id}`);
    return status === 'running' ? null : status;
  });
}

describe.sequential('a use case that a rule gives', () => {
  it('keeps its requests through a discovery run that never heard of it', async () => {
    expect(await ruled()).toMatchObject({
      crm_summary: { categoryName: 'Crm Summary', sampleCount: CRM_COUNT },
      support_desk: { categoryName: 'Support Desk', sampleCount: ROOM_COUNT },
    });
  });

  it('is ranked by its own requests', async () => {
    await product.flush();
    const { rankings } = await product.get<{
      rankings: { useCase: string; alternatives: { modelId: string; totalRequests: number }[] }[];
    }>('/api/rankings');
    const ranking = rankings.find(({ useCase }) => useCase === 'crm_summary');
    expect(ranking?.alternatives).toMatchObject([{ modelId: 'p:one', totalRequests: CRM_COUNT }]);
  });

  it('is shown and filtered by in the list of requests, with its rule', async () => {
    const { requests } = await product.get<{ requests: { useCase: string; useCaseRule: string | null }[] }>(
      '/api/requests?useCase=crm_summary&limit=100&timeframe=30%20days',
    );
    expect(requests).toHaveLength(CRM_COUNT);
    for (const request of requests) expect(request).toMatchObject({ useCaseRule: 'button of the CRM' });
  });

  it('takes another name, and leaves its slug to the rule', async () => {
    const path = '/api/use-cases/crm_summary';
    const renamed = await product.get<{ job: { id: string } | null }>(
      path,
      { name: 'Sales calls' },
      { method: 'PATCH' },
    );
    expect(await jobOf(renamed)).toBe('done');
    expect(await ruled()).toMatchObject({ crm_summary: { categoryName: 'Sales calls' } });
    for (const [at, body, method] of [
      [path, { slug: 'sales' }, 'PATCH'],
      [path, { isPinned: true }, 'PATCH'],
      [`${path}/merge`, { into: 'support_desk' }, 'POST'],
      [`${path}/split`, { name: 'X', keywords: ['tea'] }, 'POST'],
    ] as const) {
      const refused = await product.ask(at, body, { method });
      expect(refused.statusCode, refused.text).toBe(409);
      expect(refused.text).toContain('button of the CRM');
      expect(refused.text).toContain('useCaseRules');
    }
  });

  it('keeps name and requests in the next run', async () => {
    expect(await product.analyze({ timeframe: '30 days' })).toMatchObject({ status: 'done' });
    expect(await ruled()).toMatchObject({
      crm_summary: { categoryName: 'Sales calls', sampleCount: CRM_COUNT },
      support_desk: { sampleCount: ROOM_COUNT },
    });
  });
});
