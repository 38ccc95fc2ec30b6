import { describe, expect, it } from 'vitest';
import { describeChoice, embedderChoiceOf, openEmbedder, storesVectorsOf } from './open-embedder.ts';

describe('embedderChoiceOf', () => {
  it('reads the protocol off the URL unless it is said', () => {
    const protocol = (url: string, said?: 'openai'): unknown => {
      const choice = embedderChoiceOf({ kind: 'http', url, model: 'm', protocol: said });
      return choice.kind === 'http' ? choice.protocol : null;
    };
    expect(protocol('http://127.0.0.1:11434')).toBe('ollama');
    expect(protocol('http://127.0.0.1:11434/')).toBe('ollama');
    expect(protocol('https://api.openai.com/v1')).toBe('openai');
    expect(protocol('http://gpu:8080', 'openai')).toBe('openai');
  });
});

describe('openEmbedder', () => {
  it('opens the table by default and a server by choice', async () => {
    expect((await openEmbedder()).id).toMatch(/^distilled-table@/);
    const choice = embedderChoiceOf({ kind: 'http', url: 'http://127.0.0.1:9', model: 'm' }, 'key');
    expect((await openEmbedder(choice)).id).toBe('ollama:m');
  });

  it('says what to install where the optional package is missing', async () => {
    await expect(openEmbedder({ kind: 'transformers', model: 'a/b' })).rejects.toMatchObject({
      code: 'bad_config',
    });
  });
});

describe('storesVectorsOf', () => {
  it("keeps the vectors of a server, and the table's only when told to", () => {
    expect(storesVectorsOf({ kind: 'distilled' })).toBe(false);
    expect(storesVectorsOf({ kind: 'distilled', storesVectors: true })).toBe(true);
    expect(storesVectorsOf(embedderChoiceOf({ kind: 'http', url: 'http://a', model: 'm' }))).toBe(true);
  });
});

describe('describeChoice', () => {
  it('says which embedder it is and why, without secrets', () => {
    expect(describeChoice({ kind: 'distilled' })).toContain('default');
    const url = 'https://bob:hunter2@api.example.com/v1?key=abc';
    const said = describeChoice(embedderChoiceOf({ kind: 'http', url, model: 'm' }, 'secret'));
    expect(said).toContain('api.example.com (OpenAI-compatible) embeds the prompts with m');
    expect(said).not.toMatch(/hunter2|abc|secret/);
  });
});
