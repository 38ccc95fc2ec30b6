import { Worker } from 'node:worker_threads';
import { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { PolicyParts } from '../core/policy.ts';
import type { UseCaseRanking } from '../core/snapshot.ts';
import { fromThreadFailure, type ThreadFailure, type ThreadLogLine } from '../core/thread-messages.ts';
import type { DatabaseConnection } from '../store/database.ts';
import type { LiveEvent } from './live-entries.ts';
import type { RankerConfig } from './model-ranker.ts';
import type { RankingAnswer, RankingCalls, RankingPlace, RankingTask } from './ranking-work.ts';

/** All that the thread needs to begin: plain data, since it has its own modules and its own connection. */
export interface RankingWorkerData {
  readonly connection: DatabaseConnection;
  readonly policies: PolicyParts;
  readonly halfLifeMs: number | null;
  /** The rest of the ranker's settings, for whoever answers there. */
  readonly config: ThreadRankerConfig;
}

export type ThreadRankerConfig = Pick<RankerConfig, 'timeframe' | 'halfLife' | 'defaultModel'>;

export type ToRankingThread =
  | { readonly kind: 'taken' }
  | { readonly kind: 'events'; readonly events: readonly LiveEvent[] }
  | ({ readonly kind: 'call'; readonly id: number; readonly events: readonly LiveEvent[] } & RankingCall)
  /** Beside the calls: what the thread's own entry knows to answer. */
  | { readonly kind: 'ask'; readonly id: number; readonly question: string; readonly task: unknown };

/** One call, its task with its name. */
type RankingCall = {
  [Name in keyof RankingCalls]: { readonly name: Name; readonly task: RankingTask<Name> };
}[keyof RankingCalls];

export type FromRankingThread =
  | ThreadLogLine
  /** Some of the rankings of an answer. */
  | { readonly kind: 'piece'; readonly id: number; readonly rankings: readonly UseCaseRanking[] }
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | ({ readonly kind: 'failed'; readonly id: number } & ThreadFailure);

interface Pending {
  readonly rankings: UseCaseRanking[];
  readonly resolve: (answer: RankingAnswer<unknown>) => void;
  readonly reject: (error: TallyrankError) => void;
}

export interface RankingWorkerOptions extends RankingWorkerData {
  readonly logger: Logger;
  /** The thread's module: one that calls `serveRankings`. */
  readonly entry?: URL | undefined;
}

/**
 * Work in a thread of its own, started by the first call and kept. Answers come in pieces, one per turn of this
 * thread's event loop. A thread that dies fails the calls under way, and the next call starts another one, which
 * follows the store; what was counted since the last publication counts again from the next one on. The thread's entry
 * may answer questions of its own beside ({@link ask}).
 */
export class RankingWorker implements RankingPlace {
  readonly #options: RankingWorkerOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #callCount = 0;
  #isClosed = false;

  constructor(options: RankingWorkerOptions) {
    this.#options = options;
  }

  /** @throws {TallyrankError} what the call threw; `internal` when the thread died; `shutting_down` once closed */
  call<Name extends keyof RankingCalls>(
    name: Name,
    task: RankingTask<Name>,
    events: readonly LiveEvent[],
  ): ReturnType<RankingCalls[Name]> {
    const answer = this.#post((id) => ({ kind: 'call', id, name, task, events }) as ToRankingThread);
    return answer as ReturnType<RankingCalls[Name]>;
  }

  /**
   * Asks what the thread's entry answers beside the calls.
   *
   * @returns the answer's JSON, UTF-8: handed over, not copied
   * @throws {TallyrankError} as {@link call}
   */
  async ask(question: string, task: unknown): Promise<Uint8Array> {
    return (await this.#post((id) => ({ kind: 'ask', id, question, task }))).value as Uint8Array;
  }

  #post(message: (id: number) => ToRankingThread): Promise<RankingAnswer<unknown>> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw closed();
      const worker = this.#running();
      const id = this.#callCount++;
      this.#pending.set(id, { rankings: [], resolve, reject });
      // Only while somebody waits for an answer does the thread keep the process alive.
      worker.ref();
      worker.postMessage(message(id));
    });
  }

  add(events: readonly LiveEvent[]): void {
    if (this.#isClosed || events.length === 0) return;
    this.#running().postMessage({ kind: 'events', events } satisfies ToRankingThread);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker;
    this.#worker = null;
    this.#fail(closed());
    await worker?.terminate();
  }

  #running(): Worker {
    if (this.#worker !== null) return this.#worker;
    const { connection, policies, halfLifeMs, config, entry } = this.#options;
    const worker = new Worker(entry ?? new URL('./worker-thread.js', import.meta.url), {
      workerData: { connection, policies, halfLifeMs, config } satisfies RankingWorkerData,
      name: 'ranking',
    });
    worker.unref();
    worker.on('message', (message: FromRankingThread) => {
      this.#take(message);
      // After whatever else waits in this turn.
      setImmediate(() => worker.postMessage({ kind: 'taken' } satisfies ToRankingThread));
    });
    const end = (cause: unknown): void => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      const error = new TallyrankError(
        'internal',
        'The ranking thread ended; the log has the details. The next call starts it anew.',
        { cause },
      );
      this.#options.logger.error({ err: cause }, 'The ranking thread ended; the next call starts it anew.');
      this.#fail(error);
    };
    worker.on('error', end);
    worker.on('exit', (exitCode) => end(new Error(`exit code ${exitCode}`)));
    this.#worker = worker;
    return worker;
  }

  #take(message: FromRankingThread): void {
    if (message.kind === 'log') {
      this.#options.logger[message.level](message.fields, message.message);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if (message.kind === 'piece') {
      pending.rankings.push(...message.rankings);
      return;
    }
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#worker?.unref();
    if (message.kind === 'done') pending.resolve({ value: message.value, rankings: pending.rankings });
    else pending.reject(fromThreadFailure(message));
  }

  #fail(error: TallyrankError): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

function closed(): TallyrankError {
  return new TallyrankError('shutting_down', 'The rankings were closed.');
}
