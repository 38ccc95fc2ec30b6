import type { Command } from 'commander';
import type { Workbench } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { dollars, duration, percent, table } from './output.ts';

type Ranker = Workbench['ranker'];
type Ranking = Awaited<ReturnType<Ranker['getRankings']>>;
type Hold = Ranking['hold'];
type Versions = Awaited<ReturnType<Ranker['versions']['list']>>;
type Diff = Awaited<ReturnType<Ranker['versions']['diff']>>;
type Trends = Awaited<ReturnType<Ranker['getTrends']>>;
type Trend = Trends['models'][number]['success'];
type ModelDifference = Diff['changedUseCases'][number]['models'][number];

interface RankingsOptions extends GlobalOptions {
  readonly dryRun?: boolean;
  readonly limit?: string;
  readonly timeframe?: string;
}

/** `tallyrank rankings [use-case]` shows what was published; its sub-commands compare versions and bring them back. */
export function addRankings(program: Command, context: CommandContext): void {
  const group = program
    .command('rankings')
    .description('look at the published rankings, and bring them back');
  addShow(group, context);
  addTrend(group, context);
  addVersions(group, context);
  addRollback(group, context);
}

function addShow(group: Command, context: CommandContext): void {
  group
    .command('show', { isDefault: true })
    .description('show the published rankings')
    .argument('[use-case]', 'slug of one use case; all when left out')
    .action(async (useCase: string | undefined, options: RankingsOptions) => {
      const answer = await withWorkbench(context, options, async ({ ranker }) =>
        useCase === undefined ? ranker.getAllRankings() : ranker.getRankings(useCase),
      );
      context.output.answer(answer, () => {
        const rankings = 'rankings' in answer ? answer.rankings : [answer];
        if (rankings.length === 0)
          return 'No ranking was published yet: send requests, then run "tallyrank rank".';
        return [...holdLines(answer.hold), ...rankings.map(rankingText)].join('\n\n');
      });
    });
}

function addTrend(group: Command, context: CommandContext): void {
  group
    .command('trend')
    .description('show how models did in a use case over time, and when their level moved')
    .argument('<use-case>', 'slug of the use case')
    .argument('[model]', 'one model; all of the use case when left out')
    .option('--timeframe <window>', 'window (default: 30 days)')
    .action(async (useCase: string, modelId: string | undefined, options: RankingsOptions) => {
      const { timeframe } = options;
      const answer = await withWorkbench(context, options, ({ ranker }) =>
        ranker.getTrends(useCase, { modelId, timeframe }),
      );
      context.output.answer(answer, () => trendsText(answer));
    });
}

function addVersions(group: Command, context: CommandContext): void {
  group
    .command('versions')
    .description('list the published versions that are kept, newest first')
    .option('--limit <number>', 'versions at most (default: 20)')
    .action(async (options: RankingsOptions) => {
      const answer = await withWorkbench(context, options, ({ ranker }) =>
        ranker.versions.list(Math.max(1, Math.floor(Number(options.limit ?? 20)) || 20)),
      );
      context.output.answer(answer, () => versionsText(answer));
    });
  group
    .command('diff')
    .description('show what differs between two published versions')
    .argument(
      '[a]',
      'a version, "latest", "previous", a time such as "1 day ago", or an ISO 8601 moment',
      'previous',
    )
    .argument('[b]', 'the same', 'latest')
    .action(async (a: string, b: string, options: RankingsOptions) => {
      const answer = await withWorkbench(context, options, ({ ranker }) => ranker.versions.diff(a, b));
      context.output.answer(answer, () => diffText(answer));
    });
}

function addRollback(group: Command, context: CommandContext): void {
  group
    .command('rollback')
    .description(
      'publish an earlier version again, and hold it: refreshes change nothing until it is released',
    )
    .argument('<version>', 'as in "rankings diff"')
    .option('--dry-run', 'say what would change, and change nothing')
    .action(async (version: string, options: RankingsOptions) => {
      const answer = await withWorkbench(context, options, ({ ranker }) =>
        ranker.versions.rollback(version, { isDryRun: options.dryRun, by: 'cli' }),
      );
      context.output.answer(answer, () =>
        [
          diffText(answer.diff),
          answer.version === null
            ? `Would go back to ${answer.rolledBackTo}.`
            : `Went back to ${answer.rolledBackTo}, published as ${answer.version} and held: "tallyrank rankings release" ends that.`,
        ].join('\n\n'),
      );
    });
  group
    .command('release')
    .description('let go of the held version, and rank anew')
    .action(async (options: RankingsOptions) => {
      const answer = await withWorkbench(context, options, async ({ ranker }) => {
        const { released } = await ranker.versions.release('cli');
        const { version } = await ranker.refreshAll();
        return { released, version };
      });
      context.output.answer(answer, () =>
        answer.released === null
          ? `Nothing was held; ranked anew, published as ${answer.version}.`
          : `Released ${answer.released.version}; ranked anew, published as ${answer.version}.`,
      );
    });
}

function holdLines(hold: Hold): string[] {
  if (hold === null) return [];
  const { version, rolledBackTo, heldAt, heldBy } = hold;
  return [
    `Held: ${version} (content of ${rolledBackTo}) since ${heldAt}, by ${heldBy}. Refreshes change nothing until "tallyrank rankings release".`,
  ];
}

function rankingText({ useCase, best, alternatives, note, redirectedFrom }: Ranking): string {
  const models = best === null ? alternatives : [best, ...alternatives];
  const rows = models.map((model) => [
    model === best ? `* ${model.modelId}` : `  ${model.modelId}`,
    model.score === null ? '–' : model.score.toFixed(1),
    model.scoreInterval === null ? '–' : model.scoreInterval.map((limit) => limit.toFixed(1)).join('–'),
    placesText(model.places),
    percent(model.probabilityBest),
    percent(model.successRate),
    duration(model.avgTimeMs),
    dollars(model.avgCost),
    String(model.totalRequests),
    model.notCandidateReason ?? '',
  ]);
  const moved = redirectedFrom === null ? '' : ` (${redirectedFrom} is called ${useCase} now)`;
  const header = [
    '  model',
    'score',
    '95 %',
    'place',
    'P(best)',
    'success',
    'time',
    'cost',
    'requests',
    'why not',
  ];
  // What withholds a model stands in the note and in its row.
  const warnings = models.flatMap((model) =>
    model.warnings
      .filter(({ isWithholding }) => !isWithholding)
      .map(({ message }) => `  ${model.modelId}: ${message}`),
  );
  return [
    `${useCase}${moved}${note === null ? '' : `: ${note}`}`,
    table(header, rows),
    ...(warnings.length === 0 ? [] : ['Signs to look at:', ...warnings]),
  ].join('\n');
}

/** "1" where the order is established, "1–3" where it is tied. */
function placesText(places: Ranking['alternatives'][number]['places']): string {
  if (places === null) return '–';
  const [best, worst] = places;
  return best === worst ? String(best) : `${best}–${worst}`;
}

function versionsText({ hold, versions }: Versions): string {
  const rows = versions.map((version) => [
    `${version.isCurrent ? '*' : ' '} ${version.version}`,
    version.createdAt,
    String(version.useCaseCount),
    String(version.requestCount),
    version.rolledBackTo === null ? '' : `content of ${version.rolledBackTo}`,
  ]);
  if (rows.length === 0) return 'No ranking was published yet.';
  return [...holdLines(hold), table(['  version', 'published', 'use cases', 'requests', ''], rows)].join(
    '\n\n',
  );
}

function diffText({
  a,
  b,
  addedUseCases,
  removedUseCases,
  changedUseCases,
  unchangedCount,
  note,
}: Diff): string {
  const parts = changedUseCases.map(({ useCase, bestA, bestB, models }) => {
    const best = bestA === bestB ? '' : `: best ${bestA ?? 'none'} -> ${bestB ?? 'none'}`;
    const rows = models.map((model) => [
      `  ${model.modelId}`,
      fromTo(model, ({ place }) => String(place)),
      fromTo(model, ({ score }) => score?.toFixed(1) ?? '–') + (model.isScoreShifted ? ' !' : ''),
      model.isOtherCandidate ? fromTo(model, ({ isCandidate }) => (isCandidate ? 'yes' : 'no')) : '',
      model.b?.notCandidateReason ?? '',
    ]);
    return [`${useCase}${best}`, table(['  model', 'place', 'score', 'candidate', 'why not'], rows)].join(
      '\n',
    );
  });
  return [
    `${a.version} (${a.createdAt}) -> ${b.version} (${b.createdAt})`,
    ...(note === null ? [] : [note]),
    ...(addedUseCases.length === 0 ? [] : [`New use cases: ${addedUseCases.join(', ')}`]),
    ...(removedUseCases.length === 0 ? [] : [`Use cases that went: ${removedUseCases.join(', ')}`]),
    ...parts,
    `${unchangedCount} use cases without a change of place, candidate or score ("!": beyond both intervals).`,
  ].join('\n\n');
}

function fromTo(
  { a, b }: ModelDifference,
  show: (standing: NonNullable<ModelDifference['a']>) => string,
): string {
  const [before, after] = [a === null ? '–' : show(a), b === null ? '–' : show(b)];
  return before === after ? before : `${before} -> ${after}`;
}

function trendsText({ useCase, models, falseAlarmsPerYear, seriesCount }: Trends): string {
  const parts = models.flatMap(({ modelId, success, latencyMs, costUsd, quality }) => [
    trendText(`${modelId}: success`, success, percent),
    trendText(`${modelId}: latency`, latencyMs, duration),
    trendText(`${modelId}: cost per request`, costUsd, dollars),
    ...(quality === null ? [] : [trendText(`${modelId}: quality`, quality, percent)]),
  ]);
  if (parts.length === 0) return `No requests in ${useCase} in this window.`;
  const expected = (falseAlarmsPerYear * seriesCount).toFixed(2);
  return [
    ...parts,
    `Change points: ${falseAlarmsPerYear} false ones expected in a year of a series that does not change, ${expected} a year for these ${seriesCount}.`,
  ].join('\n\n');
}

function trendText(title: string, { points, changePoints }: Trend, show: (value: number) => string): string {
  const rows = points.map(({ at, value, interval, sampleCount }) => [
    at.slice(0, 16).replace('T', ' '),
    show(value),
    interval === null ? '–' : interval.map(show).join('–'),
    String(sampleCount),
  ]);
  const changes = changePoints?.map(
    ({ at, before, after, detectedAt }) =>
      `  moved at ${at}: ${show(before.value)} -> ${show(after.value)} (seen at ${detectedAt})`,
  ) ?? ['  too little to say whether the level moved'];
  return [title, table(['  from', 'mean', '95 %', 'n'], rows), ...changes].join('\n');
}
