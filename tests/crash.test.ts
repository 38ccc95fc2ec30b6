import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../src/stats/random.ts';
import { FakeProvider } from './kit/fake-provider.ts';
import { closedGate } from './kit/gate.ts';
import { type LoggedRow, Tallyrank, until } from './kit/start-tallyrank.ts';

/*
 * The real process is killed while it works; then the log is counted. What the caller has seen the end of must
 * be in it, once.
 */

const SEED = 20_261_123;
const WORKER_COUNT = 24;

const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function startWithModels(random: Random, latencyMs = 12): Promise<Tallyrank> {
  const provider = await FakeProvider.open({
    kind: 'openai',
    models: ['one', 'two', 'three'],
    text: ({ prompt }) => `You asked: ${prompt}. That is all there is to say.`,
    latencyMs: () => random.next() * latencyMs,
  });
  open.push(provider);
  const product = await Tallyrank.start({
    providers: { p: provider },
    config: { prices: { 'p:one': { inputUsdPerMtok: 1, outputUsdPerMtok: 2 } } },
  });
  open.push(product);
  return product;
}

/** Clients that ask without a pause until they are told to stop, and note every answer they saw the end of. */
class Load {
  /** By the ids that the clients gave. */
  readonly seen = new Set<string>();
  /** Answers that came with another status than 200. */
  readonly refused: string[] = [];
  brokenCount = 0;
  #sentCount = 0;
  #isStopped = false;
  readonly #workers: Promise<void>[] = [];
  readonly #waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  readonly #product: Tallyrank;
  readonly #name: string;

  constructor(product: Tallyrank, name: string) {
    this.#product = product;
    this.#name = name;
  }

  get sentCount(): number {
    return this.#sentCount;
  }

  start(): this {
    for (let at = 0; at < WORKER_COUNT; at++) this.#workers.push(this.#work());
    return this;
  }

  /** Resolves when so many answers were seen whole. */
  async seenCount(count: number): Promise<void> {
    if (this.seen.size >= count) return;
    await new Promise<void>((resolve) => this.#waiters.push({ count, resolve }));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#one(this.#sentCount++);
      } catch {
        // The connection broke: this client saw no end.
        this.brokenCount++;
        if (!this.#product.isRunning) return;
      }
    }
  }

  async #one(at: number): Promise<void> {
    const id = `${this.#name}-${at}`;
    const isStream = at % 2 === 1;
    const model = ['one', 'two', 'three'][at % 3];
    const response = await fetch(`${this.#product.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': id },
      body: JSON.stringify({
        model,
        stream: isStream,
        messages: [{ role: 'user', content: `Question number ${at % 50}` }],
      }),
    });
    const text = await response.text();
    if (response.status !== 200) {
      this.refused.push(text);
      return;
    }
    if (isStream ? !text.includes('data: [DONE]') : JSON.parse(text).object !== 'chat.completion') return;
    this.seen.add(id);
    for (const waiter of this.#waiters) if (this.seen.size >= waiter.count) waiter.resolve();
  }
}

/** Waits until the log has every id, then says which ids it has more than once. */
async function findInLog(product: Tallyrank, ids: Iterable<string>): Promise<LoggedRow[]> {
  const wanted = new Set(ids);
  return await until('every answer that was seen to be in the log', async () => {
    await product.flush();
    const rows = await product.rows();
    const logged = new Set(rows.map((row) => row.externalId));
    const missing = [...wanted].filter((id) => !logged.has(id));
    if (missing.length > 0)
      throw new Error(`${missing.length} of ${wanted.size} are missing: ${missing.slice(0, 5)}`);
    return rows;
  });
}

function repeated(values: readonly (string | null)[]): (string | null)[] {
  return values.filter((value, at) => values.indexOf(value) !== at);
}

interface Stats {
  readonly total: {
    readonly requestCount: number;
    readonly successCount: number;
    readonly abandonedCount: number;
  };
  readonly byModel: readonly {
    readonly modelId: string;
    readonly requestCount: number;
    readonly costSumUsd: number | null;
  }[];
  readonly byUseCase: readonly { readonly useCase: string; readonly requestCount: number }[];
}

/** Roll-ups and raw rows tell the same. */
async function expectStatsOf(product: Tallyrank, rows: readonly LoggedRow[]): Promise<void> {
  const stats = await product.get<Stats>('/api/usage/stats?timeframe=1%20day');
  expect(stats.total.requestCount).toBe(rows.length);
  expect(stats.total.successCount).toBe(rows.filter((row) => row.isSuccess).length);
  for (const model of stats.byModel) {
    const own = rows.filter((row) => row.modelId === model.modelId);
    expect(model.requestCount, model.modelId).toBe(own.length);
    const costs = own.flatMap((row) => row.costUsd ?? []);
    if (costs.length === 0) expect(model.costSumUsd).toBeNull();
    else
      expect(model.costSumUsd).toBeCloseTo(
        costs.reduce((sum, cost) => sum + cost, 0),
        8,
      );
  }
  expect(stats.byModel.reduce((sum, model) => sum + model.requestCount, 0)).toBe(rows.length);
  expect(stats.byUseCase.reduce((sum, useCase) => sum + useCase.requestCount, 0)).toBe(rows.length);
}

describe('the log', { timeout: 120_000 }, () => {
  it(`has every answer once that was seen whole, though the gateway is killed again and again (seed ${SEED})`, async () => {
    const random = createRandom(SEED);
    const product = await startWithModels(random);
    const seen = new Set<string>();
    for (let round = 1; round <= 4; round++) {
      const load = new Load(product, `round-${round}`).start();
      // At another moment each time: right after the first rows, in the middle of a batch, while it ships.
      await load.seenCount(1 + random.int(700));
      await delay(random.next() * 30);
      await product.kill();
      await load.stop();
      for (const id of load.seen) seen.add(id);
      await product.restart();
    }
    expect(seen.size).toBeGreaterThan(100);
    const rows = await findInLog(product, seen);
    expect(repeated(rows.map((row) => row.requestId))).toEqual([]);
    expect(repeated(rows.map((row) => row.externalId))).toEqual([]);
    await expectStatsOf(product, rows);
  });

  it('loses nothing and keeps answering while its store process is killed', async () => {
    const random = createRandom(SEED + 1);
    const product = await startWithModels(random);
    const load = new Load(product, 'store').start();
    const pids = new Set<number>();
    for (let round = 1; round <= 3; round++) {
      await load.seenCount(load.seen.size + 150);
      const pid = await until('a store process', async () => product.storePid());
      if (!pids.has(pid)) process.kill(pid, 'SIGKILL');
      pids.add(pid);
      await load.seenCount(load.seen.size + 150);
      await until('the API to answer again', async () => {
        const { statusCode } = await product.ask('/api/usage/stats');
        return statusCode === 200 ? true : null;
      });
    }
    await load.stop();
    expect(load.refused).toEqual([]);
    expect(load.brokenCount).toBe(0);
    expect(pids.size).toBe(3);
    const rows = await findInLog(product, load.seen);
    expect(rows).toHaveLength(load.sentCount);
    expect(repeated(rows.map((row) => row.externalId))).toEqual([]);
    await expectStatsOf(product, rows);
  });

  it('replays at the next start what the store could not take at the end', async () => {
    const product = await startWithModels(createRandom(SEED + 2));
    const load = new Load(product, 'away').start();
    await load.seenCount(100);
    await product.flush();
    // Stopped, not ended: the socket takes connections and nobody answers.
    const pid = product.storePid();
    process.kill(pid, 'SIGSTOP');
    await load.seenCount(load.seen.size + 100);
    await load.stop();
    expect(load.refused).toEqual([]);
    expect(await product.stop()).toBe(0);
    // What it was given before it stopped, it does now: the replay must not count it twice.
    process.kill(pid, 'SIGCONT');
    await product.restart();
    const rows = await findInLog(product, load.seen);
    expect(rows).toHaveLength(load.sentCount);
    expect(repeated(rows.map((row) => row.externalId))).toEqual([]);
    await expectStatsOf(product, rows);
  });
});

describe('SIGTERM', () => {
  it('lets answers under way end, writes the log, and exits with 0', async () => {
    const provider = await FakeProvider.open({ kind: 'openai', models: ['one'] });
    open.push(provider);
    const product = await Tallyrank.start({ providers: { p: provider } });
    open.push(product);
    const gate = closedGate();
    const text = 'This answer is long under way and ends all the same.';
    provider.next(
      ...Array.from({ length: 20 }, () => ({
        text,
        beforeChunk: (index: number) => (index === 4 ? gate.opened : undefined),
      })),
    );
    const answers = Array.from({ length: 20 }, (_, at) =>
      product.ask(
        '/v1/chat/completions',
        { model: 'one', stream: true, messages: [{ role: 'user', content: `Question ${at}` }] },
        { headers: { 'x-request-id': `term-${at}` } },
      ),
    );
    await provider.waitForCalls(20);
    const { url } = product;
    const exitCode = product.stop();
    await until('the port to be closed', async () =>
      fetch(`${url}/healthz`).then(
        () => null,
        () => true,
      ),
    );
    gate.open();
    for (const answer of await Promise.all(answers)) {
      expect(answer.statusCode).toBe(200);
      expect(answer.text).toContain('data: [DONE]');
    }
    expect(await exitCode).toBe(0);
    await product.restart();
    const rows = await product.rows();
    expect(rows.map((row) => row.externalId).sort()).toEqual(
      Array.from({ length: 20 }, (_, at) => `term-${at}`).sort(),
    );
    expect(rows.every((row) => row.isSuccess)).toBe(true);
  });
});
