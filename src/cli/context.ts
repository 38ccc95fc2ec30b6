import type { LoadedConfig } from '../config/load.ts';
import { loadConfig } from '../config/load.ts';
import type { Workbench } from '../workbench.ts';
import { openWorkbench } from '../workbench.ts';
import type { Output } from './output.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean | undefined;
  readonly dataDir?: string | undefined;
}

/** What a command is run with; tests bring their own. */
export interface CommandContext {
  readonly output: Output;
  /** Aborts at Ctrl-C and at SIGTERM. */
  readonly signal: AbortSignal;
  overrides(options: GlobalOptions): Readonly<Record<string, unknown>>;
}

/** Configuration of a command; the log is quiet but for warnings, so that the answer stands out. */
export function loadForCommand(context: CommandContext, options: GlobalOptions): LoadedConfig {
  const loaded = loadConfig({ overrides: context.overrides(options) });
  const logLevel = loaded.config.logLevel === 'info' ? 'warn' : loaded.config.logLevel;
  return { ...loaded, config: { ...loaded.config, logLevel } };
}

/** Opens the store for one command and closes it after; it works beside a running gateway. */
export async function withWorkbench<Answer>(
  context: CommandContext,
  options: GlobalOptions,
  work: (bench: Workbench) => Promise<Answer>,
): Promise<Answer> {
  const bench = await openWorkbench(loadForCommand(context, options));
  try {
    return await work(bench);
  } finally {
    await bench[Symbol.asyncDispose]();
  }
}
