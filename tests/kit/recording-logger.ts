import type { Logger } from '../../src/core/log.ts';

/** A logger that keeps its messages, for tests that look at what was said. */
export function recordingLogger(): Logger & { readonly messages: string[] } {
  const messages: string[] = [];
  const record = (_fields: object, message: string): void => void messages.push(message);
  return { messages, debug: record, info: record, warn: record, error: record };
}
