import type { Command } from 'commander';
import { importWith } from '../workbench.ts';
import type { CommandContext, GlobalOptions } from './context.ts';
import { withWorkbench } from './context.ts';

interface ImportOptions extends GlobalOptions {
  readonly dryRun?: boolean;
  readonly rejects?: string;
}

/** `tallyrank import FILE.jsonl`: past requests into the log; the same file again adds nothing. */
export function addImport(program: Command, context: CommandContext): void {
  program
    .command('import')
    .description('take past requests from a file of JSON lines (docs/import.md has the fields)')
    .argument('<file>', 'file of JSON lines: model, prompt or messages, timestamp, response, …')
    .option('--dry-run', 'say what would be taken, and take nothing')
    .option('--rejects <file>', 'where lines that cannot be taken go (default: in the data folder)')
    .action(async (file: string, options: ImportOptions) => {
      const { output, signal } = context;
      const bar = output.progress();
      const report = await withWorkbench(context, options, (bench) =>
        importWith(bench, file, {
          isDryRun: options.dryRun,
          rejectFile: options.rejects,
          signal,
          onProgress: bar.report,
        }),
      ).finally(() => bar.end());
      output.answer(report, () => {
        const verb = report.isDryRun ? 'Would take' : 'Took';
        const reasons = Object.entries(report.refusedReasons).map(
          ([reason, count]) => `  ${count} x ${reason}`,
        );
        return [
          `${verb} ${report.takenCount} of ${report.lineCount} lines; ${report.knownCount} were known, ` +
            `${report.refusedCount} refused.`,
          ...reasons,
          ...(report.rejectFile === null ? [] : [`Refused lines: ${report.rejectFile}`]),
          ...(report.unpricedCount === 0
            ? []
            : [`${report.unpricedCount} have no known price; their cost is unknown.`]),
        ].join('\n');
      });
    });
}
