// The thread's own entry: the one file of this room whose loading does work. `worker.ts` starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { sayingLogger, toThreadFailure } from '../core/thread-messages.ts';
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
    say({ kind: 'failed', ...toThreadFailure(error) });
  } finally {
    parentPort?.close();
  }
}

if (parentPort !== null) {
  const port = parentPort;
  void run(workerData as WorkerTask, (answer) => port.postMessage(answer));
}
