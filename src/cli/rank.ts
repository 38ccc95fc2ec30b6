import type { Command } from 'commander';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { dollars, duration, percent, table } from './output.ts';

interface RankOptions extends GlobalOptions {
  readonly timeframe?: string;
}

/** `tallyrank rank` ranks anew; `tallyrank rankings [USE_CASE]` shows what was published. */
export function addRank(program: Command, context: CommandContext): void {
  program
    .command('rank')
    .description('rank the models per use case from all that is logged, and publish the result')
    .option('--timeframe <window>', 'evidence of this window (default: ranking.timeframe, 30 days)')
    .action(async (options: RankOptions) => {
      const answer = await withWorkbench(context, options, ({ ranker }) =>
        ranker.refreshAll({ timeframe: options.timeframe }),
      );
      context.output.answer(
        answer,
        () =>
          `Ranked ${answer.modelCount} models in ${answer.useCaseCount} use cases from ${answer.requestCount} requests; ` +
          `published as ${answer.version}.`,
      );
    });

  program
    .command('rankings')
    .description('show the published rankings')
    .argument('[use-case]', 'slug of one use case; all when left out')
    .action(async (useCase: string | undefined, options: RankOptions) => {
      const answer = await withWorkbench(context, options, async ({ ranker }) =>
        useCase === undefined ? ranker.getAllRankings() : ranker.getRankings(useCase),
      );
      context.output.answer(answer, () => {
        const rankings = 'rankings' in answer ? answer.rankings : [answer];
        if (rankings.length === 0)
          return 'No ranking was published yet: send requests, then run "tallyrank rank".';
        return rankings.map(rankingText).join('\n\n');
      });
    });
}

type Ranking = Awaited<
  ReturnType<Parameters<Parameters<typeof withWorkbench>[2]>[0]['ranker']['getRankings']>
>;

function rankingText({ useCase, best, alternatives, note }: Ranking): string {
  const models = best === null ? alternatives : [best, ...alternatives];
  const rows = models.map((model) => [
    model === best ? `* ${model.modelId}` : `  ${model.modelId}`,
    model.score === null ? '–' : model.score.toFixed(1),
    model.scoreInterval === null ? '–' : model.scoreInterval.map((limit) => limit.toFixed(1)).join('–'),
    percent(model.successRate),
    duration(model.avgTimeMs),
    dollars(model.avgCost),
    String(model.totalRequests),
    model.notCandidateReason ?? '',
  ]);
  const header = ['  model', 'score', '95 %', 'success', 'time', 'cost', 'requests', 'why not'];
  return [`${useCase}${note === null ? '' : `: ${note}`}`, table(header, rows)].join('\n');
}
