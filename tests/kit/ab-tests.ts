import type { AbTest } from '../../src/core/ab-test.ts';

/** A running A/B test of two equal arms, "now" and "new", with defaults for all that a test does not care about. */
export function abTestOf(given: Partial<AbTest> = {}): AbTest {
  return {
    name: 'new-model',
    useCases: [],
    arms: [
      { name: 'now', model: null, policy: 'auto', weight: 0.5 },
      { name: 'new', model: 'x:new', policy: null, weight: 0.5 },
    ],
    share: 1,
    startsAtMs: 0,
    endsAtMs: null,
    metric: 'success',
    margin: null,
    stickyBy: 'user',
    stoppedAtMs: null,
    createdAtMs: 0,
    createdBy: 'api',
    ...given,
  };
}
