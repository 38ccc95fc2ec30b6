import { Worker } from 'node:worker_threads';
import { TallyrankError } from '../core/errors.ts';
import type { Logger, Progress } from '../core/log.ts';
import { fromThreadFailure, type ThreadFailure, type ThreadLogLine } from '../core/thread-messages.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { DatabaseConnection } from '../store/database.ts';
import type { DiscoveryRun } from '../store/queries/discovery-runs.ts';
import type { EmbedderChoice } from './embedders/open-embedder.ts';
import type { CompletionChoice } from './naming/complete-chat.ts';

/** All that a thread needs: plain data, since it has its own modules and its own connection. */
export interface DiscoveryTask {
  readonly connection: DatabaseConnection;
  readonly embedder: EmbedderChoice;
  /** The chat model that words names; left out: words alone do. */
  readonly namingModel?: CompletionChoice | undefined;
  readonly timeframe: Timeframe;
  readonly seed: number;
  readonly sampleMax?: number | undefined;
}

/** The operator's edits for the current run: relabelling, and a classifier where it has to learn again. */
export type EditsTask = Omit<DiscoveryTask, 'embedder' | 'namingModel' | 'timeframe'>;

export type WorkerTask =
  | ({ readonly kind: 'discover' } & DiscoveryTask)
  | ({ readonly kind: 'apply-edits' } & EditsTask);

export type WorkerAnswer =
  | { readonly kind: 'progress'; readonly step: string; readonly done: number; readonly total: number | null }
  | ThreadLogLine
  | { readonly kind: 'done'; readonly run: DiscoveryRun | null }
  | ({ readonly kind: 'failed' } & ThreadFailure);

/** A thread that was told to stop and does not is ended: it may be inside a long computation. */
const STOP_MAX_MS = 5_000;

interface WatchOptions {
  readonly logger?: Logger | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

/**
 * Runs the pipeline in a worker thread, so that the process's event loop stays free.
 *
 * @throws {TallyrankError} what the pipeline threw; `cancelled` when `signal` fired; `internal` when the thread died
 */
export async function runDiscoveryInWorker(
  task: DiscoveryTask,
  options: WatchOptions = {},
): Promise<DiscoveryRun | null> {
  return await runInWorker({ kind: 'discover', ...task }, options);
}

/** `applyEdits` in a worker thread; throws as {@link runDiscoveryInWorker} does. */
export async function applyEditsInWorker(
  task: EditsTask,
  options: WatchOptions = {},
): Promise<DiscoveryRun | null> {
  return await runInWorker({ kind: 'apply-edits', ...task }, options);
}

async function runInWorker(
  task: WorkerTask,
  { logger, signal, onProgress }: WatchOptions,
): Promise<DiscoveryRun | null> {
  if (signal?.aborted) throw cancelled();
  const worker = new Worker(new URL('./worker-thread.js', import.meta.url), {
    workerData: task,
    name: 'discovery',
  });
  let stopTimer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    worker.postMessage('stop');
    stopTimer = setTimeout(() => void worker.terminate(), STOP_MAX_MS);
  };
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<DiscoveryRun | null>((resolve, reject) => {
      worker.on('message', (answer: WorkerAnswer) => {
        if (answer.kind === 'progress') onProgress?.(answer.step, answer.done, answer.total);
        else if (answer.kind === 'log') logger?.[answer.level](answer.fields, answer.message);
        else if (answer.kind === 'done') resolve(answer.run);
        else reject(fromThreadFailure(answer));
      });
      worker.on('error', (cause) =>
        reject(
          new TallyrankError('internal', 'The discovery thread failed; the log has the details.', { cause }),
        ),
      );
      // After `done` or `failed` this settles nothing any more.
      worker.on('exit', () =>
        reject(
          signal?.aborted
            ? cancelled()
            : new TallyrankError('internal', 'The discovery thread ended without an answer.'),
        ),
      );
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    clearTimeout(stopTimer);
  }
}

function cancelled(): TallyrankError {
  return new TallyrankError('cancelled', 'The discovery run was cancelled.');
}
