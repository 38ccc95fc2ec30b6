import { Command, Option } from 'commander';
import { VERSION } from '../version.ts';
import { addAbTests } from './ab-tests.ts';
import { addAnalyze } from './analyze.ts';
import { addBacktest } from './backtest.ts';
import { addConfig } from './config.ts';
import type { CommandContext } from './context.ts';
import { addEvaluate } from './evaluate.ts';
import { addExploration } from './exploration.ts';
import { addImport } from './import.ts';
import { addJudge } from './judge.ts';
import { addRank } from './rank.ts';
import { addRankings } from './rankings.ts';
import { addRules } from './rules.ts';
import { addSavings } from './savings.ts';
import { addSignals } from './signals.ts';
import { addStart } from './start.ts';
import { addUseCases } from './use-cases.ts';

/** All commands. Building them does nothing; docs/cli.md is compared with them by a test. */
export function buildProgram(context: CommandContext): Command {
  const program = new Command('tallyrank')
    .description('LLM gateway that measures which model serves which use case, and routes to the best one.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(tallyrank --help lists the commands)');
  addStart(program, context);
  addImport(program, context);
  addAnalyze(program, context);
  addUseCases(program, context);
  addRank(program, context);
  addRankings(program, context);
  addJudge(program, context);
  addSignals(program, context);
  addAbTests(program, context);
  addSavings(program, context);
  addBacktest(program, context);
  addEvaluate(program, context);
  addRules(program, context);
  addExploration(program, context);
  addConfig(program, context);
  for (const command of [program, ...leafCommands(program)]) {
    command
      .exitOverride()
      .addOption(new Option('--json', 'one JSON document on standard output, words on standard error'))
      .addOption(new Option('--data-dir <folder>', 'folder of journal and embedded store (default: ./data)'));
  }
  // What stands before the command's name means the same as after it.
  program.hook('preAction', (_program, command) => {
    for (const [name, value] of Object.entries(program.opts<Record<string, unknown>>())) {
      if (command.getOptionValue(name) === undefined) command.setOptionValue(name, value);
    }
  });
  return program;
}

/** The commands that do something, without those that only group others. */
export function leafCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length > 0 ? leafCommands(child) : [child]));
}
