import { parseArgs } from 'node:util';
import { measureAccuracy } from './accuracy.ts';
import { accuracySections, tauSection } from './accuracy-sections.ts';
import { hasData, inventedSet, readOutcomeSets } from './data.ts';
import { measureDrift } from './drift.ts';
import { measureGaming } from './gaming.ts';
import { measureLoopDelay } from './loop-delay.ts';
import { measurePooling } from './pooling.ts';
import { priorSections } from './priors.ts';
import { measureRefresh } from './refresh.ts';
import { encodeSections, printSection, type Section } from './report.ts';
import { measureSignals } from './signals.ts';

/*
 * Can one bet on a ranking? Public outcomes are the truth, requests are drawn from them, the product's own functions
 * rank, and what is claimed is held against what is true.
 */

const HELP = `npm run bench:ranking -- [--data FOLDER] [--seed 1] [--quick] [--only PARTS] [--sets NAMES] [--json]
  --data FOLDER   folder of routing_outcomes_*, routing_prompts, latency_llmperf2023, conv_uss_satisfaction,
                  arena_votes_1k, responses_alpaca_eval (.jsonl.gz); default ../shared/data
  --seed N        of everything that is drawn
  --quick         few paths: a look at whether it works, no figures to quote
  --only PARTS    accuracy, pooling, drift, signals, priors, gaming, refresh; several with commas
  --sets NAMES    outcome sets, several with commas
  --json          all figures as JSON to stdout, tables to stderr`;

/** How much is drawn. */
const FULL = {
  paths: 12,
  manyPaths: 40,
  poolingPaths: 4,
  driftPaths: 4,
  seriesCount: 120,
  modelCountMax: 12,
  rounds: 5,
};
const QUICK = {
  paths: 1,
  manyPaths: 1,
  poolingPaths: 1,
  driftPaths: 1,
  seriesCount: 8,
  modelCountMax: 8,
  rounds: 1,
};
/** Sets with fewer cells get more paths. */
const FEW_CELLS = 40;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: '../shared/data' },
      seed: { type: 'string', default: '1' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
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
  if (!Number.isFinite(seed)) throw new Error(`--seed must be a number, not ${values.seed}`);
  const effort = values.quick ? QUICK : FULL;
  const isWanted = (list: string, name: string): boolean => list === '' || list.split(',').includes(name);
  const isThere = hasData(values.data);
  if (!isThere)
    say(`No outcome sets in ${values.data}; give their folder by --data. An invented world stands in.`);
  const sets = (
    isThere
      ? readOutcomeSets({ dir: values.data, seed, modelCountMax: effort.modelCountMax })
      : [inventedSet(seed)]
  ).filter(({ name }) => !isThere || isWanted(values.sets, name));
  const several = sets.filter(({ useCases }) => useCases.length > 1);
  const watched = several.filter(({ name }) => name !== 'routellm');
  const { paths, manyPaths, poolingPaths, driftPaths, seriesCount } = effort;
  const parts: Readonly<Record<string, () => readonly Section[] | Promise<readonly Section[]>>> = {
    accuracy: () => {
      const all = sets.map((set) => {
        const pathCount = set.useCases.length * set.modelIds.length < FEW_CELLS ? manyPaths : paths;
        return measureAccuracy(set, { pathCount, seed });
      });
      return [...accuracySections(all, seed), tauSection(all, seed)];
    },
    pooling: () => [measurePooling(several, { pathCount: poolingPaths, seed })],
    drift: () => measureDrift(watched, { seriesCount, pathCount: driftPaths, seed }),
    signals: () => measureSignals(values.data, seed),
    priors: () => priorSections({ dir: values.data, seed }),
    gaming: () => measureGaming(values.data, seed),
    refresh: async () => [measureRefresh(seed, effort.rounds), await measureLoopDelay(seed, effort.rounds)],
  };
  const sections: Section[] = [];
  for (const [name, measure] of Object.entries(parts)) {
    if (!isWanted(values.only, name)) continue;
    const startedAtMs = performance.now();
    const found = await measure();
    for (const section of found) {
      printSection(section, (text) => (values.json ? process.stderr : process.stdout).write(text));
    }
    sections.push(...found);
    const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
    say(found.length === 0 ? `${name}: nothing to measure in ${values.data}` : `${name}: ${seconds} s`);
  }
  if (!values.json) return;
  const data = isThere ? sets.map(({ name }) => name) : ['invented'];
  process.stdout.write(encodeSections(sections, { seed, data, isQuick: values.quick }));
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

main().catch((error: unknown) => {
  say(String(error instanceof Error ? (error.stack ?? error.message) : error));
  process.exitCode = 1;
});
