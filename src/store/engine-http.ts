import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createGunzip, gzipSync } from 'node:zlib';
import {
  type Engine,
  type EngineAnswer,
  EngineError,
  type EngineInsert,
  type EngineStatement,
} from './engine.ts';
import { ingestJournal } from './ingest-journal.ts';
import { INGEST_STATEMENT } from './ingest-statement.ts';

/** ClickHouse's HTTP protocol, as much of it as its clients need, in front of an {@link Engine}. */
export interface EngineServer {
  readonly server: Server;
  /** Requests that have not been answered yet. */
  readonly openCount: number;
  /**
   * Stops listening, which removes the socket file, lets open requests have their answers, and cuts every
   * other connection, so that clients go and find the next process.
   */
  close(drainMaxMs: number): Promise<void>;
}

export interface EngineServerHooks {
  onOpen(): void;
  onAllDone(): void;
  /** Codes and sizes only; never a statement or a value. */
  onFailure(engineCode: number): void;
}

/** One insert or statement. Journal segments are far smaller; without a limit one request could take all memory. */
const BODY_MAX_BYTES = 256 * 1024 * 1024;
/** The URL with its bound values; ClickHouse's own limit is 1 MiB. */
const HEAD_MAX_BYTES = 1_100_000;
/** Asks for the answer block by block; a ClickHouse server streams anyway and ignores it. */
const STREAM_HEADER = 'x-tallyrank-stream';

/** What a caller may set for one statement; everything else was fixed when the engine was opened. */
const STATEMENT_SETTINGS: ReadonlySet<string> = new Set([
  'max_execution_time',
  'max_threads',
  'max_result_rows',
]);
const INSERT_SETTINGS: ReadonlySet<string> = new Set([
  'insert_deduplication_token',
  'insert_deduplicate',
  'deduplicate_blocks_in_dependent_materialized_views',
  'max_partitions_per_insert_block',
  'input_format_skip_unknown_fields',
  'input_format_null_as_default',
  'date_time_input_format',
]);

const INSERT_WITH_BODY =
  /^\s*INSERT\s+INTO\s+(?:TABLE\s+)?([\w.`]+)\s*(?:\(([^()]*)\))?\s*FORMAT\s+(\w+)\s*;?\s*$/i;

const STATUS_BY_CODE: Readonly<Record<number, number>> = {
  42: 400,
  43: 400,
  46: 404,
  47: 404,
  53: 400,
  60: 404,
  62: 400,
  81: 404,
  159: 408,
  202: 503,
  373: 409,
  386: 400,
  456: 400,
  457: 400,
};

/**
 * @param engine      stays the caller's to close
 * @param journalDir  the journals that may be read where they lie
 */
export function createEngineServer(
  engine: Engine,
  journalDir: string,
  hooks: EngineServerHooks,
): EngineServer {
  let openCount = 0;
  let isRefusing = false;
  const server = createServer({ maxHeaderSize: HEAD_MAX_BYTES, requestTimeout: 0 }, (request, response) => {
    if (isRefusing) {
      request.socket.destroy();
      return;
    }
    openCount++;
    hooks.onOpen();
    const gone = new AbortController();
    // Comes once for every request, whether its answer was sent or its caller left.
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
      openCount--;
      if (openCount === 0) hooks.onAllDone();
      if (openCount === 0 && isRefusing) server.closeAllConnections();
    });
    answer({ engine, journalDir }, request, response, gone.signal).catch((error: unknown) =>
      fail(response, error, hooks),
    );
  });
  // Clients keep their connections for as long as they live; a process that ends cuts them.
  server.keepAliveTimeout = 0;
  return {
    server,
    get openCount() {
      return openCount;
    },
    async close(drainMaxMs) {
      isRefusing = true;
      const late = setTimeout(() => server.closeAllConnections(), drainMaxMs);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if (openCount === 0) server.closeAllConnections();
      });
      clearTimeout(late);
    },
  };
}

async function answer(
  { engine, journalDir }: { readonly engine: Engine; readonly journalDir: string },
  request: IncomingMessage,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://store');
  if (url.pathname === '/ping') {
    response.end('Ok.\n');
    return;
  }
  if (url.pathname !== '/') {
    response.writeHead(404).end(`There is no ${url.pathname} here.\n`);
    return;
  }
  const asked = url.searchParams;
  const startedAt = process.hrtime.bigint();
  const statementId = asked.get('query_id') ?? `${process.pid}-${startedAt}`;
  response.setHeader('X-ClickHouse-Query-Id', statementId.replace(/[^\w.-]/g, ''));
  response.setHeader('X-ClickHouse-Timezone', 'UTC');
  const body = await readBody(request);
  const query = asked.get('query') ?? '';

  const insert = parseInsert(query, body, pick(asked, INSERT_SETTINGS));
  if (insert !== null) {
    respond(response, asked, await engine.insert(insert, gone), startedAt);
    return;
  }
  const statement = {
    sql: query === '' ? body.toString('utf8') : `${query}\n${body.toString('utf8')}`,
    params: bound(asked),
    settings: pick(asked, STATEMENT_SETTINGS),
  };
  if (statement.sql.trim() === '') throw new EngineError(62, 'Syntax error: Empty query. (SYNTAX_ERROR)');
  if (statement.sql.trim() === INGEST_STATEMENT) {
    const settings = pick(asked, INSERT_SETTINGS);
    respond(response, asked, await ingest(engine, journalDir, { ...statement, settings }, gone), startedAt);
    return;
  }
  if (request.headers[STREAM_HEADER] === undefined) {
    respond(response, asked, await engine.run(statement, gone), startedAt);
    return;
  }
  await engine.stream(statement, 'JSONEachRow', gone, (block) => writeBlock(response, block, gone));
  response.end();
}

async function ingest(
  engine: Engine,
  journalDir: string,
  { params, settings }: EngineStatement,
  gone: AbortSignal,
): Promise<EngineAnswer> {
  const [file = '', token = ''] = [params.get('file'), params.get('token')];
  const [start, end] = [Number(params.get('start')), Number(params.get('end'))];
  const answered = await ingestJournal(engine, journalDir, { file, start, end, token, settings }, gone);
  const rowsWritten = Object.values(answered.rowCounts).reduce((sum, count) => sum + count, 0);
  return { body: Buffer.from(JSON.stringify(answered)), rowsRead: 0, bytesRead: end - start, rowsWritten };
}

/** `null` for everything that is not rows in a body, such as INSERT … SELECT. */
function parseInsert(
  query: string,
  body: Buffer,
  settings: ReadonlyMap<string, string>,
): EngineInsert | null {
  const match = INSERT_WITH_BODY.exec(query);
  const [, table, columns, format] = match ?? [];
  if (table === undefined || format === undefined) return null;
  const plain = (name: string): string => name.trim().replace(/^`(.*)`$/, '$1');
  return {
    table: table.split('.').map(plain).join('.'),
    columns: columns === undefined ? null : columns.split(',').map(plain),
    format,
    rows: body,
    settings,
  };
}

function pick(asked: URLSearchParams, names: ReadonlySet<string>): Map<string, string> {
  return new Map([...asked].filter(([name]) => names.has(name)));
}

function bound(asked: URLSearchParams): Map<string, string> {
  const params = new Map<string, string>();
  for (const [name, value] of asked) {
    // Names are pasted into a SET; what is no identifier cannot be a placeholder either.
    if (/^param_[A-Za-z_]\w*$/.test(name)) params.set(name.slice('param_'.length), value);
  }
  return params;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'gzip' && encoding !== 'identity') {
    throw new EngineError(89, `Unknown content encoding ${encoding}: use gzip. (UNKNOWN_COMPRESSION_METHOD)`);
  }
  const source = encoding === 'gzip' ? request.pipe(createGunzip()) : request;
  // pipe() does not carry errors on: without this a cut upload would wait for ever.
  if (source !== request) request.once('error', (error) => source.destroy(error));
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BODY_MAX_BYTES) throw new BodyTooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof BodyTooLarge) throw error;
    throw new EngineError(1001, 'The request body ended early or is not what its encoding says.', error);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

class BodyTooLarge extends EngineError {
  constructor() {
    super(307, `The request body exceeds ${BODY_MAX_BYTES} bytes. (TOO_MANY_BYTES)`);
  }
}

function respond(
  response: ServerResponse,
  asked: URLSearchParams,
  answered: EngineAnswer,
  startedAt: bigint,
): void {
  if (response.destroyed) return;
  response.setHeader(
    'X-ClickHouse-Summary',
    JSON.stringify({
      read_rows: String(answered.rowsRead),
      read_bytes: String(answered.bytesRead),
      written_rows: String(answered.rowsWritten),
      written_bytes: '0',
      total_rows_to_read: '0',
      result_rows: String(answered.rowsWritten),
      result_bytes: String(answered.body.length),
      elapsed_ns: String(process.hrtime.bigint() - startedAt),
    }),
  );
  const accepted = response.req.headers['accept-encoding'] ?? '';
  const isZipped =
    asked.get('enable_http_compression') === '1' && accepted.includes('gzip') && answered.body.length > 0;
  if (isZipped) response.setHeader('Content-Encoding', 'gzip');
  response.end(isZipped ? gzipSync(answered.body, { level: 1 }) : answered.body);
}

async function writeBlock(response: ServerResponse, block: Uint8Array, gone: AbortSignal): Promise<void> {
  if (response.destroyed || response.write(block)) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      response.off('drain', go);
      gone.removeEventListener('abort', go);
      resolve();
    };
    response.once('drain', go);
    gone.addEventListener('abort', go, { once: true });
  });
}

function fail(response: ServerResponse, error: unknown, hooks: EngineServerHooks): void {
  const engineError =
    error instanceof EngineError
      ? error
      : new EngineError(1001, error instanceof Error ? error.message : String(error));
  hooks.onFailure(engineError.engineCode);
  // Part of an answer is out already: only a cut connection says that the rest will not come.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const isTooLarge = error instanceof BodyTooLarge;
  const text = /^Code:\s*\d+/.test(engineError.message)
    ? engineError.message
    : `Code: ${engineError.engineCode}. DB::Exception: ${engineError.message}`;
  response.writeHead(isTooLarge ? 413 : (STATUS_BY_CODE[engineError.engineCode] ?? 500), {
    'Content-Type': 'text/plain; charset=UTF-8',
    'X-ClickHouse-Exception-Code': String(engineError.engineCode),
    ...(isTooLarge ? { Connection: 'close' } : {}),
  });
  response.end(`${text}\n`);
  if (isTooLarge) response.once('finish', () => response.req.destroy());
}
