import { CommanderError } from 'commander';
import type { CommandContext, GlobalOptions } from './context.ts';
import { createOutput, EXIT, reportError } from './output.ts';
import { buildProgram } from './program.ts';

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
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done;
      // Commander has said it on standard error; a program reads it from standard output.
      if (isJson) context.output.answer({ error: { code: 'bad_request', message: error.message } }, () => '');
      return EXIT.usage;
    }
    return reportError(error, isJson);
  }
}

// A library of ours that is required from CommonJS must not wait at the top level; a program may not either.
main().then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(reportError(error, false)),
);
