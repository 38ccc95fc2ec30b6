import { describe, expect, it } from 'vitest';
import { computeAgreement } from './agreement.ts';
import { createRandom } from './random.ts';

describe('computeAgreement', () => {
  it('is one for equal labellings under other names', () => {
    const { ami, ari, nmi, purity } = computeAgreement([0, 0, 1, 1, 2, 2], [5, 5, 9, 9, 1, 1]);
    for (const value of [ami, ari, nmi, purity]) expect(value).toBeCloseTo(1, 10);
  });

  it('gives the published figures of a small example', () => {
    // scikit-learn's documentation of adjusted_mutual_info_score, adjusted_rand_score and normalized_mutual_info_score.
    const truth = [0, 0, 0, 1, 1, 1];
    const predicted = [0, 0, 1, 1, 2, 2];
    const { ami, ari, nmi, purity } = computeAgreement(predicted, truth);
    expect(ami).toBeCloseTo(0.298_792, 4);
    expect(ari).toBeCloseTo(0.242_424, 5);
    expect(nmi).toBeCloseTo(0.515_804, 5);
    expect(purity).toBeCloseTo(5 / 6, 10);
  });

  it('is near zero for labels by chance, where plain mutual information is not', () => {
    const random = createRandom(3);
    const draw = (): number[] => Array.from({ length: 600 }, () => random.int(30));
    const { ami, ari, nmi } = computeAgreement(draw(), draw());
    expect(Math.abs(ami)).toBeLessThan(0.03);
    expect(Math.abs(ari)).toBeLessThan(0.03);
    expect(nmi).toBeGreaterThan(0.2);
  });

  it('refuses labellings of different length and empty ones', () => {
    expect(() => computeAgreement([1], [1, 2])).toThrow(RangeError);
    expect(() => computeAgreement([], [])).toThrow(RangeError);
  });
});
