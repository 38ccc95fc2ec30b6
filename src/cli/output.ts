import { SingleBar } from 'cli-progress';
import { TallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';

/** Exit codes: 0 done, 1 failed, 2 wrong use (arguments, configuration, input), 130 interrupted. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface Output {
  /** True when standard output is one JSON document. */
  readonly isJson: boolean;
  /** The answer: a JSON document, or the words and tables for people. */
  answer(value: unknown, words: () => string): void;
  /** Something to know that is not the answer; always standard error. */
  note(text: string): void;
  /** A bar on a terminal, nothing elsewhere; both on standard error. */
  progress(): { report: Progress; end(): void };
}

export function createOutput(isJson: boolean): Output {
  return {
    isJson,
    answer: (value, words) => {
      const text = isJson ? JSON.stringify(value, null, 2) : words();
      process.stdout.write(`${text}\n`);
    },
    note: (text) => void process.stderr.write(`${text}\n`),
    progress: progressBar,
  };
}

/** One sentence on standard error (with --json also the error as JSON), and the exit code for it. */
export function reportError(error: unknown, isJson: boolean): number {
  if (!(error instanceof TallyrankError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`tallyrank: ${text}\n`);
    return EXIT.failed;
  }
  if (isJson)
    process.stdout.write(`${JSON.stringify({ error: { code: error.code, message: error.message } })}\n`);
  process.stderr.write(`tallyrank: ${error.message}\n`);
  if (error.code === 'cancelled') return EXIT.interrupted;
  return error.fault === 'caller' ? EXIT.usage : EXIT.failed;
}

function progressBar(): { report: Progress; end(): void } {
  if (!process.stderr.isTTY) return { report: () => undefined, end: () => undefined };
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{step} {bar} {value}/{total}',
    hideCursor: true,
    clearOnComplete: true,
  });
  let isStarted = false;
  return {
    report: (step, done, total) => {
      const end = total ?? Math.max(done, 1);
      if (isStarted) bar.setTotal(end);
      else bar.start(end, 0, { step });
      isStarted = true;
      bar.update(done, { step });
    },
    end: () => bar.stop(),
  };
}

/** A plain table: columns as wide as their longest cell, numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const isNumeric = header.map((_, at) => rows.every((row) => /^[$\d–—-]/.test(row[at] ?? '')));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => (isNumeric[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** "$0.0021", "$12.40", "free"; "–" for unknown. */
export function dollars(value: number | null): string {
  if (value === null) return '–';
  if (value === 0) return '$0';
  return Math.abs(value) < 0.01 ? `$${value.toPrecision(2)}` : `$${value.toFixed(2)}`;
}

/** "812 ms", "2.1 s"; "–" for unknown. */
export function duration(ms: number | null): string {
  if (ms === null) return '–';
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** "38 %"; "–" for unknown. */
export function percent(share: number | null): string {
  return share === null ? '–' : `${Math.round(share * 100)} %`;
}
