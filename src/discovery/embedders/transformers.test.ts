import { describe, expect, it } from 'vitest';
import { TransformersEmbedder } from './transformers.ts';

/** A library in the shape of the optional package; its "model" gives the length of a text. */
function libraryOf(extract: (texts: readonly string[]) => object = lengths) {
  const asked: { task: string; model: string; batches: number[] } = { task: '', model: '', batches: [] };
  const env = { localModelPath: '', allowRemoteModels: true };
  const library = {
    env,
    async pipeline(task: string, model: string) {
      Object.assign(asked, { task, model });
      return async (texts: readonly string[]) => {
        asked.batches.push(texts.length);
        return extract(texts);
      };
    },
  };
  return { asked, env, load: async () => library };
}

function lengths(texts: readonly string[]): object {
  return { dims: [texts.length, 2], data: Float32Array.from(texts.flatMap((text) => [text.length, 1])) };
}

describe('TransformersEmbedder', () => {
  it('embeds in batches, in order', async () => {
    const { asked, load } = libraryOf();
    const embedder = await TransformersEmbedder.open({ model: 'a/b', load });
    const vectors = await embedder.embed(Array.from({ length: 20 }, (_, at) => 'x'.repeat(at + 1)));
    expect(vectors.map(([length]) => length)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    expect(asked).toEqual({ task: 'feature-extraction', model: 'a/b', batches: [16, 4] });
    expect([embedder.id, embedder.dims]).toEqual(['transformers:a/b', 2]);
  });

  it('fetches nothing when it has a folder', async () => {
    const { env, load } = libraryOf();
    await TransformersEmbedder.open({ model: 'a/b', folder: '/models', load });
    expect(env).toEqual({ localModelPath: '/models', allowRemoteModels: false });
  });

  it('says what to install, and what to set when the model is out of reach', async () => {
    const missing = TransformersEmbedder.open({ model: 'a/b', load: () => Promise.reject(new Error('no')) });
    await expect(missing).rejects.toMatchObject({ code: 'bad_config' });
    await expect(missing).rejects.toThrow(/npm install @huggingface\/transformers/);
    const { env } = libraryOf();
    const load = async () => ({ env, pipeline: () => Promise.reject(new Error('offline')) });
    await expect(TransformersEmbedder.open({ model: 'a/b', load })).rejects.toThrow(/embedder\.folder/);
    await expect(TransformersEmbedder.open({ model: 'a/b', folder: '/m', load })).rejects.toThrow(
      /config\.json/,
    );
  });

  it('refuses other vectors than were asked for', async () => {
    const { load } = libraryOf(() => ({ dims: [1, 4, 2], data: [] }));
    const embedder = await TransformersEmbedder.open({ model: 'a/b', load });
    await expect(embedder.embed(['a'])).rejects.toThrow(/1 x 4 x 2 numbers for 1 texts/);
    await expect(embedder.embed(['a'], AbortSignal.abort())).rejects.toThrow(/abort/i);
  });
});
