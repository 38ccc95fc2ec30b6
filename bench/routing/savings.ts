import { parseArgs } from 'node:util';
import { createRandom } from '../../src/stats/random.ts';
import { encodeSections, printSection } from '../ranking/report.ts';
import { measureSavings, type Scenario } from './savings-measure.ts';
import { savingsSections } from './savings-report.ts';
import { readPricedSets } from './savings-sets.ts';

/*
 * Can one put it in a budget? Logs are drawn from outcomes whose costs are known for every prompt and model, the
 * product's own functions say what the best models would have cost, and that is held against what they did cost on
 * these very prompts.
 */

const HELP = `node build/bench/routing/savings.js [--data FOLDER] [--seed 1] [--rounds 400] [--json]
  --data FOLDER   folder of routing_outcomes_*, routing_prompts (.jsonl.gz); default ../shared/data
  --seed N        of everything that is drawn
  --rounds N      logs per set and way of logging
  --json          all figures as JSON to stdout`;

const SCENARIOS: readonly Scenario[] = ['random', 'by length', 'vocabularies'];

function main(): void {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: '../shared/data' },
      seed: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '400' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const print = (text: string): void => void process.stdout.write(text);
  if (values.help) {
    print(`${HELP}\n`);
    return;
  }
  const seed = Number(values.seed);
  const rounds = Number(values.rounds);
  const results = readPricedSets(values.data).flatMap((set) =>
    SCENARIOS.map((scenario) => measureSavings({ set, scenario, rounds, random: createRandom(seed) })),
  );
  const sections = savingsSections(results, seed, rounds);
  if (values.json) print(encodeSections(sections, { seed, rounds }));
  else for (const section of sections) printSection(section, print);
}

main();
