import type { Command } from 'commander';
import { signalsOf } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { percent, table } from './output.ts';

interface SignalsOptions extends GlobalOptions {
  readonly useCase?: string;
  readonly model?: string;
  readonly timeframe?: string;
}

/** `tallyrank signals`: what people said and showed, each kind by itself, and how well it agrees with ratings. */
export function addSignals(program: Command, context: CommandContext): void {
  program
    .command('signals')
    .description('what each kind of signal is worth against explicit ratings')
    .option('--use-case <slug>', 'one use case (default: all)')
    .option('--model <id>', 'one model (default: all)')
    .option('--timeframe <window>', 'window (default: 30 days)')
    .action(async ({ useCase, model, timeframe, ...options }: SignalsOptions) => {
      const answer = await withWorkbench(context, options, (bench) =>
        signalsOf(bench, { useCase, modelId: model, timeframe }),
      );
      context.output.answer(answer, () => signalsText(answer));
    });
}

type Answer = Awaited<ReturnType<typeof signalsOf>>;
type Figure = Answer['signals'][number]['rate'];

function signalsText({ window, requestCount, sessionCount, signals }: Answer): string {
  const rows = signals.map((signal) => [
    signal.kind,
    String(signal.count),
    figureText(signal.rate, percent),
    signal.ratingWith === null ? '' : figureText(signal.ratingWith, decimal),
    signal.ratingWithout === null ? '' : figureText(signal.ratingWithout, decimal),
    figureText(signal.correlation, decimal),
    figureText(signal.agreement, decimal),
  ]);
  const header = [
    'signal',
    'requests',
    'of requests in sessions',
    'rating with',
    'rating without',
    'correlation',
    'agreement',
  ];
  return [
    `Window ${window.label}: ${requestCount} requests, ${sessionCount} of them in sessions.`,
    '',
    table(header, rows),
    ...signals.filter(({ note }) => note !== null).map(({ kind, note }) => `${kind}: ${note}`),
  ].join('\n');
}

function figureText({ value, interval, sampleCount }: Figure, worded: (value: number) => string): string {
  if (value === null) return '–';
  const range = interval === null ? '' : `${interval.map(worded).join(' to ')}, `;
  return `${worded(value)} (${range}n = ${sampleCount})`;
}

function decimal(value: number): string {
  return value.toFixed(2);
}
