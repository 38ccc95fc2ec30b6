import { open } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';
import { decodeLines, type JournalTable } from '../core/journal-lines.ts';
import type { Engine } from './engine.ts';
import { EngineError } from './engine.ts';
import type { IngestAnswer } from './ingest-statement.ts';

/** A part of a journal file, and the token under which it counts once. */
export interface IngestTask {
  readonly file: string;
  /** Bytes, the second one not included; both at the beginning of a line. */
  readonly start: number;
  readonly end: number;
  readonly token: string;
  readonly settings: ReadonlyMap<string, string>;
}

/** More than a segment with its last write; a caller that asks for more is wrong about its journal. */
const RANGE_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Stores the lines of a journal file, a table at a time, each under the token with the table's name: what the caller
 * would have sent, without its having to read, check and send it.
 *
 * @throws {EngineError} code 291 for a file outside the journal, and what the engine says
 */
export async function ingestJournal(
  engine: Engine,
  journalDir: string,
  task: IngestTask,
  signal: AbortSignal,
): Promise<IngestAnswer> {
  const { file, start, end, token } = task;
  const inside = relative(journalDir, file);
  const isInside = inside !== '' && !inside.startsWith(`..${sep}`) && inside !== '..' && !isAbsolute(inside);
  if (!isInside || !(start >= 0 && end > start && end - start <= RANGE_MAX_BYTES)) {
    throw new EngineError(291, 'That is no part of the journal of this store. (DATABASE_ACCESS_DENIED)');
  }
  const bytes = await readRange(file, start, end);
  const { lines, consumedBytes, tornCount } = decodeLines(bytes, Number.POSITIVE_INFINITY);
  if (consumedBytes !== end - start) return { isWhole: false, rowCounts: {}, tornCount: 0 };
  const byTable = new Map<JournalTable, Buffer[]>();
  for (const { table, bytes: row } of lines) {
    const rows = byTable.get(table);
    if (rows === undefined) byTable.set(table, [row]);
    else rows.push(row);
  }
  const rowCounts: Partial<Record<JournalTable, number>> = {};
  for (const [table, rows] of byTable) {
    const settings = new Map([...task.settings, ['insert_deduplication_token', `${token}/${table}`]]);
    const insert = { table, columns: null, format: 'JSONEachRow', rows: Buffer.concat(rows), settings };
    await engine.insert(insert, signal);
    rowCounts[table] = rows.length;
  }
  return { isWhole: true, rowCounts, tornCount };
}

async function readRange(file: string, start: number, end: number): Promise<Buffer> {
  try {
    const handle = await open(file, 'r');
    try {
      const bytes = Buffer.allocUnsafeSlow(end - start);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
      return bytes.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new EngineError(107, 'The journal file cannot be read. (FILE_DOESNT_EXIST)', error);
  }
}
