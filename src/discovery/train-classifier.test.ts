import { describe, expect, it } from 'vitest';
import { LinearClassifier } from '../core/linear-classifier.ts';
import { createRandom } from '../stats/random.ts';
import { trainClassifier } from './train-classifier.ts';

const FRAMES = [
  'tell me about {}',
  'I need {} today',
  'what about {}?',
  'please help with {}',
  '{} again',
  'more on {}',
];
const WORDS = {
  pets: ['cats', 'dogs', 'hamsters', 'parrots', 'goldfish', 'kittens', 'puppies'],
  tools: ['hammers', 'saws', 'screwdrivers', 'wrenches', 'drills', 'pliers', 'chisels'],
  fruit: ['apples', 'pears', 'bananas', 'cherries', 'mangos', 'grapes', 'melons'],
};

function examples(rounds: number): { text: string; useCase: string }[] {
  return Object.entries(WORDS).flatMap(([useCase, words]) =>
    words.flatMap((word) =>
      FRAMES.flatMap((frame) =>
        Array.from({ length: rounds }, () => ({ text: frame.replace('{}', word), useCase })),
      ),
    ),
  );
}

describe('trainClassifier', () => {
  it('learns the given use cases and says how well', () => {
    const { classifier, accuracy, heldOutCount } = trainClassifier(examples(3), { random: createRandom(3) });
    expect(heldOutCount).toBe(37);
    expect(accuracy).toBeGreaterThan(0.9);
    expect(classifier.classify('tell me about puppies').useCase).toBe('pets');
    expect(classifier.classify('wrenches please').useCase).toBe('tools');
    expect(LinearClassifier.decode(classifier.encode()).classify('two melons')).toEqual(
      classifier.classify('two melons'),
    );
  });

  it('judges a small log by its thirds', () => {
    const few = examples(1).filter((_, at) => at % 2 === 0);
    const { classifier, accuracy, heldOutCount } = trainClassifier(few, { random: createRandom(1) });
    expect(heldOutCount).toBe(few.length);
    expect(accuracy).toBeGreaterThan(0.8);
    expect(classifier.classify('cats').useCase).toBe('pets');
  });

  it('claims no accuracy when there is too little to hold out', () => {
    const { classifier, accuracy } = trainClassifier(examples(1).slice(0, 24), { random: createRandom(1) });
    expect(accuracy).toBeNull();
    expect(classifier.classify('cats').useCase).toBe('pets');
  });

  it('makes a classifier of one use case, and of none', () => {
    const one = trainClassifier([{ text: 'a b c', useCase: 'only' }], { random: createRandom(3) }).classifier;
    expect(one.classify('a b c').useCase).toBe('only');
    expect(trainClassifier([], { random: createRandom(3) }).classifier.classify('hello').useCase).toBe(
      'other',
    );
  });
});
