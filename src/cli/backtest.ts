import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { backtestWith } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { loadForCommand } from './context.ts';
import { dollars, percent, table } from './output.ts';

interface BacktestCommandOptions extends GlobalOptions {
  readonly train?: number;
  readonly seed?: number;
  readonly feedback?: 'full' | 'bandit';
  readonly lambda?: readonly number[];
  readonly frontier?: boolean;
  readonly limit?: number;
}

/** Single models in the table for people; --json has all. */
const SINGLES_SHOWN = 12;
const USE_CASES_SHOWN = 25;

/** `tallyrank backtest FILE.jsonl`: what routing would have come to on an outcome matrix. */
export function addBacktest(program: Command, context: CommandContext): void {
  program
    .command('backtest')
    .description('route the held-out prompts of an outcome file, and compare with single models')
    .argument('<file>', 'file of JSON lines, gzipped or not (docs/backtest.md has the fields)')
    .option('--train <share>', 'share of the prompts to learn from (default: 0.7)', shareBetween)
    .option('--seed <number>', 'of the split and of all that is drawn (default: 1)', wholeNumber)
    .addOption(
      new Option(
        '--feedback <kind>',
        "outcomes seen of a training prompt: every model's (full, the default), or one model's",
      ).choices(['full', 'bandit']),
    )
    .option(
      '--lambda <numbers>',
      'weight of cost against quality, 0 to 1, several with commas (default: 0, quality alone)',
      lambdas,
    )
    .addOption(
      new Option('--frontier', 'a row of lambdas from quality alone to cost alone').conflicts('lambda'),
    )
    .option('--limit <number>', 'distinct prompts at most, drawn by seed (default: all)', promptCount)
    .action(async (file: string, options: BacktestCommandOptions) => {
      const { output, signal } = context;
      const { train = 0.7, seed = 1, feedback = 'full' } = options;
      const bar = output.progress();
      const { report, notes } = await backtestWith(loadForCommand(context, options), file, {
        trainShare: train,
        seed,
        feedback,
        lambdas: options.frontier === true ? 'frontier' : (options.lambda ?? [0]),
        promptsMax: options.limit ?? null,
        signal,
        onProgress: bar.report,
      }).finally(() => bar.end());
      for (const note of notes) output.note(note);
      output.answer(report, () =>
        reportText(report, `${feedback} feedback, --train ${train} --seed ${seed}`),
      );
    });
}

type Report = Awaited<ReturnType<typeof backtestWith>>['report'];
type Result = Report['policies'][number];

function reportText(report: Report, how: string): string {
  const { promptCount, modelCount, trainCount, testCount, policies, useCases } = report;
  const singles = policies.filter(({ name }) => name === 'single');
  const shown = [...singles].sort((one, other) => other.quality - one.quality).slice(0, SINGLES_SHOWN);
  const rows = [...policies.filter(({ name }) => name !== 'single'), ...shown].map((policy) => [
    policy.name,
    policy.lambda === undefined ? (policy.model ?? '') : `lambda ${policy.lambda}`,
    points(policy.quality),
    range(policy.qualityInterval, points),
    dollars(policy.costUsd),
    String(policy.sampleCount),
    policy.name === 'single' ? '' : signed(policy.gain),
    policy.name === 'single' ? '' : range(policy.gainInterval, signed),
  ]);
  const left = singles.length - shown.length;
  return [
    `${promptCount} prompts, ${modelCount} models: learnt from ${trainCount}, measured on ${testCount} (${how}).`,
    '',
    table(
      ['policy', 'which', 'quality', '95 %', 'cost/prompt', 'prompts', 'against best single', '95 %'],
      rows,
    ),
    ...(left > 0 ? [`and ${left} more single models; --json has them.`] : []),
    '',
    useCaseTable(report),
    ...(useCases.length > USE_CASES_SHOWN
      ? [`and ${useCases.length - USE_CASES_SHOWN} more; --json has them.`]
      : []),
  ].join('\n');
}

function useCaseTable({ useCases }: Report): string {
  const hasDomains = useCases.some(({ domain }) => domain !== null);
  const rows = useCases
    .slice(0, USE_CASES_SHOWN)
    .map(({ useCase, trainCount, testCount, domain, policies }) => {
      const own = policies.find(({ name }) => name === 'tallyrank');
      const qualityOf = (name: Result['name']): string => {
        const result = policies.find((policy) => policy.name === name);
        return result === undefined ? '–' : points(result.quality);
      };
      return [
        useCase,
        ...(hasDomains ? [domain === null ? '–' : `${domain.name} ${percent(domain.share)}`] : []),
        String(trainCount),
        String(testCount),
        own === undefined ? '–' : `${own.mostly} (${percent(own.mostlyShare)})`,
        own === undefined ? '–' : points(own.quality),
        own === undefined ? '–' : range(own.qualityInterval, points),
        qualityOf('best-single'),
        qualityOf('oracle'),
      ];
    });
  return table(
    [
      'use case',
      ...(hasDomains ? ['mostly'] : []),
      'learnt',
      'measured',
      'chosen most',
      'quality',
      '95 %',
      'best single',
      'oracle',
    ],
    rows,
  );
}

/** A share as points of a hundred. */
function points(share: number): string {
  return (100 * share).toFixed(1);
}

function signed(share: number): string {
  return `${share < 0 ? '-' : '+'}${(100 * Math.abs(share)).toFixed(1)}`;
}

function range([low, high]: readonly [number, number], worded: (limit: number) => string): string {
  return `${worded(low)} to ${worded(high)}`;
}

function shareBetween(text: string): number {
  const share = Number(text);
  if (text.trim() !== '' && share > 0 && share < 1) return share;
  throw new InvalidArgumentError('It must be a number between 0 and 1.');
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(number)) return number;
  throw new InvalidArgumentError('It must be a whole number.');
}

function promptCount(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 2) return number;
  throw new InvalidArgumentError('It must be a whole number from 2.');
}

function lambdas(text: string, before: readonly number[] = []): number[] {
  const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (numbers.every((number) => number >= 0 && number <= 1)) return [...new Set([...before, ...numbers])];
  throw new InvalidArgumentError('It must be numbers from 0 to 1, with commas between them.');
}
