import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allRankingsAnswer, rankingsAnswer } from '../src/api/contract.ts';
import * as contract from '../src/api/contract-rankings.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { Tallyrank, until } from './kit/start-tallyrank.ts';

/* Rankings that follow each request, and that an operator can bring back, through HTTP and the command line. */

const LOCAL = 'ollama:mistral:7b';
const PROMPT = 'What time does Starbucks open?';

let local: FakeProvider;
let product: Tallyrank;
let isEmpty = false;

interface Rankings {
  readonly version: string;
  readonly liveRequestCount: number;
  readonly hold: { readonly rolledBackTo: string } | null;
  readonly best: { readonly modelId: string; readonly totalRequests: number } | null;
  readonly alternatives: readonly { readonly totalRequests: number; readonly successRate: number }[];
}

async function ask(count: number): Promise<void> {
  for (let at = 0; at < count; at++) await product.chat(LOCAL, PROMPT);
}

beforeAll(async () => {
  local = await FakeProvider.open({
    kind: 'ollama',
    models: ['mistral:7b'],
    reply: () => ({ text: isEmpty ? '' : 'At eight.' }),
  });
  product = await Tallyrank.start({
    providers: { ollama: local },
    // What comes in is ranked when the test says so.
    config: { ranking: { refreshSeconds: 3600 } },
  });
});

afterAll(async () => {
  await product[Symbol.asyncDispose]();
  await local[Symbol.asyncDispose]();
});

// One story in order: each chapter stands on the ones before it.
describe.sequential('rankings', () => {
  let useCase = '';
  let first = '';

  it('move with each finished request, before any refresh, for answers and for the router', async () => {
    await ask(25);
    await product.flush();
    const all = allRankingsAnswer.parse(await product.get('/api/rankings'));
    useCase = all.rankings[0]?.useCase ?? '';
    first = all.version ?? '';
    expect(all.liveRequestCount).toBe(0);
    isEmpty = true;
    await ask(20);
    const live = await until('the rankings in memory', async () => {
      const now = await product.get<Rankings>(`/api/rankings/${useCase}`);
      return now.liveRequestCount === 20 ? now : null;
    });
    expect(live.version).toBe(first);
    expect([live.best, ...live.alternatives].map((model) => model?.totalRequests)).toContain(45);
    const answer = rankingsAnswer.parse(await product.get(`/api/rankings/${useCase}`));
    expect([answer.best, ...answer.alternatives].find((model) => model !== null)?.successRate).toBeLessThan(
      0.7,
    );
  });

  it('count nothing twice once they are refreshed', async () => {
    await product.flush();
    const now = await product.get<Rankings>(`/api/rankings/${useCase}`);
    expect(now.liveRequestCount).toBe(0);
    expect([now.best, ...now.alternatives].map((model) => model?.totalRequests)).toContain(45);
  });

  it('are listed and compared', async () => {
    const { versions } = contract.versionsAnswer.parse(await product.get('/api/rankings/versions'));
    expect(versions.map(({ isCurrent }) => isCurrent)).toEqual([true, false]);
    const diff = contract.diffAnswer.parse(await product.get('/api/rankings/diff'));
    expect(diff.a.version).toBe(first);
    const words = await product.cli('rankings', 'diff');
    expect(words).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(first) });
    expect((await product.cli('rankings', 'versions')).stdout).toContain(`* ${versions[0]?.version}`);
    const refused = await product.ask('/api/rankings/diff?a=yesterday');
    expect(refused.statusCode).toBe(400);
    const trend = contract.trendsAnswer.parse(await product.get(`/api/rankings/trends?useCase=${useCase}`));
    expect(trend.models.map(({ modelId }) => modelId)).toEqual([LOCAL]);
    expect(trend.models[0]?.success.changePoints).toBeNull();
    expect((await product.cli('rankings', 'trend', useCase, 'mistral')).stdout).toContain(
      'too little to say',
    );
    expect((await product.ask('/api/rankings/trends?useCase=nonsense')).statusCode).toBe(404);
  });

  it('come back and are held over a restart, until they are released', async () => {
    const before = await product.get<Rankings>(`/api/rankings/${useCase}`);
    const tried = contract.rollbackAnswer.parse(
      await product.get('/api/rankings/rollback', { version: first, dryRun: true }),
    );
    expect(tried).toMatchObject({ isDryRun: true, version: null, rolledBackTo: first });
    const done = contract.rollbackAnswer.parse(
      await product.get('/api/rankings/rollback', { version: first }),
    );
    expect(done.hold).toMatchObject({ rolledBackTo: first, heldBy: 'api' });
    const ready = await product.get<{ snapshotVersion: string }>('/readyz');
    expect(ready.snapshotVersion).toBe(done.version);
    await product.flush();
    await product.restart();
    await product.flush();
    const held = await product.get<Rankings>(`/api/rankings/${useCase}`);
    expect(held).toMatchObject({ version: done.version, hold: { rolledBackTo: first } });
    expect([held.best, ...held.alternatives].map((model) => model?.totalRequests)).toContain(25);
    expect((await product.cli('rankings')).stdout).toContain('Held: ');
    expect((await product.cli('rank')).stdout).toContain('is held');

    const released = contract.releaseAnswer.parse(
      await product.get('/api/rankings/release', undefined, { method: 'POST' }),
    );
    expect(released.released?.version).toBe(done.version);
    const after = await product.get<Rankings>(`/api/rankings/${useCase}`);
    expect(after.hold).toBeNull();
    expect([after.best, ...after.alternatives].map((model) => model?.totalRequests)).toContain(45);
    expect(after.version > before.version).toBe(true);
  });

  it('are brought back by the command line, which a running server follows', async () => {
    const { exitCode } = await product.cli('rankings', 'rollback', first);
    expect(exitCode).toBe(0);
    await until('the server follows', async () => {
      const { hold } = await product.get<Rankings>(`/api/rankings/${useCase}`);
      return hold?.rolledBackTo === first ? hold : null;
    });
    expect((await product.cli('rankings', 'release')).stdout).toContain('Released');
  });
});
