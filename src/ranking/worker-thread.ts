// The thread's own entry: the one file of this room whose loading does work. `worker.ts` starts it.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { PolicyBook } from '../core/policy.ts';
import { sayingLogger, toThreadFailure } from '../core/thread-messages.ts';
import { openDatabase } from '../store/database.ts';
import { Handover, piecesOf } from './handover.ts';
import { HOST_PACE } from './live-rankings.ts';
import { callByName, RankingWork } from './ranking-work.ts';
import type { FromRankingThread, RankingWorkerData, ToRankingThread } from './worker.ts';

function serve(port: MessagePort, { connection, policies, halfLifeMs }: RankingWorkerData): void {
  const handover = new Handover<FromRankingThread>((message) =>
    port.postMessage(message, buffersOf(message)),
  );
  const logger = sayingLogger((line) => handover.say(line));
  let opening: Promise<RankingWork> | null = null;
  const open = async (): Promise<RankingWork> => {
    const db = await openDatabase({ ...connection, logger });
    const book = new PolicyBook(policies.settings, policies.table);
    return new RankingWork({ db, clock: Date.now, logger, policies: book, halfLifeMs, pace: HOST_PACE });
  };
  const answer = async (message: Exclude<ToRankingThread, { kind: 'taken' }>): Promise<void> => {
    // A store that was away is asked again by the next call.
    opening ??= open().catch((error: unknown) => {
      opening = null;
      throw error;
    });
    const work = await opening;
    work.add(message.events);
    if (message.kind === 'events') return;
    const { id } = message;
    const { value, rankings } = await callByName(work, message.name, message.task);
    for (const piece of piecesOf(rankings)) handover.say({ kind: 'piece', id, rankings: piece });
    handover.say({ kind: 'done', id, value });
  };
  port.on('message', (message: ToRankingThread) => {
    if (message.kind === 'taken') {
      handover.taken();
      return;
    }
    answer(message).catch((error: unknown) => {
      if (message.kind === 'call')
        handover.say({ kind: 'failed', id: message.id, ...toThreadFailure(error) });
    });
  });
}

/** What is handed over and not copied. */
function buffersOf(message: FromRankingThread): ArrayBuffer[] {
  const isBytes = message.kind === 'done' && message.value instanceof Uint8Array;
  return isBytes && message.value.buffer instanceof ArrayBuffer ? [message.value.buffer] : [];
}

if (parentPort !== null) serve(parentPort, workerData as RankingWorkerData);
