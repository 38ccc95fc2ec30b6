// Measures that only the bench needs.

import { clusterVectors } from '../../dist/discovery/clustering/cluster-prompts.js';
import { WordStems } from '../../dist/discovery/naming/word-stems.js';
import { computeAmi } from '../../dist/stats/agreement.js';
import { assignNearest, toUnitVectors } from '../../dist/stats/k-means.js';
import { createRandom } from '../../dist/stats/random.js';

/** Share of pairs with the same label that the clustering splits. */
export function spill(clusters, labels) {
  const pairs = (counts) => [...counts.values()].reduce((sum, count) => sum + (count * (count - 1)) / 2, 0);
  const byLabel = new Map();
  const byBoth = new Map();
  labels.forEach((label, at) => {
    byLabel.set(label, (byLabel.get(label) ?? 0) + 1);
    const key = `${label} ${clusters[at]}`;
    byBoth.set(key, (byBoth.get(key) ?? 0) + 1);
  });
  return 1 - pairs(byBoth) / Math.max(1, pairs(byLabel));
}

/**
 * Two runs on disjoint halves, all prompts assigned by both, the second run's clusters renamed to those of the
 * first that they share most prompts with: share of prompts with the same name, and AMI of the two.
 */
export async function halvesStability(vectors, texts, seed) {
  const random = createRandom(seed + 1_000);
  const order = vectors.map((_, at) => at);
  random.shuffle(order);
  const half = Math.floor(order.length / 2);
  const assignments = [];
  for (const chosen of [order.slice(0, half), order.slice(half)]) {
    assignments.push(await assignBySample(vectors, texts, chosen, seed));
  }
  return sameShare(assignments[0], assignments[1]);
}

/** Growing data: half of the prompts, then all of them. */
export async function growthStability(vectors, texts, seed) {
  const random = createRandom(seed + 2_000);
  const order = vectors.map((_, at) => at);
  random.shuffle(order);
  const first = await assignBySample(vectors, texts, order.slice(0, Math.floor(order.length / 2)), seed);
  return sameShare(first, await assignBySample(vectors, texts, order, seed));
}

async function assignBySample(vectors, texts, chosen, seed) {
  const clustering = await clusterVectors(
    chosen.map((at) => vectors[at]),
    { random: createRandom(seed), step: () => undefined, texts: chosen.map((at) => texts[at]) },
  );
  const labels = Int32Array.from(vectors, (vector) => nearestCentre(clustering, vector));
  chosen.forEach((at, n) => {
    labels[at] = clustering.labels[n];
  });
  return labels;
}

function sameShare(first, second) {
  const shared = new Map();
  second.forEach((label, at) => {
    const counts = shared.get(label) ?? new Map();
    counts.set(first[at], (counts.get(first[at]) ?? 0) + 1);
    shared.set(label, counts);
  });
  let same = 0;
  for (const counts of shared.values()) same += Math.max(...counts.values());
  return { share: same / first.length, ami: computeAmi(first, second) };
}

/** The most frequent label among the members; `labelOf` gives one label or several. */
export function majority(members, labelOf) {
  const counts = new Map();
  for (const at of members) {
    for (const label of [labelOf(at)].flat()) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';
}

/**
 * Extended BCubed for one cluster and several labels an item (Amigo, Gonzalo, Artiles and Verdejo 2009, "A comparison
 * of extrinsic clustering evaluation metrics based on formal constraints", section 5): an item's precision is the
 * share of its cluster that has a label in common with it; its recall is the mean, over all that share a label with
 * it, of 1 / (number of shared labels) where the cluster is the same, else 0. An item counts among its own. `cover`:
 * share of the items that bear the most frequent label of their cluster, purity for several labels. An item without
 * a cluster (-1) is a cluster of its own.
 */
export function multiLabelAgreement(clusters, labelSets) {
  const owns = labelSets.map((labels) => new Set(labels));
  let precision = 0;
  let recall = 0;
  for (let i = 0; i < owns.length; i++) {
    let mates = 0;
    let alike = 0;
    let sharing = 0;
    let found = 0;
    for (let j = 0; j < owns.length; j++) {
      const isMate = i === j || (clusters[i] >= 0 && clusters[i] === clusters[j]);
      let common = 0;
      for (const label of owns[i]) if (owns[j].has(label)) common++;
      if (isMate) mates++;
      if (isMate && common > 0) alike++;
      if (common > 0) sharing++;
      if (isMate && common > 0) found += 1 / common;
    }
    precision += alike / mates;
    recall += found / sharing;
  }
  precision /= owns.length;
  recall /= owns.length;
  const members = new Map();
  for (const at of owns.keys()) {
    const cluster = clusters[at] < 0 ? `alone ${at}` : clusters[at];
    members.set(cluster, [...(members.get(cluster) ?? []), at]);
  }
  let covered = 0;
  for (const own of members.values()) {
    const label = majority(own, (at) => labelSets[at]);
    covered += own.filter((at) => owns[at].has(label)).length;
  }
  return {
    precision,
    recall,
    f1: (2 * precision * recall) / (precision + recall),
    cover: covered / owns.length,
  };
}

/** Share of clusters whose title or first five keywords share a word stem (Snowball) with the majority label. */
export function nameQuality(names, members, labelOf) {
  const known = new WordStems();
  const stems = (text) =>
    new Set((text.toLowerCase().match(/[a-z0-9]{2,}/g) ?? []).map((word) => known.of(word)));
  const met = names.filter((named, at) => {
    const label = stems(majority(members[at], labelOf).replaceAll('_', ' '));
    return [...stems(`${named.name} ${named.keywords.slice(0, 5).join(' ')}`)].some((stem) =>
      label.has(stem),
    );
  });
  return met.length / Math.max(1, names.length);
}

/** Probability that a random member of `high` exceeds one of `low`; ties count half (Mann and Whitney 1947). */
export function auroc(high, low) {
  const all = [...high.map((value) => [value, 1]), ...low.map((value) => [value, 0])].sort(
    (a, b) => a[0] - b[0],
  );
  let rankSum = 0;
  for (let at = 0; at < all.length; ) {
    let end = at;
    while (end < all.length && all[end][0] === all[at][0]) end++;
    for (let i = at; i < end; i++) rankSum += all[i][1] * ((at + end + 1) / 2);
    at = end;
  }
  return (rankSum - (high.length * (high.length + 1)) / 2) / (high.length * low.length);
}

/** Expected calibration error over ten bins of equal width (Guo et al. 2017). */
export function calibrationError(confidences, isRight) {
  const bins = Array.from({ length: 10 }, () => ({ count: 0, confidence: 0, right: 0 }));
  confidences.forEach((confidence, at) => {
    const bin = bins[Math.min(9, Math.floor(confidence * 10))];
    bin.count++;
    bin.confidence += confidence;
    bin.right += isRight[at] ? 1 : 0;
  });
  return bins.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.right), 0) / confidences.length;
}

/** The nearest centre, or -1 beyond its bound: for what was not clustered, without the product's classifier. */
function nearestCentre({ centroids, similarityMins }, vector) {
  const { labels, similarities } = assignNearest(toUnitVectors([vector]), centroids);
  return similarities[0] < similarityMins[labels[0]] ? -1 : labels[0];
}
