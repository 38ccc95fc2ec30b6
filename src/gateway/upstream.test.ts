import type { Dispatcher } from 'undici';
import { describe, expect, it } from 'vitest';
import { UpstreamAnswer } from './upstream.ts';

/** A connection that notes when it is told to pause and to go on. */
class NotingController {
  readonly told: string[] = [];
  pause(): void {
    this.told.push('pause');
  }
  resume(): void {
    this.told.push('resume');
  }
  abort(): void {
    this.told.push('abort');
  }
}

function openStream() {
  const noting = new NotingController();
  const controller = noting as unknown as Dispatcher.DispatchController;
  const cancellation = new AbortController();
  const answer = new UpstreamAnswer(
    {
      provider: 'p',
      origin: 'http://127.0.0.1',
      path: '/',
      method: 'POST',
      headers: {},
      body: null,
      isStream: true,
      signal: cancellation.signal,
    },
    {
      connectMs: 60_000,
      firstTokenMs: 60_000,
      idleMs: 60_000,
      totalMs: 60_000,
      answerMaxBytes: 1e9,
      connectionsMax: 1,
    },
  );
  answer.onRequestStart(controller);
  answer.onResponseStart(controller, 200, {});
  return { answer, controller, told: noting.told };
}

const READ = Buffer.alloc(64 * 1024);

describe('UpstreamAnswer', () => {
  it('holds no more than one read of the socket while nobody takes it, and goes on once it is taken', async () => {
    const { answer, controller, told } = openStream();
    answer.onResponseData(controller, READ.subarray(1));
    expect(told).toEqual([]);
    answer.onResponseData(controller, READ.subarray(-1));
    expect(told).toEqual(['pause']);
    const reader = answer[Symbol.asyncIterator]();
    expect((await reader.next()).value).toHaveLength(READ.length - 1);
    expect(told).toEqual(['pause', 'resume']);
    expect((await reader.next()).value).toHaveLength(1);
    answer.onResponseEnd();
    expect((await reader.next()).done).toBe(true);
  });

  it('never pauses a provider whose pieces are taken as they come', async () => {
    const { answer, controller, told } = openStream();
    const reader = answer[Symbol.asyncIterator]();
    for (let at = 0; at < 100; at++) {
      const next = reader.next();
      answer.onResponseData(controller, READ.subarray(0, 40_000));
      expect((await next).value).toHaveLength(40_000);
    }
    answer.onResponseEnd();
    expect((await reader.next()).done).toBe(true);
    expect(told).toEqual([]);
  });
});
