import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endStore, openScratchStore, type ScratchStore } from '../../tests/kit/scratch-store.ts';
import { openDatabase } from './database.ts';
import { type Migration, migrate, readMigrations } from './migrate.ts';

describe('migrate', () => {
  let store: ScratchStore;
  beforeEach(async () => {
    store = await openScratchStore();
  });
  afterEach(() => store.dispose());

  const third: Migration = {
    // Far beyond the files, so that a new one does not change this test.
    number: 900,
    name: '0900_third',
    checksum: 'c',
    statements: ['CREATE TABLE IF NOT EXISTS third (a UInt8) ENGINE = MergeTree ORDER BY a'],
  };

  it('applies what is new, once', async () => {
    const migrations = [...(await readMigrations()), third];
    expect(await migrate(store.db, { clock: () => 0, migrations })).toEqual([third.number]);
    expect(await migrate(store.db, { clock: () => 0, migrations })).toEqual([]);
    await store.db.insertRows('third', [{ a: 1 }]);
  });

  it('repeats a migration that broke off in the middle', async () => {
    const broken = { ...third, statements: [...third.statements, 'SELECT nothing FROM nowhere'] };
    const before = await readMigrations();
    await expect(
      migrate(store.db, { clock: () => 0, migrations: [...before, broken] }),
    ).rejects.toMatchObject({
      code: 'store_query_failed',
    });
    expect(await migrate(store.db, { clock: () => 0, migrations: [...before, third] })).toEqual([
      third.number,
    ]);
  });

  it('is done once when several programs open a new directory together', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'tr-'));
    const opened = await Promise.all(
      Array.from({ length: 3 }, () => openDatabase({ dataDir, idleMs: 20_000 })),
    );
    const rows = await opened[0]?.query<{ number: number }>(
      'SELECT number FROM schema_migrations FINAL ORDER BY number',
    );
    expect(rows?.map((row) => row.number)).toEqual(
      (await readMigrations()).map((migration) => migration.number),
    );
    for (const db of opened) await db.close();
    await endStore(dataDir);
    await rm(dataDir, { recursive: true });
  });
});
