import type { Database } from '../database.ts';

export interface StoredEmbedding {
  readonly promptHash: string;
  readonly vector: Float32Array;
}

/** Rows of one insert: some megabytes of JSON, and what a broken run loses at most. */
const ROWS_PER_INSERT = 2_000;

/** Keeps vectors under their embedder's id; a later one of the same prompt wins. */
export async function writeEmbeddings(
  db: Database,
  embedder: string,
  rows: readonly StoredEmbedding[],
): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
    await db.insertRows(
      'embeddings',
      rows.slice(from, from + ROWS_PER_INSERT).map(({ promptHash, vector }) => ({
        embedder,
        prompt_hash: promptHash,
        vector: Array.from(vector),
      })),
    );
  }
}

/**
 * Numbers come as the hexadecimal digits of their bits, the highest first: shorter than decimals, exact, and
 * nothing to parse. (Bytes would lose zeros: the engine ends a text at its last byte that is none.)
 */
const EMBEDDINGS_SQL = `
SELECT
  prompt_hash AS promptHash,
  arrayStringConcat(arrayMap(number -> leftPad(hex(reinterpretAsUInt32(number)), 8, '0'), vector)) AS bits
FROM embeddings FINAL
WHERE embedder = {embedder:String} AND prompt_hash IN ({hashes:Array(String)})`;

/** Hashes of one question: they travel in the head of an HTTP request, which is bounded. */
const HASHES_PER_QUERY = 400;

/**
 * Which vectors does the store have of these prompts? Reads `embeddings` by its key: in the order of the
 * hashes, so that each question reads a few neighbouring granules.
 */
export async function readEmbeddings(
  db: Database,
  embedder: string,
  hashes: readonly string[],
  signal?: AbortSignal,
): Promise<Map<string, Float32Array>> {
  const sorted = [...hashes].sort();
  const found = new Map<string, Float32Array>();
  for (let from = 0; from < sorted.length; from += HASHES_PER_QUERY) {
    const rows = await db.query<{ promptHash: string; bits: string }>(
      EMBEDDINGS_SQL,
      { embedder, hashes: sorted.slice(from, from + HASHES_PER_QUERY) },
      { signal },
    );
    for (const { promptHash, bits } of rows) found.set(promptHash, toVector(bits));
  }
  return found;
}

function toVector(bits: string): Float32Array {
  const bytes = Buffer.from(bits, 'hex');
  return Float32Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatBE(4 * at));
}
