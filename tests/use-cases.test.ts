import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import * as contract from '../src/api/contract-use-cases.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { Tallyrank, until } from './kit/start-tallyrank.ts';
import { promptOf, type Subject } from './kit/subjects.ts';

/* Use cases as an operator meets them: by HTTP and on the command line, on the compiled program. */

const SUBJECTS: readonly Subject[] = ['food', 'code', 'translation', 'health'];
const DAY_MS = 86_400_000;
const PER_DAY = 10;

const open: AsyncDisposable[] = [];
let product: Tallyrank;

/** Two weeks; in the second, twice as many ask about food as about all the rest. */
function historyLines(): string {
  const startMs = Date.now() - 14 * DAY_MS;
  const rows = Array.from({ length: 14 }, (_, day) =>
    SUBJECTS.flatMap((subject) =>
      Array.from({ length: subject === 'food' && day >= 7 ? 6 * PER_DAY : PER_DAY }, (_entry, n) => ({
        id: `${day}-${subject}-${n}`,
        timestamp: new Date(startMs + day * DAY_MS + n * 60_000).toISOString(),
        model: 'gpt-4o',
        prompt: promptOf(subject, (day * PER_DAY + n) % 140),
        response: 'An answer.',
        user_id: `user-${n % 4}`,
      })),
    ),
  ).flat();
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

beforeAll(async () => {
  const provider = await FakeProvider.open({ kind: 'openai', models: ['one'] });
  product = await Tallyrank.start({ providers: { p: provider } });
  open.push(provider, product);
  const history = join(product.dir, 'history.jsonl');
  writeFileSync(history, historyLines());
  expect(await product.cli('import', history, '--json')).toMatchObject({ exitCode: 0 });
  expect(await product.analyze({ timeframe: '30 days' })).toMatchObject({ status: 'done' });
});

afterAll(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

interface Category {
  readonly categorySlug: string;
  readonly sampleCount: number;
  readonly theme: string | null;
}

async function categories(): Promise<Category[]> {
  const answer = await product.get<{ categories: Category[] }>('/api/use-cases?timeframe=30%20days');
  return answer.categories.filter(({ categorySlug }) => categorySlug !== 'other');
}

async function shaped<Schema extends z.ZodType>(schema: Schema, path: string): Promise<z.output<Schema>> {
  const { statusCode, json, text } = await product.ask(path);
  expect(statusCode, text).toBe(200);
  return schema.parse(json);
}

/** An edit by HTTP, and the end of its job. */
async function edit(
  method: string,
  path: string,
  body?: unknown,
): Promise<z.output<typeof contract.editAnswer>> {
  const answer = await product.ask(path, body, { method });
  expect(answer.statusCode, answer.text).toBe(202);
  const parsed = contract.editAnswer.parse(answer.json);
  const job = await until('the end of the edit', async () => {
    const found = await product.get<{ status: string; error: unknown }>(`/api/jobs/${parsed.job?.id}`);
    return found.status === 'running' ? null : found;
  });
  expect(job).toMatchObject({ status: 'done' });
  return parsed;
}

describe.sequential('use cases', () => {
  it('answer with their history', async () => {
    const [first] = await categories();
    const detail = await shaped(contract.useCaseAnswer, `/api/use-cases/${first?.categorySlug}`);
    expect(detail.examplePrompts.length).toBeGreaterThan(0);
    expect(detail.trend.length).toBeGreaterThanOrEqual(14);
    expect(detail.events.map(({ kind }) => kind)).toEqual(['birth']);
    const { events } = await shaped(contract.eventsAnswer, '/api/use-cases/events');
    expect(events.length).toBe((await categories()).length);
    const { runs } = await shaped(contract.runsAnswer, '/api/use-cases/runs');
    expect(runs.map(({ isCurrent }) => isCurrent)).toEqual([true]);
    expect((await categories()).some(({ theme }) => theme !== null)).toBe(true);
  });

  it('tell when the mix changed', async () => {
    const drift = await shaped(contract.driftAnswer, '/api/usage/drift?timeframe=1%20week');
    expect(drift).toMatchObject({ isAlarm: true, note: null });
    const patterns = await product.get<{ drift: { isAlarm: boolean } }>('/api/usage/patterns');
    expect(patterns.drift.isAlarm).toBe(true);
    expect((await product.cli('patterns')).stdout).toContain('The mix changed');
  });

  it('are renamed, merged, split and pinned by HTTP, and keep all requests', async () => {
    const before = await categories();
    const total = before.reduce((sum, { sampleCount }) => sum + sampleCount, 0);
    const [a = '', b = '', c = ''] = before.map(({ categorySlug }) => categorySlug);
    await edit('PATCH', `/api/use-cases/${a}`, { name: 'First', slug: 'first_one', isPinned: true });
    await edit('POST', `/api/use-cases/${b}/merge`, { into: c });
    await edit('POST', '/api/use-cases/first_one/split', {
      name: 'On Mondays',
      keywords: ['monday', 'rust'],
    });
    const after = await categories();
    const slugs = after.map(({ categorySlug }) => categorySlug);
    expect(slugs).toEqual(expect.arrayContaining(['first_one', c]));
    expect(slugs).not.toContain(a);
    expect(slugs).not.toContain(b);
    expect(after.reduce((sum, { sampleCount }) => sum + sampleCount, 0)).toBe(total);
    const old = await shaped(contract.useCaseAnswer, `/api/use-cases/${a}`);
    expect(old).toMatchObject({ slug: 'first_one', redirectedFrom: a, isPinned: true, name: 'First' });
    const { rankings } = await product.get<{ rankings: { useCase: string }[] }>('/api/rankings');
    expect(rankings.map(({ useCase }) => useCase)).toContain('first_one');
    const { edits } = await shaped(contract.editsAnswer, '/api/use-cases/edits');
    expect(edits.map(({ kind }) => kind)).toEqual(['split', 'merge', 'rename', 'pin']);
    await edit('POST', '/api/use-cases/undo');
    expect((await categories()).map(({ categorySlug }) => categorySlug)).not.toContain('on_mondays');
  });

  it('say what an edit would do, and refuse a bad one', async () => {
    const [first] = await categories();
    const path = `/api/use-cases/${first?.categorySlug}`;
    const dry = await product.ask(`${path}/split`, { name: 'X', keywords: ['tea'], dryRun: true });
    expect(dry.statusCode, dry.text).toBe(200);
    expect(contract.editAnswer.parse(dry.json)).toMatchObject({ job: null, edits: [{ kind: 'split' }] });
    expect((await product.ask('/api/use-cases/nowhere')).statusCode).toBe(404);
    expect((await product.ask(`${path}/merge`, { into: 'nowhere' })).statusCode).toBe(404);
    expect((await product.ask(path, {}, { method: 'PATCH' })).statusCode).toBe(400);
    const reserved = await product.ask(path, { slug: 'merge' }, { method: 'PATCH' });
    expect(reserved.statusCode).toBe(400);
  });

  it('are looked at and changed on the command line', async () => {
    expect((await product.cli('use-cases')).stdout).toContain('first_one (pinned)');
    const shown = await product.cli('use-cases', 'first_one', '--json');
    expect(shown.json).toMatchObject({ slug: 'first_one', isPinned: true });
    const dry = await product.cli('use-cases', 'rename', 'first_one', '--name', 'Other name', '--dry-run');
    expect(dry, dry.stderr).toMatchObject({ exitCode: 0 });
    expect(dry.stdout).toContain('Would rename first_one');
    const done = await product.cli('use-cases', 'rename', 'first_one', '--slug', 'number_one', '--json');
    expect(done.json, done.stderr).toMatchObject({ isDryRun: false, edit: { toSlug: 'number_one' } });
    await until('the server to follow', async () => {
      const { statusCode } = await product.ask('/api/rankings/number_one');
      return statusCode === 200 ? true : null;
    });
    expect(await product.cli('use-cases', 'undo')).toMatchObject({ exitCode: 0 });
    expect(await product.cli('use-cases', 'unpin', 'first_one')).toMatchObject({ exitCode: 0 });
    expect(await product.cli('use-cases', 'pin', 'nowhere')).toMatchObject({ exitCode: 2 });
  });
});
