import { describe, expect, it } from 'vitest';
import { TallyrankError } from '../core/errors.ts';
import { ConcurrencyLimit } from './concurrency.ts';

const NEVER = new AbortController().signal;

function limitOf(maxConcurrent: number, queueMax: number, queueWaitMs = 60_000): ConcurrencyLimit {
  return new ConcurrencyLimit({ provider: 'p', maxConcurrent, queueMax, queueWaitMs });
}

describe('ConcurrencyLimit', () => {
  it('lets so many in and the others in their order', async () => {
    const limit = limitOf(1, 2);
    await limit.enter(NEVER);
    const order: string[] = [];
    const first = limit.enter(NEVER).then(() => order.push('first'));
    const second = limit.enter(NEVER).then(() => order.push('second'));
    expect([limit.runningCount, limit.waitingCount]).toEqual([1, 2]);
    limit.leave();
    await first;
    limit.leave();
    await second;
    limit.leave();
    expect(order).toEqual(['first', 'second']);
    expect([limit.runningCount, limit.waitingCount]).toEqual([0, 0]);
  });

  it('refuses whom the queue has no room for', async () => {
    const limit = limitOf(1, 0);
    await limit.enter(NEVER);
    await expect(limit.enter(NEVER)).rejects.toMatchObject({ code: 'provider_busy', fault: 'self' });
    limit.leave();
    await limit.enter(NEVER);
  });

  it('gives up on a wait that is too long, and hands the place to the next', async () => {
    const limit = limitOf(1, 5, 1);
    await limit.enter(NEVER);
    await expect(limit.enter(NEVER)).rejects.toMatchObject({ code: 'provider_busy' });
    expect(limit.waitingCount).toBe(0);
    limit.leave();
    expect(limit.runningCount).toBe(0);
  });

  it('forgets a caller that leaves while it waits', async () => {
    const limit = limitOf(1, 5);
    await limit.enter(NEVER);
    const leaving = new AbortController();
    const waiting = limit.enter(leaving.signal);
    leaving.abort(new TallyrankError('caller_cancelled', 'gone'));
    await expect(waiting).rejects.toMatchObject({ code: 'caller_cancelled' });
    await expect(limit.enter(leaving.signal)).rejects.toMatchObject({ code: 'caller_cancelled' });
    limit.leave();
    expect([limit.runningCount, limit.waitingCount]).toEqual([0, 0]);
  });
});
