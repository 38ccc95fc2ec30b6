// One run over many prompts in a process of its own, so that its peak memory is its own: embed all, cluster an even
// sample, name, train, assign the rest. Without the store. Prints one line of JSON.
import { performance } from 'node:perf_hooks';
import { StarterClassifier } from '../../dist/core/starter-taxonomy.js';
import { clusterVectors, nearestCluster } from '../../dist/discovery/cluster-prompts.js';
import { DistilledTable } from '../../dist/discovery/embedders/distilled-table.js';
import { nameClusters } from '../../dist/discovery/name-clusters.js';
import { trainClassifier } from '../../dist/discovery/train-classifier.js';
import { createRandom } from '../../dist/stats/random.js';
import { madePrompts } from './sets.mjs';

const SAMPLE_MAX = 20_000;
const PART = 4_096;

const [folder, countText, seedText] = process.argv.slice(2);
const seed = Number(seedText);
const random = createRandom(seed);
const { texts, sharedCount } = madePrompts(folder, Number(countText), random);
random.shuffle(texts);
const embedder = await DistilledTable.open();
const startedMs = performance.now();
const cpuBefore = process.cpuUsage();
const sample = texts.slice(0, SAMPLE_MAX);
const clustering = await clusterVectors(await embedder.embed(sample), {
  random,
  step: () => undefined,
  texts: sample,
});
const members = Array.from({ length: clustering.centroids.count }, () => []);
clustering.labels.forEach((label, at) => {
  if (label >= 0) members[label].push(at);
});
const names = nameClusters(
  members.map((cluster) =>
    cluster
      .sort((a, b) => clustering.similarities[b] - clustering.similarities[a])
      .slice(0, 400)
      .map((at) => sample[at]),
  ),
  new StarterClassifier(),
);
const { classifier } = trainClassifier(
  sample.flatMap((text, at) => {
    const useCase = names[clustering.labels[at]]?.slug;
    return useCase === undefined ? [] : [{ text, useCase }];
  }),
  { random },
);
for (let begin = SAMPLE_MAX; begin < texts.length; begin += PART) {
  for (const vector of await embedder.embed(texts.slice(begin, begin + PART)))
    nearestCluster(clustering, vector);
}
const cpu = process.cpuUsage(cpuBefore);
console.log(
  JSON.stringify({
    count: texts.length,
    sharedCount,
    useCaseCount: names.length,
    classifierBytes: classifier.encode().length,
    seconds: (performance.now() - startedMs) / 1000,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    peakMb: process.resourceUsage().maxRSS / 1024,
  }),
);
