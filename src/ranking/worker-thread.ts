// The thread's own entry: the one file of this room whose loading does work. `worker.ts` starts it.
import { parentPort, workerData } from 'node:worker_threads';
import { serveRankings } from './serve-thread.ts';
import type { RankingWorkerData } from './worker.ts';

if (parentPort !== null) serveRankings(parentPort, workerData as RankingWorkerData);
