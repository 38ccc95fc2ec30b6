import { describe, expect, it } from 'vitest';
import type { AbTest, AbTestRequest } from './ab-test.ts';
import { abEndMsOf, abStatusOf, abTestsOverlap, planAbTest } from './ab-test.ts';
import { TallyrankError } from './errors.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12);

const plan = (given: Partial<AbTestRequest> = {}): AbTest =>
  planAbTest(
    {
      name: 'new-model',
      arms: [
        { name: 'now', policy: 'auto' },
        { name: 'new', model: 'gpt-4o' },
      ],
      ...given,
    },
    { nowMs: NOW_MS, createdBy: 'api', modelIdOf: (model) => `openai:${model}` },
  );

const arms = (...targets: readonly object[]): AbTestRequest['arms'] =>
  targets.map((target, at) => ({ name: `arm-${at}`, ...target }));

describe('an A/B test that is asked for', () => {
  it('begins now, is about everything, and decides by success of users, when nothing else is said', () => {
    expect(plan()).toEqual({
      name: 'new-model',
      useCases: [],
      arms: [
        { name: 'now', model: null, policy: 'auto', weight: 0.5 },
        { name: 'new', model: 'openai:gpt-4o', policy: null, weight: 0.5 },
      ],
      share: 1,
      startsAtMs: NOW_MS,
      endsAtMs: null,
      metric: 'success',
      margin: null,
      stickyBy: 'user',
      stoppedAtMs: null,
      createdAtMs: NOW_MS,
      createdBy: 'api',
    });
  });

  it('scales the weights to parts of one', () => {
    const weighed = plan({ arms: arms({ policy: 'cheap', weight: 3 }, { model: 'a', weight: 1 }) });
    expect(weighed.arms.map(({ policy, weight }) => [policy, weight])).toEqual([
      ['auto:cheap', 0.75],
      [null, 0.25],
    ]);
  });

  it('may have two equal arms, to test the test', () => {
    expect(plan({ arms: arms({ policy: 'auto' }, { policy: 'auto' }) }).arms).toHaveLength(2);
  });

  it.each<readonly [string, Partial<AbTestRequest>]>([
    ['name', { name: '' }],
    ['name', { name: 'New Model' }],
    ['name', { name: '../x' }],
    ['name', { name: 'x'.repeat(61) }],
    ['useCases', { useCases: ['Not A Slug'] }],
    ['share', { share: 0 }],
    ['share', { share: 1.01 }],
    ['share', { share: Number.NaN }],
    ['margin', { margin: 0 }],
    ['margin', { margin: 1 }],
    ['startsAt', { startsAt: 'soon' }],
    ['startsAt', { startsAt: '2026-11-23T11:00:00Z' }],
    ['endsAt', { endsAt: '2026-11-23T12:00:00Z' }],
    ['endsAt', { startsAt: '2026-11-25T12:00:00Z', endsAt: '2026-11-24T12:00:00Z' }],
    ['arms', { arms: [] }],
    ['arms', { arms: arms({ model: 'a' }) }],
    ['arms', { arms: arms(...Array.from({ length: 9 }, (_, at) => ({ model: `m${at}` }))) }],
    ['arms', { arms: arms({}, { model: 'a' }) }],
    ['arms', { arms: arms({ model: 'a', policy: 'auto' }, { model: 'b' }) }],
    ['arms', { arms: arms({ model: 'auto:cheap' }, { model: 'b' }) }],
    ['arms', { arms: arms({ model: 'a', weight: 0 }, { model: 'b' }) }],
    ['arms', { arms: arms({ model: 'a', weight: Number.POSITIVE_INFINITY }, { model: 'b' }) }],
    ['arms', { arms: arms({ model: 'a' }, { model: 'a' }, { model: 'b' }) }],
    ['arms', { arms: arms({ name: 'same', model: 'a' }, { name: 'same', model: 'b' }) }],
    ['arms', { arms: arms({ name: 'a b', model: 'a' }, { model: 'b' }) }],
    ['model', { arms: arms({ policy: 'auto:dear' }, { model: 'b' }) }],
  ])('is refused for a fault of %s: %j', (param, given) => {
    expect(() => plan(given)).toThrow(TallyrankError);
    expect(() => plan(given)).toThrow(expect.objectContaining({ code: 'bad_request', param }));
  });
});

describe('the time of an A/B test', () => {
  const scheduled = plan({ startsAt: '2026-11-24T12:00:00Z', endsAt: '2026-11-25T12:00:00Z' });

  it('goes from scheduled to running to ended, or to stopped at any moment', () => {
    const statuses = [0, scheduled.startsAtMs - 1, scheduled.startsAtMs, scheduled.endsAtMs ?? 0];
    expect(statuses.map((nowMs) => abStatusOf(scheduled, nowMs))).toEqual([
      'scheduled',
      'scheduled',
      'running',
      'ended',
    ]);
    expect(abStatusOf({ ...scheduled, stoppedAtMs: NOW_MS }, scheduled.startsAtMs)).toBe('stopped');
    expect(abEndMsOf(plan())).toBeNull();
    expect(abEndMsOf({ ...scheduled, stoppedAtMs: scheduled.startsAtMs })).toBe(scheduled.startsAtMs);
  });

  it('overlaps with another only where use cases and moments are shared', () => {
    const coffee = plan({ useCases: ['coffee'] });
    expect(abTestsOverlap(plan(), coffee)).toBe(true);
    expect(abTestsOverlap(coffee, plan({ useCases: ['tea', 'coffee'] }))).toBe(true);
    expect(abTestsOverlap(coffee, plan({ useCases: ['tea'] }))).toBe(false);
    expect(abTestsOverlap(plan({ endsAt: '2026-11-24T12:00:00Z' }), scheduled)).toBe(false);
    expect(abTestsOverlap({ ...plan(), stoppedAtMs: NOW_MS + 1 }, scheduled)).toBe(false);
  });
});
