import type { MessagePort } from 'node:worker_threads';
import type { Logger } from '../core/log.ts';
import { PolicyBook } from '../core/policy.ts';
import { sayingLogger, toThreadFailure } from '../core/thread-messages.ts';
import type { Database } from '../store/database.ts';
import { openDatabase } from '../store/database.ts';
import { Handover, piecesOf } from './handover.ts';
import { HOST_PACE } from './live-rankings.ts';
import type { RankerConfig } from './model-ranker.ts';
import { callByName, RankingHere, type RankingPlace, RankingWork } from './ranking-work.ts';
import type { FromRankingThread, RankingWorkerData, ToRankingThread } from './worker.ts';

/** What a thread has for answering more than the calls of rankings. */
export interface ThreadRooms {
  readonly db: Database;
  readonly logger: Logger;
  readonly config: RankerConfig;
  /** The same work that the calls are done by: what was counted in memory is in it. */
  readonly place: RankingPlace;
}

/** Answers what was asked by name, as plain data that JSON can carry. */
export type QuestionDesk = (question: string, task: unknown) => Promise<unknown>;

interface Opened {
  readonly work: RankingWork;
  readonly desk: QuestionDesk | null;
}

/**
 * Serves a {@link RankingWorker} from within its thread, for as long as that lives.
 *
 * @param openDesk  answers what is asked beside rankings; without it nothing is
 */
export function serveRankings(
  port: MessagePort,
  data: RankingWorkerData,
  openDesk?: (rooms: ThreadRooms) => QuestionDesk,
): void {
  const handover = new Handover<FromRankingThread>((message) =>
    port.postMessage(message, buffersOf(message)),
  );
  const logger = sayingLogger((line) => handover.say(line));
  let opening: Promise<Opened> | null = null;
  const open = async (): Promise<Opened> => {
    const { connection, halfLifeMs, config } = data;
    const db = await openDatabase({ ...connection, logger });
    const policies = new PolicyBook(data.policies.settings, data.policies.table);
    const clock = Date.now;
    const work = new RankingWork({ db, clock, logger, policies, halfLifeMs, pace: HOST_PACE });
    const rooms = { db, logger, config: { ...config, policies }, place: new RankingHere(work) };
    return { work, desk: openDesk?.(rooms) ?? null };
  };
  const answer = async (message: Exclude<ToRankingThread, { kind: 'taken' }>): Promise<void> => {
    // A store that was away is asked again by the next call.
    opening ??= open().catch((error: unknown) => {
      opening = null;
      throw error;
    });
    const { work, desk } = await opening;
    if (message.kind === 'ask') {
      const { id, question, task } = message;
      if (desk === null) throw new RangeError(`This thread answers no "${question}"`);
      const value = new TextEncoder().encode(JSON.stringify(await desk(question, task)));
      handover.say({ kind: 'done', id, value });
      return;
    }
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
      if (message.kind !== 'events')
        handover.say({ kind: 'failed', id: message.id, ...toThreadFailure(error) });
    });
  });
}

/** What is handed over and not copied. */
function buffersOf(message: FromRankingThread): ArrayBuffer[] {
  const isBytes = message.kind === 'done' && message.value instanceof Uint8Array;
  return isBytes && message.value.buffer instanceof ArrayBuffer ? [message.value.buffer] : [];
}
