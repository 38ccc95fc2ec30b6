import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { rankedModel } from '../../tests/kit/ranked-model.ts';
import type { UseCaseRanking } from '../core/snapshot.ts';
import { Handover, piecesOf } from './handover.ts';

const PART = { value: 0.5, low: 0.4, high: 0.6, sampleCount: 9, isAssumed: false };
const PARTS = { success: PART, speed: PART, cost: PART, quality: PART };

function ranking(at: number, modelCount: number): UseCaseRanking {
  const models = Array.from({ length: modelCount }, (_, model) => rankedModel(`p:model-${model}`, PARTS));
  return { useCase: `use-case-${at}`, requestCount: at, models };
}

describe('rankings in pieces', () => {
  it('are whole use cases, in order, few models at a time', () => {
    const rankings = Array.from({ length: 40 }, (_, at) => ranking(at, 25));
    const pieces = piecesOf(rankings);
    expect(pieces.flat()).toEqual(rankings);
    for (const piece of pieces) expect(piece.length).toBe(2);
  });

  it('leave a use case whole that is larger than a piece, and are none where there are none', () => {
    const [small, large] = [ranking(0, 3), ranking(1, 500)];
    expect(piecesOf([small, large, small])).toEqual([[small], [large], [small]]);
    expect(piecesOf([])).toEqual([]);
  });
});

describe('Handover', () => {
  it('lets the event loop of the receiver turn between two messages', async () => {
    const { port1: sender, port2: receiver } = new MessageChannel();
    const handover = new Handover<number>((message) => sender.postMessage(message));
    sender.on('message', () => handover.taken());
    const turnOfMessage = new Map<number, number>();
    let turn = 0;
    let isDone = false;
    const spin = (): void => {
      turn++;
      if (!isDone) setImmediate(spin);
    };
    setImmediate(spin);
    await new Promise<void>((resolve) => {
      receiver.on('message', (message: number) => {
        turnOfMessage.set(message, turn);
        setImmediate(() => receiver.postMessage('taken'));
        if (message === 49) resolve();
      });
      for (let message = 0; message < 50; message++) handover.say(message);
    });
    isDone = true;
    sender.close();
    expect([...turnOfMessage.keys()]).toEqual(Array.from({ length: 50 }, (_, at) => at));
    expect(new Set(turnOfMessage.values()).size).toBe(50);
  });

  it('goes on when it was idle', () => {
    const posted: string[] = [];
    const handover = new Handover<string>((message) => posted.push(message));
    handover.say('one');
    handover.say('two');
    expect(posted).toEqual(['one']);
    handover.taken();
    handover.taken();
    handover.say('three');
    expect(posted).toEqual(['one', 'two', 'three']);
  });
});
