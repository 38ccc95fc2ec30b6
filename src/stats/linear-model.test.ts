import { describe, expect, it } from 'vitest';
import { fitTemperature, scoreLinearModel, trainLinearModel } from './linear-model.ts';
import { createRandom } from './random.ts';

describe('trainLinearModel', () => {
  it('learns classes that their features tell apart', () => {
    const random = createRandom(5);
    const labels = Int32Array.from({ length: 300 }, (_, at) => at % 3);
    // Feature = class, beside two that mean nothing.
    const items = Array.from(labels, (label) => Uint32Array.of(label, 3 + random.int(4), 3 + random.int(4)));
    const model = trainLinearModel(
      { items, values: new Float32Array(300).fill(1 / Math.sqrt(3)), labels, featureCount: 7, classCount: 3 },
      { random },
    );
    const logits = new Float64Array(3);
    const rightCount = items.filter((features, at) => {
      scoreLinearModel(model, features, 1 / Math.sqrt(3), logits);
      return logits.indexOf(Math.max(...logits)) === labels[at];
    }).length;
    expect(rightCount).toBe(300);
  });
});

describe('fitTemperature', () => {
  it('cools overconfident logits and warms timid ones', () => {
    // Right in three of four cases, at logits that claim far more, then hardly anything.
    const labels = [0, 0, 0, 1];
    const rows = (claim: number): Float64Array[] => labels.map(() => Float64Array.of(claim, 0));
    expect(Math.log(3) * fitTemperature(rows(10), labels)).toBeCloseTo(10, 1);
    expect(Math.log(3) * fitTemperature(rows(0.5), labels)).toBeCloseTo(0.5, 2);
  });

  it('is one without anything to learn from', () => {
    expect(fitTemperature([], [])).toBe(1);
  });
});
