import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { CommandContext, GlobalOptions } from './context.ts';

/** `tallyrank config check`: what the program would start with, without secrets. */
export function addConfig(program: Command, context: CommandContext): void {
  program
    .command('config')
    .description('look at the configuration')
    .command('check')
    .description('check file and environment, and show what they come to')
    .action(async (options: GlobalOptions) => {
      const { config, secrets, file } = loadConfig({ overrides: context.overrides(options) });
      const answer = {
        file,
        config,
        secrets: {
          adminKey: secrets.adminKey === null ? 'not set' : 'set',
          clickhousePassword: secrets.clickhousePassword === null ? 'not set' : 'set',
          providerKeys: [...secrets.providerKeys.keys()],
        },
      };
      context.output.answer(answer, () => {
        const keys = answer.secrets.providerKeys;
        return [
          `Configuration is good (${file ?? 'no file; defaults and environment'}).`,
          `  listens on ${config.host}:${config.port}, admin key ${answer.secrets.adminKey}`,
          `  data in ${config.dataDir}, store ${config.clickhouse.url ?? 'embedded'}`,
          ...config.providers.map(
            ({ id, kind, baseUrl }) =>
              `  provider ${id} (${kind}) at ${baseUrl}, key ${keys.includes(id) ? 'set' : 'not set'}`,
          ),
          `  auto: explores at most ${config.exploration.share * 100} %, default model ${config.defaultModel ?? 'by priors'}`,
        ].join('\n');
      });
    });
}
