import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { Database } from './database.ts';
import { splitStatements } from './sql-text.ts';

/** One numbered file of `migrations/`. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  /** SHA-256 of the file: says whether a database was made by this very text. */
  readonly checksum: string;
  readonly statements: readonly string[];
}

export interface MigrateOptions {
  readonly clock: () => number;
  readonly logger?: Logger | undefined;
  /** Default: the files beside this module. */
  readonly migrations?: readonly Migration[] | undefined;
}

interface AppliedRow {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
}

const CREATE_TABLE = `
CREATE TABLE IF NOT EXISTS schema_migrations (
  number UInt32,
  name String,
  checksum String,
  applied_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(applied_at)
ORDER BY number`;

const APPLIED = `SELECT number, name, checksum FROM schema_migrations FINAL ORDER BY number`;

/**
 * Brings the tables up to date. Every statement of a migration can be repeated (IF NOT EXISTS and the like),
 * so that two programs may do this at once and a crash in the middle is mended by the next start.
 *
 * @returns the numbers that were applied now
 * @throws {TallyrankError} `store_newer` when a later program has been here
 */
export async function migrate(db: Database, options: MigrateOptions): Promise<number[]> {
  const migrations = options.migrations ?? (await readMigrations());
  await db.command(CREATE_TABLE, {}, { isIdempotent: true });
  const applied = await db.query<AppliedRow>(APPLIED);
  const known = migrations.at(-1)?.number ?? 0;
  const newest = applied.at(-1)?.number ?? 0;
  if (newest > known) {
    throw new TallyrankError(
      'store_newer',
      `The store has the tables of a later Tallyrank (migration ${newest}, this program knows ${known}): update the program, or choose another data directory.`,
    );
  }
  const checksums = new Map(applied.map((row) => [row.number, row.checksum]));
  const appliedNow: number[] = [];
  for (const migration of migrations) {
    const checksum = checksums.get(migration.number);
    if (checksum !== undefined) {
      if (checksum !== migration.checksum) {
        options.logger?.warn({ migration: migration.name }, 'this migration was applied from another text');
      }
      continue;
    }
    for (const statement of migration.statements) await db.command(statement, {}, { isIdempotent: true });
    await db.insertRows('schema_migrations', [
      {
        number: migration.number,
        name: migration.name,
        checksum: migration.checksum,
        applied_at: new Date(options.clock()),
      },
    ]);
    appliedNow.push(migration.number);
    options.logger?.info({ migration: migration.name }, 'migration applied');
  }
  return appliedNow;
}

/** The files `0001_name.sql`, … in order; numbers start at 1 and have no gaps. */
export async function readMigrations(
  folder: URL = new URL('./migrations/', import.meta.url),
): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name, at) => {
      const number = Number(/^(\d{4})_/.exec(name)?.[1]);
      if (number !== at + 1) throw new RangeError(`migrations/${name} is not number ${at + 1}`);
      const text = await readFile(new URL(name, folder), 'utf8');
      const checksum = createHash('sha256').update(text).digest('hex');
      return { number, name: name.replace(/\.sql$/, ''), checksum, statements: splitStatements(text) };
    }),
  );
}
