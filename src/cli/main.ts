import { Command, CommanderError, Option } from 'commander';
import { VERSION } from '../version.ts';
import { addAnalyze } from './analyze.ts';
import { addConfig } from './config.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { addImport } from './import.ts';
import { createOutput, EXIT, reportError } from './output.ts';
import { addRank } from './rank.ts';
import { addSavings } from './savings.ts';
import { addStart } from './start.ts';

/** All commands. Options before and after the command's name mean the same. */
export function buildProgram(context: CommandContext): Command {
  const program = new Command('tallyrank')
    .description('LLM gateway that measures which model serves which use case, and routes to the best one.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(tallyrank --help lists the commands)')
    .configureHelp({ showGlobalOptions: true });
  addStart(program, context);
  addImport(program, context);
  addAnalyze(program, context);
  addRank(program, context);
  addSavings(program, context);
  addConfig(program, context);
  for (const command of allCommands(program)) {
    command
      .exitOverride()
      .addOption(new Option('--json', 'one JSON document on standard output, words on standard error'))
      .addOption(new Option('--data-dir <folder>', 'folder of journal and embedded store (default: ./data)'));
  }
  return program;
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length > 0 ? allCommands(child) : [child]));
}

async function main(): Promise<number> {
  const interrupt = new AbortController();
  const isJson = process.argv.includes('--json');
  const context: CommandContext = {
    output: createOutput(isJson),
    signal: interrupt.signal,
    overrides: (options: GlobalOptions) => ({ dataDir: options.dataDir }),
  };
  const stop = (): void => {
    // The second time means it: the journal has what was finished.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    interrupt.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    await buildProgram(context).parseAsync(process.argv);
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return reportError(error, isJson);
  }
}

// A library of ours that is required from CommonJS must not wait at the top level; a program may not either.
main().then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(reportError(error, false)),
);
