import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { TallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';

/** What one model did on one prompt. */
export interface Outcome {
  /** Quality of the answer, 0..1. */
  readonly score: number;
  readonly costUsd: number | null;
  readonly latencyMs: number | null;
  /** False where the row says that the call failed. */
  readonly isSuccess: boolean;
}

export interface OutcomePrompt {
  readonly promptId: string;
  readonly prompt: string;
  readonly domain: string | null;
  /** By model; a model that did not answer this prompt is missing. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

/** Prompts and what models did on them. */
export interface OutcomeMatrix {
  readonly prompts: readonly OutcomePrompt[];
  /** In the order of their names. */
  readonly models: readonly string[];
  /** Rows of a prompt and model that had one already; the mean of them counts. */
  readonly repeatedRowCount: number;
}

/** One row of a file, checked. */
export interface OutcomeRow extends Outcome {
  readonly promptId: string;
  /** null: another row of the prompt has it. */
  readonly prompt: string | null;
  readonly model: string;
  readonly domain: string | null;
}

/** A line of this length is no row but a file of another kind. */
const LINE_MAX_BYTES = 64 * 1024 * 1024;
const SHOWN_LENGTH = 60;
const ROWS_PER_PROGRESS = 10_000;

/**
 * Reads a file of JSON lines, gzipped or not: one outcome a line.
 *
 * @throws {TallyrankError} `not_found`; `bad_request` with the number of the first line that is no outcome; `cancelled`
 */
export async function readOutcomeFile(
  file: string,
  {
    signal,
    onProgress,
  }: { readonly signal?: AbortSignal | undefined; readonly onProgress?: Progress | undefined } = {},
): Promise<OutcomeMatrix> {
  const builder = new MatrixBuilder();
  let line = 0;
  try {
    for await (const bytes of linesOf(file)) {
      line++;
      if (line % ROWS_PER_PROGRESS === 0) {
        if (signal?.aborted) throw new TallyrankError('cancelled', 'The backtest was cancelled.');
        onProgress?.('reading outcomes', line, null);
      }
      // What editors put at the head of a file is not part of the first row.
      const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
      if (text.trim() !== '') builder.add(parseOutcomeRow(text, line), line);
    }
  } catch (error) {
    throw readError(error, file);
  }
  return builder.build();
}

/** Collects rows into a matrix; rows of one prompt may stand anywhere. */
export class MatrixBuilder {
  readonly #prompts = new Map<
    string,
    { prompt: string | null; domain: string | null; line: number; rows: Map<string, OutcomeRow[]> }
  >();
  readonly #models = new Set<string>();
  #repeatedRowCount = 0;

  /** @throws {TallyrankError} `bad_request` where the row contradicts an earlier one */
  add(row: OutcomeRow, line: number): void {
    const known = this.#prompts.get(row.promptId) ?? {
      prompt: row.prompt,
      domain: row.domain,
      line,
      rows: new Map<string, OutcomeRow[]>(),
    };
    if (row.prompt !== null && known.prompt !== null && row.prompt !== known.prompt) {
      throw badLine(line, `prompt_id ${shown(row.promptId)} has another prompt than in line ${known.line}`);
    }
    known.prompt ??= row.prompt;
    known.domain ??= row.domain;
    const rows = known.rows.get(row.model);
    if (rows === undefined) known.rows.set(row.model, [row]);
    else {
      rows.push(row);
      this.#repeatedRowCount++;
    }
    this.#models.add(row.model);
    this.#prompts.set(row.promptId, known);
  }

  /** @throws {TallyrankError} `bad_request` without rows, and where no row of a prompt has its text */
  build(): OutcomeMatrix {
    if (this.#prompts.size === 0) {
      throw new TallyrankError('bad_request', 'The file has no outcomes: it wants one JSON object a line.');
    }
    const prompts = [...this.#prompts].map(([promptId, { prompt, domain, line, rows }]) => {
      if (prompt === null) {
        throw badLine(line, `no row of prompt_id ${shown(promptId)} has its "prompt"`);
      }
      return { promptId, prompt, domain, outcomes: meansOf(rows) };
    });
    // The order of a file is no property of its outcomes.
    prompts.sort((one, other) => (one.promptId < other.promptId ? -1 : 1));
    return { prompts, models: [...this.#models].sort(), repeatedRowCount: this.#repeatedRowCount };
  }
}

/**
 * @param line  from 1, for the message
 * @throws {TallyrankError} `bad_request` with the line, the field and what it must be
 */
export function parseOutcomeRow(text: string, line: number): OutcomeRow {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badLine(line, 'is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badLine(line, 'is not a JSON object');
  }
  const row: Readonly<Record<string, unknown>> = { ...value };
  const refuse = (field: string, must: string): TallyrankError =>
    badLine(line, `${field} must be ${must}, not ${shown(row[field])}`, field);
  const id = row['prompt_id'];
  if (!(typeof id === 'string' ? id !== '' : Number.isFinite(id))) throw refuse('prompt_id', 'a text');
  const { prompt, model, score, success, domain } = row;
  if (typeof model !== 'string' || model.trim() === '') throw refuse('model', 'a name');
  if (prompt !== undefined && (typeof prompt !== 'string' || prompt.trim() === '')) {
    throw refuse('prompt', 'a text');
  }
  if (typeof score !== 'number' || !(score >= 0 && score <= 1)) throw refuse('score', 'a number from 0 to 1');
  if (success !== undefined && success !== null && typeof success !== 'boolean') {
    throw refuse('success', 'true or false');
  }
  const amountOf = (field: string): number | null => {
    const amount = row[field] ?? null;
    if (amount === null) return null;
    if (typeof amount === 'number' && amount >= 0 && Number.isFinite(amount)) return amount;
    throw refuse(field, 'a number from 0, or null where it is unknown');
  };
  return {
    promptId: String(id),
    prompt: prompt ?? null,
    model,
    domain: typeof domain === 'string' && domain !== '' ? domain : null,
    score,
    costUsd: amountOf('cost_usd'),
    latencyMs: amountOf('latency_ms'),
    isSuccess: success !== false,
  };
}

function meansOf(rows: ReadonlyMap<string, readonly OutcomeRow[]>): Map<string, Outcome> {
  return new Map(
    [...rows].map(([model, repeats]) => [
      model,
      {
        score: meanOf(repeats.map(({ score }) => score)) ?? 0,
        costUsd: meanOf(repeats.flatMap(({ costUsd }) => costUsd ?? [])),
        latencyMs: meanOf(repeats.flatMap(({ latencyMs }) => latencyMs ?? [])),
        isSuccess: repeats.every(({ isSuccess }) => isSuccess),
      },
    ]),
  );
}

function meanOf(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The lines of a file without their ends, unpacked where the file begins as gzip does. */
async function* linesOf(file: string): AsyncGenerator<Buffer> {
  const isPacked = await isGzip(file);
  const source = createReadStream(file);
  const chunks = isPacked ? source.pipe(createGunzip()) : source;
  if (chunks !== source) source.on('error', (error) => chunks.destroy(error));
  let rest: Buffer[] = [];
  let restBytes = 0;
  try {
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      let from = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
        yield Buffer.concat([...rest, chunk.subarray(from, end)]);
        rest = [];
        restBytes = 0;
        from = end + 1;
      }
      rest.push(chunk.subarray(from));
      restBytes += chunk.length - from;
      if (restBytes > LINE_MAX_BYTES) {
        throw new TallyrankError('bad_request', 'The file has a line of over 64 MB: it wants JSON lines.');
      }
    }
  } finally {
    source.destroy();
  }
  if (restBytes > 0) yield Buffer.concat(rest);
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
}

function readError(error: unknown, file: string): unknown {
  if (error instanceof TallyrankError) return error;
  const code = (error as { code?: unknown }).code;
  if (code === 'ENOENT') return new TallyrankError('not_found', `There is no file ${file}.`);
  const why = error instanceof Error ? error.message : String(error);
  return new TallyrankError('bad_request', `${file} cannot be read: ${why}.`, { cause: error });
}

function badLine(line: number, what: string, field?: string): TallyrankError {
  return new TallyrankError('bad_request', `Line ${line}: ${what}.`, {
    ...(field === undefined ? {} : { param: field }),
  });
}

function shown(value: unknown): string {
  if (value === undefined) return 'left out';
  // Whatever is inside may be somebody's prompt.
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  const text = JSON.stringify(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}
