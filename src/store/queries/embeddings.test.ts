import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import { readEmbeddings, writeEmbeddings } from './embeddings.ts';

let store: ScratchStore;
beforeAll(async () => {
  store = await openScratchStore();
});
afterAll(() => store.dispose());

describe('embeddings', () => {
  it('gives back exactly the numbers that were written, zeros and tiny ones too', async () => {
    const vector = Float32Array.from([0, -0.1, 1e-38, 1, -1, 0.333333, 0]);
    await writeEmbeddings(store.db, 'table@1', [{ promptHash: 'a', vector }]);
    const found = await readEmbeddings(store.db, 'table@1', ['a', 'unknown']);
    expect([...found.keys()]).toEqual(['a']);
    expect([...(found.get('a') ?? [])]).toEqual([...vector]);
  });

  it('keeps the vectors of embedders apart, and the latest of a prompt', async () => {
    const write = (embedder: string, number: number) =>
      writeEmbeddings(store.db, embedder, [{ promptHash: 'b', vector: Float32Array.of(number) }]);
    await write('one', 1);
    await write('two', 2);
    await write('one', 3);
    expect((await readEmbeddings(store.db, 'one', ['b'])).get('b')).toEqual(Float32Array.of(3));
    expect((await readEmbeddings(store.db, 'two', ['b'])).get('b')).toEqual(Float32Array.of(2));
  });

  it('finds thousands of prompts', async () => {
    const hashes = Array.from({ length: 5_000 }, (_, at) => at.toString(16).padStart(16, '0'));
    await writeEmbeddings(
      store.db,
      'many',
      hashes.map((promptHash, at) => ({ promptHash, vector: Float32Array.of(at, 1) })),
    );
    const found = await readEmbeddings(store.db, 'many', hashes);
    expect(found.size).toBe(5_000);
    expect(found.get(hashes[4_321] ?? '')?.[0]).toBe(4_321);
  });
});
