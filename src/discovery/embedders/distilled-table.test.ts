import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DistilledTable } from './distilled-table.ts';

let table: DistilledTable;
beforeAll(async () => {
  table = await DistilledTable.open();
});

function cosine(a: string, b: string): number {
  const [x, y] = [table.embedOne(a), table.embedOne(b)];
  return x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
}

describe('DistilledTable', () => {
  it('knows its version and its dimensions', () => {
    expect(table.id).toMatch(/^distilled-table@/);
    expect(table.dims).toBe(256);
  });

  it('puts like meanings closer than unlike ones', () => {
    expect(cosine('Where can I eat sushi tonight?', 'a good Japanese restaurant')).toBeGreaterThan(
      cosine('Where can I eat sushi tonight?', 'fix the null pointer exception') + 0.2,
    );
    expect(cosine('How do I sort an array in Python?', 'python list sorting')).toBeGreaterThan(
      cosine('How do I sort an array in Python?', 'symptoms of the flu') + 0.2,
    );
  });

  it('gives unit vectors in order, and zeros for what it cannot read', async () => {
    const vectors = await table.embed(['hello', '', 'HELLO', 'héllo']);
    expect(vectors).toHaveLength(4);
    expect(vectors[1]?.every((value) => value === 0)).toBe(true);
    expect(vectors[2]).toEqual(vectors[0]);
    expect(vectors[3]).toEqual(vectors[0]);
    expect(vectors[0]?.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 4);
  });

  it('stops between texts when it is told to', async () => {
    const texts = Array.from({ length: 2_000 }, (_, at) => `prompt ${at}`);
    await expect(table.embed(texts, AbortSignal.abort())).rejects.toThrow();
  });

  it('refuses a file that is missing, torn or something else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'table-'));
    const torn = join(folder, 'torn.bin');
    await writeFile(torn, 'TRET');
    await expect(DistilledTable.open(torn)).rejects.toThrow(/cannot be read/);
    await expect(DistilledTable.open(join(folder, 'missing.bin'))).rejects.toThrow(/missing/);
    await rm(folder, { recursive: true });
  });
});
