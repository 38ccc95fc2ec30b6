import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FEATURE_BUCKETS, FeatureReader } from './prompt-features.ts';

const reader = new FeatureReader();
function featuresOf(text: string): number[] {
  const count = reader.read(text);
  return [...reader.features.slice(0, count)];
}

describe('FeatureReader', () => {
  it('reads case, width and white space away', () => {
    const plain = featuresOf('open the coffee shop');
    expect(featuresOf('  Open THE\n\ncoffee   shop!')).toEqual(plain);
    expect(featuresOf('ｏｐｅｎ the coffee shop')).toEqual(plain);
  });

  it('tells word orders apart and shares the words', () => {
    const first = featuresOf('dog bites man');
    const second = featuresOf('man bites dog');
    expect(first).not.toEqual(second);
    expect(first.filter((feature) => second.includes(feature)).length).toBeGreaterThan(3);
  });

  it('gives scripts without spaces their signs as words', () => {
    const shared = featuresOf('今天天气').filter((feature) => featuresOf('天气很好').includes(feature));
    expect(shared.length).toBeGreaterThan(1);
  });

  it('has nothing to say of text without letters or digits', () => {
    expect(featuresOf('')).toEqual([]);
    expect(featuresOf(' ?! — … ')).toEqual([]);
  });

  it('stays within its bounds for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (text) => {
        const features = featuresOf(text);
        return (
          features.length <= reader.features.length && features.every((feature) => feature < FEATURE_BUCKETS)
        );
      }),
      { seed: 42, numRuns: 60 },
    );
  });
});
