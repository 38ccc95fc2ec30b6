// What discovery is to reach, and what this run of the bench found. Means over the seeds.

const MINILM_BANKING_AMI = 0.746;
const MINILM_AUTOJ_AMI = 0.195;

export function printGoals(report) {
  const quality = report.rowsOf('quality');
  const own = (set) => quality.filter((row) => row.set === set && row.isDefault);
  const server = (set) => quality.filter((row) => row.set === set && row.embedder.endsWith('(server)'));
  const timed = (count) => report.rowsOf('scale').filter((row) => row.count === count);
  const classifier = report.rowsOf('classifier').filter(({ set }) => set === 'intent_clinc150');
  const weeks = report.rowsOf('weeks');
  const shared = (set) =>
    weeks.filter(
      (row) => row.set === set && row.scenario.includes('shared)') && !row.scenario.includes('nothing'),
    );
  const kRatio = ({ useCaseCount, labelCount }) => Math.abs(useCaseCount - labelCount) / labelCount;
  const goals = [
    ['CLINC150: AMI', '≥', 0.8, mean(own('intent_clinc150'), 'ami')],
    ['CLINC150: NMI', '≥', 0.84, mean(own('intent_clinc150'), 'nmi')],
    ['CLINC150, MiniLM: AMI', '≥', 0.87, mean(server('intent_clinc150'), 'ami')],
    ['CLINC150, MiniLM: NMI', '≥', 0.89, mean(server('intent_clinc150'), 'nmi')],
    ['BANKING77: AMI', '≥', MINILM_BANKING_AMI - 0.02, mean(own('intent_banking77'), 'ami')],
    ['Auto-J: AMI', '≥', MINILM_AUTOJ_AMI - 0.02, mean(own('llm_scenarios_autoj'), 'ami')],
    ['CLINC150: k off by', '≤', 1 / 3, worst(own('intent_clinc150').map(kRatio))],
    ['BANKING77: k off by', '≤', 1 / 3, worst(own('intent_banking77').map(kRatio))],
    ['CLINC150: names', '≥', 0.8, mean(own('intent_clinc150'), 'nameRate')],
    ['BANKING77: names', '≥', 0.8, mean(own('intent_banking77'), 'nameRate')],
    ['CLINC150 labels: classifier accuracy', '≥', 0.92, mean(classifier, 'accuracy')],
    ['CLINC150 labels: out-of-scope AUROC', '≥', 0.9, mean(classifier, 'oosAuroc')],
    ['a prompt to classify, median µs', '≤', 50, mean(classifier, 'p50Us')],
    [
      'CLINC150: slug kept, overlapping weeks (worst step)',
      '≥',
      0.95,
      least(shared('intent_clinc150'), 'keptMin'),
    ],
    [
      'BANKING77: slug kept, overlapping weeks (worst step)',
      '≥',
      0.95,
      least(shared('intent_banking77'), 'keptMin'),
    ],
    ['20,000 prompts, seconds', '≤', 60, mean(timed(20_000), 'seconds')],
    ['200,000 prompts, seconds', '≤', 600, mean(timed(200_000), 'seconds')],
    ['200,000 prompts, peak MB of discovery', '≤', 2_000, mean(timed(200_000), 'peakMb')],
  ].filter(([, , , found]) => found !== null);
  if (goals.length === 0) return;
  const add = report.table('goals', 'Goals (means over the seeds)', [
    ['goal', 'goal'],
    ['wanted', 'wantedText'],
    ['found', 'foundText'],
    ['reached', 'reachedText'],
  ]);
  for (const [goal, sign, wanted, found] of goals) {
    const isReached = sign === '≥' ? found >= wanted : found <= wanted;
    add({
      goal,
      wanted,
      found,
      isReached,
      wantedText: `${sign} ${short(wanted)}`,
      foundText: short(found),
      reachedText: isReached ? 'yes' : '**no**',
    });
  }
}

/** Fine enough that a goal missed by a hair shows it. */
const short = (value) => (value >= 10 ? value.toFixed(0) : value.toFixed(4));

function mean(rows, field) {
  return rows.length === 0 ? null : rows.reduce((sum, row) => sum + row[field], 0) / rows.length;
}

const worst = (values) => (values.length === 0 ? null : Math.max(...values));
const least = (rows, field) => (rows.length === 0 ? null : Math.min(...rows.map((row) => row[field])));
