import { describe, expect, it } from 'vitest';
import { rankedModel } from '../../tests/kit/ranked-model.ts';
import type { ScorePart, Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { mixedModels, quantisedMix } from './mixed-ranking.ts';

const part = (value: number, sampleCount = 200): ScorePart => ({
  value,
  low: value - 0.02,
  high: value + 0.02,
  sampleCount,
  isAssumed: false,
});
const parts = (quality: number) => ({
  success: part(0.95),
  speed: part(0.8),
  cost: part(0.9),
  quality: part(quality),
});
const coder = (quality: number) => rankedModel('a:coder', parts(quality));
const talker = (quality: number) => rankedModel('a:talker', parts(quality));

function snapshot(): Snapshot {
  const ranking = (useCase: string, models: ReturnType<typeof rankedModel>[]) => ({
    useCase,
    requestCount: 400,
    models,
  });
  return {
    ...starterSnapshot(),
    version: 'v',
    rankings: new Map([
      ['code', ranking('code', [coder(0.9), talker(0.5)])],
      ['chat', ranking('chat', [talker(0.95)])],
    ]),
    overall: ranking('*', [coder(0.7), talker(0.7)]),
  };
}

describe('quantisedMix', () => {
  it('tells probabilities apart in eighths and gives the rest to the record over all', () => {
    const mix = [
      { useCase: 'code', probability: 0.61 },
      { useCase: 'chat', probability: 0.2 },
      { useCase: 'food', probability: 0.05 },
    ];
    expect(quantisedMix(mix, '*')).toEqual([
      { useCase: 'code', probability: 0.625 },
      { useCase: 'chat', probability: 0.25 },
      { useCase: '*', probability: 0.125 },
    ]);
  });

  it('is none where the classifier is sure, or nearly', () => {
    expect(quantisedMix(undefined, '*')).toBeNull();
    expect(quantisedMix([{ useCase: 'code', probability: 0.94 }], '*')).toBeNull();
  });
});

describe('mixedModels', () => {
  const mix = [
    { useCase: 'code', probability: 0.5 },
    { useCase: 'chat', probability: 0.5 },
  ];

  it('expects of a model the mean of its parts by probability, with the uncertainties of both', () => {
    const models = mixedModels(snapshot(), mix);
    const found = models.find(({ modelId }) => modelId === 'a:talker')?.quality;
    expect(found?.value).toBeCloseTo(0.725, 12);
    expect(found?.high).toBeCloseTo(0.725 + 0.02 / Math.SQRT2, 12);
    expect(found?.sampleCount).toBe(200);
  });

  it('lets a model stand on its record over all where it was never asked, and counts no request for it', () => {
    const models = mixedModels(snapshot(), mix);
    const found = models.find(({ modelId }) => modelId === 'a:coder')?.quality;
    expect(found?.value).toBeCloseTo((0.9 + 0.7) / 2, 12);
    expect(found?.sampleCount).toBe(100);
  });
});
