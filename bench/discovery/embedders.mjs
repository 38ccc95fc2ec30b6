// The embedders to compare; vectors of a server are kept in a file between runs of the bench.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { AnyLanguageEmbedder } from '../../dist/discovery/embedders/any-language.js';
import { characterVector } from '../../dist/discovery/embedders/character-vectors.js';
import { DistilledTable } from '../../dist/discovery/embedders/distilled-table.js';
import { HttpEmbedder } from '../../dist/discovery/embedders/http.js';

export const EMBEDDER_KINDS = ['distilled', 'no-spelling', 'characters', 'http'];
const CHARACTER_DIMS = 256;
const BATCH = 512;

/**
 * What a run of the bench compares: `usesSpelling` is the product's way; `isDefault` is the product's embedder.
 *
 * @param options  `kinds` (of {@link EMBEDDER_KINDS}), `table`, `url`, `model`, `cache`
 */
export async function openEmbedders({ kinds, table, url, model, cache }, say) {
  const distilled = await defaultEmbedder(table);
  const characters = {
    id: `characters only (${CHARACTER_DIMS})`,
    embed: (texts) => texts.map((text) => characterVector(text, CHARACTER_DIMS)),
  };
  const known = {
    distilled: { ...asSource(distilled), usesSpelling: true, isDefault: true },
    'no-spelling': { ...asSource(distilled), id: `${distilled.id}, without spelling`, usesSpelling: false },
    characters: { ...asSource(characters), usesSpelling: true },
    http: kinds.includes('http') ? await serverSource({ url, model, cache }, say) : null,
  };
  return kinds.map((kind) => known[kind]).filter((source) => source !== null);
}

/** The product's own, or a table that is not shipped yet. */
export async function defaultEmbedder(table) {
  return new AnyLanguageEmbedder(await DistilledTable.open(table));
}

function asSource(embedder) {
  return {
    id: embedder.id,
    async vectorsOf(texts) {
      const startedMs = performance.now();
      const vectors = [];
      for (let begin = 0; begin < texts.length; begin += BATCH) {
        for (const vector of await embedder.embed(texts.slice(begin, begin + BATCH))) vectors.push(vector);
      }
      return { vectors, embedSeconds: (performance.now() - startedMs) / 1000 };
    },
  };
}

/** The product's own client of a server. Null, with a word, when nobody answers. */
async function serverSource({ url, model, cache }, say) {
  if (url === undefined) {
    say('No --embeddings-url: MiniLM is left out. bench/discovery/README.md says how to serve it.');
    return null;
  }
  const embedder = new HttpEmbedder({
    protocol: 'openai',
    baseUrl: url,
    model,
    batchSize: 256,
    attemptsMax: 1,
  });
  let probe;
  try {
    [probe] = await embedder.embed(['What time does the coffee shop open?']);
  } catch (error) {
    say(`The embedding server is left out: ${error.message}`);
    return null;
  }
  const source = asSource(embedder);
  // Another model under the same name gives another answer to the probe, and so another file.
  const key = createHash('sha256').update(new Uint8Array(probe.buffer));
  return {
    id: `${model} (server)`,
    usesSpelling: true,
    isDefault: false,
    async vectorsOf(texts) {
      const name = key.copy().update(JSON.stringify(texts)).digest('hex').slice(0, 24);
      const file = join(cache, `${name}.f32`);
      if (existsSync(file)) return { vectors: rowsOf(readFileSync(file), texts.length), embedSeconds: null };
      const made = await source.vectorsOf(texts);
      mkdirSync(cache, { recursive: true });
      writeFileSync(
        file,
        Buffer.concat(made.vectors.map((row) => Buffer.from(row.buffer, row.byteOffset, row.byteLength))),
      );
      return made;
    },
  };
}

function rowsOf(bytes, count) {
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const dims = all.length / count;
  return Array.from({ length: count }, (_, at) => all.subarray(at * dims, (at + 1) * dims));
}
