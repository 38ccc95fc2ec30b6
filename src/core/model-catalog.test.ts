import { describe, expect, it } from 'vitest';
import { TallyrankError } from './errors.ts';
import type { CatalogModel } from './model-catalog.ts';
import { hasAbilities, ModelCatalog, plainModel } from './model-catalog.ts';

const model = (provider: string, name: string, more: Partial<CatalogModel> = {}): CatalogModel =>
  plainModel(`${provider}:${name}`, { isLocal: provider === 'ollama', ...more });

const CATALOG = new ModelCatalog([
  model('ollama', 'mistral:7b', { aliases: ['mistral'] }),
  model('ollama', 'llama3:latest'),
  model('ollama', 'llama3:8b'),
  model('ollama', 'phi:3b'),
  model('openai', 'gpt-4o'),
  model('azure', 'gpt-4o'),
  model('openai', 'text-embedding-3-small', { isChat: false }),
]);

function errorOf(name: string): TallyrankError {
  try {
    CATALOG.resolve(name);
  } catch (error) {
    if (error instanceof TallyrankError) return error;
  }
  throw new Error(`${name} was found`);
}

describe('ModelCatalog', () => {
  it.each([
    ['ollama:mistral:7b', 'ollama:mistral:7b'],
    ['mistral:7b', 'ollama:mistral:7b'],
    ['mistral', 'ollama:mistral:7b'],
    // A name without its tag: "latest" is meant where there is one, else the only one.
    ['llama3', 'ollama:llama3:latest'],
    ['phi', 'ollama:phi:3b'],
    ['ollama:phi', 'ollama:phi:3b'],
    ['llama3', 'ollama:llama3:latest'],
    ['ollama:llama3', 'ollama:llama3:latest'],
    ['azure:gpt-4o', 'azure:gpt-4o'],
    // Ollama's clients add the tag, whoever's the model is.
    ['mistral:latest', 'ollama:mistral:7b'],
    ['azure:gpt-4o:latest', 'azure:gpt-4o'],
    ['text-embedding-3-small:latest', 'openai:text-embedding-3-small'],
  ])('understands %s', (name, modelId) => {
    expect(CATALOG.resolve(name).modelId).toBe(modelId);
    expect(CATALOG.canonicalId(name)).toBe(modelId);
  });

  it('asks which one is meant where a name is two models', () => {
    const { code, message } = errorOf('gpt-4o');
    expect(code).toBe('ambiguous_model');
    expect(message).toContain('openai:gpt-4o, azure:gpt-4o');
    expect(CATALOG.canonicalId('gpt-4o')).toBe('gpt-4o');
  });

  it('lists what it knows for a name that it does not, without embedders', () => {
    const { code, message, param } = errorOf('gpt-9');
    expect([code, param]).toEqual(['unknown_model', 'model']);
    expect(message).toContain('ollama:mistral:7b');
    expect(message).not.toContain('embedding');
  });

  it('cuts absurd names in its message and lists no more than a few models', () => {
    expect(errorOf('x'.repeat(5_000)).message.length).toBeLessThan(400);
    const many = new ModelCatalog(Array.from({ length: 30 }, (_, at) => model('openai', `m${at}`)));
    expect(() => many.resolve('none')).toThrowError(/and 22 more/);
  });

  it('says so when there is no model at all', () => {
    expect(() => new ModelCatalog([]).resolve('x')).toThrowError(/No provider offers a model now/);
  });
});

describe('hasAbilities', () => {
  const none = { needsTools: false, needsImages: false, promptTokens: null };

  it.each([
    ['tools: not known to lack them', { hasTools: null }, { needsTools: true }, true],
    ['tools: known to lack them', { hasTools: false }, { needsTools: true }, false],
    ['images: known to see', { hasImages: true }, { needsImages: true }, true],
    ['images: nobody said that it sees', { hasImages: null }, { needsImages: true }, false],
    ['sound: known to hear', { hasAudio: true }, { needsAudio: true }, true],
    ['sound: nobody said that it hears', {}, { needsAudio: true }, false],
    ['files: known to read them', { hasFiles: true }, { needsFiles: true }, true],
    ['files: nobody said that it reads them', { hasFiles: null }, { needsFiles: true }, false],
    ['files: nobody asks for them', { hasFiles: false }, { needsFiles: false }, true],
    ['a prompt that fits', { contextTokens: 8_000 }, { promptTokens: 8_000 }, true],
    ['a prompt that does not fit', { contextTokens: 8_000 }, { promptTokens: 8_001 }, false],
    ['an unknown context', { contextTokens: null }, { promptTokens: 1e9 }, true],
  ])('%s', (_what, facts, needs, isAble) => {
    expect(hasAbilities(model('openai', 'x', facts), { ...none, ...needs })).toBe(isAble);
  });
});
