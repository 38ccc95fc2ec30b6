import type { Command } from 'commander';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';

interface RankOptions extends GlobalOptions {
  readonly timeframe?: string;
}

/** `tallyrank rank` ranks anew; `tallyrank rankings` shows what was published. */
export function addRank(program: Command, context: CommandContext): void {
  program
    .command('rank')
    .description('rank the models per use case from all that is logged, and publish the result')
    .option('--timeframe <window>', 'evidence of this window (default: ranking.timeframe, 30 days)')
    .action(async (options: RankOptions) => {
      const answer = await withWorkbench(context, options, ({ ranker }) =>
        ranker.refreshAll({ timeframe: options.timeframe }),
      );
      context.output.answer(answer, () =>
        answer.hold === null
          ? `Ranked ${answer.modelCount} models in ${answer.useCaseCount} use cases from ${answer.requestCount} requests; ` +
            `published as ${answer.version}.`
          : `Nothing was published: ${answer.version} is held. "tallyrank rankings release" ends that.`,
      );
    });
}
