// The labelled prompt sets, and made prompts for the questions of scale.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Sets with one label a prompt; `isTopical`: the labels are topics, so that their number is one to find. */
export const LABELLED_SETS = [
  { name: 'intent_clinc150', isTopical: true },
  { name: 'intent_banking77', isTopical: true },
  { name: 'llm_scenarios_autoj', isTopical: false },
  { name: 'intent_trec', isTopical: false },
];
/** Several labels a prompt: measures of one label do not apply. */
export const MULTI_LABEL_SET = 'intent_nlupp_multilabel';
/** Labels that mean "none of these". */
const NO_LABELS = new Set(['oos', 'default', 'rejecting']);

/** @returns all rows of a set, or null when it is absent */
export function readRows(folder, name) {
  const file = join(folder, `${name}.jsonl.gz`);
  if (!existsSync(file)) return null;
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line));
}

export const isLabelled = (row) => typeof row.label === 'string' && !NO_LABELS.has(row.label);

export function numbered(labels) {
  const numbers = new Map();
  return Int32Array.from(labels, (label) => {
    if (!numbers.has(label)) numbers.set(label, numbers.size);
    return numbers.get(label);
  });
}

const FRAMES = [
  'how do I {verb} a {thing} for {who}?',
  'please {verb} this {thing} so that {who} can use it {when}',
  'I have to {verb} the {thing} {when}, where do I begin?',
  '{who} asked me to {verb} a {thing}. What should I watch out for?',
  'what is the best {thing} for {who}?',
  'compare two kinds of {thing} and say which one {who} should take {when}',
];
const VERBS =
  'plan write fix translate summarise buy sell test draw explain install move clean compare describe order review price pack paint'.split(
    ' ',
  );
const THINGS =
  'spreadsheet|garden shed|wedding speech|database index|bicycle|tax return|chess opening|bread recipe|hiking route|phone contract|poem|web shop|guitar solo|lease|vaccination|school timetable|camera lens|mortgage|unit test|birthday cake|train journey|cover letter|aquarium|solar panel|museum visit|running shoe|podcast|rain coat|newsletter|parking permit'.split(
    '|',
  );
const WHO =
  'a beginner|my mother|a team of five|our customers|a student|my neighbour|an engineer|the whole family|a new colleague|a tourist'.split(
    '|',
  );
const WHEN =
  'today|by Friday|next month|before the holidays|during lunch|at the weekend|in winter|this evening'.split(
    '|',
  );

/** All shared prompts, then our own frames with their slots filled at random until there are `count`, no two alike. */
export function madePrompts(folder, count, random) {
  const shared = [
    'routing_prompts',
    'llm_prompts',
    'intent_clinc150',
    'intent_banking77',
    'llm_scenarios_autoj',
  ];
  const texts = new Set();
  for (const name of shared) {
    for (const row of readRows(folder, name) ?? []) {
      const text = row.text ?? row.prompt;
      if (typeof text === 'string' && texts.size < count) texts.add(text.slice(0, 4_000));
    }
  }
  const sharedCount = texts.size;
  const pick = (list) => list[random.int(list.length)];
  while (texts.size < count) {
    const made = pick(FRAMES)
      .replace('{verb}', pick(VERBS))
      .replace('{thing}', pick(THINGS))
      .replace('{who}', pick(WHO))
      .replace('{when}', pick(WHEN));
    texts.add(random.next() < 0.5 ? made : `${made} It is number ${random.int(5_000)} on my list.`);
  }
  return { texts: [...texts], sharedCount };
}
