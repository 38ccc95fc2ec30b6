// Measures discovery on labelled prompt sets, the hot-path classifier on given labels, and time and memory.
//
//   npm run build && npm run bench:discovery -- --data ../shared/data [--seed 1] [--seeds 3] [--sets intent_clinc150,...]
//     [--embeddings-url http://127.0.0.1:8099/v1] [--embeddings-model all-minilm]
//     [--table FILE] [--given-k] [--names] [--only quality|classifier|scale]
//
// The data are not part of the repository: gzip JSON lines with `text` and `label`. Sets and embedders that are
// absent are named and left out. `embedding_server.py` serves the teacher (MiniLM) for --embeddings-url.
import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { StarterClassifier } from '../../dist/core/starter-taxonomy.js';
import { clusterVectors } from '../../dist/discovery/cluster-prompts.js';
import { DistilledTable } from '../../dist/discovery/embedders/distilled-table.js';
import { nameClusters } from '../../dist/discovery/name-clusters.js';
import { trainClassifier } from '../../dist/discovery/train-classifier.js';
import { computeAgreement } from '../../dist/stats/agreement.js';
import { createRandom } from '../../dist/stats/random.js';
import {
  auroc,
  calibrationError,
  growthStability,
  halvesStability,
  majority,
  nameQuality,
  spill,
} from './measures.mjs';
import { isLabelled, LABELLED_SETS, numbered, readRows } from './sets.mjs';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    sets: { type: 'string' },
    'embeddings-url': { type: 'string' },
    'embeddings-model': { type: 'string', default: 'all-minilm' },
    table: { type: 'string' },
    'given-k': { type: 'boolean', default: false },
    names: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});

if (options.data === undefined) {
  console.error('Say where the labelled sets are: --data FOLDER');
  process.exit(2);
}

const firstSeed = Number(options.seed);
const seeds = Array.from({ length: Number(options.seeds) }, (_, at) => firstSeed + at);
const wants = (part) => options.only === undefined || options.only === part;
const figure = (value) => value.toFixed(3);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** The OpenAI-compatible endpoint, asked without the product's retries: one wrong answer ends the bench. */
function httpEmbedder(url, model) {
  return {
    id: `${model} at an endpoint`,
    async embed(texts) {
      const vectors = [];
      for (let begin = 0; begin < texts.length; begin += 256) {
        const response = await fetch(`${url}/embeddings`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model, input: texts.slice(begin, begin + 256) }),
        });
        if (!response.ok) throw new Error(`the embedding endpoint answered ${response.status}`);
        const { data } = await response.json();
        vectors.push(...data.map(({ embedding }) => Float32Array.from(embedding)));
      }
      return vectors;
    },
  };
}

async function openEmbedders() {
  const embedders = [await DistilledTable.open(options.table)];
  const url = options['embeddings-url'];
  if (url === undefined) {
    console.log('No --embeddings-url: MiniLM is left out. See bench/discovery/README.md.');
    return embedders;
  }
  const other = httpEmbedder(url, options['embeddings-model']);
  try {
    await other.embed(['is anybody there?']);
    embedders.push(other);
  } catch (error) {
    console.log(`${url} is left out: ${error.message}`);
  }
  return embedders;
}

async function measureQuality(embedder, { name, isTopical }, rows) {
  const texts = rows.map(({ text }) => text);
  const labels = numbered(rows.map(({ label }) => label));
  const labelCount = new Set(labels).size;
  const embedStartedMs = performance.now();
  const vectors = await embedder.embed(texts);
  const embedSeconds = (performance.now() - embedStartedMs) / 1000;
  for (const seed of seeds) {
    const startedMs = performance.now();
    const clustering = await clusterVectors(vectors, {
      random: createRandom(seed),
      step: () => undefined,
      texts,
      ...(options['given-k'] ? { clusterCount: labelCount } : {}),
    });
    const seconds = (performance.now() - startedMs) / 1000;
    // An unplaced prompt counts like any answer: "other" is one more cluster.
    const { ami, ari, nmi, purity } = computeAgreement(clustering.labels, labels);
    const named = nameFound(clustering, rows);
    console.log(
      [
        `| ${embedder.id} | ${name} | ${seed} | ${texts.length}`,
        `${clustering.centroids.count} of ${labelCount}${isTopical ? '' : ' (not topics)'}`,
        ...[ami, ari, nmi, purity].map(figure),
        figure(spill(clustering.labels, labels)),
        percent(clustering.labels.filter((label) => label < 0).length / labels.length),
        percent(named.quality),
        `${embedSeconds.toFixed(1)} + ${seconds.toFixed(1)} s |`,
      ].join(' | '),
    );
    if (options.names) {
      for (const line of named.lines) console.log(`    ${line}`);
      console.log(
        `    modularity ${clustering.curve.map((p) => `${p.clusterCount}:${figure(p.modularity)}`).join(' ')}`,
      );
    }
  }
  return { vectors, texts };
}

function nameFound(clustering, rows) {
  const members = Array.from({ length: clustering.centroids.count }, () => []);
  clustering.labels.forEach((label, at) => {
    if (label >= 0) members[label].push(at);
  });
  for (const cluster of members)
    cluster.sort((a, b) => clustering.similarities[b] - clustering.similarities[a]);
  const names = nameClusters(
    members.map((cluster) => cluster.slice(0, 400).map((at) => rows[at].text)),
    new StarterClassifier(),
  );
  const labelOf = (at) => rows[at].label;
  return {
    quality: nameQuality(names, members, labelOf),
    lines: names.map(
      (one, at) =>
        `${one.name} [${one.slug}] ${one.keywords.join(', ')} <- ${majority(members[at], labelOf)}`,
    ),
  };
}

function measureClassifier(all) {
  const isTest = (row) => row.orig_split === 'test';
  const test = all.filter((row) => isLabelled(row) && isTest(row));
  const outside = all.filter((row) => row.label === 'oos');
  const train = all
    .filter((row) => isLabelled(row) && !isTest(row))
    .map(({ text, label }) => ({ text, useCase: label }));
  for (const seed of seeds) {
    const startedMs = performance.now();
    const { classifier } = trainClassifier(train, { random: createRandom(seed) });
    const seconds = (performance.now() - startedMs) / 1000;
    const open = withoutRejection(classifier);
    const answers = test.map(({ text }) => open.classify(text));
    const isRight = answers.map(({ useCase }, at) => useCase === test[at].label);
    const inside = answers.map(({ confidence }) => confidence);
    const beyond = outside.map(({ text }) => open.classify(text).confidence);
    const rejected = (rows) =>
      rows.filter(({ text }) => classifier.classify(text).useCase === 'other').length / rows.length;
    const rounds = 5;
    const beganMs = performance.now();
    for (let round = 0; round < rounds; round++) for (const { text } of test) classifier.classify(text);
    const microseconds = (1000 * (performance.now() - beganMs)) / (rounds * test.length);
    console.log(
      `| intent_clinc150 | ${seed} | ${train.length} / ${test.length} / ${outside.length} | ` +
        `${figure(isRight.filter(Boolean).length / test.length)} | ${figure(auroc(inside, beyond))} | ` +
        `${figure(calibrationError(inside, isRight))} | ${percent(rejected(test))} / ${percent(rejected(outside))} | ` +
        `${microseconds.toFixed(1)} | ${(classifier.encode().length / 1e6).toFixed(1)} MB | ${seconds.toFixed(1)} s |`,
    );
  }
}

/** The same temperature, nothing rejected: confidence of the best class for every prompt. */
function withoutRejection(classifier) {
  return classifier.withCalibration({ temperature: classifier.temperature, confidenceMin: 0 });
}

function measureScale(count) {
  const script = fileURLToPath(new URL('scale.mjs', import.meta.url));
  const run = spawnSync(process.execPath, [script, options.data, String(count), String(firstSeed)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (run.status !== 0) throw new Error(`the run over ${count} prompts failed`);
  const made = JSON.parse(run.stdout);
  console.log(
    `| ${made.count} (${made.sharedCount} from the data, the others made from frames) | ${firstSeed} | ` +
      `${made.useCaseCount} | ${made.seconds.toFixed(1)} s (${made.cpuSeconds.toFixed(1)} s of CPU) | ${made.peakMb.toFixed(0)} MB |`,
  );
}

const chosen = LABELLED_SETS.filter(({ name }) => options.sets?.split(',').includes(name) ?? true);
if (wants('quality')) {
  console.log(
    '\n| embedder | set | seed | prompts | k | AMI | ARI | NMI | purity | spill | other | names | embedding + clustering |\n' +
      '|---|---|---|---|---|---|---|---|---|---|---|---|---|',
  );
  const stability = [];
  for (const embedder of await openEmbedders()) {
    for (const set of chosen) {
      const rows = readRows(options.data, set.name)?.filter(isLabelled);
      if (rows === undefined) {
        console.log(`${set.name} is absent, left out`);
        continue;
      }
      const { vectors, texts } = await measureQuality(embedder, set, rows);
      if (options['given-k'] || !set.isTopical) continue;
      const halves = await halvesStability(vectors, texts, firstSeed);
      const growth = await growthStability(vectors, texts, firstSeed);
      stability.push(
        `| ${embedder.id} | ${set.name} | ${firstSeed} | ${percent(halves.share)} (AMI ${figure(halves.ami)}) | ` +
          `${percent(growth.share)} (AMI ${figure(growth.ami)}) |`,
      );
    }
  }
  if (stability.length > 0) {
    console.log(
      '\nShare of prompts in the same use case, without the identity step of a run (two fresh runs):\n\n' +
        '| embedder | set | seed | two disjoint halves | half, then all |\n|---|---|---|---|---|',
    );
    for (const line of stability) console.log(line);
  }
}
const clinc = readRows(options.data, 'intent_clinc150');
if (wants('classifier') && clinc !== null) {
  console.log(
    '\n| classifier on | seed | trained / tested / out of scope | accuracy | OOS AUROC | ECE | rejected in scope / out of it | us a prompt | size | training |\n' +
      '|---|---|---|---|---|---|---|---|---|---|',
  );
  measureClassifier(clinc);
}
if (wants('scale')) {
  console.log('\n| distinct prompts | seed | use cases | time | peak memory |\n|---|---|---|---|---|');
  for (const count of [20_000, 200_000]) measureScale(count);
}
