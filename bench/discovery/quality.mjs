// Agreement of discovered use cases with labels, per embedder and set; names; stability of fresh runs.
import { performance } from 'node:perf_hooks';
import { StarterClassifier } from '../../dist/core/starter-taxonomy.js';
import { clusterVectors } from '../../dist/discovery/clustering/cluster-prompts.js';
import { nameClusters } from '../../dist/discovery/naming/name-clusters.js';
import { computeAgreement } from '../../dist/stats/agreement.js';
import { sphericalKMeans, toUnitVectors } from '../../dist/stats/k-means.js';
import { createRandom } from '../../dist/stats/random.js';
import {
  growthStability,
  halvesStability,
  majority,
  multiLabelAgreement,
  nameQuality,
  spill,
} from './measures.mjs';
import { figure, loadNow, percent, seconds } from './report.mjs';
import { isLabelled, LABELLED_SETS, MULTI_LABEL_SET, numbered, readRows } from './sets.mjs';

/** Prompts that a use case is named from, as in a run. */
const NAMING_TEXTS_MAX = 400;

export async function measureQuality({ data, setNames, embedders, seeds, isGivenK, showsNames, report }) {
  const tables = {
    addQuality: qualityTable(report, isGivenK),
    addReference: referenceTable(report),
    addStability: stabilityTable(report),
  };
  const addMulti = multiLabelTable(report);
  for (const set of LABELLED_SETS.filter(({ name }) => setNames?.includes(name) ?? true)) {
    const rows = readRows(data, set.name)?.filter(isLabelled);
    if (rows === undefined) {
      report.say(`${set.name} is absent, left out`);
      continue;
    }
    for (const embedder of embedders) {
      await measureSet(embedder, set, { rows, seeds, isGivenK, showsNames, report, ...tables });
    }
  }
  report.printLate();
  if (setNames?.includes(MULTI_LABEL_SET) ?? true) {
    await measureMultiLabel({ data, embedders, seeds, addMulti, report });
  }
}

async function measureSet(embedder, set, options) {
  const { rows, seeds, isGivenK, showsNames, report, addQuality, addReference, addStability } = options;
  const texts = rows.map(({ text }) => text);
  const labels = numbered(rows.map(({ label }) => label));
  const labelCount = new Set(labels).size;
  const { vectors, embedSeconds } = await embedder.vectorsOf(texts);
  const about = { embedder: embedder.id, isDefault: embedder.isDefault ?? false, set: set.name };
  for (const seed of seeds) {
    const load = loadNow();
    const startedMs = performance.now();
    const clusterCount = isGivenK ? labelCount : undefined;
    const clustering = await cluster(vectors, embedder, { texts, seed, clusterCount });
    const clusterSeconds = (performance.now() - startedMs) / 1000;
    const named = nameFound(clustering, texts, (at) => rows[at].label);
    addQuality({
      ...about,
      seed,
      promptCount: texts.length,
      useCaseCount: clustering.centroids.count,
      labelCount,
      labelsText: `${labelCount}${set.isTopical ? '' : ' (not topics)'}`,
      // An unplaced prompt counts like any answer: "other" is one more cluster.
      ...computeAgreement(clustering.labels, labels),
      spill: spill(clustering.labels, labels),
      otherShare: clustering.labels.filter((label) => label < 0).length / labels.length,
      nameRate: named.quality,
      embedSeconds,
      clusterSeconds,
      load,
      curve: clustering.curve,
    });
    if (showsNames) for (const line of [...named.lines, curveLine(clustering)]) report.say(`    ${line}`);
  }
  if (isGivenK) return;
  if (embedder.usesSpelling) addReference({ ...about, ...reference(vectors, labels, { labelCount, seeds }) });
  if (set.isTopical && embedder.isDefault) {
    addStability({ ...about, ...(await stability(vectors, texts, seeds[0])) });
  }
}

function curveLine({ curve }) {
  return `modularity ${curve.map((point) => `${point.clusterCount}:${figure(point.modularity)}`).join(' ')}`;
}

function cluster(vectors, { usesSpelling }, { texts, seed, clusterCount }) {
  return clusterVectors(vectors, {
    random: createRandom(seed),
    step: () => undefined,
    ...(usesSpelling ? { texts } : {}),
    ...(clusterCount === undefined ? {} : { clusterCount }),
  });
}

/** The program's names for a clustering, judged by the majority label of each. */
function nameFound({ centroids, labels, similarities }, texts, labelOf) {
  const members = Array.from({ length: centroids.count }, () => []);
  labels.forEach((label, at) => {
    if (label >= 0) members[label].push(at);
  });
  for (const own of members) own.sort((a, b) => similarities[b] - similarities[a]);
  const names = nameClusters(
    members.map((own) => own.slice(0, NAMING_TEXTS_MAX).map((at) => texts[at])),
    new StarterClassifier(),
  );
  return {
    quality: nameQuality(names, members, labelOf),
    lines: names.map(
      (one, at) =>
        `${one.name} [${one.slug}] ${one.keywords.join(', ')} <- ${majority(members[at], labelOf)}`,
    ),
  };
}

function qualityTable(report, isGivenK) {
  return report.table(
    'quality',
    `Discovered use cases and labels; k ${isGivenK ? 'given' : 'chosen by the program'}`,
    [
      ['embedder', 'embedder'],
      ['set', 'set'],
      ['seed', 'seed'],
      ['prompts', 'promptCount'],
      ['k', 'useCaseCount'],
      ['labels', 'labelsText'],
      ['AMI', 'ami', figure],
      ['ARI', 'ari', figure],
      ['NMI', 'nmi', figure],
      ['purity', 'purity', figure],
      ['spill', 'spill', figure],
      ['other', 'otherShare', percent],
      ['names', 'nameRate', percent],
      ['embedding', 'embedSeconds', seconds],
      ['clustering', 'clusterSeconds', seconds],
      ['load', 'load'],
    ],
  );
}

function referenceTable(report) {
  return report.table(
    'reference',
    'For comparison: spherical k-means on the bare vectors, k given',
    [
      ['embedder', 'embedder'],
      ['set', 'set'],
      ['seeds', 'seedsText'],
      ['prompts', 'promptCount'],
      ['k', 'labelCount'],
      ['AMI', 'ami', figure],
      ['NMI', 'nmi', figure],
    ],
    { isLate: true },
  );
}

/** What the vectors alone give: means over the seeds. */
function reference(vectors, labels, { labelCount, seeds }) {
  const unit = toUnitVectors(vectors);
  const found = seeds.map((seed) => {
    const random = createRandom(seed);
    return computeAgreement(sphericalKMeans(unit, { clusterCount: labelCount, random }).labels, labels);
  });
  const mean = (field) => found.reduce((sum, one) => sum + one[field], 0) / found.length;
  const seedsText = seeds.join(', ');
  return { seedsText, promptCount: labels.length, labelCount, ami: mean('ami'), nmi: mean('nmi') };
}

function stabilityTable(report) {
  return report.table(
    'stability',
    'Two fresh runs, without the identity step: share of prompts in the same use case',
    [
      ['embedder', 'embedder'],
      ['set', 'set'],
      ['seed', 'seed'],
      ['prompts', 'promptCount'],
      ['two disjoint halves', 'halvesShare', percent],
      ['AMI', 'halvesAmi', figure],
      ['half, then all', 'growthShare', percent],
      ['AMI', 'growthAmi', figure],
    ],
    { isLate: true },
  );
}

async function stability(vectors, texts, seed) {
  const halves = await halvesStability(vectors, texts, seed);
  const growth = await growthStability(vectors, texts, seed);
  return {
    seed,
    promptCount: texts.length,
    halvesShare: halves.share,
    halvesAmi: halves.ami,
    growthShare: growth.share,
    growthAmi: growth.ami,
  };
}

function multiLabelTable(report) {
  return report.table(
    'multiLabel',
    'Several labels a prompt: extended BCubed (in brackets: labels shuffled among prompts)',
    [
      ['embedder', 'embedder'],
      ['set', 'set'],
      ['seed', 'seed'],
      ['prompts', 'promptCount'],
      ['k', 'useCaseCount'],
      ['labels', 'labelCount'],
      ['precision', 'precisionText'],
      ['recall', 'recallText'],
      ['F1', 'f1Text'],
      ['prompts with the most frequent label of their use case', 'coverText'],
      ['names', 'nameRate', percent],
    ],
  );
}

async function measureMultiLabel({ data, embedders, seeds, addMulti, report }) {
  const rows = readRows(data, MULTI_LABEL_SET)?.filter(({ labels }) => labels.length > 0);
  if (rows === undefined) {
    report.say(`${MULTI_LABEL_SET} is absent, left out`);
    return;
  }
  const texts = rows.map(({ text }) => text);
  const labelSets = rows.map(({ labels }) => labels);
  for (const embedder of embedders) {
    const { vectors } = await embedder.vectorsOf(texts);
    for (const seed of seeds) {
      const clustering = await cluster(vectors, embedder, { texts, seed });
      const found = multiLabelAgreement(clustering.labels, labelSets);
      const shuffled = labelSets.slice();
      createRandom(seed).shuffle(shuffled);
      const chance = multiLabelAgreement(clustering.labels, shuffled);
      const named = nameFound(clustering, texts, (at) => labelSets[at]);
      const both = (field) => `${figure(found[field])} (${figure(chance[field])})`;
      addMulti({
        embedder: embedder.id,
        set: MULTI_LABEL_SET,
        seed,
        promptCount: texts.length,
        useCaseCount: clustering.centroids.count,
        labelCount: new Set(labelSets.flat()).size,
        ...found,
        chance,
        precisionText: both('precision'),
        recallText: both('recall'),
        f1Text: both('f1'),
        coverText: both('cover'),
        nameRate: named.quality,
      });
    }
  }
}
