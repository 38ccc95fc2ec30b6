import { describe, expect, it } from 'vitest';
import { studentReach, studentTail } from './student.ts';

describe('studentTail', () => {
  it('is the table of Student', () => {
    expect(studentTail(12.706_2, 1)).toBeCloseTo(0.05, 5);
    expect(studentTail(2.570_6, 5)).toBeCloseTo(0.05, 5);
    expect(studentTail(2.042_3, 30)).toBeCloseTo(0.05, 5);
    expect(studentTail(0, 8)).toBeCloseTo(1, 12);
  });

  it('keeps its digits far out', () => {
    // One degree is the Cauchy distribution: 1 - 2 atan(t) / pi, about 2 / (pi t).
    expect(studentTail(1e6, 1) / (2 / (Math.PI * 1e6))).toBeCloseTo(1, 6);
    expect(studentTail(5, 100_000) / 5.733e-7).toBeCloseTo(1, 2);
  });
});

describe('studentReach', () => {
  it('undoes the tail', () => {
    for (const degrees of [1, 6, 29, 400])
      expect(studentTail(studentReach(0.95, degrees), degrees)).toBeCloseTo(0.05, 6);
  });
});
