// Many prompts through the whole product: a store that is filled by one process, then discovery in another one, so
// that its peak memory is its own. The process prints one line of JSON.
//
//   node bench/discovery/scale.mjs fill|analyze DATA_DIR FOLDER COUNT SEED
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { openDatabase, UseCaseAnalyzer } from '../../dist/index.js';
import { createRandom } from '../../dist/stats/random.js';
import { readActiveRun } from '../../dist/store/queries/discovery-runs.js';
import { DAY_MS, endStore, FIRST_MS, insertRequests, storePid } from './log.mjs';
import { loadNow, megabytes, seconds } from './report.mjs';
import { madePrompts } from './sets.mjs';

const SELF = fileURLToPath(import.meta.url);
const IDLE_MS = 120_000;

export async function measureScale({ data, counts, seed, report }) {
  const add = report.table(
    'scale',
    'One discovery run through store and worker, first run over a log of distinct prompts',
    [
      ['distinct prompts', 'count'],
      ['from the data', 'sharedCount'],
      ['seed', 'seed'],
      ['use cases', 'useCaseCount'],
      ['time', 'seconds', seconds],
      ['CPU of discovery', 'cpuSeconds', seconds],
      ['slowest steps', 'stepText'],
      ['peak memory of discovery', 'peakMb', megabytes],
      ['of the store process', 'storePeakMb', megabytes],
      ['load', 'load'],
    ],
  );
  for (const count of counts) {
    // Short: the socket's path has to fit into a hundred bytes.
    const dataDir = mkdtempSync(join(tmpdir(), 'tb-'));
    try {
      const filled = child('fill', dataDir, { data, count, seed });
      const load = loadNow();
      add({ count, seed, load, ...filled, ...child('analyze', dataDir, { data, count, seed }) });
    } finally {
      await endStore(dataDir);
    }
  }
}

function child(task, dataDir, { data, count, seed }) {
  const run = spawnSync(process.execPath, [SELF, task, dataDir, data, String(count), String(seed)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (run.status !== 0) throw new Error(`${task} with ${count} prompts failed`);
  return JSON.parse(run.stdout);
}

async function fill(dataDir, folder, count, seed) {
  const random = createRandom(seed);
  const { texts, sharedCount } = madePrompts(folder, count, random);
  random.shuffle(texts);
  const db = await openDatabase({ dataDir, idleMs: IDLE_MS });
  const stepMs = (7 * DAY_MS) / texts.length;
  await insertRequests(
    db,
    texts.map((text, at) => ({ text, atMs: Math.floor(FIRST_MS + at * stepMs) })),
  );
  await db.close();
  return { sharedCount };
}

async function analyze(dataDir, seed) {
  const db = await openDatabase({ dataDir, idleMs: IDLE_MS });
  const toMs = FIRST_MS + 7 * DAY_MS;
  const times = new Map();
  let current = { step: 'starting', sinceMs: performance.now() };
  const onProgress = (step) => {
    if (step === current.step) return;
    const nowMs = performance.now();
    times.set(current.step, (times.get(current.step) ?? 0) + nowMs - current.sinceMs);
    current = { step, sinceMs: nowMs };
  };
  const startedMs = performance.now();
  const cpuBefore = process.cpuUsage();
  const analyzer = new UseCaseAnalyzer({ db, seed });
  const window = { from: new Date(FIRST_MS), to: new Date(toMs), label: 'the week' };
  await analyzer.analyze(window, { onProgress });
  onProgress('end');
  const cpu = process.cpuUsage(cpuBefore);
  const elapsed = (performance.now() - startedMs) / 1000;
  const run = await readActiveRun(db);
  const storePeakMb = peakMbOf(storePid(dataDir));
  await db.close();
  const slowest = [...times].sort((a, b) => b[1] - a[1]).slice(0, 4);
  return {
    distinctPromptCount: run.distinctPromptCount,
    useCaseCount: run.useCaseCount,
    seconds: elapsed,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    stepText: slowest.map(([step, ms]) => `${step} ${(ms / 1000).toFixed(1)}`).join(', '),
    // Worker threads included.
    peakMb: process.resourceUsage().maxRSS / 1024,
    storePeakMb,
  };
}

/** Largest resident size so far of another process; null where the kernel does not tell (macOS). */
function peakMbOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  } catch {
    return null;
  }
}

if (process.argv[1] === SELF) {
  const [task, dataDir, folder, count, seed] = process.argv.slice(2);
  const made =
    task === 'fill'
      ? await fill(dataDir, folder, Number(count), Number(seed))
      : await analyze(dataDir, Number(seed));
  process.stdout.write(JSON.stringify(made));
}
