import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { judgeAndRank } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { dollars, percent, table } from './output.ts';

interface JudgeOptions extends GlobalOptions {
  readonly limit?: number;
  readonly dryRun?: boolean;
  readonly status?: boolean;
}

/** `tallyrank judge` scores a sample of answers; with `--status` it says what that found and is worth. */
export function addJudge(program: Command, context: CommandContext): void {
  program
    .command('judge')
    .description('let the configured model score a sample of answers, and rank')
    .option(
      '--limit <number>',
      "judgements at most (default: what the day's samples and budget leave)",
      positiveInteger,
    )
    .option('--dry-run', 'say what would be judged, and ask nobody')
    .option('--status', 'show agreement with people, flip rate and cost, and judge nothing')
    .action(async ({ limit, dryRun, status, ...options }: JudgeOptions) => {
      const { output, signal } = context;
      if (status === true) {
        const answer = await withWorkbench(context, options, ({ judge }) => judge.status());
        output.answer(answer, () => statusText(answer));
        return;
      }
      const bar = output.progress();
      const report = await withWorkbench(context, options, (bench) =>
        judgeAndRank(bench, { limit, isDryRun: dryRun, signal, onProgress: bar.report }),
      ).finally(() => bar.end());
      output.answer(report, () => reportText(report));
    });
}

type Report = Awaited<ReturnType<typeof judgeAndRank>>;
type Bench = Parameters<Parameters<typeof withWorkbench>[2]>[0];
type Status = Awaited<ReturnType<Bench['judge']['status']>>;

function positiveInteger(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError('It must be a whole number from 1.');
}

function reportText(report: Report): string {
  const rows = report.planned.map(({ useCase, modelId, count }) => [useCase, modelId, String(count)]);
  const faults = [
    [report.flippedCount, 'verdicts changed with the order'],
    [report.malformedCount, 'verdicts could not be read'],
    [report.suspectCount, 'answers talk to the judge and were not sent'],
    [report.failedCount, 'times the judge did not answer'],
  ] as const;
  return [
    report.message,
    ...faults.filter(([count]) => count > 0).map(([count, what]) => `  ${count} ${what}`),
    ...(report.callCount > 0 ? [`  ${report.callCount} calls, ${dollars(report.costUsd)}`] : []),
    ...(report.isDryRun && rows.length > 0 ? ['', table(['use case', 'model', 'answers'], rows)] : []),
  ].join('\n');
}

function statusText({ judge, today, agreement, comparisons, scores, unjudged }: Status): string {
  const { flipRate, agreementRate } = comparisons;
  const lines = [
    judge === null ? 'No judge is configured (judge.model).' : `Judge: ${judge}`,
    `Today: ${today.judgementCount} of ${today.samplesPerDay} samples, ${dollars(today.costUsd)} of ${dollars(today.budgetUsdPerDay)}` +
      (today.unpricedCount > 0 ? `, ${today.unpricedCount} of unknown price` : ''),
    '',
    table(
      ['judge', 'correlation', '95 %', 'pairs', 'weight'],
      agreement.map((one) => [
        one.judge === '' ? '–' : one.judge,
        decimal(one.correlation),
        range(one.correlationInterval, decimal),
        String(one.pairCount),
        one.weight.toFixed(3),
      ]),
    ),
    'A judged request counts "weight" of one explicit feedback.',
    '',
    `Compared pairs: ${comparisons.pairCount}; changed with the order: ${rateText(flipRate)}; as people say: ${rateText(agreementRate)}`,
  ];
  const rows = scores.map((cell) => [
    cell.useCase,
    cell.isOwnModel ? `${cell.modelId} (judges itself)` : cell.modelId,
    String(cell.scoredCount),
    cell.scoreMean.toFixed(2),
    String(cell.ratedCount),
  ]);
  if (rows.length > 0) lines.push('', table(['use case', 'model', 'scored', 'mean 1-5', 'rated'], rows));
  for (const { outcome, modelId, count } of unjudged) {
    lines.push(
      `${modelId}: ${count} ${outcome === 'suspect' ? 'answers talk to the judge' : 'verdicts unreadable'}`,
    );
  }
  return lines.join('\n');
}

function decimal(value: number | null): string {
  return value === null ? '–' : value.toFixed(2);
}

function range(interval: readonly [number, number] | null, worded: (limit: number) => string): string {
  return interval === null ? '–' : interval.map(worded).join(' to ');
}

function rateText({ value, interval, sampleCount }: Status['comparisons']['flipRate']): string {
  return value === null ? '–' : `${percent(value)} (${range(interval, percent)}, n = ${sampleCount})`;
}
