import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { AB_METRICS, AB_UNITS, type AbMetric, type AbUnit } from '../core/ab-test.ts';
import { TallyrankError } from '../core/errors.ts';
import { canonicalModelName } from '../core/model-names.ts';
import { isAutoName } from '../core/policy.ts';
import type { Workbench } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { dollars, duration, percent, table } from './output.ts';

type Book = Workbench['abTests'];
type View = Awaited<ReturnType<Book['create']>>;
type Report = Awaited<ReturnType<Book['report']>>;
type Request = Parameters<Book['create']>[0];

interface CreateOptions extends GlobalOptions {
  readonly arm: readonly string[];
  readonly weight?: readonly string[];
  readonly useCase?: readonly string[];
  readonly share?: number;
  readonly from?: string;
  readonly to?: string;
  readonly metric?: AbMetric;
  readonly margin?: number;
  readonly stickyBy?: AbUnit;
}

/** `tallyrank ab-tests …`: a running gateway follows within seconds. */
export function addAbTests(program: Command, context: CommandContext): void {
  const { output } = context;
  const group = program
    .command('ab-tests')
    .description('A/B tests of models and policies: make, show and stop them');
  group
    .command('list', { isDefault: true })
    .description('show all A/B tests')
    .action(async (options: GlobalOptions) => {
      const tests = await withWorkbench(context, options, ({ abTests }) => abTests.list());
      output.answer({ tests }, () => (tests.length === 0 ? 'There are no A/B tests.' : listText(tests)));
    });
  addCreate(group, context);
  group
    .command('show')
    .description('show an A/B test with its verdict by now')
    .argument('<name>', 'the test')
    .action(async (name: string, options: GlobalOptions) => {
      const report = await withWorkbench(context, options, ({ abTests }) => abTests.report(name));
      output.answer(report, () => reportText(report));
    });
  group
    .command('stop')
    .description('end an A/B test now; its results stay')
    .argument('<name>', 'the test')
    .action(async (name: string, options: GlobalOptions) => {
      const test = await withWorkbench(context, options, ({ abTests }) => abTests.stop(name, 'cli'));
      output.answer(test, () => `${test.name} is ${test.status}.`);
    });
  group
    .command('remove')
    .description('forget an A/B test; the requests of it stay in the log')
    .argument('<name>', 'the test')
    .action(async (name: string, options: GlobalOptions) => {
      const test = await withWorkbench(context, options, ({ abTests }) => abTests.remove(name, 'cli'));
      output.answer(test, () => `${test.name} is forgotten.`);
    });
}

function addCreate(group: Command, context: CommandContext): void {
  group
    .command('create')
    .description('make an A/B test of two to eight arms, the first of which is the control')
    .argument('<name>', '1 to 60 of a-z, 0-9, - and _')
    .requiredOption(
      '--arm <name=target...>',
      'an arm and its model or policy, e.g. now=auto new=openai:gpt-4o',
    )
    .option('--weight <name=number...>', 'parts of the arms (default: equal)')
    .option('--use-case <slugs...>', 'use cases that it is about (default: all)')
    .option('--share <share>', 'part of the matching traffic that is in the test (default: 1)', toNumber)
    .option('--from <moment>', 'start, ISO 8601 (default: now)')
    .option('--to <moment>', 'end, ISO 8601 (default: when it is stopped)')
    .addOption(new Option('--metric <metric>', 'what decides (default: success)').choices(AB_METRICS))
    .option('--margin <difference>', 'a difference that does not matter (default: every one does)', toNumber)
    .addOption(
      new Option('--sticky-by <unit>', 'who keeps an arm once given (default: user)').choices(AB_UNITS),
    )
    .action(async (name: string, options: CreateOptions) => {
      const test = await withWorkbench(context, options, ({ abTests }) =>
        abTests.create(requestOf(name, options), { createdBy: 'cli', modelIdOf: canonicalModelName }),
      );
      // Only a gateway knows what its providers offer.
      context.output.note(
        'Where the gateway does not have the model of an arm, requests stay outside of the test.',
      );
      context.output.answer(test, () => `${test.name} is ${test.status}; gateways follow within seconds.`);
    });
}

function requestOf(name: string, options: CreateOptions): Request {
  // A weight that is no number is refused with the weights that are none.
  const weights = new Map((options.weight ?? []).map(parted).map(([arm, weight]) => [arm, Number(weight)]));
  const arms = options.arm.map(parted).map(([arm, target]) => ({
    name: arm,
    ...(isAutoName(target) ? { policy: target } : { model: target }),
    weight: weights.get(arm),
  }));
  const unknown = [...weights.keys()].find((arm) => !arms.some((each) => each.name === arm));
  if (unknown !== undefined) throw wrongUse(`There is no arm "${unknown}" to weigh.`);
  const { useCase, share, from, to, metric, margin, stickyBy } = options;
  return { name, useCases: useCase, arms, share, startsAt: from, endsAt: to, metric, margin, stickyBy };
}

function parted(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw wrongUse(`"${text}" must be name=value.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function wrongUse(message: string): TallyrankError {
  return new TallyrankError('bad_request', message);
}

function toNumber(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return number;
  throw new InvalidArgumentError(`"${text}" is not a number.`);
}

function listText(tests: readonly View[]): string {
  const rows = tests.map((test) => [
    test.name,
    test.status,
    test.arms.map(targetText).join(', '),
    test.useCases.join(', ') || 'all',
    percent(test.share),
    test.metric,
    test.stickyBy,
    test.startsAt.slice(0, 16),
    test.endsAt?.slice(0, 16) ?? '–',
  ]);
  return table(['test', 'status', 'arms', 'use cases', 'share', 'metric', 'sticky by', 'from', 'to'], rows);
}

function targetText({ name, model, policy, weight }: View['arms'][number]): string {
  return `${name} (${model ?? policy}, ${percent(weight)})`;
}

function reportText(report: Report): string {
  const { verdict, metric, stickyBy } = report;
  const lines = [
    `${report.name} (${report.status}): ${verdict.sentence}`,
    `By ${metric}, sticky by ${stickyBy}, ${percent(report.share)} of the traffic, from ${report.startsAt}${report.endsAt === null ? '' : ` to ${report.endsAt}`}.`,
    '',
    table(
      ['arm', 'of', 'units', 'requests', 'fallbacks', 'success', 'satisfaction', 'cost', 'latency'],
      verdict.arms.map((arm) => [
        arm.name,
        arm.model ?? arm.policy ?? '',
        String(arm.unitCount),
        String(arm.requestCount),
        String(arm.fallbackCount),
        share(arm.figures.success.value),
        share(arm.figures.satisfaction.value),
        dollars(arm.figures.cost.value),
        duration(arm.figures.latency.value),
      ]),
    ),
    '',
    table(
      ['against the control', 'metric', 'difference', 'interval', 'outcome'],
      [...verdict.comparisons, ...verdict.guardRails].map((one) => [
        one.arm,
        one.metric,
        differenceText(one.metric, one.difference),
        one.interval === null ? '–' : one.interval.map((end) => differenceText(one.metric, end)).join(' to '),
        one.outcome.replace('_', ' '),
      ]),
    ),
    'Requests count for the arm that they were given, also where a fallback answered. Intervals hold at all looks.',
  ];
  return lines.join('\n');
}

function share(value: number | null): string {
  return value === null ? '–' : `${(100 * value).toFixed(1)} %`;
}

function differenceText(metric: AbMetric, value: number | null): string {
  if (value === null) return '–';
  const sign = value > 0 ? '+' : '';
  if (metric === 'cost') return value < 0 ? `-${dollars(-value)}` : `${sign}${dollars(value)}`;
  return `${sign}${(100 * value).toFixed(1)} ${metric === 'latency' ? '%' : 'points'}`;
}
