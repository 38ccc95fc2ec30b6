import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { TallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';
import type { PriceBook } from '../core/price-book.ts';
import { classifiedText, promptHash } from '../core/prompt-text.ts';
import type { Signal, SignalKind } from '../core/signal.ts';
import { encodeSignal } from '../core/signal.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { UsageRecord } from '../core/usage-record.ts';
import { encodeUsageRecord, NO_TIMINGS } from '../core/usage-record.ts';
import { type UseCaseRule, UseCaseRules } from '../core/use-case-rules.ts';
import type { ImportedRow } from './import-rows.ts';
import { ImportFault, parseImportRow } from './import-rows.ts';
import { marksOfAnswer } from './outcome/answer-marks.ts';
import { failureOfReport } from './response-facts.ts';
import { SessionMemory } from './sessions.ts';
import type { UsageSink } from './shipper.ts';

/** A sink that can say which requests it has, so that an import run twice counts once. */
export interface ImportSink extends UsageSink {
  existingRequestIds(requestIds: readonly string[]): Promise<ReadonlySet<string>>;
}

export interface ImportOptions {
  readonly sink: ImportSink;
  readonly snapshot: Snapshot;
  /** Hand-written use cases; a line knows text, user, room and tags, no key and no headers. */
  readonly useCaseRules?: readonly UseCaseRule[] | undefined;
  readonly prices: PriceBook;
  readonly canonicalId: (name: string) => string;
  readonly keepTexts: boolean;
  /** Lines that cannot be taken go here with their number and the reason; null: they are counted only. */
  readonly rejectFile: string | null;
  readonly isDryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

export interface ImportReport {
  readonly file: string;
  readonly lineCount: number;
  readonly takenCount: number;
  /** Rows that the store had already. */
  readonly knownCount: number;
  readonly refusedCount: number;
  readonly refusedReasons: Readonly<Record<string, number>>;
  readonly rejectFile: string | null;
  /** Rows without a price: their cost is unknown. */
  readonly unpricedCount: number;
  readonly isDryRun: boolean;
}

const BATCH_ROW_COUNT = 5_000;

/**
 * Takes past requests from a file of JSON lines. Ids come from the lines themselves, so the same line again
 * is the same request.
 *
 * @throws {TallyrankError} `not_found` for a missing file, `cancelled`, `store_unavailable`
 */
export async function importFile(file: string, options: ImportOptions): Promise<ImportReport> {
  const stat = await fs.stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new TallyrankError('not_found', `${file} cannot be read: ${error.code ?? error.message}.`, {
      cause: error,
    });
  });
  if (!stat.isFile()) throw new TallyrankError('bad_request', `${file} is not a file of JSON lines.`);
  const run = new ImportRun(file, stat.mtimeMs, options);
  const input = createReadStream(file);
  let readBytes = 0;
  input.on('data', (chunk) => {
    readBytes += chunk.length;
  });
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (options.signal?.aborted)
      throw new TallyrankError('cancelled', 'The import was stopped; run it again to go on.');
    run.take(line);
    if (run.isBatchFull) {
      await run.writeBatch();
      options.onProgress?.('importing', readBytes, stat.size);
    }
  }
  await run.writeBatch();
  return run.finish();
}

class ImportRun {
  readonly #file: string;
  /** Time of rows that say none: the file's own. */
  readonly #fileTimeMs: number;
  readonly #options: ImportOptions;
  readonly #useCaseRules: UseCaseRules;
  readonly #sessions = new SessionMemory();
  readonly #rejects: ReturnType<typeof createWriteStream> | null;
  readonly #refusedReasons: Record<string, number> = {};
  #records = new Map<string, UsageRecord>();
  #signals: Signal[] = [];
  #lineCount = 0;
  #takenCount = 0;
  #knownCount = 0;
  #refusedCount = 0;
  #unpricedCount = 0;

  constructor(file: string, fileTimeMs: number, options: ImportOptions) {
    this.#file = file;
    this.#fileTimeMs = Math.floor(fileTimeMs);
    this.#options = options;
    this.#useCaseRules = new UseCaseRules(options.useCaseRules);
    this.#rejects =
      options.rejectFile === null ? null : createWriteStream(options.rejectFile, { mode: 0o600 });
  }

  get isBatchFull(): boolean {
    return this.#records.size >= BATCH_ROW_COUNT;
  }

  take(line: string): void {
    this.#lineCount++;
    if (line.trim() === '') return;
    try {
      const row = parseImportRow(parseLine(line));
      const record = this.#recordOf(row);
      if (this.#records.has(record.requestId)) this.#knownCount++;
      this.#records.set(record.requestId, record);
      this.#derive(row, record);
    } catch (error) {
      if (!(error instanceof ImportFault)) throw error;
      this.#refusedCount++;
      this.#refusedReasons[error.message] = (this.#refusedReasons[error.message] ?? 0) + 1;
      this.#rejects?.write(
        `${JSON.stringify({ line: this.#lineCount, reason: error.message, text: line })}\n`,
      );
    }
  }

  async writeBatch(): Promise<void> {
    const { sink, isDryRun } = this.#options;
    const known = await sink.existingRequestIds([...this.#records.keys()]);
    const fresh = [...this.#records.values()]
      .filter((record) => !known.has(record.requestId))
      // In order of time a batch touches few partitions.
      .sort((a, b) => a.startedAtMs - b.startedAtMs);
    this.#knownCount += known.size;
    this.#takenCount += fresh.length;
    this.#unpricedCount += fresh.filter((record) => record.costUsd === null).length;
    if (!isDryRun) {
      if (fresh.length > 0)
        await sink.insertLines('usage_log', linesOf(fresh.map(encodeUsageRecord)), tokenOf(fresh));
      if (this.#signals.length > 0) {
        const lines = linesOf(this.#signals.map(encodeSignal));
        await sink.insertLines('signals', lines, createHash('sha256').update(lines).digest('hex'));
      }
    }
    this.#records = new Map();
    this.#signals = [];
  }

  async finish(): Promise<ImportReport> {
    const rejects = this.#rejects;
    if (rejects) {
      await new Promise<void>((resolve, reject) => {
        rejects.once('error', reject);
        rejects.end(resolve);
      });
      if (this.#refusedCount === 0) await fs.rm(String(rejects.path));
    }
    return {
      file: this.#file,
      lineCount: this.#lineCount,
      takenCount: this.#takenCount,
      knownCount: this.#knownCount,
      refusedCount: this.#refusedCount,
      refusedReasons: this.#refusedReasons,
      rejectFile: this.#refusedCount > 0 ? this.#options.rejectFile : null,
      unpricedCount: this.#unpricedCount,
      isDryRun: this.#options.isDryRun ?? false,
    };
  }

  #recordOf(row: ImportedRow): UsageRecord {
    const { snapshot, prices, keepTexts } = this.#options;
    const startedAtMs = row.startedAtMs ?? this.#fileTimeMs;
    const modelId = this.#options.canonicalId(row.model);
    const ruled = this.#useCaseRules.match({ ...row.context, prompt: row.text.prompt });
    const classification = ruled ?? snapshot.classifier.classify(classifiedText(row.text));
    // A cost that the source recorded is the bill; the price list is for those that recorded none.
    const price =
      row.costUsd === null
        ? prices.price(modelId, row.usage, new Date(startedAtMs))
        : { costUsd: row.costUsd, version: 'imported' };
    return {
      ...row.context,
      requestId: requestIdOf(row, startedAtMs),
      startedAtMs,
      source: 'import',
      shadowOf: null,
      modelAsked: row.model,
      modelId,
      isStream: row.isStream,
      prompt: keepTexts ? row.text.prompt : '',
      context: keepTexts ? row.text.context : '',
      promptLength: row.text.prompt.length,
      promptHash: promptHash(row.text),
      conversation: keepTexts ? row.conversation : null,
      response: keepTexts ? row.response : null,
      ...marksOfAnswer(row.response, row.text.prompt),
      usage: row.usage,
      latencyMs: row.latencyMs,
      firstTokenMs: row.firstTokenMs,
      ...NO_TIMINGS,
      overheadMs: null,
      finishReason: null,
      modelReported: null,
      responseId: null,
      statusCode: row.statusCode,
      attemptCount: 1,
      failedAttempts: [],
      failure: failureOfReport(row),
      costUsd: price?.costUsd ?? null,
      priceVersion: price?.version ?? null,
      useCase: classification.useCase,
      useCaseConfidence: classification.confidence,
      useCaseRule: ruled?.ruleName ?? null,
      runId: snapshot.runId,
      snapshotVersion: snapshot.version,
    };
  }

  #derive(row: ImportedRow, record: UsageRecord): void {
    const { requestId, startedAtMs: atMs } = record;
    const learn = (kind: SignalKind, value: number | null): void => {
      if (value !== null)
        this.#signals.push({ requestId, kind, value, comment: null, source: 'import', atMs });
    };
    learn('feedback', row.feedback);
    learn('imported_score', row.importedScore);
    if (record.sessionId === null) return;
    const { sessionId, promptHash: hash } = record;
    const signal = this.#sessions.observe({
      requestId,
      sessionId,
      prompt: row.text.prompt,
      promptHash: hash,
      atMs,
    });
    if (signal) this.#signals.push({ ...signal, source: 'import' });
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new ImportFault('not valid JSON');
  }
}

/** A version-7 UUID made of the request's time and a hash of what identifies it. */
function requestIdOf(row: ImportedRow, startedAtMs: number): string {
  const identity =
    row.sourceId ?? JSON.stringify([row.model, row.text, row.response, row.context, row.latencyMs]);
  const digest = createHash('sha256').update(`${startedAtMs}\n${identity}`).digest('hex');
  const time = startedAtMs.toString(16).padStart(12, '0').slice(-12);
  const variant = ((Number.parseInt(digest.slice(3, 4), 16) & 0x3) | 0x8).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`;
}

function linesOf(rows: readonly string[]): Buffer {
  return Buffer.from(`${rows.join('\n')}\n`);
}

function tokenOf(records: readonly UsageRecord[]): string {
  const hash = createHash('sha256');
  for (const record of records) hash.update(record.requestId);
  return `import/${hash.digest('hex')}`;
}
