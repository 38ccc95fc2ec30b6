import { describe, expect, it } from 'vitest';
import { canonicalAmong, resolveRanked } from './ranked-names.ts';

const RANKED = ['ollama:mistral:7b', 'openai:gpt-4o', 'azure:gpt-4o', 'openrouter:meta-llama/llama-3.3-70b'];

describe('resolveRanked', () => {
  it('takes ids, bare names and names without their tag', () => {
    expect(resolveRanked('ollama:mistral:7b', RANKED)).toBe('ollama:mistral:7b');
    expect(resolveRanked('mistral:7b', RANKED)).toBe('ollama:mistral:7b');
    expect(resolveRanked('mistral', RANKED)).toBe('ollama:mistral:7b');
    expect(resolveRanked('meta-llama/llama-3.3-70b', RANKED)).toBe('openrouter:meta-llama/llama-3.3-70b');
    // A bare name of OpenAI's is OpenAI's.
    expect(resolveRanked('gpt-4o', RANKED)).toBe('openai:gpt-4o');
  });

  it('lists what is meant when a name is ambiguous or unknown', () => {
    const two = ['a:phi', 'b:phi'];
    expect(() => resolveRanked('phi', two, 'modelA')).toThrow(/could be a:phi, b:phi/);
    expect(() => resolveRanked('nobody', two)).toThrow(/Ranked there are: a:phi, b:phi/);
    expect(() => resolveRanked('nobody', [])).toThrow(/No model has requests there yet/);
  });
});

describe('canonicalAmong', () => {
  it('prefers a ranked model and never fails', () => {
    expect(canonicalAmong('mistral', RANKED)).toBe('ollama:mistral:7b');
    expect(canonicalAmong('gpt-5', RANKED)).toBe('openai:gpt-5');
    expect(canonicalAmong('phi', ['a:phi', 'b:phi'])).toBe('phi');
  });
});
