import type { Logger } from '../core/log.ts';

/**
 * The logger of a tracker that is used alone: sentences on standard error, one a line. Sentences that begin
 * with their own `[name]` keep it.
 */
export function stderrLogger(name: string): Logger {
  const write = (fields: object, message: string): void => {
    const error = (fields as { err?: unknown }).err;
    const reason = error instanceof Error ? ` (${error.message})` : '';
    process.stderr.write(`${message.startsWith('[') ? '' : `[${name}] `}${message}${reason}\n`);
  };
  return { debug: () => undefined, info: write, warn: write, error: write };
}
