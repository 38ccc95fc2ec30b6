import { crc32 } from 'node:zlib';

/** The tables a journal line can belong to, with the letter that marks it on disk (docs/journal-format.md). */
export const JOURNAL_TABLES = {
  u: 'usage_log',
  s: 'signals',
  d: 'decisions',
  f: 'unresolved_feedback',
} as const;

export type JournalTable = (typeof JOURNAL_TABLES)[keyof typeof JOURNAL_TABLES];

const LETTER_OF = Object.fromEntries(
  Object.entries(JOURNAL_TABLES).map(([letter, table]) => [table, letter]),
) as Readonly<Record<JournalTable, string>>;

/** `letter crc32 json`: where the JSON begins. */
const JSON_OFFSET = 11;
const SPACE = 32;
const LINE_FEED = 10;

export interface JournalLine {
  readonly table: JournalTable;
  /** The JSON of the row with its line end. */
  readonly bytes: Buffer;
}

/** `letter crc32 json\n`; the checksum finds lines that a crash or a disk left half-written. */
export function encodeLine(table: JournalTable, json: string): string {
  return `${LETTER_OF[table]} ${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

/** Bytes that are kept for the next turn. Smaller grows again and again under load, larger is held for nothing. */
const KEPT_BYTES = 1024 * 1024;
/** A longer text is measured before it is written; a shorter one is given the most that it could take. */
const MEASURED_FROM_LENGTH = 65_536;
const UTF8_BYTES_MAX = 3;

/** Lines on their way to a file, as bytes: each text is encoded once, and nothing is copied. */
export class LineBuffer {
  #bytes = Buffer.allocUnsafeSlow(KEPT_BYTES);
  #length = 0;
  #lineCount = 0;

  /** Adds what {@link encodeLine} makes. */
  add(table: JournalTable, json: string): void {
    const mostBytes =
      json.length < MEASURED_FROM_LENGTH ? json.length * UTF8_BYTES_MAX : Buffer.byteLength(json);
    this.#reserve(mostBytes + JSON_OFFSET + 1);
    const bytes = this.#bytes;
    const jsonAt = this.#length + JSON_OFFSET;
    const end = jsonAt + bytes.write(json, jsonAt);
    const sum = crc32(bytes.subarray(jsonAt, end));
    bytes[this.#length] = LETTER_OF[table].charCodeAt(0);
    bytes[this.#length + 1] = SPACE;
    for (let digit = 0; digit < 8; digit++) {
      const value = (sum >>> (28 - 4 * digit)) & 15;
      bytes[this.#length + 2 + digit] = value < 10 ? 48 + value : 87 + value;
    }
    bytes[jsonAt - 1] = SPACE;
    bytes[end] = LINE_FEED;
    this.#length = end + 1;
    this.#lineCount++;
  }

  /** What was added since the last call; valid until the next {@link add}. */
  take(): { readonly bytes: Uint8Array; readonly lineCount: number } {
    const taken = { bytes: this.#bytes.subarray(0, this.#length), lineCount: this.#lineCount };
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(KEPT_BYTES);
    this.#length = 0;
    this.#lineCount = 0;
    return taken;
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/**
 * The whole lines at the start of `bytes`. What does not check is skipped and counted; a last line without
 * its end is left for later.
 *
 * @returns the lines, the number of bytes they and the torn ones took, and how many were torn
 */
export function decodeLines(
  bytes: Buffer,
  rowCountMax: number,
): { lines: JournalLine[]; consumedBytes: number; tornCount: number } {
  const lines: JournalLine[] = [];
  let consumedBytes = 0;
  let tornCount = 0;
  while (lines.length < rowCountMax) {
    const end = bytes.indexOf(10, consumedBytes);
    if (end < 0) break;
    const line = tryDecodeLine(bytes.subarray(consumedBytes, end + 1));
    if (line) lines.push(line);
    else tornCount++;
    consumedBytes = end + 1;
  }
  return { lines, consumedBytes, tornCount };
}

function tryDecodeLine(line: Buffer): JournalLine | null {
  if (line.length < JSON_OFFSET + 2) return null;
  const letter = String.fromCharCode(line[0] ?? 0);
  const table = JOURNAL_TABLES[letter as keyof typeof JOURNAL_TABLES];
  if (table === undefined) return null;
  const json = line.subarray(JSON_OFFSET, line.length - 1);
  const sum = Number.parseInt(line.toString('latin1', 2, 10), 16);
  return sum === crc32(json) ? { table, bytes: line.subarray(JSON_OFFSET) } : null;
}
