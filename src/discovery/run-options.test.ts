import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { promptOf, SUBJECTS } from '../../tests/kit/subjects.ts';
import { promptHash } from '../core/prompt-text.ts';
import { readActiveRun } from '../store/queries/discovery-runs.ts';
import { readUseCasesOfRun } from '../store/queries/snapshots.ts';
import type { DiscoveryReport } from './discovery-run.ts';
import { DistilledTable } from './embedders/distilled-table.ts';
import type { Embedder } from './embedders/embedder.ts';
import { UseCaseAnalyzer } from './use-case-analyzer.ts';

const NOW_MS = Date.UTC(2026, 9, 8, 12, 0, 0);
const clock = (): number => NOW_MS;

function requests(prompts: readonly string[]): object[] {
  return prompts.map((prompt, at) => ({
    prompt,
    promptHash: promptHash({ prompt, context: '' }),
    startedAtMs: NOW_MS - 86_400_000 + at * 1_000,
    userId: `user-${at % 5}`,
  }));
}

const asked = SUBJECTS.flatMap((subject) => Array.from({ length: 60 }, (_, n) => promptOf(subject, n)));

async function reportOf({ db }: ScratchStore): Promise<DiscoveryReport> {
  return (await readActiveRun(db))?.report as DiscoveryReport;
}

/** An Ollama server whose model titles a group by the words that set it apart. */
async function startNamingServer(): Promise<{ server: Server; baseUrl: string; callCount: () => number }> {
  let callCount = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      callCount++;
      const { messages } = JSON.parse(Buffer.concat(chunks).toString()) as {
        messages: { content: string }[];
      };
      const words = /set the group apart: (\[.*\])/.exec(messages[0]?.content ?? '')?.[1] ?? '[]';
      const title = `Handle ${(JSON.parse(words) as string[]).slice(0, 2).join(' ')}`;
      const content = JSON.stringify({ title, description: `People ask for ${title}. It is asked often.` });
      response.end(JSON.stringify({ model: 'm', message: { role: 'assistant', content }, done: true }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { server, baseUrl, callCount: () => callCount };
}

describe('a run whose names a model words', () => {
  let store: ScratchStore;
  let naming: Awaited<ReturnType<typeof startNamingServer>>;
  beforeAll(async () => {
    store = await openScratchStore();
    naming = await startNamingServer();
    await store.insertRequests(requests(asked));
  });
  afterAll(async () => {
    naming.server.close();
    await store.dispose();
  });

  it('shows its titles and descriptions, and asks again for nothing that has a fitting name', async () => {
    const namingModel = { kind: 'ollama', baseUrl: naming.baseUrl, model: 'm' } as const;
    const analyzer = new UseCaseAnalyzer({ db: store.db, clock, namingModel, inWorker: false });
    const { runId } = await analyzer.analyze('1 week');
    const useCases = (await readUseCasesOfRun(store.db, runId)).filter(({ slug }) => slug !== 'other');
    expect(useCases.length).toBeGreaterThan(2);
    expect(naming.callCount()).toBe(useCases.length);
    for (const { name, description } of useCases) {
      expect(name).toMatch(/^Handle /);
      expect(description).toBe(`People ask for ${name}. It is asked often.`);
    }
    const again = await analyzer.analyze('1 week');
    expect(again.runId).not.toBe(runId);
    expect(naming.callCount()).toBe(useCases.length);
    expect((await readUseCasesOfRun(store.db, again.runId)).map(({ name }) => name)).toEqual(
      expect.arrayContaining(useCases.map(({ name }) => name)),
    );
  });

  it('keeps the names of words where the model is away', async () => {
    const away = await startNamingServer();
    away.server.close();
    await once(away.server, 'close');
    const other = await openScratchStore();
    await other.insertRequests(requests(asked));
    const namingModel = { kind: 'ollama', baseUrl: away.baseUrl, model: 'm' } as const;
    const analyzer = new UseCaseAnalyzer({ db: other.db, clock, namingModel, inWorker: false });
    const { runId } = await analyzer.analyze('1 week');
    const useCases = (await readUseCasesOfRun(other.db, runId)).filter(({ slug }) => slug !== 'other');
    for (const { description } of useCases) expect(description).toMatch(/^Prompts about /);
    await other.dispose();
  });
});

describe('a run over a log that programs fill', () => {
  it('reports templates and schedules, and clusters few of a template', async () => {
    await using store = await openScratchStore();
    const tickets = Array.from({ length: 900 }, (_, n) => `Summarise the ticket INC-${n} in ${n % 7} words`);
    const clockwork = Array.from({ length: 24 }, (_, n) => ({
      ...requests(['Is the backup done?'])[0],
      startedAtMs: NOW_MS - 86_400_000 + n * 900_000,
      userId: 'cron',
    }));
    await store.insertRequests([...requests([...asked, ...tickets]), ...clockwork]);
    const analyzer = new UseCaseAnalyzer({ db: store.db, clock, inWorker: false });
    const { categories } = await analyzer.analyze('1 week');
    const report = await reportOf(store);
    expect(report.sampledCount).toBe(asked.length + 901);
    expect(report.clusteredCount).toBeLessThan(asked.length + 100);
    expect(report.repeats.templates[0]).toMatchObject({ promptCount: 900, requestCount: 900 });
    expect(report.repeats.scheduled).toMatchObject([{ rhythm: 'every 15 minutes', requestCount: 24 }]);
    // One text has one use case, and all its requests are counted there.
    const [largest] = categories;
    expect(largest?.sampleCount).toBeGreaterThanOrEqual(900);
  });
});

describe('a run with an embedder whose vectors are kept', () => {
  it('embeds each prompt once, also when it was stopped on the way', async () => {
    await using store = await openScratchStore();
    // No templates among them: each is embedded.
    const prompts = SUBJECTS.flatMap((subject) =>
      Array.from({ length: 120 }, (_, n) => `${promptOf(subject, n)} ${[...'abcdefghijkl'][n % 12]}${n}`),
    );
    await store.insertRequests(requests(prompts));
    const table = await DistilledTable.open();
    const stop = new AbortController();
    let embeddedCount = 0;
    const embedder: Embedder = {
      id: 'counted@1',
      dims: table.dims,
      embed: async (texts) => {
        if (embeddedCount >= 1_000) throw new RangeError('it was stopped before');
        embeddedCount += texts.length;
        if (!stop.signal.aborted) stop.abort();
        return table.embed(texts);
      },
    };
    const analyzer = new UseCaseAnalyzer({ db: store.db, clock, embedder });
    await expect(analyzer.analyze('1 week', { signal: stop.signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
    const before = embeddedCount;
    expect(before).toBeGreaterThan(0);
    await analyzer.analyze('1 week');
    expect((await reportOf(store)).embedderReason).toContain('counted@1');
    const first = embeddedCount;
    expect((await reportOf(store)).embeddedCount).toBe(first - before);
    await analyzer.analyze('1 week');
    expect(embeddedCount).toBe(first);
    expect((await reportOf(store)).embeddedCount).toBe(0);
  });
});
