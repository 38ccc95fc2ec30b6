// The thread's own entry: the one file of this room whose loading does work. `worker.ts` starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { toTallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { openDatabase } from '../store/database.ts';
import { type ApplyEditsOptions, applyEdits } from './edits/apply-edits.ts';
import { namerOf } from './naming/name-by-model.ts';
import { embedderOptions, runDiscovery } from './pipeline.ts';
import type { WorkerAnswer, WorkerTask } from './worker.ts';

/** Progress is for people: more often than this they cannot read it. */
const PROGRESS_EVERY_MS = 100;

async function run(task: WorkerTask, say: (answer: WorkerAnswer) => void): Promise<void> {
  const abort = new AbortController();
  parentPort?.on('message', () => abort.abort());
  let toldStep = '';
  let toldAtMs = 0;
  try {
    await using db = await openDatabase(task.connection);
    const common = {
      db,
      seed: task.seed,
      clock: Date.now,
      signal: abort.signal,
      sampleMax: task.sampleMax,
      onProgress: (step: string, done: number, total: number | null) => {
        const nowMs = Date.now();
        if (step === toldStep && nowMs - toldAtMs < PROGRESS_EVERY_MS) return;
        toldStep = step;
        toldAtMs = nowMs;
        say({ kind: 'progress', step, done, total });
      },
    } satisfies ApplyEditsOptions;
    const written =
      task.kind === 'apply-edits'
        ? await applyEdits(common)
        : await runDiscovery({
            ...common,
            ...(await embedderOptions(task.embedder)),
            timeframe: task.timeframe,
            nameBy: namerOf(task.namingModel, { signal: abort.signal, logger: sayingLogger(say) }),
          });
    say({ kind: 'done', run: written });
  } catch (error) {
    const { code, message } = toTallyrankError(error);
    say({
      kind: 'failed',
      code,
      message,
      detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  } finally {
    parentPort?.close();
  }
}

/** Logs by way of the thread that has the log. */
function sayingLogger(say: (answer: WorkerAnswer) => void): Logger {
  const at =
    (level: keyof Logger) =>
    (fields: object, message: string): void =>
      say({ kind: 'log', level, fields, message });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

if (parentPort !== null) {
  const port = parentPort;
  void run(workerData as WorkerTask, (answer) => port.postMessage(answer));
}
