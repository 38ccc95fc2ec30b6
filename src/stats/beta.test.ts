import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { betaCdf, betaQuantile } from './beta.ts';

describe('betaCdf', () => {
  it('agrees with closed forms', () => {
    expect(betaCdf(0.3, 1, 1)).toBeCloseTo(0.3, 12);
    expect(betaCdf(0.3, 2, 1)).toBeCloseTo(0.09, 12);
    expect(betaCdf(0.3, 1, 3)).toBeCloseTo(1 - 0.7 ** 3, 12);
    expect(betaCdf(0.5, 40, 40)).toBeCloseTo(0.5, 10);
  });

  it('refuses shapes that are not positive', () => {
    expect(() => betaCdf(0.5, 0, 1)).toThrow(RangeError);
  });
});

describe('betaQuantile', () => {
  it('is the inverse of the distribution for every shape', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 5_000, noNaN: true }),
        fc.double({ min: 1, max: 5_000, noNaN: true }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (a, b, p) => {
          expect(betaCdf(betaQuantile(p, a, b), a, b)).toBeCloseTo(p, 4);
        },
      ),
      { numRuns: 300, seed: 11 },
    );
  });
});
