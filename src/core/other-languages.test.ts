import { describe, expect, it } from 'vitest';
import { PROMPTS_BY_LANGUAGE } from '../../tests/kit/prompts-by-language.ts';
import { FeatureReader } from './prompt-features.ts';
import { promptHash } from './prompt-text.ts';
import { StarterClassifier } from './starter-taxonomy.ts';

function featuresOf(text: string): Set<number> {
  const reader = new FeatureReader();
  return new Set(reader.features.slice(0, reader.read(text)));
}

function overlap(one: ReadonlySet<number>, other: ReadonlySet<number>): number {
  const common = [...one].filter((feature) => other.has(feature)).length;
  return common / Math.sqrt(one.size * other.size);
}

describe.each(Object.entries(PROMPTS_BY_LANGUAGE))('prompts in %s', (_language, topics) => {
  const items = Object.entries(topics).flatMap(([topic, prompts]) =>
    prompts.map((prompt) => ({ topic, prompt, features: featuresOf(prompt) })),
  );

  // Of four topics, without learning which features count; a quarter would be chance.
  it('share features with prompts of their topic, so that a classifier can learn it', () => {
    const right = items.filter((item) => {
      const others = items.filter((other) => other !== item);
      const best = others.reduce((a, b) =>
        overlap(item.features, b.features) > overlap(item.features, a.features) ? b : a,
      );
      return best.topic === item.topic;
    });
    expect(right.length / items.length).toBeGreaterThanOrEqual(0.6);
  });

  it('have hashes of their own and a use case on day zero', () => {
    const hashes = items.map(({ prompt }) => promptHash({ prompt, context: '' }));
    expect(new Set(hashes).size).toBe(items.length);
    const starter = new StarterClassifier();
    for (const { prompt } of items) expect(starter.classify(prompt).useCase).toMatch(/^[a-z_]+$/);
  });
});
