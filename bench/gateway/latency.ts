import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Subject } from './processes.ts';
import { quantile } from './throughput.ts';
import { prompts, requestBody } from './traffic.ts';

/** What a way adds to the upstream alone; milliseconds. */
export interface AddedLatency {
  readonly name: string;
  readonly sentCount: number;
  readonly failedCount: number;
  readonly directP50Ms: number;
  readonly directP99Ms: number;
  /** Difference of the quantiles, the upstream alone asked in between. */
  readonly addedP50Ms: number;
  readonly addedP99Ms: number;
  /** By how much requests left later than they should have: what the load generator itself could not keep. */
  readonly lateP99Ms: number;
}

/** A server with what it is asked. */
export interface Way {
  readonly subject: Subject;
  readonly path: string;
  readonly model: string;
  readonly isStream: boolean;
}

/** Sent and answered moments of one request: the first byte of the body for streams, the last otherwise. */
interface Sample {
  readonly tookMs: number;
  readonly lateMs: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 512 });

/**
 * Open loop: requests leave at their moment, whatever became of those before, so a slow server cannot slow its own load
 * down. The way through and the way straight to the upstream are asked by turns, half a step apart.
 */
export async function measureAdded(
  through: Way,
  direct: Way,
  options: { readonly perSecond: number; readonly seconds: number },
): Promise<AddedLatency> {
  const texts = prompts();
  const stepMs = 1_000 / (2 * options.perSecond);
  const count = 2 * options.perSecond * options.seconds;
  const taken: [Sample[], Sample[]] = [[], []];
  let failedCount = 0;
  const startedAtMs = performance.now() + 50;
  const open: Promise<void>[] = [];
  for (let at = 0; at < count; at++) {
    const dueAtMs = startedAtMs + at * stepMs;
    await until(dueAtMs);
    const isDirect = at % 2 === 1;
    const way = isDirect ? direct : through;
    const body = requestBody(way.model, `${texts[at % texts.length]} ${at} ${startedAtMs}`, way.isStream);
    const lateMs = performance.now() - dueAtMs;
    open.push(
      timed(way, body).then(
        (tookMs) => void taken[isDirect ? 1 : 0].push({ tookMs, lateMs }),
        () => {
          failedCount++;
        },
      ),
    );
  }
  await Promise.all(open);
  const of = (samples: readonly Sample[], share: number): number =>
    quantile(
      samples.map(({ tookMs }) => tookMs),
      share,
    );
  const [ours, theirs] = taken;
  return {
    name: through.subject.name,
    sentCount: ours.length,
    failedCount,
    directP50Ms: of(theirs, 0.5),
    directP99Ms: of(theirs, 0.99),
    addedP50Ms: of(ours, 0.5) - of(theirs, 0.5),
    addedP99Ms: of(ours, 0.99) - of(theirs, 0.99),
    lateP99Ms: quantile(
      [...ours, ...theirs].map(({ lateMs }) => lateMs),
      0.99,
    ),
  };
}

/** By a timer, which is up to a millisecond late and said to be; waiting by turns would take a processor from the servers. */
async function until(dueAtMs: number): Promise<void> {
  const leftMs = dueAtMs - performance.now();
  if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
}

function timed(way: Way, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const { subject, isStream } = way;
    const sentAtMs = performance.now();
    const headers = {
      ...subject.headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const answered = (answer: IncomingMessage): void => {
      let firstAtMs = 0;
      if (answer.statusCode !== 200) reject(new Error(`${subject.name} answered ${answer.statusCode}`));
      answer.on('data', () => {
        if (firstAtMs === 0) firstAtMs = performance.now();
      });
      answer.on('end', () => resolve((isStream ? firstAtMs : performance.now()) - sentAtMs));
      answer.on('error', reject);
    };
    const sent = httpRequest(subject.url + way.path, { method: 'POST', agent, headers }, answered);
    sent.on('error', reject);
    sent.end(body);
  });
}
