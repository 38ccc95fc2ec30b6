import { describe, expect, it } from 'vitest';
import { registryOf, rowOf, snapshotOf } from '../../tests/kit/routing-models.ts';
import type { RankedModel } from '../core/snapshot.ts';
import { Exploration } from './exploration.ts';
import { RoutingEngine, type RoutingEngineOptions } from './routing-engine.ts';
import { SnapshotHolder } from './snapshot-holder.ts';
import { StickySessions } from './sticky-sessions.ts';

const COSTS = { 'x:a': 0, 'x:b': 0, 'x:c': 0 };
const IN_SESSION = { content: 'coffee?', sessionId: 's1' };

/** Quality weighs a tenth: 0.1 of it is one point. `b` leads by the second. */
const BEFORE = [rowOf('x:a', { quality: 0.9, spread: 0.01 }), rowOf('x:b', { quality: 0.89, spread: 0.01 })];
const withB = (qualityOfB: number): readonly RankedModel[] => [
  rowOf('x:a', { quality: 0.9, spread: 0.01 }),
  rowOf('x:b', { quality: qualityOfB, spread: 0.01 }),
];

function open(options: RoutingEngineOptions = {}, away = new Set<string>()) {
  const snapshots = new SnapshotHolder(snapshotOf(BEFORE));
  const clock = { nowMs: 1_000_000 };
  const router = new RoutingEngine(registryOf(COSTS, away), {
    snapshots,
    exploration: new Exploration(0),
    clock: () => clock.nowMs,
    sessions: { switchMargin: 0.2, idleMs: 600_000 },
    ...options,
  });
  return { router, snapshots, clock, away };
}

describe('a sticky session', () => {
  it('stays with its model over a new snapshot while another is better by less than the margin, and says so', async () => {
    const { router, snapshots } = open();
    expect((await router.route(IN_SESSION)).modelIds[0]).toBe('x:a');
    snapshots.replace(snapshotOf(withB(0.91)));
    const decision = await router.route(IN_SESSION);
    expect(decision).toMatchObject({ cause: 'session', propensity: 1, isExploration: false });
    expect(decision.modelIds.slice(0, 2)).toEqual(['x:a', 'x:b']);
    expect(decision.reason).toBe(
      'The session stays with x:a: x:b scores 0.1 points more (changes over at 0.2).',
    );
    expect((await router.route({ ...IN_SESSION, sessionId: 's2' })).modelIds[0]).toBe('x:b');
    expect((await router.route({ content: 'coffee?' })).modelIds[0]).toBe('x:b');
  });

  it('changes over where another is better by the margin, and then stays there', async () => {
    const { router, snapshots } = open();
    await router.route(IN_SESSION);
    snapshots.replace(snapshotOf(withB(0.94)));
    const decision = await router.route(IN_SESSION);
    expect(decision).toMatchObject({ cause: 'ranking', propensity: 1 });
    expect(decision.reason).toContain('The session leaves x:a, which scores 0.4 points less');
    snapshots.replace(snapshotOf(BEFORE));
    expect((await router.route(IN_SESSION)).modelIds[0]).toBe('x:b');
  });

  it('says that it decided where chance might have, and only there', async () => {
    const causes = async (options: RoutingEngineOptions): Promise<unknown> => {
      const { router, snapshots } = open({ random: { next: () => 0 }, ...options });
      const first = await router.route(IN_SESSION);
      const later = await router.route(IN_SESSION);
      snapshots.replace(snapshotOf(withB(0.94)));
      const changed = await router.route(IN_SESSION);
      expect([later.propensity, changed.propensity, changed.modelIds[0]]).toEqual([1, 1, 'x:b']);
      return [first, later, changed].map(({ cause }) => cause);
    };
    expect(await causes({ exploration: new Exploration(0) })).toEqual(['ranking', 'ranking', 'ranking']);
    const uniform = new Exploration({ method: 'uniform', share: 0.3 });
    expect(await causes({ exploration: uniform })).toEqual(['ranking', 'session', 'session']);
  });

  it('is free again after the idle time', async () => {
    const { router, snapshots, clock } = open();
    await router.route(IN_SESSION);
    snapshots.replace(snapshotOf(withB(0.91)));
    clock.nowMs += 599_999;
    expect((await router.route(IN_SESSION)).modelIds[0]).toBe('x:a');
    clock.nowMs += 600_000;
    expect((await router.route(IN_SESSION)).modelIds[0]).toBe('x:b');
  });

  it('leaves a model that is no candidate any more, is away, or cannot do what is asked', async () => {
    const first = open();
    await first.router.route(IN_SESSION);
    const failing = rowOf('x:a', { quality: 0.9, spread: 0.01, success: 0.5 });
    first.snapshots.replace(snapshotOf([failing, ...withB(0.88).slice(1)]));
    const decision = await first.router.route(IN_SESSION);
    expect(decision.modelIds[0]).toBe('x:b');
    expect(decision.reason).toContain('is no candidate here');
    const second = open();
    await second.router.route(IN_SESSION);
    second.snapshots.replace(snapshotOf(withB(0.91)));
    second.away.add('x:a');
    expect(await second.router.route(IN_SESSION)).toMatchObject({
      modelIds: expect.arrayContaining(['x:b']),
    });
    expect((await second.router.route(IN_SESSION)).modelIds[0]).toBe('x:b');
  });

  it('keeps its model on day zero too', async () => {
    const { router, snapshots, away } = open({}, new Set(['x:a']));
    snapshots.replace(snapshotOf([]));
    expect((await router.route(IN_SESSION)).modelIds[0]).toBe('x:b');
    away.delete('x:a');
    expect(await router.route(IN_SESSION)).toMatchObject({ cause: 'session', propensity: 1 });
    expect((await router.route({ content: 'coffee?' })).modelIds[0]).toBe('x:a');
  });

  it('is never explored in its midst, also where it changes over', async () => {
    const exploration = new Exploration({ share: 1, budgetUsdPerDay: null });
    const { router, snapshots } = open({ exploration, random: { next: () => 0 } });
    await router.route(IN_SESSION);
    snapshots.replace(snapshotOf(withB(0.94)));
    expect((await router.route(IN_SESSION)).propensity).toBe(1);
    expect((await router.route({ content: 'coffee?' })).propensity).toBeLessThan(1);
  });

  it('has no say over a model by name or by rule, and these none over it', async () => {
    const { router } = open();
    await router.route(IN_SESSION);
    expect(await router.route({ ...IN_SESSION, model: 'x:c' })).toMatchObject({ cause: 'explicit' });
    router.addRule(
      'c',
      100,
      ({ userId }) => userId === 'anna',
      () => 'x:c',
    );
    expect(await router.route({ ...IN_SESSION, userId: 'anna' })).toMatchObject({ cause: 'rule' });
    expect((await router.route(IN_SESSION)).modelIds[0]).toBe('x:a');
  });

  it('is another one for another preset, and none where sessions are not sticky', async () => {
    const { router, snapshots } = open();
    await router.route(IN_SESSION);
    snapshots.replace(snapshotOf(withB(0.91)));
    expect((await router.route({ ...IN_SESSION, model: 'auto:best' })).cause).toBe('ranking');
    const loose = open({ sessions: { idleMs: 0 } });
    await loose.router.route(IN_SESSION);
    loose.snapshots.replace(snapshotOf(withB(0.91)));
    expect((await loose.router.route(IN_SESSION)).modelIds[0]).toBe('x:b');
  });

  it('is not touched by an explanation', async () => {
    const { router, snapshots } = open();
    await router.explain(IN_SESSION);
    snapshots.replace(snapshotOf(withB(0.91)));
    expect((await router.explain(IN_SESSION)).modelIds[0]).toBe('x:b');
    await router.route(IN_SESSION);
    snapshots.replace(snapshotOf(BEFORE));
    expect((await router.explain(IN_SESSION)).cause).toBe('session');
  });
});

describe('StickySessions', () => {
  it('remembers a bounded number, and those in use longer', () => {
    const sessions = new StickySessions({}, { sessionsMax: 4 });
    const given = { modelId: 'x:a', policy: 'auto' };
    for (let at = 0; at < 100; at++) {
      sessions.note(`s${at}`, given, 1_000);
      sessions.note('used', given, 1_000);
      expect(sessions.size).toBeLessThanOrEqual(4);
    }
    expect(sessions.modelOf('used', 'auto', 1_001)).toBe('x:a');
    expect(sessions.modelOf('s99', 'auto', 1_001)).toBe('x:a');
    expect(sessions.modelOf('s50', 'auto', 1_001)).toBeNull();
  });

  it('refuses a negative margin or time', () => {
    expect(() => new StickySessions({ switchMargin: -1 })).toThrow(RangeError);
    expect(() => new StickySessions({ idleMs: Number.NaN })).toThrow(RangeError);
  });
});
