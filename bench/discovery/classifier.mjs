// The hot path's classifier on given labels.
import { performance } from 'node:perf_hooks';
import { trainClassifier } from '../../dist/discovery/train-classifier.js';
import { createRandom } from '../../dist/stats/random.js';
import { auroc, calibrationError } from './measures.mjs';
import { figure, loadNow, micros, percent, seconds } from './report.mjs';
import { isLabelled, readRows } from './sets.mjs';

const ROUNDS = 5;

export function measureClassifier({ data, setNames, seeds, report }) {
  const add = report.table(
    'classifier',
    'Hot-path classifier trained on the given labels of all but the test split',
    [
      ['set', 'set'],
      ['seed', 'seed'],
      ['trained / tested / out of scope', 'countText'],
      ['accuracy', 'accuracy', figure],
      ['OOS AUROC', 'oosAuroc', figure],
      ['ECE', 'calibrationError', figure],
      ['rejected in scope / out of it', 'rejectedText'],
      ['a prompt: mean', 'meanUs', micros],
      ['median', 'p50Us', micros],
      ['99th percentile', 'p99Us', micros],
      ['size', 'sizeText'],
      ['training', 'trainSeconds', seconds],
      ['load', 'load'],
    ],
  );
  for (const set of ['intent_clinc150', 'intent_banking77'].filter(
    (name) => setNames?.includes(name) ?? true,
  )) {
    const all = readRows(data, set);
    if (all === null) {
      report.say(`${set} is absent, left out`);
      continue;
    }
    for (const seed of seeds) add({ set, seed, ...measureOne(all, seed) });
  }
}

function measureOne(all, seed) {
  const isTest = (row) => row.orig_split === 'test';
  const test = all.filter((row) => isLabelled(row) && isTest(row));
  // Never trained on, so that all of them are new.
  const outside = all.filter((row) => row.label === 'oos');
  const train = all
    .filter((row) => isLabelled(row) && !isTest(row))
    .map(({ text, label }) => ({ text, useCase: label }));
  const load = loadNow();
  const startedMs = performance.now();
  const { classifier } = trainClassifier(train, { random: createRandom(seed) });
  const trainSeconds = (performance.now() - startedMs) / 1000;
  // The same temperature, nothing rejected: confidence of the best class for every prompt.
  const open = classifier.withCalibration({ temperature: classifier.temperature, confidenceMin: 0 });
  const answers = test.map(({ text }) => open.classify(text));
  const isRight = answers.map(({ useCase }, at) => useCase === test[at].label);
  const inside = answers.map(({ confidence }) => confidence);
  const beyond = outside.map(({ text }) => open.classify(text).confidence);
  const rejected = (rows) =>
    rows.length === 0
      ? null
      : rows.filter(({ text }) => classifier.classify(text).useCase === 'other').length / rows.length;
  const [rejectedInside, rejectedOutside] = [rejected(test), rejected(outside)];
  return {
    trainCount: train.length,
    testCount: test.length,
    outsideCount: outside.length,
    countText: `${train.length} / ${test.length} / ${outside.length}`,
    accuracy: isRight.filter(Boolean).length / test.length,
    oosAuroc: outside.length === 0 ? null : auroc(inside, beyond),
    calibrationError: calibrationError(inside, isRight),
    rejectedInside,
    rejectedOutside,
    rejectedText: `${percent(rejectedInside)} / ${percent(rejectedOutside)}`,
    ...timed(classifier, test),
    sizeText: `${(classifier.encode().length / 1e6).toFixed(1)} MB`,
    trainSeconds,
    load,
  };
}

/** One prompt at a time, as the gateway asks; the clock's own cost is in it. Of the quickest round the mean. */
function timed(classifier, test) {
  const rounds = Array.from({ length: ROUNDS }, () =>
    test.map(({ text }) => {
      const beganMs = performance.now();
      classifier.classify(text);
      return 1000 * (performance.now() - beganMs);
    }),
  );
  const sums = rounds.map((times) => times.reduce((sum, time) => sum + time, 0));
  const quickest = rounds[sums.indexOf(Math.min(...sums))].sort((a, b) => a - b);
  return {
    meanUs: Math.min(...sums) / test.length,
    p50Us: quickest[Math.floor(quickest.length / 2)],
    p99Us: quickest[Math.floor(0.99 * quickest.length)],
  };
}
