import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, usageRecord } from '../../tests/kit/scratch-store.ts';
import { encodeUsageRecord } from '../core/usage-record.ts';
import { openDatabase } from './database.ts';
import { readMigrations } from './migrate.ts';
import { storePaths } from './socket-path.ts';

const DAY_MS = 86_400_000;

describe('openDatabase, embedded', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(async () => {
    await store.dispose();
  });

  it('answers a query with bound values, numbers as numbers and moments to the millisecond', async () => {
    const rows = await store.db.query(
      `SELECT {text:String} AS text, {count:UInt64} AS count, {at:DateTime64(3)} AS at, {names:Array(String)} AS names,
        {none:Nullable(String)} AS none`,
      {
        text: "a'b\\c\td\ne",
        count: 7,
        at: new Date('2026-10-05T10:00:00.123Z'),
        names: ["x'", 'y'],
        none: null,
      },
    );
    expect(rows).toEqual([
      { text: "a'b\\c\td\ne", count: 7, at: '2026-10-05 10:00:00.123', names: ["x'", 'y'], none: null },
    ]);
  });

  it('stores a repeated batch once, in the log and in the roll-up, also over several days', async () => {
    const rows = Array.from({ length: 10 }, (_, at) =>
      usageRecord({ startedAtMs: Date.UTC(2026, 5, 1) + at * DAY_MS }),
    );
    const lines = Buffer.from(rows.map(encodeUsageRecord).join('\n'));
    await store.db.insertLines('usage_log', lines, 'batch-1');
    await store.db.insertLines('usage_log', lines, 'batch-1');
    expect(await counts(store)).toEqual([{ logged: 10, rolled: 10 }]);
    await store.db.insertLines('usage_log', lines, 'batch-2');
    expect(await counts(store)).toEqual([{ logged: 20, rolled: 20 }]);
  });

  it('takes a batch that touches more than a hundred days', async () => {
    await store.insertRequests(
      Array.from({ length: 150 }, (_, at) => ({ startedAtMs: Date.UTC(2026, 0, 1) + at * DAY_MS })),
    );
    expect(await counts(store)).toEqual([{ logged: 150, rolled: 150 }]);
  });

  it('says which of our codes a refused statement has and keeps the engine error as its cause', async () => {
    await expect(store.db.query('SELECT nothing FROM nowhere')).rejects.toMatchObject({
      code: 'store_query_failed',
      message: expect.stringContaining('60 UNKNOWN_TABLE'),
      cause: expect.objectContaining({ code: '60' }),
    });
    await expect(store.db.query('SELECT {missing:String}')).rejects.toMatchObject({
      code: 'store_query_failed',
    });
  });

  it('does not take a value that an earlier statement bound', async () => {
    await store.db.query('SELECT {value:String}', { value: 'earlier' });
    await expect(store.db.query('SELECT {value:String}')).rejects.toMatchObject({
      code: 'store_query_failed',
    });
  });

  it('ends a statement that exceeds its time, and lets a caller go at once', async () => {
    const endless = 'SELECT count() FROM numbers(1000000000000) WHERE cityHash64(number) = 1';
    await expect(store.db.query(endless, {}, { timeoutMs: 200 })).rejects.toMatchObject({
      message: expect.stringContaining('159'),
    });
    const caller = new AbortController();
    const asked = store.db.query(endless, {}, { signal: caller.signal, timeoutMs: 500 });
    while ((await runningCount(store)) === 0) await delay(10);
    caller.abort();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    const late = AbortSignal.abort();
    await expect(store.db.query('SELECT 1', {}, { signal: late })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(await store.db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('streams an answer in blocks', async () => {
    let rowCount = 0;
    let blockCount = 0;
    for await (const block of store.db.stream<{ n: number }>(
      'SELECT number AS n FROM numbers({count:UInt32})',
      {
        count: 200_000,
      },
    )) {
      rowCount += block.length;
      blockCount++;
    }
    expect(rowCount).toBe(200_000);
    expect(blockCount).toBeGreaterThan(1);
  });

  it('starts a new store process when the old one was killed', async () => {
    const before = await store.pid();
    process.kill(before, 'SIGKILL');
    expect(await store.db.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await store.pid()).not.toBe(before);
  });

  it('ends a race for the directory with one store process', async () => {
    process.kill(await store.pid(), 'SIGKILL');
    const opened = await Promise.all(Array.from({ length: 4 }, () => store.reopen()));
    await opened[0]?.insertRows('operator_settings', [
      { name: 'a', value: '1', changed_at: new Date(), changed_by: 'test' },
    ]);
    const seen = await Promise.all(opened.map((db) => db.query('SELECT value FROM operator_settings')));
    expect(seen).toEqual(Array.from({ length: 4 }, () => [{ value: '1' }]));
  });

  it('lets nobody else connect', async () => {
    const paths = storePaths(store.dataDir);
    expect((await stat(paths.socketPath)).mode & 0o777).toBe(0o600);
    expect((await stat(`${store.dataDir}/store`)).mode & 0o777).toBe(0o700);
  });

  it('applies its migrations once, from two programs at once too', async () => {
    const again = await store.reopen();
    const rows = await again.query<{ number: number }>(
      'SELECT number FROM schema_migrations ORDER BY number',
    );
    const migrations = await readMigrations();
    expect(migrations.length).toBeGreaterThan(0);
    expect(rows.map((row) => row.number)).toEqual(migrations.map(({ number }) => number));
  });

  it('refuses a store that a later program has changed', async () => {
    await store.db.insertRows('schema_migrations', [
      { number: 999, name: '0999_later', checksum: '', applied_at: new Date() },
    ]);
    await expect(openDatabase({ dataDir: store.dataDir })).rejects.toMatchObject({ code: 'store_newer' });
  });

  it('gives the view of the log its plain column names', async () => {
    const columns = await store.db.query<{ name: string }>('DESCRIBE TABLE model_usage_log');
    expect(columns.map((column) => column.name).filter((name) => name.includes('.'))).toEqual([]);
    expect(columns.map((column) => column.name)).toContain('request_id');
  });
});

describe('openDatabase, server', () => {
  it('says that a server is away', async () => {
    await expect(openDatabase({ url: 'http://127.0.0.1:9', dataDir: '/tmp' })).rejects.toMatchObject({
      code: 'store_unavailable',
    });
  });
});

function counts(store: ScratchStore): Promise<unknown[]> {
  return store.db.query(
    `SELECT (SELECT count() FROM usage_log) AS logged, (SELECT sum(request_count) FROM usage_hourly) AS rolled`,
  );
}

async function runningCount(store: ScratchStore): Promise<number> {
  const [row] = await store.db.query<{ running: number }>(
    `SELECT count() AS running FROM system.processes WHERE query LIKE '%numbers(1000000000000)%'
      AND query NOT LIKE '%system.processes%'`,
  );
  return row?.running ?? 0;
}
