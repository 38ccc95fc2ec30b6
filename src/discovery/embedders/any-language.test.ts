import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { PROMPTS_BY_LANGUAGE } from '../../../tests/kit/prompts-by-language.ts';
import { AnyLanguageEmbedder } from './any-language.ts';
import { characterVector } from './character-vectors.ts';
import { DistilledTable } from './distilled-table.ts';

let table: DistilledTable;
beforeAll(async () => {
  table = await DistilledTable.open();
});

function cosine(one: Float32Array, other: Float32Array): number {
  return one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
}

/** Share of prompts whose nearest neighbour is of the same topic. */
function neighbourAccuracy(vectors: readonly Float32Array[], topics: readonly string[]): number {
  const right = vectors.filter((vector, at) => {
    const order = [...vectors.keys()]
      .filter((other) => other !== at)
      .sort(
        (a, b) => cosine(vector, vectors[b] as Float32Array) - cosine(vector, vectors[a] as Float32Array),
      );
    return topics[order[0] as number] === topics[at];
  });
  return right.length / vectors.length;
}

describe('AnyLanguageEmbedder', () => {
  it.each(Object.keys(PROMPTS_BY_LANGUAGE))(
    'brings prompts of one topic together in %s',
    async (language) => {
      const items = Object.entries(PROMPTS_BY_LANGUAGE[language] ?? {}).flatMap(([topic, prompts]) =>
        prompts.map((prompt) => ({ topic, prompt })),
      );
      const embedder = new AnyLanguageEmbedder(table);
      const vectors = await embedder.embed(items.map(({ prompt }) => prompt));
      const topics = items.map(({ topic }) => topic);
      expect(neighbourAccuracy(vectors, topics)).toBeGreaterThanOrEqual(0.85);
    },
  );

  it('keeps languages apart', async () => {
    const embedder = new AnyLanguageEmbedder(table);
    const all = Object.entries(PROMPTS_BY_LANGUAGE).flatMap(([language, topics]) =>
      Object.values(topics)
        .flat()
        .map((prompt) => ({ language, prompt })),
    );
    const vectors = await embedder.embed(all.map(({ prompt }) => prompt));
    const languages = all.map(({ language }) => language);
    expect(neighbourAccuracy(vectors, languages)).toBeGreaterThanOrEqual(0.95);
  });

  it('leaves English vectors as they are, and says that it is not the table alone', async () => {
    const embedder = new AnyLanguageEmbedder(table);
    expect(embedder.id).toBe(`${table.id}+characters-1`);
    expect(embedder.dims).toBe(256);
    expect(await embedder.embed(['How do I get a refund?', ''])).toEqual([
      table.embedOne('How do I get a refund?'),
      table.embedOne(''),
    ]);
  });
});

describe('characterVector', () => {
  it('is a unit vector for any text with letters, and zero for none', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
        const length = Math.hypot(...characterVector(text, 64));
        expect(Number.isFinite(length)).toBe(true);
        if (length > 0) expect(length).toBeCloseTo(1, 4);
      }),
    );
    expect(Math.hypot(...characterVector('?!', 64))).toBe(0);
    expect(Math.hypot(...characterVector('か', 64))).toBeLessThanOrEqual(1.001);
  });
});
