import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openScratchStore, type ScratchStore } from '../../../tests/kit/scratch-store.ts';
import type { Embedder } from './embedder.ts';
import { PromptVectors } from './stored.ts';

let store: ScratchStore;
beforeAll(async () => {
  store = await openScratchStore();
});
afterAll(() => store.dispose());

/** Gives the number at a text's end, and breaks after so many texts. */
class CountingEmbedder implements Embedder {
  readonly id: string;
  dims: number | null = null;
  embeddedCount = 0;
  breaksAfter = Number.POSITIVE_INFINITY;
  width = 2;

  constructor(id: string) {
    this.id = id;
  }

  async embed(texts: readonly string[]): Promise<Float32Array[]> {
    if (this.embeddedCount >= this.breaksAfter) throw new Error('the server went away');
    this.embeddedCount += texts.length;
    this.dims = this.width;
    return texts.map((text) => new Float32Array(this.width).fill(Number(text.split(' ')[1])));
  }
}

const prompts = Array.from({ length: 1_300 }, (_, at) => ({
  promptHash: at.toString(16).padStart(16, '0'),
  text: `prompt ${at}`,
}));
const firsts = (vectors: readonly Float32Array[]): (number | undefined)[] => vectors.map(([first]) => first);
const expected = prompts.map((_, at) => at);

describe('PromptVectors', () => {
  it('computes a vector once and reads it from then on', async () => {
    const first = new PromptVectors({ embedder: new CountingEmbedder('once'), db: store.db });
    const told: number[] = [];
    expect(firsts(await first.vectorsOf(prompts, { onProgress: (done) => told.push(done) }))).toEqual(
      expected,
    );
    expect(told).toEqual([0, 512, 1_024, 1_300]);
    const again = new CountingEmbedder('once');
    const second = new PromptVectors({ embedder: again, db: store.db });
    expect(firsts(await second.vectorsOf(prompts))).toEqual(expected);
    expect([again.embeddedCount, second.readCount, second.computedCount]).toEqual([0, 1_300, 0]);
  });

  it('goes on where a broken run stopped', async () => {
    const breaking = new CountingEmbedder('resumed');
    breaking.breaksAfter = 1_024;
    const broken = new PromptVectors({ embedder: breaking, db: store.db });
    await expect(broken.vectorsOf(prompts)).rejects.toThrow('went away');
    const next = new CountingEmbedder('resumed');
    const vectors = await new PromptVectors({ embedder: next, db: store.db }).vectorsOf(prompts);
    expect(firsts(vectors)).toEqual(expected);
    expect(next.embeddedCount).toBe(1_300 - 1_024);
  });

  it('keeps the vectors of another embedder apart', async () => {
    const other = new CountingEmbedder('other');
    await new PromptVectors({ embedder: other, db: store.db }).vectorsOf(prompts.slice(0, 10));
    expect(other.embeddedCount).toBe(10);
  });

  it('computes anew what a server of the same name gave in another length', async () => {
    await new PromptVectors({ embedder: new CountingEmbedder('same'), db: store.db }).vectorsOf(
      prompts.slice(0, 5),
    );
    const wider = new CountingEmbedder('same');
    wider.width = 3;
    const vectors = await new PromptVectors({ embedder: wider, db: store.db }).vectorsOf(prompts.slice(0, 8));
    expect(vectors.map(({ length }) => length)).toEqual(new Array(8).fill(3));
    const after = await new PromptVectors({ embedder: wider, db: store.db }).vectorsOf(prompts.slice(0, 5));
    expect(after[4]).toHaveLength(3);
  });

  it('keeps nothing without a store, and stops when told to', async () => {
    const embedder = new CountingEmbedder('unkept');
    const vectors = new PromptVectors({ embedder, db: null });
    await vectors.vectorsOf(prompts.slice(0, 5));
    await vectors.vectorsOf(prompts.slice(0, 5));
    expect(embedder.embeddedCount).toBe(10);
    await expect(vectors.vectorsOf(prompts, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});
