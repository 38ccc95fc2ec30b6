import { ClickHouseError } from '@clickhouse/client';
import { TallyrankError } from '../core/errors.ts';

/** The connection failed before the store had the request: repeating it is always safe. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
/** The connection broke: nobody knows whether the request was carried out. */
const CUT: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** Too many statements (202) or parts (252), shutting down (236), Keeper away (999): it passes. */
const PASSING_CODES: ReadonlySet<string> = new Set(['202', '236', '252', '999']);

/** Errors whose text names tables and columns but never values, and so may be shown. */
const SHOWN_CODES: ReadonlySet<string> = new Set([
  '16',
  '46',
  '47',
  '60',
  '62',
  '81',
  '159',
  '160',
  '164',
  '241',
  '497',
  '516',
]);

export type ConnectionFault = 'never_sent' | 'cut';

/** How the connection failed, or null when the failure is another one. */
export function connectionFault(error: unknown): ConnectionFault | null {
  if (error instanceof ClickHouseError) return null;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && NEVER_SENT.has(code)) return 'never_sent';
  if (typeof code === 'string' && CUT.has(code)) return 'cut';
  // node:http and the client give some cuts no code.
  if (typeof message === 'string' && /socket hang up|aborted|premature close|timeout error/i.test(message))
    return 'cut';
  return null;
}

/** Where ClickHouse begins to quote the row, or the statement with its parameters put in. */
const QUOTING =
  /\s*(?:[:(]\s*)?(?:\bbefore:|\bin scope\b|\bwhile\b|\bat row \d|\brow \d+:|\bcolumn \d+,|\n)/i;
const QUOTED = /'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?/g;

/** The same for a log: rows and parameters hold prompts, and ClickHouse quotes both. */
function withoutValues({ message, stack, code, type }: ClickHouseError): Error {
  const kept = message.split(QUOTING, 1)[0] ?? '';
  const quiet = new Error(`ClickHouse ${code} ${type ?? ''}: ${kept.replace(QUOTED, "'…'").slice(0, 300)}`);
  quiet.stack = `${quiet.message}\n${(stack ?? '').split('\n').filter(isFrame).join('\n')}`;
  return quiet;
}

function isFrame(line: string): boolean {
  return /^ {4}at /.test(line);
}

/**
 * Any failure of a statement in our words. ClickHouse's text stays in `cause`, as far as it cannot hold a value of a
 * row; to callers it is shown only where it names nothing but tables and columns.
 */
export function toStoreError(error: unknown): TallyrankError {
  if (error instanceof TallyrankError) return error;
  if (error instanceof ClickHouseError) {
    const name = error.type === undefined ? error.code : `${error.code} ${error.type}`;
    if (PASSING_CODES.has(error.code)) {
      return new TallyrankError('store_unavailable', `The store is busy (${name}); try again shortly.`, {
        cause: error,
      });
    }
    const isShown = SHOWN_CODES.has(error.code);
    const detail = isShown ? `: ${error.message.slice(0, 500)}` : '; the log has the details.';
    return new TallyrankError('store_query_failed', `The store refused a statement (${name})${detail}`, {
      cause: isShown ? error : withoutValues(error),
    });
  }
  if (connectionFault(error) !== null) {
    return new TallyrankError(
      'store_unavailable',
      'The store does not answer; nothing that was accepted is lost.',
      {
        cause: error,
      },
    );
  }
  return new TallyrankError(
    'store_query_failed',
    'A statement failed on its way to the store; the log has the details.',
    {
      cause: error,
    },
  );
}
