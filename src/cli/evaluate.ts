import type { Command } from 'commander';
import { readUseCaseSettings } from '../config/use-case-settings.ts';
import { evaluateWith } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { dollars, duration, percent, table } from './output.ts';

interface EvaluateOptions extends GlobalOptions {
  readonly policy: string;
  readonly settings?: string;
  readonly ranking?: string;
  readonly timeframe?: string;
}

const CHOICES_SHOWN = 15;
const UNCOVERED_SHOWN = 5;

/** `tallyrank evaluate`: a policy looked at before it is switched on. */
export function addEvaluate(program: Command, context: CommandContext): void {
  program
    .command('evaluate')
    .description('what a policy would have come to on the logged decisions of auto, against what was logged')
    .option('--policy <name>', 'auto, auto:cheap, auto:fast, auto:best, or a model (default: auto)', 'auto')
    .option('--settings <file>', 'YAML or JSON in place of ranking.useCases of the configuration')
    .option('--ranking <version>', 'rankings that it chooses by (default: those in use)')
    .option('--timeframe <window>', 'window of the decisions (default: 30 days)')
    .action(async ({ policy, settings, ranking, timeframe, ...options }: EvaluateOptions) => {
      const useCases = settings === undefined ? undefined : readUseCaseSettings(settings);
      const answer = await withWorkbench(context, options, (bench) =>
        evaluateWith(bench, { policy, useCases, rankingVersion: ranking, timeframe }),
      );
      for (const note of answer.notes) context.output.note(note);
      context.output.answer(answer, () => evaluationText(answer));
    });
}

type Evaluation = Awaited<ReturnType<typeof evaluateWith>>;
type Rewards = Evaluation['rewards'];
type Estimate = NonNullable<Rewards['success']['snips']>;

const SHOWN: readonly (readonly [name: keyof Rewards, title: string, worded: (value: number) => string])[] = [
  ['success', 'success', points],
  ['quality', 'quality', points],
  ['costUsd', 'cost/request', dollars],
  ['latencyMs', 'latency', duration],
];

function evaluationText(answer: Evaluation): string {
  const { policy, window, decisionCount, sampleCount, followingCount, otherCount, refusal } = answer;
  const left = [
    ...(followingCount > 0 ? [`${followingCount} turns that stay with their session's model`] : []),
    ...(otherCount > 0 ? [`${otherCount} decisions that auto had no part in`] : []),
  ];
  return [
    `${policy} on ${sampleCount} of ${decisionCount} decisions of auto, ${window.label}` +
      (left.length > 0 ? `; left out: ${left.join(', ')}.` : '.'),
    overlapText(answer),
    '',
    ...(refusal === null ? [rewardsText(answer.rewards)] : [`No estimate. ${refusal}`]),
    '',
    choicesText(answer),
  ].join('\n');
}

function overlapText({ overlap, clusteredBy }: Evaluation): string {
  const { effectiveCount, weightMax, weightMean, uncoveredShare, uncovered } = overlap;
  const where = uncovered
    .slice(0, UNCOVERED_SHOWN)
    .map(
      ({ useCase, modelId, decisionCount }) => `${modelId ?? 'no model'} in ${useCase} (${decisionCount})`,
    );
  return (
    `Worth ${effectiveCount.toFixed(0)} decisions of its own; greatest weight ${weightMax.toFixed(1)}, mean ` +
    `${weightMean.toFixed(2)}; unknown in ${percent(uncoveredShare)}` +
    `${where.length > 0 ? `: ${where.join(', ')}` : ''}. Intervals by ${clusteredBy}.`
  );
}

function rewardsText(rewards: Rewards): string {
  const refusals: string[] = [];
  const rows = SHOWN.flatMap(([name, title, worded]) => {
    const { logged, snips, doublyRobust, sampleCount, effectiveCount, refusal } = rewards[name];
    if (refusal !== null) refusals.push(`${title}: ${refusal}`);
    const head = [title, logged === null ? '–' : ranged(logged, worded)];
    const counts = [String(sampleCount), effectiveCount.toFixed(0)];
    return (
      [
        ['doubly robust', doublyRobust],
        ['SNIPS', snips],
      ] as const
    ).flatMap(([how, estimate]) =>
      estimate === null
        ? []
        : [[...head, how, ranged(estimate, worded), differenceText(estimate, worded), ...counts]],
    );
  });
  const header = ['', 'as logged (95 %)', '', 'estimate (95 %)', 'difference (95 %)', 'n', 'worth'];
  return [...(rows.length > 0 ? [table(header, rows)] : []), ...refusals].join('\n');
}

function choicesText({ choices }: Evaluation): string {
  const rows = choices
    .slice(0, CHOICES_SHOWN)
    .map(({ useCase, modelId, decisionCount, matchedCount }) => [
      useCase,
      modelId ?? '–',
      String(decisionCount),
      percent(matchedCount / decisionCount),
    ]);
  const more = choices.length - rows.length;
  return [
    table(['use case', 'it chooses', 'decisions', 'chosen then'], rows),
    ...(more > 0 ? [`and ${more} more; --json has them.`] : []),
  ].join('\n');
}

function ranged(
  { value, interval: [low, high] }: Pick<Estimate, 'value' | 'interval'>,
  worded: (value: number) => string,
): string {
  return `${worded(value)} (${worded(low)} to ${worded(high)})`;
}

function differenceText(
  { difference, differenceInterval: [low, high] }: Estimate,
  worded: (value: number) => string,
): string {
  const signed = (value: number): string => `${value < 0 ? '-' : '+'}${worded(Math.abs(value))}`;
  return `${signed(difference)} (${signed(low)} to ${signed(high)})`;
}

/** A share as points of a hundred. */
function points(share: number): string {
  return (100 * share).toFixed(1);
}
