import { readFile } from 'node:fs/promises';
import { TallyrankError } from '../../core/errors.ts';
import type { Embedder } from './embedder.ts';
import { WordPieces } from './word-pieces.ts';

/** Beside `src` and `dist` alike, three folders up. */
const ASSET = new URL('../../../assets/embedder-1.bin', import.meta.url);

const MAGIC = 'TRET';
const FORMAT = 1;
/** Pieces of one text that are read: what is asked stands at its head, pasted material only blurs it. */
const PIECES_MAX = 160;
/** Texts between two looks at the signal and two turns of the event loop: a few milliseconds. */
const TEXTS_PER_TURN = 256;

interface TableHeader {
  readonly format: number;
  readonly version: string;
  readonly dims: number;
  readonly pieceCount: number;
  readonly pairCount: number;
  readonly vocabularyBytes: number;
}

/**
 * The offline default: a table of vectors, one per word piece and per frequent pair of pieces, summed. It is
 * distilled from all-MiniLM-L6-v2 by `scripts/distill` and needs no network, no native code and a few
 * microseconds a text. English; other languages get what the pieces they share with it give.
 */
export class DistilledTable implements Embedder {
  readonly id: string;
  readonly dims: number;
  readonly #pieces: WordPieces;
  readonly #pieceCount: number;
  /** Row of a pair, by first * 65536 + second. */
  readonly #pairRows: Map<number, number>;
  readonly #scales: Float32Array;
  readonly #rows: Int8Array;
  readonly #tokens = new Int32Array(PIECES_MAX);

  private constructor(bytes: Uint8Array) {
    const { header, body } = parseTable(bytes);
    const { dims, pieceCount, pairCount } = header;
    const rowCount = pieceCount + pairCount;
    const vocabulary = new TextDecoder().decode(body.subarray(0, header.vocabularyBytes)).split('\n');
    // A copy of its own, which also aligns; Buffer's slice() would not copy.
    const numbers = new Uint8Array(body.subarray(header.vocabularyBytes)).buffer;
    const keys = new Uint32Array(numbers, 4 * rowCount, pairCount);
    this.id = `distilled-table@${header.version}`;
    this.dims = dims;
    this.#pieces = new WordPieces(vocabulary);
    this.#pieceCount = pieceCount;
    this.#scales = new Float32Array(numbers, 0, rowCount);
    this.#pairRows = new Map(Array.from(keys, (key, at) => [key, pieceCount + at]));
    this.#rows = new Int8Array(numbers, 4 * rowCount + 4 * pairCount, rowCount * dims);
  }

  /**
   * Reads the table that ships with the package, or another one that `scripts/distill` made.
   *
   * @throws {TallyrankError} `internal` when the file is missing or is no table
   */
  static async open(file: URL | string = ASSET): Promise<DistilledTable> {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(file);
    } catch (cause) {
      throw new TallyrankError(
        'internal',
        'The embedder table of the package is missing; install it again.',
        {
          cause,
        },
      );
    }
    return new DistilledTable(bytes);
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const vectors: Float32Array[] = [];
    for (const text of texts) {
      if (vectors.length % TEXTS_PER_TURN === TEXTS_PER_TURN - 1) {
        await new Promise((resolve) => setImmediate(resolve));
        signal?.throwIfAborted();
      }
      vectors.push(this.embedOne(text));
    }
    return vectors;
  }

  /** Unit vector of one text; zero when no word is known. */
  embedOne(text: string): Float32Array {
    const vector = new Float32Array(this.dims);
    const tokens = this.#tokens;
    const count = this.#pieces.tokenise(text, tokens);
    for (let at = 0; at < count; at++) {
      const piece = tokens[at] as number;
      if (piece < this.#pieceCount) this.#addRow(vector, piece);
      if (at === 0) continue;
      const pair = this.#pairRows.get((tokens[at - 1] as number) * 65_536 + piece);
      if (pair !== undefined) this.#addRow(vector, pair);
    }
    let square = 0;
    for (let i = 0; i < vector.length; i++) square += (vector[i] as number) ** 2;
    if (square > 0) {
      const factor = 1 / Math.sqrt(square);
      for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) * factor;
    }
    return vector;
  }

  #addRow(vector: Float32Array, row: number): void {
    const scale = this.#scales[row] as number;
    const base = row * this.dims;
    const rows = this.#rows;
    for (let i = 0; i < vector.length; i++) {
      vector[i] = (vector[i] as number) + scale * (rows[base + i] as number);
    }
  }
}

/** The layout is that of scripts/distill/distill_table.py. */
function parseTable(bytes: Uint8Array): { header: TableHeader; body: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || new TextDecoder('latin1').decode(bytes.subarray(0, 4)) !== MAGIC) {
    throw notATable('it does not start as one');
  }
  const headerBytes = view.getUint32(4, true);
  let header: TableHeader;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes))) as TableHeader;
  } catch (cause) {
    throw notATable('its header is not JSON', cause);
  }
  if (header.format !== FORMAT) throw notATable(`its format is ${header.format}, not ${FORMAT}`);
  const { dims, pieceCount, pairCount, vocabularyBytes } = header;
  const body = bytes.subarray(8 + headerBytes);
  const length = vocabularyBytes + (4 + dims) * (pieceCount + pairCount) + 4 * pairCount;
  if (body.length !== length) throw notATable('its length does not fit its header');
  return { header, body };
}

function notATable(why: string, cause?: unknown): TallyrankError {
  return new TallyrankError(
    'internal',
    `The embedder table cannot be read: ${why}. Install the package again.`,
    {
      cause,
    },
  );
}
