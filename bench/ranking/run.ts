import { parseArgs } from 'node:util';
import { measureAccuracy } from './accuracy.ts';
import { accuracySections } from './accuracy-sections.ts';
import { hasData, inventedSet, readOutcomeSets } from './data.ts';
import { encodeSections, printSection, type Section } from './report.ts';

const HELP = `npm run bench:ranking -- [--data FOLDER] [--seed 1] [--quick] [--only PARTS] [--json]
  --data FOLDER   folder of routing_outcomes_*, latency_llmperf2023, conv_uss_satisfaction, arena_votes_1k (.jsonl.gz)
  --seed N        of everything that is drawn
  --quick         few paths: a look at whether it works, not figures to quote
  --only PARTS    accuracy, pooling, drift, signals, gaming, refresh; several with commas
  --json          all figures as JSON to stdout, tables to stderr`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: '../shared/data' },
      seed: { type: 'string', default: '1' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      paths: { type: 'string', default: '' },
      sets: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  const seed = Number(values.seed);
  const isThere = hasData(values.data);
  if (!isThere)
    say(`No outcome sets in ${values.data}; give their folder by --data. An invented world stands in.`);
  const sets = (
    isThere ? readOutcomeSets({ dir: values.data, seed, modelCountMax: 12 }) : [inventedSet(seed)]
  ).filter(({ name }) => name.includes(values.sets));
  const write = (text: string): void => {
    (values.json ? process.stderr : process.stdout).write(text);
  };
  const sections: Section[] = [];
  const wants = (part: string): boolean => values.only === '' || values.only.split(',').includes(part);
  const show = (found: readonly Section[]): void => {
    for (const section of found) printSection(section, write);
    sections.push(...found);
  };
  if (wants('accuracy')) {
    const pathCount = values.paths === '' ? (values.quick ? 2 : 24) : Number(values.paths);
    const all = sets.map((set) => {
      const t = performance.now();
      const a = measureAccuracy(set, { pathCount, seed });
      say(`${set.name} ${((performance.now() - t) / 1000).toFixed(1)} s`);
      return a;
    });
    show(accuracySections(all, seed));
  }
  if (values.json) process.stdout.write(encodeSections(sections, { seed, isQuick: values.quick }));
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error instanceof Error ? error.stack : error)}\n`);
  process.exitCode = 1;
});
