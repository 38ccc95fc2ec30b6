import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { type ExplorationState, keepExploration, readExploration } from '../workbench/operator-settings.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { dollars } from './output.ts';

interface SetOptions extends GlobalOptions {
  readonly share?: number;
  readonly method?: string;
  readonly budget?: number | null;
  readonly newModelRequests?: number;
  readonly shadow?: 'on' | 'off';
  readonly exclude?: readonly string[];
}

/** `tallyrank exploration show` and `set`: how much is explored, how, and what it cost today. */
export function addExploration(program: Command, context: CommandContext): void {
  const { output } = context;
  const group = program.command('exploration').description('how much auto leaves to chance: show and set it');
  group
    .command('show', { isDefault: true })
    .description('show share, method, budget and the rest, and what was explored today')
    .action(async (options: GlobalOptions) => {
      const state = await withWorkbench(context, options, readExploration);
      output.answer(state, () => stateText(state));
    });
  group
    .command('set')
    .description('set what is given; the rest stays. Running gateways follow within a minute')
    .option(
      '--share <share>',
      'share of auto requests that may take another model than the best, 0..1',
      number,
    )
    .addOption(
      new Option('--method <name>', 'how it is shared out').choices(['thompson', 'best-arm', 'uniform']),
    )
    .option('--budget <dollars>', 'dollars a day beyond the best models; "none" for no limit', budget)
    .option('--new-model-requests <number>', 'requests in a use case up to which a model is new', number)
    .addOption(
      new Option(
        '--shadow <state>',
        'callers get the best model’s answer; what is drawn answers in the background',
      ).choices(['on', 'off']),
    )
    .option(
      '--exclude <slug...>',
      'use cases in which nothing is explored, in place of those before; "none" for none',
    )
    .action(async (options: SetOptions) => {
      const state = await withWorkbench(context, options, (bench) =>
        keepExploration(bench, changeOf(options), 'cli'),
      );
      output.answer(state, () => stateText(state));
    });
}

/** @throws {TallyrankError} by `keepExploration`, for what is out of its range */
function changeOf({
  share,
  method,
  budget: budgetUsdPerDay,
  newModelRequests,
  shadow,
  exclude,
}: SetOptions): object {
  const given = {
    share,
    method,
    budgetUsdPerDay,
    newModelRequests,
    shadow: shadow === undefined ? undefined : shadow === 'on',
    excludedUseCases: exclude?.filter((slug) => slug !== 'none'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number.');
}

function budget(text: string): number | null {
  return text === 'none' ? null : number(text);
}

function stateText({ origin, settings, today }: ExplorationState): string {
  const { share, method, budgetUsdPerDay, newModelRequests, shadow, excludedUseCases } = settings;
  const limit = budgetUsdPerDay === null ? 'no limit' : dollars(budgetUsdPerDay);
  return [
    `Exploration (${origin === 'operator' ? 'set by an operator' : 'as configured'})`,
    `  share ${share}, method ${method}, budget ${limit} a day`,
    `  a model is new up to ${newModelRequests} requests in a use case`,
    `  ${shadow ? 'shadow: callers get the best model’s answer, what is drawn answers in the background' : 'no shadow calls'}`,
    `  excluded: ${excludedUseCases.length === 0 ? 'none' : excludedUseCases.join(', ')}`,
    `Today: ${today.exploredCount} explored, ${dollars(today.spentUsd)} spent`,
  ].join('\n');
}
