// Identity over time, through the whole product: labelled prompts spread over two weeks, a window that moves, a
// discovery run at each step, and what became of the slugs of the prompts that two runs know.
import { clusterVectors } from '../../dist/discovery/clustering/cluster-prompts.js';
import { UseCaseAnalyzer } from '../../dist/index.js';
import { computeAmi } from '../../dist/stats/agreement.js';
import { createRandom } from '../../dist/stats/random.js';
import { readSampledAssignments } from '../../dist/store/queries/assignments.js';
import { readActiveRun } from '../../dist/store/queries/discovery-runs.js';
import { DAY_MS, FIRST_MS, hashOf, insertRequests, openScratchLog } from './log.mjs';
import { figure, percent } from './report.mjs';
import { isLabelled, numbered, readRows } from './sets.mjs';

const DAYS = 14;
/** A use case is an intent's own from this share on. */
const PURE_SHARE = 0.8;
/** An intent lies where at least this share of its prompts lies. */
const MAIN_SHARE = 0.2;
/** Windows are [fromDay, toDay): a run for each. `arrives`: a fifth of the intents are asked from day 7 on only, a
 * tenth until day 7 only. `isUnequal`: the k-th intent keeps 1 / sqrt(k) of its prompts, at least 15 %. */
const SCENARIOS = [
  {
    name: 'a day later each time (6/7 shared)',
    windows: [7, 8, 9, 10, 11, 12, 13, 14].map((day) => [day - 7, day]),
  },
  {
    name: 'half a week later (half shared)',
    windows: [
      [0, 7],
      [3.5, 10.5],
      [7, 14],
    ],
  },
  {
    name: 'half a week later (half shared), unequal intents',
    windows: [
      [0, 7],
      [3.5, 10.5],
      [7, 14],
    ],
    isUnequal: true,
  },
  {
    name: 'half a week later (half shared), intents come and go',
    windows: [
      [0, 7],
      [3.5, 10.5],
      [7, 14],
    ],
    arrives: true,
  },
  {
    name: 'all so far: one week, then two',
    windows: [
      [0, 7],
      [0, 14],
    ],
  },
  {
    name: 'next week (nothing shared)',
    windows: [
      [0, 7],
      [7, 14],
    ],
  },
];

export async function measureWeeks({ data, setNames, scenarios, embedder, seeds, report }) {
  const add = weeksTable(report);
  const addArrivals = arrivalsTable(report);
  for (const set of ['intent_clinc150', 'intent_banking77'].filter(
    (name) => setNames?.includes(name) ?? true,
  )) {
    const rows = readRows(data, set)?.filter(isLabelled);
    if (rows === undefined) {
      report.say(`${set} is absent, left out`);
      continue;
    }
    for (const seed of seeds) {
      for (const scenario of SCENARIOS.filter(({ name }) => name.includes(scenarios))) {
        const { row, arrivals } = await runScenario(rows, scenario, { set, seed, embedder });
        add(row);
        if (arrivals !== null) addArrivals({ set, seed, ...arrivals });
      }
    }
  }
  report.printLate();
}

function weeksTable(report) {
  return report.table(
    'weeks',
    'Identity over time, through store and discovery: prompts known to a run and the next',
    [
      ['set', 'set'],
      ['windows', 'scenario'],
      ['seed', 'seed'],
      ['prompts in a window', 'windowText'],
      ['runs', 'runCount'],
      ['keep their slug (worst step)', 'keptText'],
      ['first to last run', 'firstToLastShare', percent],
      ['new prompts of old intents under their slug (first run, its own)', 'meaningText'],
      ['continued', 'continuedText'],
      ['use cases', 'useCaseText'],
      ['AMI with labels: last run', 'ami', figure],
      ['a fresh one', 'freshAmi', figure],
    ],
  );
}

function arrivalsTable(report) {
  return report.table(
    'arrivals',
    'Intents that come, and intents that go, half a week a step',
    [
      ['set', 'set'],
      ['seed', 'seed'],
      ['new intents', 'newCount'],
      ['with a use case of their own', 'ownCount'],
      ['the same, fresh clustering', 'freshOwnCount'],
      ['with a slug that was born', 'bornCount'],
      ['old slugs mostly new intents now', 'takenCount'],
      ['new prompts under old slugs', 'oldSlugShare', percent],
      ['mixed into old intents by a fresh clustering', 'freshMixedShare', percent],
      ['pure use cases of gone intents', 'goneCount'],
      ['of them still shown', 'stillShownCount'],
    ],
    { isLate: true },
  );
}

async function runScenario(rows, scenario, { set, seed, embedder }) {
  const { requests, newIntents, goneIntents } = scheduled(rows, scenario, seed);
  const log = await openScratchLog();
  try {
    await insertRequests(log.db, requests);
    const runs = [];
    for (const window of scenario.windows) runs.push(await runOnce(log.db, window, { requests, embedder }));
    const last = runs.at(-1);
    const fresh = await freshLabels(last.inWindow, { embedder, seed });
    const labels = numbered(last.inWindow.map(({ label }) => label));
    const steps = runs.slice(1).map((run, at) => keptShare(runs[at], run));
    const meaning = sameMeaning(runs[0], last);
    const row = {
      set,
      scenario: scenario.name,
      seed,
      runCount: runs.length,
      windowText: `${Math.min(...runs.map(({ inWindow }) => inWindow.length))}–${Math.max(...runs.map(({ inWindow }) => inWindow.length))}`,
      keptMean: steps.reduce((sum, { share }) => sum + share, 0) / steps.length,
      keptMin: Math.min(...steps.map(({ share }) => share)),
      steps,
      meaning,
      meaningText: `${percent(meaning.share)} (${percent(meaning.within)})`,
      firstToLastShare: keptShare(runs[0], last).share,
      continuedText: `${runs.filter(({ report }) => report.isContinued).length} of ${runs.length - 1}`,
      useCaseText: runs.map(({ report }) => report.useCaseCount).join(' '),
      ami: computeAmi(numbered(last.inWindow.map(({ hash }) => last.slugs.get(hash))), labels),
      freshAmi: computeAmi(fresh, labels),
    };
    row.keptText = `${percent(row.keptMean)} (${percent(row.keptMin)})`;
    const arrivals = scenario.arrives ? arrivalsOf({ runs, fresh, newIntents, goneIntents }) : null;
    return { row, arrivals };
  } finally {
    await log.dispose();
  }
}

/** Each prompt at a moment of its own in the two weeks, or in the week of its intent. */
function scheduled(rows, { arrives = false, isUnequal = false }, seed) {
  const random = createRandom(seed + 3_000);
  const intents = [...new Set(rows.map(({ label }) => label))].sort();
  random.shuffle(intents);
  const newIntents = new Set(arrives ? intents.slice(0, Math.round(intents.length / 5)) : []);
  const goneIntents = new Set(arrives ? intents.slice(-Math.round(intents.length / 10)) : []);
  const rank = new Map(intents.map((label, at) => [label, at + 1]));
  const seen = new Set();
  const requests = rows.flatMap(({ text, label }) => {
    const hash = hashOf(text);
    const day = DAYS * random.next();
    const isKept = !isUnequal || random.next() < Math.max(0.15, 1 / Math.sqrt(rank.get(label)));
    if (!isKept || seen.has(hash)) return [];
    seen.add(hash);
    const late = newIntents.has(label) ? DAYS / 2 + day / 2 : day;
    const atDay = goneIntents.has(label) ? day / 2 : late;
    return [{ text, label, hash, atMs: Math.floor(FIRST_MS + atDay * DAY_MS) }];
  });
  return { requests: requests.sort((a, b) => a.atMs - b.atMs), newIntents, goneIntents };
}

async function runOnce(db, [fromDay, toDay], { requests, embedder }) {
  const [fromMs, toMs] = [FIRST_MS + fromDay * DAY_MS, FIRST_MS + toDay * DAY_MS];
  const analyzer = new UseCaseAnalyzer({ db, embedder, inWorker: false, clock: () => toMs });
  await analyzer.analyze({
    from: new Date(fromMs),
    to: new Date(toMs),
    label: `days ${fromDay} to ${toDay}`,
  });
  const { runId, report } = await readActiveRun(db);
  const everything = { from: new Date(0), to: new Date(toMs), limit: 1_000_000 };
  const assignments = await readSampledAssignments(db, { ...everything, runId });
  return {
    report,
    // Of every prompt until now, also of those before the window.
    slugs: new Map(Array.from(assignments, ([hash, { useCase }]) => [hash, useCase])),
    inWindow: requests.filter(({ atMs }) => atMs >= fromMs && atMs < toMs),
  };
}

/** Of the prompts in both windows (where nothing is shared: in the first) that had a use case. */
function keptShare(before, after) {
  const now = new Set(after.inWindow.map(({ hash }) => hash));
  const shared = before.inWindow.filter(({ hash }) => now.has(hash));
  const known = (shared.length > 0 ? shared : before.inWindow).filter(
    ({ hash }) => before.slugs.get(hash) !== 'other',
  );
  const kept = known.filter(({ hash }) => after.slugs.get(hash) === before.slugs.get(hash));
  return { share: kept.length / known.length, count: known.length };
}

async function freshLabels(inWindow, { embedder, seed }) {
  const texts = inWindow.map(({ text }) => text);
  const vectors = await embedder.embed(texts);
  return (await clusterVectors(vectors, { random: createRandom(seed), step: () => undefined, texts })).labels;
}

/** What became of new and gone intents in the last run, against the first. */
function arrivalsOf({ runs, fresh, newIntents, goneIntents }) {
  const [first, last] = [runs[0], runs.at(-1)];
  const before = compositions(first.inWindow, ({ hash }) => first.slugs.get(hash));
  const after = compositions(last.inWindow, ({ hash }) => last.slugs.get(hash));
  const freshly = compositions(last.inWindow, (_, at) => fresh[at]);
  const mainsOf = (found) => new Map([...found].map(([useCase, labels]) => [useCase, mainOf(labels).label]));
  const news = last.inWindow.filter(({ label }) => newIntents.has(label));
  const freshMains = mainsOf(freshly);
  const mains = mainsOf(after);
  const bornFor = new Set([...mains].flatMap(([slug, label]) => (before.has(slug) ? [] : [label])));
  const ownSlugs = [...before].filter(([, labels]) => {
    const { label, share } = mainOf(labels);
    return goneIntents.has(label) && share >= PURE_SHARE;
  });
  return {
    newCount: newIntents.size,
    ownCount: count(newIntents, new Set(mains.values())),
    freshOwnCount: count(newIntents, new Set(freshMains.values())),
    bornCount: count(newIntents, bornFor),
    takenCount: [...before.keys()].filter((slug) => shareOf(after.get(slug), newIntents) > 0.5).length,
    oldSlugShare: news.filter(({ hash }) => before.has(last.slugs.get(hash))).length / news.length,
    freshMixedShare:
      last.inWindow.filter(
        ({ label }, at) => newIntents.has(label) && !newIntents.has(freshMains.get(fresh[at])),
      ).length / news.length,
    goneCount: ownSlugs.length,
    stillShownCount: ownSlugs.filter(([slug]) => after.has(slug)).length,
  };
}

const count = (intents, found) => [...intents].filter((label) => found.has(label)).length;

function mainOf(labels) {
  const all = [...labels.values()].reduce((sum, one) => sum + one, 0);
  const [label, most] = [...labels].sort((a, b) => b[1] - a[1])[0];
  return { label, share: most / all };
}

function shareOf(labels, wanted) {
  let all = 0;
  let met = 0;
  for (const [label, one] of labels ?? []) {
    all += one;
    if (wanted.has(label)) met += one;
  }
  return all === 0 ? 0 : met / all;
}

/**
 * What a slug means: of the last run's prompts that the first did not know, of intents that it did, the share under a
 * slug that had a fifth or more of the intent's prompts in the first run. `within`: the same for the first run's own
 * prompts, the most that clusters of this purity let it reach.
 */
function sameMeaning(first, last) {
  const bySlug = compositions(first.inWindow, ({ hash }) => first.slugs.get(hash));
  const sizes = new Map();
  for (const { label } of first.inWindow) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  const known = new Set(first.inWindow.map(({ hash }) => hash));
  const shareOfMet = (requests, slugs) => {
    const met = requests.filter(({ hash, label }) => {
      const there = bySlug.get(slugs.get(hash))?.get(label) ?? 0;
      return there >= MAIN_SHARE * sizes.get(label);
    });
    return requests.length === 0 ? null : met.length / requests.length;
  };
  const asked = last.inWindow.filter(({ hash, label }) => !known.has(hash) && sizes.has(label));
  return { share: shareOfMet(asked, last.slugs), within: shareOfMet(first.inWindow, first.slugs) };
}

/** Per use case but "other": prompts of each label. */
function compositions(requests, useCaseOf) {
  const counts = new Map();
  for (const [at, request] of requests.entries()) {
    const useCase = useCaseOf(request, at);
    if (useCase === 'other' || useCase === -1 || useCase === undefined) continue;
    const own = counts.get(useCase) ?? new Map();
    own.set(request.label, (own.get(request.label) ?? 0) + 1);
    counts.set(useCase, own);
  }
  return counts;
}
