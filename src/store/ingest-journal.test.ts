import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore, usageRecord } from '../../tests/kit/scratch-store.ts';
import { encodeLine } from '../core/journal-lines.ts';
import { encodeSignal } from '../core/signal.ts';
import { encodeUsageRecord } from '../core/usage-record.ts';

let store: ScratchStore;
let fileCount = 0;
beforeAll(async () => {
  store = await openScratchStore();
});
afterAll(() => store.dispose());

/** Writes a segment of a journal of this store. */
function segment(text: string, dir = join(store.dataDir, 'journal', 'writer')): string {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${++fileCount}.log`);
  writeFileSync(file, text);
  return file;
}

function lineOf(prompt: string): string {
  return encodeLine('usage_log', encodeUsageRecord(usageRecord({ prompt, promptHash: prompt })));
}

async function countOf(prompt: string): Promise<number> {
  const sql = 'SELECT count() AS n FROM usage_log WHERE prompt = {prompt:String}';
  const [row] = await store.db.query<{ n: number }>(sql, { prompt });
  return Number(row?.n);
}

describe('insertJournal', () => {
  it('stores the rows of all tables in a part of a file, once for a token, in their roll-up too', async () => {
    const signal = encodeSignal({
      requestId: usageRecord({}).requestId,
      kind: 'feedback',
      value: 1,
      comment: 'prüfen',
      source: 'api',
      atMs: 1_795_463_546_446,
    });
    const before = lineOf('not of this part');
    const part = lineOf('journalled – ä') + encodeLine('signals', signal) + lineOf('journalled – ä');
    const file = segment(before + part + lineOf('not of this part'));
    const start = Buffer.byteLength(before);
    const range = { file, start, end: start + Buffer.byteLength(part) };
    const receipt = { isWhole: true, rowCounts: { usage_log: 2, signals: 1 }, tornCount: 0 };
    expect(await store.db.insertJournal(range, 'writer/1/a')).toEqual(receipt);
    expect(await store.db.insertJournal(range, 'writer/1/a')).toEqual(receipt);
    expect([await countOf('journalled – ä'), await countOf('not of this part')]).toEqual([2, 0]);
    const sums = await store.db.query<{ n: number }>('SELECT sum(request_count) AS n FROM usage_hourly');
    expect(Number(sums[0]?.n)).toBe(2);
  });

  it('counts once what was also sent row by row under the token of its table', async () => {
    const line = lineOf('sent twice');
    const file = segment(line);
    await store.db.insertLines('usage_log', Buffer.from(line.slice(11)), 'writer/2/b/usage_log');
    await store.db.insertJournal({ file, start: 0, end: Buffer.byteLength(line) }, 'writer/2/b');
    expect(await countOf('sent twice')).toBe(1);
  });

  it('skips and counts lines that do not check', async () => {
    const torn = lineOf('torn').replace('torn', 'tarn');
    const file = segment(lineOf('beside a torn one') + torn);
    const end = Buffer.byteLength(lineOf('beside a torn one') + torn);
    const receipt = await store.db.insertJournal({ file, start: 0, end }, 'writer/3/c');
    expect(receipt).toMatchObject({ rowCounts: { usage_log: 1 }, tornCount: 1 });
    expect([await countOf('beside a torn one'), await countOf('tarn')]).toEqual([1, 0]);
  });

  it('stores nothing of a part that ends within a line or beyond the file', async () => {
    const line = lineOf('half');
    const file = segment(line);
    expect(await store.db.insertJournal({ file, start: 0, end: line.length - 2 }, 'writer/4/d')).toBeNull();
    expect(await store.db.insertJournal({ file, start: 0, end: 2 * line.length }, 'writer/4/e')).toBeNull();
    expect(await countOf('half')).toBe(0);
  });

  it('reads no file outside the journals of its store', async () => {
    const line = lineOf('elsewhere');
    const file = segment(line, join(store.dataDir, 'elsewhere'));
    for (const path of [file, join(store.dataDir, 'journal', '..', 'elsewhere', `${fileCount}.log`)]) {
      const part = { file: path, start: 0, end: Buffer.byteLength(line) };
      await expect(store.db.insertJournal(part, 'writer/5/f')).rejects.toMatchObject({
        code: 'store_query_failed',
      });
    }
    expect(await countOf('elsewhere')).toBe(0);
  });
});
