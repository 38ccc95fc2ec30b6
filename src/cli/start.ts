import { once } from 'node:events';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { startServer } from '../server.ts';
import type { CommandContext, GlobalOptions } from './context.ts';

interface StartOptions extends GlobalOptions {
  readonly port?: string;
  readonly host?: string;
}

/** `tallyrank start`: gateway, API and page until SIGINT or SIGTERM, then a clean end. */
export function addStart(program: Command, context: CommandContext): void {
  program
    .command('start', { isDefault: false })
    .description('start gateway, API and page (http://localhost:5001)')
    .option('--port <number>', 'TCP port (default: 5001)')
    .option(
      '--host <address>',
      'address to listen on (default: 127.0.0.1; any other needs TALLYRANK_ADMIN_KEY)',
    )
    .action(async (options: StartOptions) => {
      const { output, signal } = context;
      const loaded = loadConfig({
        overrides: {
          ...context.overrides(options),
          port: toPort(options.port),
          host: options.host,
        },
      });
      const server = await startServer(loaded);
      const url = server.url.replace('127.0.0.1', 'localhost');
      const providers = server.app.providers.health();
      output.answer({ url: server.url, dataDir: loaded.config.dataDir, providers }, () =>
        [
          `Tallyrank listens on ${url}`,
          ...providers.map(
            ({ id, isUp, modelCount, error }) =>
              `  ${id}: ${isUp ? `${modelCount} models` : `away (${error?.message ?? 'no answer yet'})`}`,
          ),
          `  data: ${loaded.config.dataDir}`,
          `Point a client here, with model "auto": OpenAI's to ${url}/v1, Anthropic's or Ollama's to ${url}.`,
          'Stop with Ctrl-C.',
        ].join('\n'),
      );
      if (!signal.aborted) await once(signal, 'abort');
      output.note('Stopping: answers under way end, the log is written.');
      await server.close();
    });
}

/** What is no number stays a text, so that the configuration's own check names it. */
function toPort(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text;
}
