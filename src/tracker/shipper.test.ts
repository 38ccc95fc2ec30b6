import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordingLogger } from '../../tests/kit/recording-logger.ts';
import { TallyrankError } from '../core/errors.ts';
import { decodeLines, encodeLine } from '../core/journal-lines.ts';
import { Journal, segmentName } from './journal.ts';
import type { JournalPart, JournalReceipt, UsageSink } from './shipper.ts';
import { Shipper } from './shipper.ts';

/** A store as far as the contract goes: a token that was taken before adds nothing. */
class TokenSink implements UsageSink {
  readonly rows: string[] = [];
  readonly tokens = new Set<string>();
  fault: ((lines: string) => void) | null = null;
  /** Fails after the rows were taken, as a connection does that breaks before the answer. */
  losesAnswers = 0;

  async insertLines(_table: string, lines: Uint8Array, token: string): Promise<void> {
    const text = Buffer.from(lines).toString();
    this.fault?.(text);
    if (!this.tokens.has(token)) this.rows.push(...text.trimEnd().split('\n'));
    this.tokens.add(token);
    if (this.losesAnswers-- > 0) throw new TallyrankError('store_unavailable', 'the answer was lost');
  }
}

/** A store that reads the journal itself. */
class ReadingSink extends TokenSink {
  readonly parts: JournalPart[] = [];
  answers = true;

  async insertJournal(part: JournalPart, token: string): Promise<JournalReceipt | null> {
    this.parts.push(part);
    if (!this.answers) return null;
    const { lines } = decodeLines(fs.readFileSync(part.file).subarray(part.start, part.end), 1e9);
    const rows = Buffer.concat(lines.map(({ bytes }) => bytes));
    await this.insertLines('usage_log', rows, `${token}/usage_log`);
    return { rowCounts: { usage_log: lines.length }, tornCount: 0 };
  }
}

let root = '';
let sink = new TokenSink();
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'shipper-'));
  sink = new TokenSink();
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

function behind(journal: Journal): Shipper {
  return new Shipper({ sink, tail: tailOf(journal), logger: recordingLogger(), batchRowCountMax: 3 });
}

function tailOf(journal: Journal) {
  return {
    dir: journal.dir,
    writerId: journal.writerId,
    head: () => journal.head,
    shipped: (bytes: number) => journal.shipped(bytes),
  };
}

async function appendNumbers(journal: Journal, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await journal.append('usage_log', `{"n":${n}}`);
}

const numbers = (to: number): string[] => Array.from({ length: to }, (_, n) => `{"n":${n}}`);

describe('Shipper', () => {
  it('ships everything in order and deletes finished segments', async () => {
    const journal = Journal.open({ dir: root, logger: recordingLogger(), segmentMaxBytes: 60 });
    await appendNumbers(journal, 0, 10);
    const shipper = behind(journal);
    await shipper.ship();
    expect(sink.rows).toEqual(numbers(10));
    expect(fs.readdirSync(journal.dir).filter((name) => name.endsWith('.log'))).toHaveLength(1);
    expect(journal.waitingBytes).toBe(0);
    journal.close();
  });

  it('ends although rows keep coming while it ships', async () => {
    const journal = Journal.open({ dir: root, logger: recordingLogger() });
    await appendNumbers(journal, 0, 4);
    let nextNumber = 4;
    sink.fault = () => {
      void journal.append('usage_log', `{"n":${nextNumber++}}`);
      journal.writeNow();
    };
    const shipper = behind(journal);
    await shipper.ship();
    expect(sink.rows.slice(0, 4)).toEqual(numbers(4));
    expect(sink.rows.length).toBeLessThan(nextNumber);
    sink.fault = null;
    await shipper.ship();
    expect(sink.rows).toEqual(numbers(nextNumber));
    journal.close();
  });

  it('repeats a batch whose answer was lost without doubling a row, even after a crash in between', async () => {
    const journal = Journal.open({ dir: root, logger: recordingLogger() });
    await appendNumbers(journal, 0, 2);
    sink.losesAnswers = 1;
    await expect(behind(journal).ship(AbortSignal.abort())).rejects.toThrow('the answer was lost');
    // More rows arrive; a new process begins from what is on disk and must repeat the same two rows first.
    await appendNumbers(journal, 2, 4);
    await behind(journal).ship();
    expect(sink.rows).toEqual(numbers(4));
    journal.close();
  });

  it('waits for a store that is away and loses nothing', async () => {
    const journal = Journal.open({ dir: root, logger: recordingLogger() });
    let refusals = 2;
    sink.fault = () => {
      if (refusals-- > 0) throw new TallyrankError('store_unavailable', 'away');
    };
    await appendNumbers(journal, 0, 5);
    const shipper = behind(journal);
    await shipper.ship();
    expect(sink.rows).toEqual(numbers(5));
    expect(shipper.isStoreAway).toBe(false);
    journal.close();
  });

  it('puts aside the one row that the store refuses and ships its neighbours', async () => {
    const journal = Journal.open({ dir: root, logger: recordingLogger() });
    sink.fault = (lines) => {
      if (lines.includes('"n":1}')) throw new TallyrankError('store_query_failed', 'cannot parse');
    };
    await appendNumbers(journal, 0, 3);
    const shipper = behind(journal);
    await shipper.ship();
    expect(sink.rows.sort()).toEqual(['{"n":0}', '{"n":2}']);
    expect(shipper.counters.rejectedCount).toBe(1);
    expect(fs.readFileSync(path.join(root, 'rejected.log'), 'utf8')).toBe('usage_log {"n":1}\n');
    journal.close();
  });

  it('replays a half-written segment of a dead writer and counts the torn row', async () => {
    const dir = path.join(root, '0123456789abcdef@0.0');
    fs.mkdirSync(dir);
    const whole = encodeLine('usage_log', '{"n":0}');
    fs.writeFileSync(path.join(dir, segmentName(1)), whole + encodeLine('usage_log', '{"n":1}').slice(0, 14));
    const tail = { dir, writerId: '0123456789abcdef', head: () => null, shipped: () => undefined };
    const shipper = new Shipper({ sink, tail, logger: recordingLogger() });
    await shipper.shipAndRemove(new AbortController().signal);
    expect(sink.rows).toEqual(['{"n":0}']);
    expect(shipper.counters).toEqual({ shippedCount: 1, tornCount: 1, rejectedCount: 0 });
    expect(fs.existsSync(dir)).toBe(false);
  });

  it('lets a store that can read the journal itself take all that waits at once', async () => {
    const reading = new ReadingSink();
    sink = reading;
    const journal = Journal.open({ dir: root, logger: recordingLogger() });
    await appendNumbers(journal, 0, 10);
    const shipper = behind(journal);
    await shipper.ship();
    await appendNumbers(journal, 10, 12);
    await shipper.ship();
    expect(reading.parts).toHaveLength(2);
    expect(sink.rows).toEqual(numbers(12));
    expect(shipper.counters.shippedCount).toBe(12);
    expect(journal.waitingBytes).toBe(0);
    journal.close();
  });

  it('repeats the same part to such a store after its answer was lost', async () => {
    const reading = new ReadingSink();
    sink = reading;
    sink.losesAnswers = 1;
    const journal = Journal.open({ dir: root, logger: recordingLogger() });
    await appendNumbers(journal, 0, 2);
    await expect(behind(journal).ship(AbortSignal.abort())).rejects.toThrow('the answer was lost');
    await appendNumbers(journal, 2, 4);
    await behind(journal).ship();
    expect(reading.parts[0]).toEqual(reading.parts[1]);
    expect(sink.rows).toEqual(numbers(4));
    journal.close();
  });

  it('sends the rows itself where that store will not read them, and finds the one it refuses', async () => {
    for (const answers of [true, false]) {
      const reading = new ReadingSink();
      sink = reading;
      reading.answers = answers;
      sink.fault = (lines) => {
        if (lines.includes('"n":1}')) throw new TallyrankError('store_query_failed', 'cannot parse');
      };
      const journal = Journal.open({ dir: root, logger: recordingLogger() });
      await appendNumbers(journal, 0, 3);
      const shipper = behind(journal);
      await shipper.ship();
      expect(sink.rows.sort()).toEqual(['{"n":0}', '{"n":2}']);
      expect(shipper.counters.rejectedCount).toBe(1);
      journal.close();
    }
  });
});
