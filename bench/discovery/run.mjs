// Measures discovery: agreement with labelled prompt sets, identity over time, the hot-path classifier, time and
// memory. README.md beside this file says what each figure means.
//
//   npm run build && npm run bench:discovery -- --data DIR [--seed 1] [--seeds 3] [--sets intent_clinc150,...]
//     [--only quality,weeks,classifier,scale] [--embedders distilled,no-spelling,characters,http]
//     [--embeddings-url http://127.0.0.1:8099/v1] [--embeddings-model all-minilm] [--cache DIR]
//     [--table FILE] [--given-k] [--names] [--counts 20000,200000]
//     [--scenarios 'half shared'] [--json]
//
// The data are not part of the repository: gzip JSON lines with `text` and `label`. Sets and embedders that are
// absent are named and left out. Tables go to stdout; with --json they go to stderr and the data to stdout.
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureClassifier } from './classifier.mjs';
import { defaultEmbedder, EMBEDDER_KINDS, openEmbedders } from './embedders.mjs';
import { printGoals } from './goals.mjs';
import { measureQuality } from './quality.mjs';
import { loadNow, Report } from './report.mjs';
import { measureScale } from './scale.mjs';
import { measureWeeks } from './weeks.mjs';

const PARTS = ['quality', 'weeks', 'classifier', 'scale'];

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    sets: { type: 'string' },
    only: { type: 'string', default: PARTS.join(',') },
    embedders: { type: 'string', default: EMBEDDER_KINDS.join(',') },
    'embeddings-url': { type: 'string' },
    'embeddings-model': { type: 'string', default: 'all-minilm' },
    cache: { type: 'string', default: join(tmpdir(), 'tallyrank-bench') },
    table: { type: 'string' },
    'given-k': { type: 'boolean', default: false },
    names: { type: 'boolean', default: false },
    counts: { type: 'string', default: '20000,200000' },
    scenarios: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});

const parts = options.only.split(',');
const fault = faultOf(options, parts);
if (fault !== null) {
  console.error(fault);
  process.exit(2);
}

const { data } = options;
const setNames = options.sets?.split(',');
const seed = Number(options.seed);
const seeds = Array.from({ length: Number(options.seeds) }, (_, at) => seed + at);
const report = new Report({ isJson: options.json, command: commandOf(process.argv.slice(2)) });
report.say(
  `Load ${loadNow()} at the beginning; where it is above the number of cores, times are upper bounds.`,
);
if (parts.includes('quality')) {
  const embedders = await openEmbedders(
    {
      kinds: options.embedders.split(','),
      table: options.table,
      url: options['embeddings-url'],
      model: options['embeddings-model'],
      cache: options.cache,
    },
    (text) => report.say(text),
  );
  const { 'given-k': isGivenK, names: showsNames } = options;
  await measureQuality({ data, setNames, embedders, seeds, isGivenK, showsNames, report });
}
if (parts.includes('weeks')) {
  await measureWeeks({
    data,
    setNames,
    scenarios: options.scenarios,
    embedder: await defaultEmbedder(options.table),
    seeds,
    report,
  });
}
if (parts.includes('classifier')) measureClassifier({ data, setNames, seeds, report });
if (parts.includes('scale')) {
  await measureScale({ data, counts: options.counts.split(',').map(Number), seed, report });
}
printGoals(report);
report.end();

function faultOf({ data: folder, seeds: count, counts, embedders }, wanted) {
  if (folder === undefined) return 'Say where the labelled sets are: --data FOLDER';
  if (!existsSync(folder))
    return `There is no folder ${folder}: --data wants the one with the labelled sets.`;
  const unknown = wanted.filter((part) => !PARTS.includes(part));
  if (unknown.length > 0) return `--only takes ${PARTS.join(', ')}; it does not know ${unknown.join(', ')}.`;
  const strangers = embedders.split(',').filter((kind) => !EMBEDDER_KINDS.includes(kind));
  if (strangers.length > 0) {
    return `--embedders takes ${EMBEDDER_KINDS.join(', ')}; it does not know ${strangers.join(', ')}.`;
  }
  if (!(Number(count) >= 1)) return '--seeds takes a number of seeds, at least 1.';
  if (!counts.split(',').every((one) => Number(one) >= 1)) return '--counts takes numbers of prompts.';
  return null;
}

/** What makes the figures again; folders are everybody's own. */
function commandOf(args) {
  const own = { '--data': 'DIR', '--cache': 'DIR', '--table': 'FILE' };
  return `npm run bench:discovery -- ${args.map((word, at) => own[args[at - 1]] ?? word).join(' ')}`;
}
