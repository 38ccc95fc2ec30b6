import { type ErrorCode, TallyrankError, toTallyrankError } from './errors.ts';
import type { Logger } from './log.ts';

/** An error as plain data: what threads say to each other loses its class on the way. */
export interface ThreadFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly param: string | null;
  /** For the log: the stack of what was thrown. */
  readonly detail: string;
}

/** A line for the log, said by a thread that has none. */
export interface ThreadLogLine {
  readonly kind: 'log';
  readonly level: keyof Logger;
  readonly fields: object;
  readonly message: string;
}

/** True where threads can load this program's modules: compiled, not as TypeScript sources under a test runner. */
export function canRunInThread(): boolean {
  return import.meta.url.endsWith('.js');
}

export function toThreadFailure(error: unknown): ThreadFailure {
  const { code, message, param } = toTallyrankError(error);
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code, message, param, detail };
}

export function fromThreadFailure({ code, message, param, detail }: ThreadFailure): TallyrankError {
  return new TallyrankError(code, message, { cause: detail, ...(param === null ? {} : { param }) });
}

/** Logs by way of the thread that has the log. */
export function sayingLogger(say: (line: ThreadLogLine) => void): Logger {
  const at =
    (level: keyof Logger) =>
    (fields: object, message: string): void =>
      say({ kind: 'log', level, fields, message });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
