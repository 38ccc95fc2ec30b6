// Measures discovery on labelled prompt sets: k chosen by the program, agreement with the labels, seconds; and
// the hot-path classifier trained on the given labels.
//
//   npm run build && node bench/discovery/run.mjs --data ../shared/data [--seed 1] [--given-k] [--names] [--table FILE]
//
// The data are not part of the repository: gzip JSON lines with `text` and `label`. Sets that are absent are
// named and left out. Every figure stands with its seed and data set.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { StarterClassifier } from '../../dist/core/starter-taxonomy.js';
import { clusterVectors } from '../../dist/discovery/cluster-prompts.js';
import { DistilledTable } from '../../dist/discovery/embedders/distilled-table.js';
import { nameClusters } from '../../dist/discovery/name-clusters.js';
import { trainClassifier } from '../../dist/discovery/train-classifier.js';
import { computeAgreement } from '../../dist/stats/agreement.js';
import { createRandom } from '../../dist/stats/random.js';

const SETS = ['intent_clinc150', 'intent_banking77', 'llm_scenarios_autoj'];
/** Labels that mean "none of these". */
const NO_LABELS = new Set(['oos', 'default', 'rejecting']);

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    seed: { type: 'string', default: '1' },
    'given-k': { type: 'boolean', default: false },
    names: { type: 'boolean', default: false },
    table: { type: 'string' },
  },
});

if (options.data === undefined) {
  console.error('Say where the labelled sets are: --data FOLDER');
  process.exit(2);
}

const seed = Number(options.seed);
const embedder = await DistilledTable.open(options.table);
console.log(`embedder ${embedder.id}, seed ${seed}`);

function readSet(name) {
  const file = join(options.data, `${name}.jsonl.gz`);
  if (!existsSync(file)) {
    console.log(`${name}: absent (${file}), left out`);
    return null;
  }
  const rows = gunzipSync(readFileSync(file))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return rows.filter(({ label }) => !NO_LABELS.has(label));
}

function numbered(labels) {
  const numbers = new Map();
  return labels.map((label) => {
    if (!numbers.has(label)) numbers.set(label, numbers.size);
    return numbers.get(label);
  });
}

async function measureDiscovery(name, rows) {
  const texts = rows.map(({ text }) => text);
  const labels = numbered(rows.map(({ label }) => label));
  const startedMs = performance.now();
  const vectors = await embedder.embed(texts);
  const embeddedMs = performance.now();
  const labelCount = new Set(labels).size;
  const clustering = await clusterVectors(vectors, {
    random: createRandom(seed),
    step: () => undefined,
    ...(options['given-k'] ? { clusterCount: labelCount } : {}),
  });
  const doneMs = performance.now();
  // An unplaced prompt is a cluster of its own kind: "other" counts like any answer.
  const { ami, ari, nmi, purity } = computeAgreement(clustering.labels, labels);
  const otherShare = clustering.labels.filter((label) => label < 0).length / labels.length;
  const figure = (value) => value.toFixed(3);
  console.log(
    `${name}: ${texts.length} prompts, ${labelCount} labels; k ${clustering.centroids.count}, AMI ${figure(ami)}, ` +
      `ARI ${figure(ari)}, NMI ${figure(nmi)}, purity ${figure(purity)}, other ${figure(otherShare)}; ` +
      `embedding ${((embeddedMs - startedMs) / 1000).toFixed(1)} s, clustering ${((doneMs - embeddedMs) / 1000).toFixed(1)} s`,
  );
  if (clustering.curve.length > 0) {
    console.log(
      `  stability ${clustering.curve.map((p) => `${p.clusterCount}:${p.stability.toFixed(3)}`).join(' ')}`,
    );
  }
  const members = Array.from({ length: clustering.centroids.count }, () => []);
  clustering.labels.forEach((label, at) => {
    if (label >= 0) members[label].push(at);
  });
  for (const cluster of members)
    cluster.sort((a, b) => clustering.similarities[b] - clustering.similarities[a]);
  const names = nameClusters(
    members.map((cluster) => cluster.map((at) => texts[at])),
    new StarterClassifier(),
  );
  console.log(
    `  names that meet their majority label: ${(100 * nameQuality(names, members, rows)).toFixed(0)} %`,
  );
  if (options.names) {
    names.forEach((named, at) => {
      console.log(
        `    ${named.name} [${named.slug}] ${named.keywords.join(', ')} <- ${majority(members[at], rows)}`,
      );
    });
  }
}

function majority(members, rows) {
  const counts = new Map();
  for (const at of members) counts.set(rows[at].label, (counts.get(rows[at].label) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';
}

/** Share of clusters whose title or first five keywords share a word stem with the majority label. */
function nameQuality(names, members, rows) {
  const stems = (text) =>
    new Set((text.toLowerCase().match(/[a-z]{3,}/g) ?? []).map((word) => word.slice(0, 5)));
  const met = names.filter((named, at) => {
    const label = stems(majority(members[at], rows).replaceAll('_', ' '));
    return [...stems(`${named.name} ${named.keywords.slice(0, 5).join(' ')}`)].some((stem) =>
      label.has(stem),
    );
  });
  return met.length / names.length;
}

function measureClassifier(rows) {
  const isTest = (row) => row.orig_split === 'test';
  const test = rows.filter(isTest);
  const train = rows.filter((row) => !isTest(row)).map(({ text, label }) => ({ text, useCase: label }));
  const startedMs = performance.now();
  const { classifier, accuracy } = trainClassifier(train, { random: createRandom(seed) });
  const trainedMs = performance.now() - startedMs;
  const bytes = classifier.encode().length;
  const judged = classifier.withCalibration({ temperature: 1, confidenceMin: 0 });
  let rightCount = 0;
  for (const { text, label } of test) if (judged.classify(text).useCase === label) rightCount++;
  const rejectedShare =
    test.filter(({ text }) => classifier.classify(text).useCase === 'other').length / test.length;
  const timed = test.map(({ text }) => text);
  const rounds = 5;
  const beganMs = performance.now();
  for (let round = 0; round < rounds; round++) for (const text of timed) classifier.classify(text);
  const microseconds = (1000 * (performance.now() - beganMs)) / (rounds * timed.length);
  console.log(
    `classifier on intent_clinc150: ${train.length} trained, ${test.length} tested, accuracy ${(rightCount / test.length).toFixed(3)} ` +
      `(held out ${accuracy?.toFixed(3)}), rejected in scope ${rejectedShare.toFixed(3)}, ${(bytes / 1e6).toFixed(1)} MB, ` +
      `trained in ${(trainedMs / 1000).toFixed(1)} s, ${microseconds.toFixed(1)} us a prompt`,
  );
}

for (const name of SETS) {
  const rows = readSet(name);
  if (rows === null) continue;
  await measureDiscovery(name, rows);
  if (name === 'intent_clinc150') measureClassifier(rows);
}
