import { describe, expect, it } from 'vitest';
import { abortSignalOf, Cancellation } from './cancellation.ts';

const REASON = new Error('gone');

function listener(told: string[], name: string, also?: () => void) {
  return {
    handleEvent: () => {
      told.push(name);
      also?.();
    },
  };
}

describe('Cancellation', () => {
  it('tells every listener once, and knows its first reason', () => {
    const told: string[] = [];
    const cancellation = new Cancellation();
    const one = listener(told, 'one');
    cancellation.addEventListener('abort', one);
    cancellation.addEventListener('abort', one);
    cancellation.addEventListener('abort', listener(told, 'two'));
    expect([cancellation.aborted, cancellation.reason]).toEqual([false, undefined]);
    cancellation.abort(REASON);
    cancellation.abort(new Error('again'));
    expect(told).toEqual(['one', 'two']);
    expect([cancellation.aborted, cancellation.reason]).toEqual([true, REASON]);
  });

  it('leaves out those that have left, also while it tells', () => {
    const told: string[] = [];
    const cancellation = new Cancellation();
    const gone = listener(told, 'gone');
    const leaving: ReturnType<typeof listener> = listener(told, 'leaving', () =>
      cancellation.removeEventListener('abort', leaving),
    );
    cancellation.addEventListener('abort', gone);
    cancellation.addEventListener('abort', leaving);
    cancellation.addEventListener('abort', listener(told, 'last'));
    cancellation.removeEventListener('abort', gone);
    cancellation.removeEventListener('abort', gone);
    cancellation.abort(REASON);
    expect(told).toEqual(['leaving', 'last']);
  });

  it('becomes an AbortSignal where one is needed, before and after', () => {
    const cancellation = new Cancellation();
    const before = abortSignalOf(cancellation);
    expect(before.aborted).toBe(false);
    cancellation.abort(REASON);
    for (const signal of [before, abortSignalOf(cancellation)]) {
      expect([signal.aborted, signal.reason]).toEqual([true, REASON]);
    }
    const own = new AbortController().signal;
    expect(abortSignalOf(own)).toBe(own);
  });
});
