import { describe, expect, it } from 'vitest';
import { GroupEffects, type Residual } from './group-effects.ts';
import { createRandom } from './random.ts';

const DIFFERENCE = 0.02;
const CHANCE = 0.005;

/** Residuals of groups that have `share` of their difference in common. */
function drawn(share: number, groupCount: number, size: number, seed: number): Residual[][] {
  const random = createRandom(seed);
  return Array.from({ length: groupCount }, () => {
    const common = random.normal() * Math.sqrt(share * DIFFERENCE);
    return Array.from({ length: size }, () => ({
      step: common + random.normal() * Math.sqrt((1 - share) * DIFFERENCE + CHANCE),
      chance: CHANCE,
    }));
  });
}

describe('GroupEffects', () => {
  it.each([0.2, 0.5, 0.8])('measures that groups have %f of their difference in common', (share) => {
    const { share: measured } = new GroupEffects(drawn(share, 200, 6, 4), DIFFERENCE);
    expect(Math.abs(measured - share)).toBeLessThan(0.12);
  });

  it('finds next to nothing in common where there is nothing', () => {
    expect(new GroupEffects(drawn(0, 200, 6, 5), DIFFERENCE).share).toBeLessThan(0.05);
  });

  it('says nothing where the members of groups differ more than those of any two', () => {
    const opposed = Array.from({ length: 200 }, () => [
      { step: 0.2, chance: CHANCE },
      { step: -0.2, chance: CHANCE },
    ]);
    const effects = new GroupEffects(opposed, DIFFERENCE);
    expect(effects.share).toBe(0);
    expect(effects.effectOf(0, null)).toEqual({ step: 0, difference: DIFFERENCE });
  });

  it('foretells a member from the others nearer than zero does, and as near as it says', () => {
    const groups = drawn(0.6, 300, 6, 6);
    const effects = new GroupEffects(groups, DIFFERENCE);
    const errors = groups.flatMap((residuals, at) =>
      residuals.map((own) => ({ own, ...effects.effectOf(at, own) })),
    );
    const squares = errors.reduce((sum, { own, step }) => sum + (own.step - step) ** 2, 0) / errors.length;
    const stated = errors.reduce((sum, { difference }) => sum + difference + CHANCE, 0) / errors.length;
    expect(squares).toBeLessThan(0.75 * (DIFFERENCE + CHANCE));
    expect(stated / squares).toBeGreaterThan(0.9);
    expect(stated / squares).toBeLessThan(1.1);
  });

  it('uses nothing of the member itself', () => {
    const rest = [
      { step: 0.1, chance: CHANCE },
      { step: 0.12, chance: CHANCE },
    ];
    const own = { step: 3, chance: CHANCE };
    const groups = [...drawn(0.6, 300, 6, 7)];
    const withOwn = new GroupEffects([...groups, [...rest, own]], DIFFERENCE);
    const without = new GroupEffects([...groups, rest], DIFFERENCE);
    const one = withOwn.effectOf(groups.length, own).step * (without.share / withOwn.share);
    expect(one).toBeGreaterThan(0);
    expect(one).toBeLessThan(0.12);
  });

  it('leaves a member without others as it was', () => {
    const own = { step: 0.3, chance: CHANCE };
    const { step, difference } = new GroupEffects([[own]], DIFFERENCE).effectOf(0, own);
    expect(step).toBe(0);
    expect(difference).toBeCloseTo(DIFFERENCE, 12);
  });
});
