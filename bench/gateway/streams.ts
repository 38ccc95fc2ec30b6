import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Subject } from './processes.ts';
import { cpuMsOf, rssBytesOf } from './processes.ts';
import { median } from './throughput.ts';
import { requestBody } from './traffic.ts';

/** What many open streams cost a server. */
export interface StreamCost {
  readonly name: string;
  readonly streamCount: number;
  /** The most that were open at one moment. */
  readonly openCountMax: number;
  readonly endedCount: number;
  readonly idleBytes: number;
  /** The most that was seen while they were open. */
  readonly peakBytes: number;
  /** What one more open stream adds. */
  readonly bytesPerStream: number;
  /** Of the server's own processor time, per piece that passed. */
  readonly usPerPiece: number;
  /** Between pieces that left the upstream 100 ms apart: p99 as the client saw it. */
  readonly gapP50Ms: number;
  readonly gapP99Ms: number;
}

/** Pieces and pause of each stream, as the paced upstream reads them from the model's name. */
const PIECE_COUNT = 50;
const PAUSE_MS = 100;
const RAMP_MS = 1_500;

/** Opens so many streams over a ramp, reads them all to their end, and watches the server's memory meanwhile. */
export async function measureStreams(
  subject: Subject,
  streamCount: number,
  pids: readonly number[] = [subject.pid],
): Promise<StreamCost> {
  const agent = new Agent({ connections: streamCount, headersTimeout: 60_000, bodyTimeout: 60_000 });
  const gapsMs: number[] = [];
  const rss = (): number => pids.reduce((sum, pid) => sum + rssBytesOf(pid), 0);
  const idleBytes = median(await sampled(rss));
  const cpuBeforeMs = cpuMsOf(subject.pid);
  let openCount = 0;
  let openCountMax = 0;
  let endedCount = 0;
  const one = async (at: number): Promise<void> => {
    await delay((at * RAMP_MS) / streamCount);
    const { statusCode, body } = await request(`${subject.url}/v1/chat/completions`, {
      method: 'POST',
      dispatcher: agent,
      headers: { ...subject.headers, 'content-type': 'application/json' },
      body: requestBody(`paced-${PIECE_COUNT}-${PAUSE_MS}`, `Stream number ${at}, word by word.`, true),
    });
    if (statusCode !== 200) throw new Error(`${subject.name} answered ${statusCode}: ${await body.text()}`);
    openCountMax = Math.max(openCountMax, ++openCount);
    let lastAtMs = 0;
    let tail = '';
    for await (const chunk of body) {
      const nowMs = performance.now();
      if (lastAtMs !== 0) gapsMs.push(nowMs - lastAtMs);
      lastAtMs = nowMs;
      tail = (tail + (chunk as Buffer).toString()).slice(-20);
    }
    openCount--;
    if (tail.endsWith('[DONE]\n\n')) endedCount++;
  };
  const all = Promise.all(Array.from({ length: streamCount }, (_, at) => one(at)));
  let peakBytes = 0;
  let isRunning = true;
  const ended = all.finally(() => {
    isRunning = false;
  });
  while (isRunning) {
    await Promise.race([delay(100), ended]);
    if (openCount > 0) peakBytes = Math.max(peakBytes, rss());
  }
  await ended;
  await agent.close();
  gapsMs.sort((a, b) => a - b);
  return {
    name: subject.name,
    streamCount,
    openCountMax,
    endedCount,
    idleBytes,
    peakBytes,
    bytesPerStream: (peakBytes - idleBytes) / openCountMax,
    usPerPiece: ((cpuMsOf(subject.pid) - cpuBeforeMs) * 1_000) / (streamCount * (PIECE_COUNT + 2)),
    gapP50Ms: gapsMs[Math.floor(gapsMs.length * 0.5)] ?? Number.NaN,
    gapP99Ms: gapsMs[Math.floor(gapsMs.length * 0.99)] ?? Number.NaN,
  };
}

async function sampled(read: () => number): Promise<number[]> {
  const values: number[] = [];
  for (let at = 0; at < 5; at++) {
    values.push(read());
    await delay(100);
  }
  return values;
}
