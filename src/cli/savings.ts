import type { Command } from 'commander';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { dollars, percent, table } from './output.ts';

/** `tallyrank savings`: actual cost against the best model per use case, one model alone, and before routing. */
export function addSavings(program: Command, context: CommandContext): void {
  program
    .command('savings')
    .description('what the best model per use case would save')
    .option('--timeframe <window>', 'window (default: 30 days)')
    .action(async (options: GlobalOptions & { readonly timeframe?: string }) => {
      const answer = await withWorkbench(context, options, ({ ranker }) =>
        ranker.analyzeSavings(options.timeframe),
      );
      context.output.answer(answer, () => {
        const { alwaysFlagship } = answer;
        const rows = answer.perUseCase.map((part) => [
          part.useCase,
          part.bestModelId ?? '–',
          String(part.requestCount),
          dollars(part.actualCostUsd),
          dollars(part.optimalCostUsd),
          dollars(part.savingsUsd),
          range(part.interval),
          percent(part.observedShare),
        ]);
        const header = [
          'use case',
          'best model',
          'requests',
          'actual',
          'optimal',
          'saved',
          '95 %',
          'observed',
        ];
        const flagship =
          alwaysFlagship === null
            ? []
            : [
                `Against ${alwaysFlagship.modelId} alone (${dollars(alwaysFlagship.costUsd)}): ` +
                  `${dollars(alwaysFlagship.savingsUsd)} with the best models (95 %: ${range(alwaysFlagship.interval)}), ` +
                  `${dollars(alwaysFlagship.savedNowUsd)} already now. ${alwaysFlagship.note}`,
              ];
        return [
          answer.message,
          `Window ${answer.window.label}: actual $${answer.actualCost}, optimal $${answer.optimalCost}, ` +
            `savings $${answer.potentialSavings} (${answer.savingsPercent}) of ${answer.sampleCount} priced requests; ` +
            `${answer.unpricedCount} without a price are left out.`,
          `95 % interval of the savings: ${range(answer.interval)}; the optimal cost of ${percent(answer.observedShare)} ` +
            'of the requests is observed, that of the others extrapolated.',
          ...flagship,
          answer.realised.message,
          '',
          table(header, rows),
        ].join('\n');
      });
    });
}

function range([low, high]: readonly [number, number]): string {
  return `${dollars(low)}…${dollars(high)}`;
}
