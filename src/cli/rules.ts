import type { Command } from 'commander';
import { readRoutingRules } from '../config/routing-rules.ts';
import { DATA_DRIVEN_RULE, type KeptRules, type RoutingRule } from '../core/routing-rules.ts';
import { keepRules, readRules } from '../workbench/operator-settings.ts';
import { dryRunWith } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';
import { table } from './output.ts';

interface RulesOptions extends GlobalOptions {
  readonly timeframe?: string;
  readonly yes?: boolean;
}

type DryRun = Awaited<ReturnType<typeof dryRunWith>>;

const MOVES_SHOWN = 12;
const WINDOW_OPTION = ['--timeframe <window>', 'window of the decisions (default: 7 days)'] as const;

/** `tallyrank rules …`: the operator's routing rules, looked at before they are set. */
export function addRules(program: Command, context: CommandContext): void {
  const { output } = context;
  const rules = program.command('rules').description('routing rules: show, try and set them');

  rules
    .command('list', { isDefault: true })
    .description('show the routing rules in the order in which they are asked, and where they come from')
    .action(async (options: GlobalOptions) => {
      const kept = await withWorkbench(context, options, readRules);
      output.answer(kept, () => listText(kept));
    });

  rules
    .command('check <file>')
    .description('look for faults in a file of routing rules (YAML or JSON), and set nothing')
    .action((file: string) => {
      const found = readRoutingRules(file);
      output.answer({ rules: found }, () => `${found.length} rules, no faults.\n\n${rulesTable(found)}`);
    });

  rules
    .command('dry-run [file]')
    .description(
      'say what routing rules would have changed of the logged decisions: those in use, or of a file',
    )
    .option(...WINDOW_OPTION)
    .action(async (file: string | undefined, { timeframe, ...options }: RulesOptions) => {
      const found = file === undefined ? undefined : readRoutingRules(file);
      const answer = await withWorkbench(context, options, (bench) =>
        dryRunWith(bench, { rules: found, timeframe }),
      );
      for (const note of answer.notes) output.note(note);
      output.answer(answer, () => dryRunText(answer));
    });

  rules
    .command('set <file>')
    .description(
      'say what the rules of a file would have changed, and with --yes set them: all of them, in place of those in use',
    )
    .option('--yes', 'set them')
    .option(...WINDOW_OPTION)
    .action(async (file: string, { timeframe, yes = false, ...options }: RulesOptions) => {
      const found = readRoutingRules(file);
      const dryRun = await withWorkbench(context, options, async (bench) => {
        const answer = await dryRunWith(bench, { rules: found, timeframe });
        if (yes) await keepRules(bench, found, 'cli');
        return answer;
      });
      for (const note of dryRun.notes) output.note(note);
      output.answer({ isSet: yes, rules: found, dryRun }, () =>
        [
          dryRunText(dryRun),
          '',
          yes
            ? `${found.length} rules are set. Gateways follow within seconds; the configuration's wait for "rules reset".`
            : 'Nothing is set: repeat with --yes to set them.',
        ].join('\n'),
      );
    });

  rules
    .command('reset')
    .description('go back to the routing rules of the configuration')
    .action(async (options: GlobalOptions) => {
      const kept = await withWorkbench(context, options, (bench) => keepRules(bench, null, 'cli'));
      output.answer(kept, () => listText(kept));
    });
}

function listText({ origin, rules }: KeptRules): string {
  const source = origin === 'operator' ? 'set by API or command' : 'from the configuration';
  const head = rules.length === 0 ? `No routing rules (${source}).` : `Routing rules ${source}.`;
  return `${head}\n\n${rulesTable(rules)}`;
}

/** The rules among which the rankings are asked. Rules of code are known to their own process only. */
function rulesTable(rules: readonly RoutingRule[]): string {
  const rows = [
    ...rules.map(({ name, priority, isEnabled, when, do: effect }) => ({
      priority,
      cells: [String(priority), isEnabled ? name : `${name} (off)`, worded(when), worded(effect)],
    })),
    {
      priority: DATA_DRIVEN_RULE.priority,
      cells: [String(DATA_DRIVEN_RULE.priority), DATA_DRIVEN_RULE.name, 'always', 'best candidate'],
    },
  ];
  return table(
    ['priority', 'rule', 'when', 'do'],
    rows.sort((one, other) => other.priority - one.priority).map(({ cells }) => cells),
  );
}

function worded(part: object): string {
  const words = Object.entries(part)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return words.length === 0 ? 'always' : words.join(', ');
}

function dryRunText({ message, window, together, alone }: DryRun): string {
  const moves = together.moves
    .slice(0, MOVES_SHOWN)
    .map(({ useCase, fromModelId, toModelId, decisionCount }) => [
      useCase,
      fromModelId,
      toModelId,
      String(decisionCount),
    ]);
  const each = alone.map(({ name, isEnabled, heldCount, message: own, success, notes }) =>
    [
      `"${name}"${isEnabled ? '' : ' (off)'} alone ${own}; it holds for ${heldCount}${successText(success)}.`,
      ...notes.map((note) => `  ${note}`),
    ].join('\n'),
  );
  return [
    `The rules ${message}, ${window.label}${successText(together.success)}.`,
    ...together.notes.map((note) => `  ${note}`),
    ...each,
    ...(moves.length > 0 ? ['', table(['use case', 'chosen then', 'by the rules', 'decisions'], moves)] : []),
  ].join('\n');
}

function successText(success: DryRun['together']['success']): string {
  if (success === null) return '';
  const points = (share: number): string => `${share < 0 ? '-' : '+'}${Math.abs(100 * share).toFixed(1)}`;
  const [low, high] = success.interval;
  return `; success ${points(success.difference)} points (${points(low)} to ${points(high)}, n ${success.sampleCount})`;
}
