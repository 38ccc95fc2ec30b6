import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type AddedLatency, measureAdded, type Way } from './latency.ts';
import type { Subject } from './processes.ts';
import { printLatency, printStreams, printThroughput } from './report.ts';
import type { Product } from './servers.ts';
import {
  startBareProxy,
  startLiteLlm,
  startNginx,
  startPacedUpstream,
  startPortkey,
  startProduct,
} from './servers.ts';
import { measureStreams } from './streams.ts';
import { measure, type Run, untilShipped } from './throughput.ts';
import { MODELS, prompts, requestBody } from './traffic.ts';

/*
 * What the gateway costs beside a proxy that does nothing and beside other gateways, on one machine in one run. How to
 * read the figures stands in README.md.
 */

const HELP = `npm run bench:gateway -- [--rounds 5] [--seconds 8] [--connections 16] [--portkey DIR] [--litellm PYTHON] [--only PARTS]
  --rounds N       rounds of the throughput; in each, all servers are loaded in turns
  --seconds N      of each load
  --connections N  of the throughput
  --portkey DIR    folder in which "npm i @portkey-ai/gateway" was run; without it that gateway is left out
  --litellm PYTHON a Python in which "pip install 'litellm[proxy]'" was run; without it LiteLLM is left out
  --only PARTS     of throughput,latency,streams; all when left out
  --bin FILE       the program to measure; bin/tallyrank.js when left out
  --node-args=ARGS for its Node, e.g. --cpu-prof`;

const WARM_UP_COUNT = 4_000;
const WARM_UP_SECONDS = 4;
const RATE_PER_SECOND = 200;
const STREAM_COUNT = 1_000;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '8' },
    connections: { type: 'string', default: '16' },
    portkey: { type: 'string' },
    litellm: { type: 'string' },
    only: { type: 'string', default: 'throughput,latency,streams' },
    bin: { type: 'string', default: 'bin/tallyrank.js' },
    'node-args': { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});

interface Field {
  readonly nginx: Subject;
  readonly paced: Subject;
  readonly bare: Subject;
  readonly product: Product;
  /** Other gateways, which choose no model by themselves. */
  readonly others: readonly Subject[];
}

/** How each of the others is started by what its option says, and what is said when it cannot be. */
const OTHERS = [
  {
    given: values.portkey,
    start: startPortkey,
    absent: 'Portkey is left out: --portkey names no folder that has its gateway.',
  },
  {
    given: values.litellm,
    start: startLiteLlm,
    absent: 'LiteLLM is left out: --litellm names no Python that has litellm[proxy].',
  },
] as const;

async function main(): Promise<void> {
  if (values.help) {
    console.log(HELP);
    return;
  }
  const started: Subject[] = [];
  const keep = <Kind extends Subject | null>(subject: Kind): Kind => {
    if (subject !== null) started.push(subject);
    return subject;
  };
  try {
    const nginx = keep(await startNginx('nginx'));
    const paced = keep(await startPacedUpstream());
    const nodeArgs = values['node-args'].split(' ').filter(Boolean);
    const product = keep(await startProduct(resolve(values.bin), nginx.url, paced.url, nodeArgs));
    const bare = keep(await startBareProxy(nginx.url));
    const others: Subject[] = [];
    for (const { given, start, absent } of OTHERS) {
      const other = given === undefined ? null : keep(await start(resolve(given), nginx.url));
      if (other === null) console.log(`${absent}\n`);
      else others.push(other);
    }
    await warmUp(product);
    const field: Field = { nginx, paced, bare, product, others };
    const parts = values.only.split(',');
    if (parts.includes('throughput')) await throughput(field);
    if (parts.includes('latency')) await latency(field);
    if (parts.includes('streams')) await streams(field);
  } finally {
    for (const subject of started.reverse()) await subject.stop();
  }
}

/** Requests by name to all models and a ranking of them, so that `auto` has something to choose by. */
async function warmUp(product: Product): Promise<void> {
  const texts = prompts();
  const ask = async (at: number): Promise<void> => {
    const body = requestBody(
      MODELS[at % MODELS.length]?.name ?? '',
      `${texts[at % texts.length]} ${at}`,
      false,
    );
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${product.url}/v1/chat/completions`, { method: 'POST', headers, body });
    if (!answer.ok) throw new Error(`The product answered ${answer.status}: ${await answer.text()}`);
    await answer.arrayBuffer();
  };
  for (let at = 0; at < WARM_UP_COUNT; at += 8)
    await Promise.all(Array.from({ length: 8 }, (_, k) => ask(at + k)));
  await untilShipped(product);
  await (await fetch(`${product.url}/api/rankings/refresh`, { method: 'POST' })).arrayBuffer();
}

async function throughput({ nginx, bare, product, others }: Field): Promise<void> {
  const subjects = [bare, product, ...others];
  const load = (subject: Subject, seconds: number): Promise<Run> => {
    const options = { seconds, connections: Number(values.connections), isStream: false };
    const model = others.includes(subject) ? 'large' : 'auto';
    return measure(subject, nginx, { ...options, model }, subject === product ? product : null);
  };
  for (const subject of subjects) await load(subject, WARM_UP_SECONDS);
  const runs: Run[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const subject of subjects) runs.push(await load(subject, Number(values.seconds)));
  }
  printThroughput(runs, bare.name);
}

async function latency({ nginx, paced, bare, product, others }: Field): Promise<void> {
  // Each way has run a few hundred times before it is measured.
  const added = async (through: Way, direct: Way): Promise<AddedLatency> => {
    await measureAdded(through, direct, { perSecond: RATE_PER_SECOND, seconds: WARM_UP_SECONDS });
    return measureAdded(through, direct, { perSecond: RATE_PER_SECOND, seconds: Number(values.seconds) });
  };
  const path = '/v1/chat/completions';
  const rows = [];
  for (const subject of [bare, product, ...others]) {
    const model = others.includes(subject) ? 'large' : 'auto';
    const through = { subject, path, model, isStream: false };
    const direct = { subject: nginx, path, model: 'large', isStream: false };
    rows.push(await added(through, direct));
  }
  printLatency('Whole answers, added to the upstream alone', rows);
  const through = { subject: product, path, model: 'paced-3-5', isStream: true };
  const direct = { subject: paced, path, model: 'paced-3-5', isStream: true };
  printLatency('First byte of a stream, added', [await added(through, direct)]);
  await busyStore(product, async () => {
    const answers = { subject: product, path, model: 'auto', isStream: false };
    const alone = { subject: nginx, path, model: 'large', isStream: false };
    printLatency('Whole answers, added, while the store is asked without a pause', [
      await added(answers, alone),
    ]);
  });
}

/** Asks the heaviest questions of the page, one after the other, while `work` runs. */
async function busyStore(product: Product, work: () => Promise<void>): Promise<void> {
  let isDone = false;
  let askedCount = 0;
  const asking = (async () => {
    while (!isDone) {
      for (const question of ['dashboard?timeframe=1%20week', 'common-prompts?limit=100', 'patterns']) {
        await (await fetch(`${product.url}/api/usage/${question}`)).arrayBuffer();
        askedCount++;
      }
    }
  })();
  await work();
  isDone = true;
  await asking;
  console.log(`The store answered ${askedCount} questions meanwhile.\n`);
}

async function streams({ paced, product }: Field): Promise<void> {
  printStreams([await measureStreams(paced, STREAM_COUNT), await measureStreams(product, STREAM_COUNT)]);
}

await main();
