import type { Command } from 'commander';
import { analyzeAndRank, writeAssignments } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { dollars, percent, table } from './output.ts';

interface AnalyzeOptions extends GlobalOptions {
  readonly timeframe?: string;
  readonly assignments?: string;
}

/** `tallyrank analyze`: discovers use cases and ranks for them. `tallyrank patterns`: what is known, without a new run. */
export function addAnalyze(program: Command, context: CommandContext): void {
  program
    .command('analyze')
    .description('discover from the logged prompts what people ask, and rank the models for it')
    .option('--timeframe <window>', 'prompts of this window (default: discovery.timeframe, 30 days)')
    .option('--assignments <file>', 'also write {"prompt", "useCase"} per distinct prompt, as JSON lines')
    .action(async (options: AnalyzeOptions) => {
      const { output, signal } = context;
      const bar = output.progress();
      const answer = await withWorkbench(context, options, async (bench) => {
        const found = await analyzeAndRank(bench, options.timeframe, { signal, onProgress: bar.report });
        if (options.assignments !== undefined) await writeAssignments(bench.db, options.assignments);
        return found;
      }).finally(() => bar.end());
      output.answer(answer, () => patternsText(answer));
    });

  program
    .command('patterns')
    .description('use cases seen in a window, and what is inefficient')
    .option('--timeframe <window>', 'window (default: 1 week)')
    .action(async (options: AnalyzeOptions) => {
      const answer = await withWorkbench(context, options, (bench) =>
        bench.analyzer.patterns(options.timeframe ?? '1 week'),
      );
      context.output.answer(answer, () => patternsText(answer));
    });
}

type Patterns = Awaited<ReturnType<typeof analyzeAndRank>>;

function patternsText({ categories, routingPatterns, drift, report }: Patterns): string {
  const total = categories.reduce((sum, category) => sum + category.sampleCount, 0);
  const rows = categories.map((category) => [
    category.categorySlug,
    String(category.sampleCount),
    percent(total === 0 ? null : category.sampleCount / total),
    category.keywords.slice(0, 5).join(', '),
    (category.examplePrompts[0] ?? '').replace(/\s+/g, ' ').slice(0, 60),
  ]);
  const findings = routingPatterns.inefficiencies;
  return [
    table(['use case', 'requests', 'share', 'keywords', 'example'], rows),
    ...(report.note === null ? [] : ['', report.note]),
    ...runLines(report),
    ...driftLines(drift),
    ...(findings.length === 0 ? [] : ['', INEFFICIENCIES_HEAD, ...findings.map(findingText)]),
  ].join('\n');
}

/** How the run came to it; nothing before the first. */
function runLines({
  embedderReason,
  clusteredCount,
  useCaseCount,
  modularityCurve,
  repeats,
}: Patterns['report']): string[] {
  if (embedderReason === undefined) return [];
  const tried = modularityCurve?.map(({ clusterCount }) => clusterCount) ?? [];
  const range =
    tried.length === 0 ? '' : `, chosen by modularity among ${Math.min(...tried)} to ${Math.max(...tried)}`;
  const templates = repeats?.templates.length ?? 0;
  const scheduled = repeats?.scheduled.length ?? 0;
  return [
    '',
    `${useCaseCount} use cases of ${clusteredCount} clustered prompts${range} (the curve: --json, report.modularityCurve).`,
    embedderReason,
    ...(templates + scheduled === 0
      ? []
      : [`Programs ask too: ${templates} templates and ${scheduled} scheduled prompts (report.repeats).`]),
  ];
}

const INEFFICIENCIES_HEAD =
  'Inefficiencies: what could have been saved (they overlap; --json has the query behind each)';

type Finding = Patterns['routingPatterns']['inefficiencies'][number];

/** The money first, as wide as most of it is; then why the cheaper model is not worse, where that is the point. */
function findingText({ message, suggestion, wastedUsd, wastedInterval, comparison }: Finding): string {
  const money = dollars(wastedUsd);
  const isEstimate = wastedInterval !== null && wastedInterval[0] !== wastedInterval[1];
  const range = isEstimate ? ` (${wastedInterval.map(dollars).join(' to ')})` : '';
  return [
    `  ${(money + range).padStart(7)}  ${message}`,
    `           ${suggestion}`,
    ...(comparison === null ? [] : [`           ${comparisonText(comparison)}`]),
  ].join('\n');
}

function comparisonText({
  modelId,
  success,
  quality,
  margin,
  isRecordElsewhere,
}: NonNullable<Finding['comparison']>): string {
  const where = isRecordElsewhere ? ', by its record in other use cases' : '';
  const rated = quality === null ? '' : `, rating ${points(quality)}`;
  const most = `not worse by more than ${Math.round(100 * margin)} points`;
  return `${modelId} is ${most}${where}: success ${points(success)}${rated}`;
}

/** "-0.3 points (-2.1 to +1.4, n 200)" */
function points({ value, interval, sampleCount }: NonNullable<Finding['failureRate']>): string {
  const [point, low, high] = [value, ...interval].map(
    (share) => `${share < 0 ? '' : '+'}${(100 * share).toFixed(1)}`,
  );
  return `${point} points (${low} to ${high}, n ${sampleCount})`;
}

/** Use cases named for a shift of the whole mix. */
const CHANGES_SHOWN = 3;

function driftLines({ isAlarm, useCases }: Patterns['drift']): string[] {
  if (isAlarm !== true) return [];
  const significant = useCases.filter(({ isSignificant }) => isSignificant);
  // A shift spread over many use cases shows in none alone: then the largest changes.
  const changed = significant.length > 0 ? significant : useCases.slice(0, CHANGES_SHOWN);
  return [
    '',
    'The mix changed against the window before',
    ...changed.map(
      ({ useCase, previousShare, share }) => `  ${useCase}: ${percent(previousShare)} -> ${percent(share)}`,
    ),
  ];
}
