import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endStore, openScratchStore, type ScratchStore, usageRecord } from '../../tests/kit/scratch-store.ts';
import { encodeUsageRecord } from '../core/usage-record.ts';
import { type StorePaths, storePaths } from './socket-path.ts';

describe('the store process', () => {
  let store: ScratchStore;
  let paths: StorePaths;
  beforeEach(async () => {
    store = await openScratchStore();
    paths = storePaths(store.dataDir);
  });
  afterEach(() => store.dispose());

  it('loses nothing that it acknowledged when it is killed in the middle of inserts, and counts nothing twice', async () => {
    let acknowledged = 0;
    const killed = new Set<number>();
    const writers = Array.from({ length: 3 }, async (_, writer) => {
      for (let batch = 0; batch < 12; batch++) {
        const rows = Array.from({ length: 50 }, () => usageRecord());
        const lines = Buffer.from(rows.map(encodeUsageRecord).join('\n'));
        await store.db.insertLines('usage_log', lines, `${writer}-${batch}`);
        acknowledged += 50;
        // While the other writers are in the middle of theirs.
        if (writer === 0 && batch % 4 === 1) {
          const pid = await store.pid();
          killed.add(pid);
          process.kill(pid, 'SIGKILL');
        }
      }
    });
    await Promise.all(writers);
    expect(killed.size).toBe(3);
    expect(acknowledged).toBe(1_800);
    expect(
      await store.db.query(
        `SELECT (SELECT count() FROM usage_log) AS logged, (SELECT sum(request_count) FROM usage_hourly) AS rolled`,
      ),
    ).toEqual([{ logged: 1_800, rolled: 1_800 }]);
  });

  it('answers a ping and a query in the protocol of ClickHouse', async () => {
    expect(await ask('/ping')).toMatchObject({ status: 200, text: 'Ok.\n' });
    const answer = await ask('/?query_id=q1&param_n=2', 'SELECT {n:UInt8} + 40 AS answer FORMAT JSONEachRow');
    expect(answer).toMatchObject({ status: 200, text: '{"answer":42}\n' });
    expect(answer.headers['x-clickhouse-query-id']).toBe('q1');
    expect(JSON.parse(String(answer.headers['x-clickhouse-summary']))).toHaveProperty('read_rows');
  });

  it('gives errors the numbers of ClickHouse', async () => {
    const unknown = await ask('/', 'SELECT * FROM nowhere');
    expect(unknown).toMatchObject({
      status: 404,
      text: expect.stringMatching(/^Code: 60\. DB::Exception: .*UNKNOWN_TABLE/),
    });
    expect(unknown.headers['x-clickhouse-exception-code']).toBe('60');
    expect(await ask('/', 'SELEC 1')).toMatchObject({ status: 400 });
    expect(await ask('/', '')).toMatchObject({ status: 400 });
    expect(await ask('/elsewhere', '')).toMatchObject({ status: 404 });
  });

  it('takes compressed rows and answers compressed when asked', async () => {
    const insert = encodeURIComponent('INSERT INTO operator_settings (name, value) FORMAT JSONEachRow');
    const rows = gzipSync('{"name":"a","value":"1"}\n{"name":"b","value":"2"}\n');
    expect(await ask(`/?query=${insert}`, rows, { 'content-encoding': 'gzip' })).toMatchObject({
      status: 200,
    });
    const answer = await ask(
      '/?enable_http_compression=1',
      'SELECT name FROM operator_settings ORDER BY name',
      {
        'accept-encoding': 'gzip',
      },
    );
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(answer.body).toString()).toBe('a\nb\n');
    expect(await ask('/', Buffer.from('not gzip'), { 'content-encoding': 'gzip' })).toMatchObject({
      status: 500,
    });
  });

  it('runs other inserts as statements', async () => {
    const values = encodeURIComponent('INSERT INTO operator_settings (name, value) VALUES');
    expect(await ask(`/?query=${values}`, "('a', '1')")).toMatchObject({ status: 200 });
    expect(await ask('/', "INSERT INTO operator_settings (name, value) SELECT 'b', '2'")).toMatchObject({
      status: 200,
    });
    expect(await ask('/', 'SELECT count() FROM operator_settings')).toMatchObject({ text: '2\n' });
  });

  it('honours the limits that a caller sets for one statement, and for that one only', async () => {
    const slow = 'SELECT count() FROM numbers(1000000000000) WHERE cityHash64(number) = 1';
    expect(await ask('/?max_execution_time=0.2', slow)).toMatchObject({ status: 408 });
    expect(await ask('/', "SELECT getSetting('max_execution_time')")).toMatchObject({ text: '600\n' });
  });

  it('finishes what runs when it is told to end, and leaves no socket behind', async () => {
    const running = ask('/', 'SELECT sleep(0.3)');
    // The socket takes connections in order: once this is answered, the one before has begun.
    await ask('/ping');
    await endStore(store.dataDir);
    expect(await running).toMatchObject({ status: 200 });
    expect(existsSync(paths.socketPath)).toBe(false);
    expect(existsSync(paths.statePath)).toBe(false);
  });

  interface Answer {
    readonly status: number | undefined;
    readonly headers: IncomingHttpHeaders;
    readonly body: Buffer;
    readonly text: string;
  }

  async function ask(
    path: string,
    body?: string | Buffer,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const sent = httpRequest({
      socketPath: paths.socketPath,
      path,
      method: body === undefined ? 'GET' : 'POST',
      headers,
      agent: false,
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = await response.toArray();
    const whole = Buffer.concat(chunks);
    return { status: response.statusCode, headers: response.headers, body: whole, text: whole.toString() };
  }
});

describe('an idle store process', () => {
  it('ends itself, and the next call starts another', async () => {
    const store = await openScratchStore({ idleMs: 150 });
    const before = await store.pid();
    await ended(before);
    expect(await store.db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await store.dispose();
  });

  async function ended(pid: number): Promise<void> {
    const isAlive = (): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    // Nobody's child any more: there is no event to wait for.
    while (isAlive()) await delay(20);
  }
});
