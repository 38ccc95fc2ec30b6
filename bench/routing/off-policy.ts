import { parseArgs } from 'node:util';
import { measureOffPolicy } from './off-policy-measure.ts';
import { offPolicySections } from './off-policy-report.ts';

const HELP = `off-policy [--data FOLDER] [--seed 1] [--paths 60] [--counts 500,2000,8000] [--sets NAME] [--json]
  --data FOLDER   folder of routing_prompts, routing_models and routing_outcomes_* (.jsonl.gz)
  --seed N        of the models, the logs and everything else that is drawn
  --paths N       logs drawn per set, way of exploring and length
  --counts LIST   decisions per log
  --sets NAME     the sets whose name contains it (default: all)
  --json          all figures as JSON to stdout, tables to stderr`;

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: '../shared/data' },
    seed: { type: 'string', default: '1' },
    paths: { type: 'string', default: '60' },
    counts: { type: 'string', default: '500,2000,8000' },
    sets: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
} else {
  const measured = measureOffPolicy({
    folder: values.data,
    sets: values.sets,
    seed: Number(values.seed),
    pathCount: Number(values.paths),
    counts: values.counts.split(',').map(Number),
    say: (text) => process.stderr.write(`${text}\n`),
  });
  const { text, facts } = offPolicySections(measured, values);
  (values.json ? process.stderr : process.stdout).write(text);
  if (values.json) process.stdout.write(`${JSON.stringify(facts, null, 1)}\n`);
}
