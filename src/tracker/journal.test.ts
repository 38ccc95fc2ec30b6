import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordingLogger } from '../../tests/kit/recording-logger.ts';
import { decodeLines, encodeLine } from '../core/journal-lines.ts';
import { adoptOrphans, Journal, listSegments, segmentName } from './journal.ts';

let dir = '';
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'journal-'));
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

function readAll(journal: Journal): string[] {
  const bytes = Buffer.concat(
    listSegments(journal.dir).map((segment) => fs.readFileSync(path.join(journal.dir, segmentName(segment)))),
  );
  return decodeLines(bytes, 1e9).lines.map((line) => line.bytes.toString().trimEnd());
}

describe('Journal', () => {
  it('has a row on disk by the time its promise resolves', async () => {
    const journal = Journal.open({ dir, logger: recordingLogger() });
    await journal.append('usage_log', '{"a":1}');
    expect(readAll(journal)).toEqual(['{"a":1}']);
    journal.close();
  });

  it('writes all rows of one turn together and in order', async () => {
    const journal = Journal.open({ dir, logger: recordingLogger() });
    let writeCount = 0;
    journal.onAppended = () => writeCount++;
    await Promise.all([1, 2, 3].map((n) => journal.append('usage_log', `{"n":${n}}`)));
    expect(readAll(journal)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
    expect(writeCount).toBe(1);
    journal.close();
  });

  it('begins a new segment when one is full', async () => {
    const journal = Journal.open({ dir, logger: recordingLogger(), segmentMaxBytes: 30 });
    for (let n = 0; n < 4; n++) await journal.append('signals', `{"number":${n}}`);
    expect(listSegments(journal.dir)).toEqual([1, 2]);
    expect(readAll(journal)).toHaveLength(4);
    journal.close();
  });

  it('drops and counts rows beyond its limit, says so, and still resolves', async () => {
    const logger = recordingLogger();
    const journal = Journal.open({ dir, logger, sizeMaxBytes: 40 });
    await journal.append('usage_log', '{"kept":true}');
    await journal.append('usage_log', '{"kept":false}');
    expect(readAll(journal)).toEqual(['{"kept":true}']);
    expect(journal.counters).toEqual({ appendedCount: 1, droppedCount: 1 });
    expect(logger.messages.join()).toContain('The journal drops rows');
    journal.close();
  });

  it('leaves no folder behind when everything was shipped, and a released one otherwise', async () => {
    const shipped = Journal.open({ dir, logger: recordingLogger() });
    await shipped.append('usage_log', '{}');
    shipped.shipped(1_000);
    shipped.close();
    expect(fs.readdirSync(dir)).toEqual([]);

    const waiting = Journal.open({ dir, logger: recordingLogger() });
    await waiting.append('usage_log', '{}');
    waiting.close();
    expect(fs.readdirSync(dir)).toEqual([`${waiting.writerId}@0.0`]);
    expect(adoptOrphans(dir).map((orphan) => orphan.writerId)).toEqual([waiting.writerId]);
  });

  it('does not adopt the folder of a process that lives', () => {
    const journal = Journal.open({ dir, logger: recordingLogger() });
    expect(adoptOrphans(dir)).toEqual([]);
    journal.close();
  });

  it('adopts the folder of a process that is gone', () => {
    fs.mkdirSync(path.join(dir, '0123456789abcdef@4194304.77'));
    const [orphan] = adoptOrphans(dir);
    expect(orphan?.writerId).toBe('0123456789abcdef');
    expect(fs.existsSync(orphan?.dir ?? '')).toBe(true);
  });
});

describe('journal lines', () => {
  it('come back as they were for any JSON text', () => {
    fc.assert(
      fc.property(fc.array(fc.json()), (rows) => {
        const bytes = Buffer.from(rows.map((json) => encodeLine('decisions', json)).join(''));
        const { lines, consumedBytes, tornCount } = decodeLines(bytes, 1e9);
        expect(lines.map((line) => line.bytes.toString())).toEqual(rows.map((json) => `${json}\n`));
        expect([consumedBytes, tornCount]).toEqual([bytes.length, 0]);
      }),
      { examples: [[['0']], [['{}', '""']]] },
    );
  });

  it('leaves a half-written last line for later and skips a damaged one', () => {
    const good = encodeLine('usage_log', '{"a":1}');
    const damaged = good.replace('"a"', '"b"');
    const { lines, consumedBytes, tornCount } = decodeLines(
      Buffer.from(damaged + good + good.slice(0, 15)),
      1e9,
    );
    expect(lines).toHaveLength(1);
    expect(tornCount).toBe(1);
    expect(consumedBytes).toBe(damaged.length + good.length);
  });

  it('survives any garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (garbage) => {
        const { consumedBytes } = decodeLines(Buffer.from(garbage), 1e9);
        expect(consumedBytes).toBeLessThanOrEqual(garbage.length);
      }),
    );
  });
});
