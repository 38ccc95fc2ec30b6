import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../../stats/random.ts';
import { computeDrift, FALSE_ALARM_RATE, type MixBucket } from './drift.ts';

const SLUGS = ['food', 'code', 'travel', 'poems', 'mail', 'other'];
const SHARES = [0.35, 0.25, 0.15, 0.1, 0.1, 0.05];

function draw(random: Random, shares: readonly number[]): string {
  let left = random.next();
  for (const [at, share] of shares.entries()) {
    left -= share;
    if (left < 0) return SLUGS[at] ?? 'other';
  }
  return 'other';
}

/** A week of seven days; each session asks `burst` times for the same use case. */
function week(random: Random, shares: readonly number[], perDay: number, burst: number): MixBucket[] {
  return Array.from({ length: 7 }, () => {
    const counts = new Map<string, number>();
    for (let session = 0; session < perDay / burst; session++) {
      const useCase = draw(random, shares);
      counts.set(useCase, (counts.get(useCase) ?? 0) + burst);
    }
    return { counts };
  });
}

function alarmRate(rounds: number, burst: number, after: readonly number[]): number {
  const random = createRandom(11);
  let alarmCount = 0;
  for (let round = 0; round < rounds; round++) {
    const drift = computeDrift(week(random, SHARES, 120, burst), week(random, after, 120, burst));
    if (drift.isAlarm === true) alarmCount++;
  }
  return alarmCount / rounds;
}

describe('computeDrift', () => {
  it('cries wolf no more often than it says, with independent requests', () => {
    expect(alarmRate(1_000, 1, SHARES)).toBeLessThanOrEqual(FALSE_ALARM_RATE + 0.008);
  });

  it('cries wolf no more often than it says, with sessions of ten equal requests', () => {
    expect(alarmRate(1_000, 10, SHARES)).toBeLessThanOrEqual(FALSE_ALARM_RATE + 0.008);
  });

  it('notices ten points that moved among 840 requests, mostly', () => {
    expect(alarmRate(200, 1, [0.25, 0.35, 0.15, 0.1, 0.1, 0.05])).toBeGreaterThan(0.7);
  });

  it('says what changed, the largest change first', () => {
    const random = createRandom(3);
    const drift = computeDrift(
      week(random, SHARES, 400, 1),
      week(random, [0.15, 0.25, 0.35, 0.1, 0.1, 0.05], 400, 1),
    );
    expect(drift).toMatchObject({ isAlarm: true, note: null, requestCount: 2_800 });
    expect(drift.pValue).toBeLessThan(1e-6);
    expect(
      drift.useCases
        .slice(0, 2)
        .map(({ useCase }) => useCase)
        .sort(),
    ).toEqual(['food', 'travel']);
    expect(drift.useCases.filter(({ isSignificant }) => isSignificant)).toHaveLength(2);
  });

  it('does not call a sure but tiny change an alarm', () => {
    const many = (food: number): MixBucket[] =>
      Array.from({ length: 7 }, () => ({
        counts: new Map([
          ['food', food],
          ['code', 1_000_000 - food],
        ]),
      }));
    expect(computeDrift(many(500_000), many(510_000))).toMatchObject({ isAlarm: false });
  });

  it('says nothing of windows with too little in them', () => {
    const random = createRandom(3);
    expect(computeDrift([], week(random, SHARES, 100, 1))).toMatchObject({ isAlarm: null, pValue: null });
    const day = week(random, SHARES, 700, 1).slice(0, 1);
    expect(computeDrift(day, day).note).toMatch(/longer window/);
  });
});
