import { describe, expect, it } from 'vitest';
import { LinearClassifier } from './linear-classifier.ts';
import { FeatureReader } from './prompt-features.ts';

/** Two classes told apart by one word each. */
function twoWords(confidenceMin = 0): LinearClassifier {
  const reader = new FeatureReader();
  const wordOf = (text: string): number[] => {
    const count = reader.read(text);
    return [...new Set(reader.features.slice(0, count))];
  };
  const pizza = wordOf('pizza');
  const python = wordOf('python');
  return LinearClassifier.fromWeights({
    useCases: ['food_dining', 'technical_code'],
    features: Uint32Array.from([...pizza, ...python]),
    weights: Float32Array.from([...pizza.flatMap(() => [2, -2]), ...python.flatMap(() => [-2, 2])]),
    bias: Float32Array.of(0, 0),
    temperature: 1,
    confidenceMin,
  });
}

describe('LinearClassifier', () => {
  it('classifies with a confidence that reads as a probability', () => {
    const classifier = twoWords();
    const { useCase, confidence } = classifier.classify('Pizza, please');
    expect(useCase).toBe('food_dining');
    expect(confidence).toBeGreaterThan(0.9);
    expect(classifier.classify('a python script').useCase).toBe('technical_code');
  });

  it('rejects what it is not sure of', () => {
    const { useCase, confidence } = twoWords(0.8).classify('quarterly turnip yields');
    expect(useCase).toBe('other');
    expect(confidence).toBeCloseTo(0.5, 5);
  });

  it('answers under other names, with the sum of what was merged', () => {
    const merged = twoWords(0.8).withUseCases(() => 'everything');
    const { useCase, confidence } = merged.classify('quarterly turnip yields');
    expect(useCase).toBe('everything');
    expect(confidence).toBeCloseTo(1, 10);
    const renamed = LinearClassifier.decode(
      twoWords()
        .withUseCases((slug) => `${slug}_2`)
        .encode(),
    );
    expect(renamed.classify('a python script').useCase).toBe('technical_code_2');
  });

  it('sends text without letters to other', () => {
    expect(twoWords().classify('…')).toEqual({ useCase: 'other', confidence: 1 });
  });

  it('reads back what it wrote, from any part of a buffer', () => {
    const classifier = twoWords(0.3);
    const bytes = classifier.encode();
    const pooled = Buffer.concat([Buffer.from('xyz'), bytes]).subarray(3);
    for (const copy of [LinearClassifier.decode(bytes), LinearClassifier.decode(pooled)]) {
      expect(copy.useCases).toEqual(classifier.useCases);
      for (const text of ['pizza', 'python', 'pizza in python', 'neither', 'ピザ']) {
        expect(copy.classify(text)).toEqual(classifier.classify(text));
      }
    }
  });

  it('refuses bytes that are no classifier, or were cut or changed', () => {
    const bytes = twoWords().encode();
    const otherFormat = bytes.slice();
    otherFormat[4] = 99;
    const badHeader = bytes.slice();
    badHeader[12] = 0;
    for (const bad of [new Uint8Array(0), new Uint8Array(64), bytes.slice(0, -1), otherFormat, badHeader]) {
      expect(() => LinearClassifier.decode(bad)).toThrow(/classifier cannot be read/);
    }
  });
});
