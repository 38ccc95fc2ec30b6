import { TallyrankError } from '../../core/errors.ts';
import { momentOfRequestId } from '../../core/signal.ts';
import { storedMoment } from '../../core/usage-record.ts';
import { OTHER_USE_CASE } from '../../core/use-case.ts';
import type { Database } from '../database.ts';
import { ASKED_FOR, KEEPS_USE_CASE } from '../rows-under-run.ts';
import { currentRunId } from './current-run.ts';
import { isoOfStored } from './usage-window.ts';

/** One request of the log; null where nobody said. */
export interface RequestRow {
  readonly requestId: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly source: string;
  /** Of a shadow, the request that another model answered for the caller; null for all others. */
  readonly shadowOf: string | null;
  readonly modelAsked: string;
  readonly modelId: string;
  readonly modelReported: string | null;
  readonly isStream: boolean;
  /** In lists cut to 500 characters, as is `response`. */
  readonly prompt: string | null;
  readonly promptHash: string;
  readonly response: string | null;
  /** Equal for equal answers. */
  readonly responseHash: string | null;
  /** Estimated share of the answer, 0..1, that stands word for word in the prompt. */
  readonly echoShare: number | null;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly tokensEstimated: boolean;
  readonly latencyMs: number | null;
  readonly firstTokenMs: number | null;
  /** Parts of the latency by the provider's own clock: loading a model, waiting for its turn, writing the answer. */
  readonly loadMs: number | null;
  readonly queueMs: number | null;
  readonly generationMs: number | null;
  readonly costUsd: number | null;
  readonly priceVersion: string | null;
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly roomId: string | null;
  readonly keyId: string | null;
  readonly tags: readonly string[];
  readonly routingRule: string | null;
  readonly externalId: string | null;
  readonly responseId: string | null;
  readonly isSuccess: boolean;
  readonly fault: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly finishReason: string | null;
  readonly statusCode: number | null;
  readonly attemptCount: number;
  /** Models that were tried before and failed by their own or their provider's fault, and their error codes. */
  readonly failedModelIds: readonly string[];
  readonly failedCodes: readonly string[];
  /** In the words of the current discovery run. */
  readonly useCase: string;
  /** The hand-written rule that gave the use case; null where the classifier or a run did. */
  readonly useCaseRule: string | null;
}

export type RequestStatus = 'success' | 'failure' | 'abandoned';

export interface RequestFilter {
  readonly from: Date;
  readonly to: Date;
  readonly modelId?: string | undefined;
  readonly useCase?: string | undefined;
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly status?: RequestStatus | undefined;
  /** Part of the prompt or the answer, in any case. */
  readonly search?: string | undefined;
}

export interface RequestPage {
  readonly requests: readonly RequestRow[];
  /** Where the next page begins; null after the last. */
  readonly nextCursor: string | null;
}

const PAGE_MAX = 500;

/** The use case as `rowsUnderRun` gives it, without its join: the log is read from its end until the page is full. */
const LIST_REQUESTS = `
SELECT
  toString(request_id) AS requestId,
  toString(started_at) AS startedAt,
  source,
  toString(shadow_of) AS shadowOf,
  model_asked AS modelAsked,
  model_id AS modelId,
  nullIf(model_reported, '') AS modelReported,
  is_stream AS isStream,
  nullIf(substringUTF8(usage.prompt, 1, {textMax:UInt32}), '') AS prompt,
  prompt_hash AS promptHash,
  nullIf(substringUTF8(usage.response, 1, {textMax:UInt32}), '') AS response,
  nullIf(response_hash, '') AS responseHash,
  echo_share AS echoShare,
  prompt_tokens AS promptTokens,
  completion_tokens AS completionTokens,
  tokens_estimated AS tokensEstimated,
  latency_ms AS latencyMs,
  first_token_ms AS firstTokenMs,
  load_ms AS loadMs,
  queue_ms AS queueMs,
  generation_ms AS generationMs,
  cost_usd AS costUsd,
  nullIf(price_version, '') AS priceVersion,
  nullIf(user_id, '') AS userId,
  nullIf(session_id, '') AS sessionId,
  nullIf(room_id, '') AS roomId,
  nullIf(key_id, '') AS keyId,
  tags,
  nullIf(routing_rule, '') AS routingRule,
  nullIf(external_id, '') AS externalId,
  nullIf(response_id, '') AS responseId,
  success AS isSuccess,
  nullIf(usage.fault, '') AS fault,
  nullIf(error_code, '') AS errorCode,
  nullIf(error_message, '') AS errorMessage,
  nullIf(finish_reason, '') AS finishReason,
  status_code AS statusCode,
  attempt_count AS attemptCount,
  failed_model_ids AS failedModelIds,
  failed_codes AS failedCodes,
  if(${KEEPS_USE_CASE}, use_case, '') AS useCase,
  nullIf(use_case_rule, '') AS useCaseRule
FROM usage_log AS usage
WHERE started_at >= {from:DateTime64(3)} AND started_at < {to:DateTime64(3)}
  AND ({cursorId:String} = '' OR (started_at, request_id) < ({cursorAt:DateTime64(3)}, toUUIDOrZero({cursorId:String})))
  -- By its id a shadow is found; nobody asked for it, so no list has it.
  AND if({requestId:String} = '', ${ASKED_FOR}, request_id = toUUIDOrZero({requestId:String}))
  AND ({modelId:String} = '' OR model_id = {modelId:String})
  AND ({userId:String} = '' OR user_id = {userId:String})
  AND ({sessionId:String} = '' OR session_id = {sessionId:String})
  AND ({status:String} = ''
    OR ({status:String} = 'success' AND success)
    OR ({status:String} = 'failure' AND NOT success)
    OR ({status:String} = 'abandoned' AND error_code = 'caller_cancelled'))
  AND ({search:String} = ''
    OR positionCaseInsensitiveUTF8(usage.prompt, {search:String}) > 0
    OR positionCaseInsensitiveUTF8(usage.response, {search:String}) > 0)
  AND ({useCase:String} = ''
    OR (${KEEPS_USE_CASE} AND use_case = {useCase:String})
    OR (NOT ${KEEPS_USE_CASE} AND {useCase:String} != 'other' AND prompt_hash IN (
      SELECT prompt_hash FROM assignments WHERE run_id = {run:String} AND use_case = {useCase:String}))
    OR (NOT ${KEEPS_USE_CASE} AND {useCase:String} = 'other' AND prompt_hash NOT IN (
      SELECT prompt_hash FROM assignments WHERE run_id = {run:String} AND use_case != 'other')))
ORDER BY started_at DESC, request_id DESC
LIMIT {limit:UInt32}`;

/** For the rows of a page that an earlier run labelled. */
const ASSIGNED_USE_CASES = `
SELECT prompt_hash AS promptHash, use_case AS useCase
FROM assignments FINAL
WHERE run_id = {run:String} AND prompt_hash IN ({hashes:Array(String)})`;

/**
 * Which requests were there, newest first? Reads `usage_log` from its end until the page is full.
 *
 * @throws {TallyrankError} `bad_request` for a cursor of somebody else's
 */
export async function listRequests(
  db: Database,
  filter: RequestFilter,
  page: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<RequestPage> {
  if (!Number.isInteger(page.limit) || page.limit < 1 || page.limit > PAGE_MAX) {
    throw new RangeError(`limit ${page.limit}`);
  }
  const cursor = page.cursor === undefined ? null : decodeCursor(page.cursor);
  const rows = await selectRequests(db, {
    from: filter.from,
    to: filter.to,
    cursorAt: cursor?.at ?? storedMoment(0),
    cursorId: cursor?.requestId ?? '',
    modelId: filter.modelId ?? '',
    userId: filter.userId ?? '',
    sessionId: filter.sessionId ?? '',
    status: filter.status ?? '',
    search: filter.search ?? '',
    useCase: filter.useCase ?? '',
    textMax: 500,
    // One more than asked says whether there is a next page.
    limit: page.limit + 1,
  });
  const requests = rows.slice(0, page.limit);
  const last = requests.at(-1);
  return { requests, nextCursor: rows.length > page.limit && last !== undefined ? encodeCursor(last) : null };
}

/** One request whole, or null when the log has none of that id. Opens one partition: the id carries its time. */
export async function findRequest(db: Database, requestId: string): Promise<RequestRow | null> {
  const atMs = momentOfRequestId(requestId);
  if (atMs === null) return null;
  const [row] = await selectRequests(db, {
    // Ids are made in the millisecond of the request's start; a second on both sides forgives other makers.
    from: new Date(Math.max(0, atMs - 1_000)),
    to: new Date(atMs + 1_000),
    requestId,
    textMax: 100_000_000,
    limit: 1,
  });
  return row ?? null;
}

const NO_FILTER = {
  cursorAt: storedMoment(0),
  cursorId: '',
  requestId: '',
  modelId: '',
  userId: '',
  sessionId: '',
  status: '',
  search: '',
  useCase: '',
};

async function selectRequests(
  db: Database,
  params: Readonly<Record<string, unknown>>,
): Promise<RequestRow[]> {
  const run = await currentRunId(db);
  const rows = await db.query<RequestRow>(LIST_REQUESTS, { ...NO_FILTER, run, ...params });
  const hashes = [...new Set(rows.filter((row) => row.useCase === '').map((row) => row.promptHash))];
  const assigned =
    hashes.length === 0
      ? []
      : await db.query<Pick<RequestRow, 'promptHash' | 'useCase'>>(ASSIGNED_USE_CASES, { run, hashes });
  const useCases = new Map(assigned.map((row) => [row.promptHash, row.useCase]));
  return rows.map((row) => ({
    ...row,
    startedAt: isoOfStored(row.startedAt),
    useCase: row.useCase === '' ? (useCases.get(row.promptHash) ?? OTHER_USE_CASE) : row.useCase,
  }));
}

function encodeCursor(row: RequestRow): string {
  return Buffer.from(`${row.startedAt} ${row.requestId}`).toString('base64url');
}

function decodeCursor(cursor: string): { at: string; requestId: string } {
  const [at = '', requestId = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const ms = Date.parse(at);
  if (Number.isNaN(ms) || !/^[0-9a-f-]{36}$/.test(requestId)) {
    throw new TallyrankError('bad_request', 'This cursor was not made here: begin again without one.', {
      param: 'cursor',
    });
  }
  return { at: storedMoment(ms), requestId };
}
